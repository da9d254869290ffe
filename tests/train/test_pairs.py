"""Sketches and their photos: what a batch holds, what the doors share, what a run keeps."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from retrieval.benchmarks import pairs
from retrieval.data import Benchmark, Modality
from retrieval.encoder import build_encoder
from retrieval.encoder_folders import open_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.energy import SketchEnergy, energies
from retrieval.errors import BadInputError
from retrieval.poolings.attention_style import AttentionStyle
from train.config import TrainConfig, read_recipe
from train.losses.info_nce import InfoNCE
from train.losses.normalised_softmax import NormalisedSoftmax
from train.losses.triplet import Triplet
from train.pair_labels import LabelHeads, Labelled
from train.pair_network import PairNetwork
from train.pair_pictures import PairBatches, PairPictures
from train.ranks import Ranks
from train.run import Listeners, Run
from train.run_folder import RunFolder
from train.tasks._task import Halves
from train.tasks.pairs import Pairs, held_out, tied
from train.trainer import resume, train

SIDE = 48


def shape(number: int, drawing: bool) -> Image.Image:
    """A polygon that only its number decides; a drawing of it is its outline."""
    rng = np.random.default_rng(number)
    points = [(float(x), float(y)) for x, y in rng.uniform(4, SIDE - 4, (4, 2))]
    image = Image.new("RGB", (SIDE, SIDE), "white")
    colour = tuple(int(value) for value in rng.integers(0, 160, 3))
    pen = ImageDraw.Draw(image)
    pen.polygon(points, fill=None if drawing else colour, outline="black" if drawing else colour)
    return image


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 objects with a photo and two sketches: a picture and strokes; 6 of them are the test."""
    folder = tmp_path_factory.mktemp("pairs")
    rows, strokes = ["sketch,photo,split"], {}
    for number in range(24):
        shape(number, drawing=False).save(folder / f"{number}.jpg")
        shape(number, drawing=True).save(folder / f"{number}-a.png")
        line = np.random.default_rng(number).uniform(20, 236, (5, 2)).tolist()
        strokes[f"{number}-b"] = [line[:3], line[2:]]
        split = "test" if number >= 18 else "train"
        rows += [f"{number}-a.png,{number}.jpg,{split}", f"{number}-b,{number}.jpg,{split}"]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    (folder / "strokes.json").write_text(json.dumps(strokes))
    return folder


@pytest.fixture(scope="module")
def benchmark_of_pairs(root: Path) -> Benchmark:
    return pairs.read(root)


def recipe(*settings: str) -> TrainConfig:
    return read_recipe(
        "sketches",
        [
            "encoder.backbone=small",
            "encoder.keep_layers=4",
            "encoder.size=32",
            "encoder.pooling.cells=2",
            "optimizer.frozen_layers=0",
            "run.precision=fp32",
            "run.freeze_batch_norm=false",
            "pairs.whitening=0",
            "sampler.classes=8",
            "schedule.epochs=2",
            "validation_share=0.25",
            *settings,
        ],
    )


def doors(sharing: str, *, centred: bool = True) -> EncoderPair:
    return tied(build_encoder("small", "average", size=32, centred=centred), sharing)


@pytest.fixture
def made(benchmark_of_pairs: Benchmark) -> tuple[PairPictures, EncoderPair]:
    pair = doors("all")
    sketches = benchmark_of_pairs.train_sketches.paths
    photos = [benchmark_of_pairs.train.paths[i // 2] for i in range(len(sketches))]
    return PairPictures(sketches, photos, pair, 1), pair


def batches(
    made: tuple[PairPictures, EncoderPair], seed: int = 0, *settings: str
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    config = recipe(*settings)
    source = PairBatches(*made, config.pairs, config.augment, seed, 1)
    for batch in source.epoch(0, [np.array([0, 1, 5], np.int64)] * 2):
        yield np.asarray(batch.inputs)


STILL = [
    "augment.flip=false",
    "augment.brightness=0",
    "augment.contrast=0",
    "augment.saturation=0",
    "augment.grey=0",
    *(f"pairs.{name}=0" for name in ("turned", "scaled", "shifted", "bent", "thickness")),
    "pairs.removed=0",
]


def test_a_batch_is_sketches_and_then_their_photos(made: tuple[PairPictures, EncoderPair]) -> None:
    pixels = next(batches(made, 0, *STILL))
    assert pixels.shape == (6, 32, 32, 3)
    transform = made[1].photo.transform
    sketch = transform.pixels(shape(0, drawing=True))
    np.testing.assert_array_equal(pixels[0], sketch)
    assert np.ptp(pixels[1], axis=2).max() == 0  # strokes: black on white
    assert pixels[1].min() < 200
    photo = np.asarray(made[0].photo(0), np.float32)
    np.testing.assert_allclose(pixels[3], photo, atol=1e-3)
    np.testing.assert_allclose(pixels[4], photo, atol=1e-3)  # both sketches show object 0
    assert np.abs(pixels[5] - photo).max() > 50


def test_chance_is_decided_by_seed_and_step(made: tuple[PairPictures, EncoderPair]) -> None:
    first, second = batches(made)
    again, _ = batches(made)
    other, _ = batches(made, 1)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 50
    assert np.abs(first - other).max() > 50


def test_both_pictures_of_a_pair_are_mirrored_or_none(
    made: tuple[PairPictures, EncoderPair],
) -> None:
    settings = [one for one in STILL if not one.startswith("augment.flip")]
    still = next(batches(made, 0, *STILL))
    turned = set()
    for seed in range(6):
        pixels = next(batches(made, seed, *settings, "augment.flip=true"))
        for row in range(3):
            is_turned = [np.abs(pixels[place] - still[place]).max() > 1 for place in (row, row + 3)]
            assert is_turned[0] == is_turned[1], (seed, row, is_turned)
            turned.add(is_turned[0])
            if is_turned[0]:
                np.testing.assert_allclose(pixels[row + 3], still[row + 3][:, ::-1], atol=1e-3)
    assert turned == {True, False}


def test_both_pictures_of_a_pair_are_cropped_alike(root: Path) -> None:
    """Seen where a picture is paired with itself."""
    paths = [root / f"{number}-a.png" for number in range(6)]
    same = PairPictures(paths, paths, doors("all"), 1), doors("all")
    still = next(batches(same, 3, *STILL))
    cut = next(batches(same, 3, *STILL, "augment.crop_share=0.3", "augment.crop_aspect=1.3"))
    np.testing.assert_allclose(cut[:3], cut[3:], atol=1e-3)
    for row in range(3):
        assert np.abs(cut[row] - still[row]).max() > 50


def test_photos_are_shown_as_their_edges(made: tuple[PairPictures, EncoderPair]) -> None:
    pixels = next(batches(made, 0, *STILL, "pairs.edges=1"))
    assert np.ptp(pixels[3:], axis=3).max() == 0
    assert pixels[3:].min() < 200


def test_an_unreadable_photo_leaves_out_its_sketches(tmp_path: Path) -> None:
    for number in range(120):
        shape(number, drawing=True).save(tmp_path / f"{number}.png")
    sketches = [tmp_path / f"{number}.png" for number in range(120)]
    photos = [sketches[119], *sketches[1:119], tmp_path / "none.jpg"]
    found = PairPictures(sketches, photos, doors("all"), 1)
    assert found.kept.tolist() == list(range(119))
    assert "none.jpg" in found.rejected[0]
    with pytest.raises(BadInputError, match="training pictures must be readable; got 3"):
        PairPictures(sketches[:3], [tmp_path / f"{n}.jpg" for n in "abc"], doors("all"), 1)


def test_what_the_doors_share() -> None:
    siamese = doors("all", centred=False)
    assert siamese.siamese
    centred = doors("all")
    assert centred.photo.backbone is centred.sketch.backbone
    assert centred.photo.centring is not centred.sketch.centring
    norms, apart = doors("all but norms"), doors("nothing")
    for pair, shared in ((norms, True), (apart, False)):
        photo, sketch = (dict(door.named_parameters()) for door in (pair.photo, pair.sketch))
        kinds = dict(pair.photo.named_modules())
        for name, parameter in photo.items():
            is_norm = isinstance(kinds[name.rpartition(".")[0]], torch.nn.BatchNorm2d)
            assert (parameter is sketch[name]) == (shared and not is_norm), name
            assert torch.equal(parameter, sketch[name])


def test_each_half_of_a_batch_goes_through_its_door() -> None:
    pair = doors("nothing").eval()
    with torch.no_grad():
        for parameter in pair.sketch.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    network = PairNetwork(pair, 0, fold=False, bf16=False)
    pixels = torch.rand(4, 32, 32, 3) * 255
    vectors = network.embed(network.prepared(pixels))
    images = pair.photo.transform.normalise(pixels)
    want = torch.cat([pair.sketch(images[:2]), pair.photo(images[2:])])
    torch.testing.assert_close(vectors, want, atol=1e-5, rtol=0)
    assert (pair.photo(images[:2]) - want[:2]).abs().max() > 1e-3


def info_nce_of_loops(anchors: Tensor, references: Tensor, targets: Tensor, heat: float) -> Tensor:
    """The definition, both ways."""
    both = []
    for one, other in ((anchors, references), (references, anchors)):
        terms = []
        for i in range(len(one)):
            for p in range(len(other)):
                if targets[i] != targets[p]:
                    continue
                rivals = [n for n in range(len(other)) if targets[n] != targets[i]]
                score = (one[i] @ other[p]) / heat
                all_scores = torch.stack([score, *((one[i] @ other[n]) / heat for n in rivals)])
                terms.append(torch.logsumexp(all_scores, 0) - score)
        both.append(torch.stack(terms).mean())
    return (both[0] + both[1]) / 2


TARGETS = torch.tensor([0, 1, 2, 2, 3])


def test_info_nce_is_its_definition_from_both_sides() -> None:
    torch.manual_seed(0)
    rows = F.normalize(torch.randn(10, 6, dtype=torch.float64)).requires_grad_()
    halves = Halves(InfoNCE(0.2))
    want = info_nce_of_loops(rows[:5], rows[5:], TARGETS, 0.2)
    torch.testing.assert_close(halves(rows, TARGETS), want)
    assert torch.autograd.gradcheck(lambda x: halves(x, TARGETS), (rows,))


def test_a_photo_is_never_its_own_negative() -> None:
    """Sketches 2 and 3 show one photo: however near it comes to both, no loss pushes it away."""
    torch.manual_seed(0)
    vectors = F.normalize(torch.randn(10, 6, dtype=torch.float64))
    vectors[[3, 7, 8]] = vectors[2].clone()  # two sketches, their photo twice
    vectors.requires_grad_()
    halves = Halves(Triplet(margin=0.5))
    (gradient,) = torch.autograd.grad(halves(vectors, TARGETS), vectors)
    without = vectors.detach().clone()
    without.requires_grad_()
    distances = torch.cdist(without[:5], without[5:])
    losses = []
    for i in range(5):
        own = [p for p in range(5) if TARGETS[p] == TARGETS[i]]
        others = [n for n in range(5) if TARGETS[n] != TARGETS[i]]
        hardest = max(distances[i, p] for p in own) - min(distances[i, n] for n in others) + 0.5
        if hardest > 0:
            losses.append(hardest)
    want = torch.stack(losses).mean()
    torch.testing.assert_close(halves(vectors, TARGETS), want)
    assert gradient.isfinite().all()


def test_objects_are_held_out_with_all_their_sketches() -> None:
    targets = np.repeat(np.arange(20), 3)
    learned, held = held_out(targets, 0.25, 0)
    assert len(np.unique(targets[held])) == 5
    assert not set(targets[held]) & set(targets[learned])
    assert sorted([*learned, *held]) == list(range(60))
    assert not np.array_equal(held, held_out(targets, 0.25, 1)[1])
    with pytest.raises(BadInputError, match=r"must leave 2 objects on both sides; got 0\.01 of 20"):
        held_out(targets, 0.01, 0)


INFO_NCE = "loss={ name = 'info_nce', temperature = 0.1 }"


def test_a_run_learns_and_what_it_keeps_finds_photos(
    benchmark_of_pairs: Benchmark, tmp_path: Path
) -> None:
    lines: list[str] = []
    rate = "optimizer.backbone_learning_rate=3e-3"
    config = recipe("schedule.epochs=8", "pairs.whitening=8", rate, INFO_NCE)
    result = train(
        config,
        tmp_path / "run",
        benchmark=benchmark_of_pairs,
        on_epoch=lambda report: lines.append(str(report)),
    )
    losses = [report.loss for report in result.reports if report.loss is not None]
    assert losses[-1] < 0.8 * losses[0]
    assert "acc@1" in lines[-1]
    assert "1/rank" in lines[-1]
    assert "(" in lines[-1]
    assert any(note.startswith("whitened to 8 dimensions on") for note in result.notes)
    pair = open_encoder(result.encoder_folder)
    assert isinstance(pair, EncoderPair)
    assert pair.dim == 8
    sketches = encode_files(
        pair, benchmark_of_pairs.train_sketches.paths, modality=Modality.SKETCH
    ).vectors
    photos = encode_files(pair, benchmark_of_pairs.train.paths, modality=Modality.PHOTO).vectors
    own = np.repeat(np.arange(len(photos)), 2)
    scores = sketches @ photos.T
    ranks = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    assert (1 / (1 + ranks)).mean() > 0.4  # chance is below 0.2


@pytest.mark.parametrize("sharing", ["all", "all but norms", "nothing"])
def test_a_run_that_was_stopped_goes_on_bit_by_bit(
    benchmark_of_pairs: Benchmark, tmp_path: Path, sharing: str
) -> None:
    config = recipe(f"pairs.sharing={sharing}", "run.average_weights=0.9")
    whole = train(config, tmp_path / "whole", benchmark=benchmark_of_pairs)
    steps: list[int] = []

    def stop() -> bool:
        steps.append(1)
        return len(steps) == 1

    train(config, tmp_path / "parts", benchmark=benchmark_of_pairs, should_stop=stop)
    parts = resume(tmp_path / "parts", benchmark=benchmark_of_pairs)
    assert [report.loss for report in parts.reports] == [report.loss for report in whole.reports]
    first, second = open_encoder(whole.encoder_folder), open_encoder(parts.encoder_folder)
    assert first.fingerprint() == second.fingerprint()


def test_a_pair_can_be_gone_on_with(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "first", benchmark=benchmark_of_pairs)
    config = recipe(
        f"encoder.start={first.encoder_folder}", "optimizer.backbone_learning_rate=1e-12"
    )
    second = train(config, tmp_path / "second", benchmark=benchmark_of_pairs)
    before, after = open_encoder(first.encoder_folder), open_encoder(second.encoder_folder)
    assert isinstance(before, EncoderPair)
    assert isinstance(after, EncoderPair)
    for name, tensor in before.photo.backbone.state_dict().items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(tensor, after.photo.backbone.state_dict()[name])


def test_the_classes_of_photos_have_no_pairs(
    figures: Benchmark, benchmark_of_pairs: Benchmark, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="must have training sketches with their photos"):
        train(recipe(), tmp_path / "none", benchmark=figures)
    with pytest.raises(BadInputError, match=r"run.pieces must be left out where pairs are learned"):
        train(recipe("run.pieces=2"), tmp_path / "pieces", benchmark=benchmark_of_pairs)


def test_the_task_is_found_by_its_name(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"'pears'.*Did you mean 'pairs'"):
        train(recipe("task=pears"), tmp_path / "run", benchmark=benchmark_of_pairs)


ENERGY = ["loss={ name = 'holef_style' }", "encoder.dim=8", "schedule.epochs=1"]


def test_attention_is_trained_and_kept(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    config = recipe("encoder.pooling={ name = 'attention_style', cells = 2 }", "schedule.epochs=1")
    result = train(config, tmp_path / "run", benchmark=benchmark_of_pairs)
    pair = open_encoder(result.encoder_folder)
    assert isinstance(pair, EncoderPair)
    pooling = pair.sketch.pooling
    assert isinstance(pooling, AttentionStyle)
    assert pooling.scores.weight.abs().max() > 0
    where = pooling.attention(torch.rand(1, pooling.channels, 4, 4))
    assert (where - 1 / 16).abs().max() > 1e-6


def test_a_run_keeps_the_energy_it_learned(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    result = train(recipe(*ENERGY), tmp_path / "run", benchmark=benchmark_of_pairs)
    pair = open_encoder(result.encoder_folder)
    assert isinstance(pair, EncoderPair)
    assert pair.dim == 10
    assert isinstance(pair.sketch.energy, SketchEnergy)
    weight = pair.sketch.energy.weight
    assert 1e-3 < (weight - torch.eye(8)).abs().max() < 0.5
    paths = benchmark_of_pairs.train_sketches.paths, benchmark_of_pairs.train.paths
    plain = EncoderPair(pair.photo.with_whitening(None), pair.sketch.with_whitening(None))
    vectors = [
        encode_files(one, files, modality=modality).vectors
        for one in (plain, pair)
        for files, modality in zip(paths, (Modality.SKETCH, Modality.PHOTO), strict=True)
    ]
    energy = energies(torch.from_numpy(vectors[0]), torch.from_numpy(vectors[1]), weight)
    scores = torch.from_numpy(vectors[2] @ vectors[3].T)
    for one, other in zip(energy.tolist(), scores.tolist(), strict=True):
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(-1, abs=1e-3)


def test_validation_ranks_as_what_is_kept(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    """A run with an energy that was stopped goes on, and validates by its energy."""
    config = recipe(*ENERGY, "schedule.epochs=2", "optimizer.loss_learning_rate=0.3")
    whole = train(config, tmp_path / "whole", benchmark=benchmark_of_pairs)
    train(
        config,
        tmp_path / "parts",
        benchmark=benchmark_of_pairs,
        should_stop=lambda: True,
    )
    parts = resume(tmp_path / "parts", benchmark=benchmark_of_pairs, should_stop=lambda: False)
    first, second = open_encoder(whole.encoder_folder), open_encoder(parts.encoder_folder)
    assert first.fingerprint() == second.fingerprint()
    task = Pairs(config, benchmark_of_pairs, torch.device("cpu"), Ranks())
    score = task.score(first)
    best = max(report.hits for report in whole.reports[1:])
    kept = [report for report in whole.reports[1:] if report.hits == best][-1]
    assert score.hits == kept.hits
    assert score.map_at_r == pytest.approx(kept.map_at_r)
    assert isinstance(first, EncoderPair)
    plain = EncoderPair(first.photo.with_whitening(None), first.sketch.with_whitening(None))
    assert task.score(plain).spread != pytest.approx(kept.spread)


def test_an_energy_is_not_whitened(benchmark_of_pairs: Benchmark, tmp_path: Path) -> None:
    sentence = r"pairs\.whitening must be 0 with the loss holef_style, .* got 4\. Set pairs"
    with pytest.raises(BadInputError, match=sentence):
        train(recipe(*ENERGY, "pairs.whitening=4"), tmp_path / "run", benchmark=benchmark_of_pairs)


@pytest.fixture(scope="module")
def labelled(root: Path) -> Benchmark:
    """Objects of 2 kinds and 3 colours."""
    rows = (root / "pairs.csv").read_text().splitlines()
    table = [f"{rows[0]},label,colour"]
    for row in rows[1:]:
        number = int(row.split(",")[1].removesuffix(".jpg"))
        table.append(f"{row},{'ab'[number % 2]},{'rgb'[number % 3]}")
    (root / "labelled.csv").write_text("\n".join(table) + "\n")
    return pairs.read(root, table="labelled.csv", groups="colour")


def test_label_heads_are_their_definition() -> None:
    torch.manual_seed(0)
    columns = {"label": np.array([4, 4, 9, 9]), "colour": np.array([0, 1, 2, 1])}
    heads = LabelHeads(columns, 5).double()
    rows, targets = torch.randn(6, 5, dtype=torch.float64), torch.tensor([3, 0, 1])
    terms = []
    for head, values in zip(heads.heads, ([0, 0, 1, 1], [0, 1, 2, 1]), strict=True):
        assert isinstance(head, NormalisedSoftmax)
        column = []
        for place, row in enumerate(rows):
            cosines = [F.cosine_similarity(row, c, dim=0) / 0.05 for c in head.centers.detach()]
            own = cosines[values[int(targets[place % 3])]]
            column.append(torch.logsumexp(torch.stack(cosines), 0) - own)
        terms.append(torch.stack(column).mean())
    want = torch.stack(terms).mean()
    torch.testing.assert_close(heads(rows, targets), want)
    both = Labelled(Halves(Triplet()), heads, 0.25)
    torch.testing.assert_close(both(rows, targets), both.pairs(rows, targets) + 0.25 * want)
    assert torch.autograd.gradcheck(lambda x: heads(x, targets), (rows.requires_grad_(),))


def test_a_head_learns_labels_from_both_kinds_of_pictures() -> None:
    torch.manual_seed(0)
    columns = {"label": np.arange(12) % 2, "colour": np.arange(12) % 3}
    heads, targets = LabelHeads(columns, 16), torch.arange(12)
    rows = F.normalize(torch.randn(24, 16)).requires_grad_()
    chance = (np.log(2) + np.log(3)) / 2
    optimizer = torch.optim.Adam([rows, *heads.parameters()], lr=0.05)
    for _ in range(60):
        heads(rows, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert heads(rows, targets).item() < 0.1 * chance
    exchanged = heads(rows.roll(1, dims=0), targets).item()
    assert exchanged > chance


def test_labels_reach_the_encoder_of_a_run(labelled: Benchmark, tmp_path: Path) -> None:
    made = []
    for weight in (0.0, 2.0):
        settings = ["pairs.labels=label, colour", "schedule.epochs=1"]
        config = recipe(*settings, f"pairs.label_weight={weight}")
        run = Run(config, labelled, RunFolder(tmp_path / str(weight)), Listeners(), Ranks())
        assert isinstance(run.loss, Labelled)
        before = [p.detach().clone() for p in run.loss.heads.parameters()]
        run.folder.create(config.settings(), run.facts())
        made.append(run.go_on())
        moved = [
            not torch.equal(a, b) for a, b in zip(before, run.loss.heads.parameters(), strict=True)
        ]
        assert moved == [weight > 0] * 2
    first, second = (open_encoder(result.encoder_folder) for result in made)
    assert first.fingerprint() != second.fingerprint()


def test_labels_that_are_not_there(
    benchmark_of_pairs: Benchmark, labelled: Benchmark, tmp_path: Path
) -> None:
    for benchmark, known in ((benchmark_of_pairs, "none"), (labelled, "colour, label")):
        sentence = f"must name labels that the benchmark has; got 'colours'.* known: {known}"
        with pytest.raises(BadInputError, match=sentence):
            train(recipe("pairs.labels=colours"), tmp_path / "run", benchmark=benchmark)
    with pytest.raises(BadInputError, match=r"with 2 labels or more; got 'one' with 1"):
        LabelHeads({"one": np.zeros(4, np.int64)}, 3)
    with pytest.raises(BadInputError, match=r"pairs\.label_weight must be"):
        recipe("pairs.label_weight=-1")
