"""Classifiers are trained: what is held out, what is blended, and that a run goes on as it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from retrieval.calibration import fit_temperature, probabilities
from retrieval.checkpoints import load_encoder
from retrieval.classifier_folders import load_classifier
from retrieval.classifying import classify_files
from retrieval.data import Benchmark, Split
from retrieval.errors import BadInputError
from tests.train.test_trainer import Stop, numbers
from train.blending import Blended
from train.config import AugmentConfig, TrainConfig, from_settings, override, read_recipe
from train.logit_losses.cross_entropy import CrossEntropy
from train.pictures import Batch, Batches, Pictures
from train.ranks import Ranks
from train.reports import TrainResult
from train.tasks.recognition import Recognition, made_classifier
from train.trainer import resume
from train.trainer import train as train_classifier
from train.validation import split_pictures

RECIPE = {
    "task": "recognition",
    "benchmark": {"name": "folder"},
    "loss": {"name": "cross_entropy"},
    "head": {"name": "softmax"},
    "encoder": {"backbone": "small", "size": 24},
    "sampler": {"classes": 4, "images": 3, "steps": 3},
    "schedule": {"epochs": 2, "warmup": 0.5},
    "validation_share": 0.3,
    "run": {"device": "cpu"},
}


def recipe(*changes: str) -> TrainConfig:
    return from_settings(override(RECIPE, changes))


def same(first: TrainResult, second: TrainResult) -> bool:
    one, other = numbers(first), numbers(second)
    files = [
        (result.folder / "best" / "classifier.json").read_bytes() for result in (first, second)
    ]
    return (
        one.keys() == other.keys()
        and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
        and [(r.loss, r.hits) for r in first.reports] == [(r.loss, r.hits) for r in second.reports]
        and files[0] == files[1]
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.floats(0.01, 0.5))
def test_the_same_share_of_every_class_is_held_out(sizes: list[int], share: float) -> None:
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)) * 3, sizes))
    if max(sizes) < 2:
        with pytest.raises(BadInputError, match="validation_share must hold pictures out"):
            split_pictures(targets, share, seed=0)
        return
    learned, held_out = split_pictures(targets, share, seed=0)
    assert sorted([*learned, *held_out]) == list(range(len(targets)))
    for target, size in enumerate(sizes):
        out = int((targets[held_out] == 3 * target).sum())
        assert out == (0 if size == 1 else max(1, round(share * size)))
        assert out < size
    assert split_pictures(targets, 0, seed=0)[1].tolist() == []


def test_cross_entropy_with_softened_and_shared_labels() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logs = logits.log_softmax(dim=1).numpy()
    targets = torch.tensor([2, 0, 3])
    want = 0.0
    for row, target in zip(logs, targets.tolist(), strict=True):
        want -= sum(((0.9 if k == target else 0) + 0.1 / 4) * row[k] for k in range(4)) / 3
    assert float(CrossEntropy(0.1)(logits, targets)) == pytest.approx(want)
    shares = 0.7 * F.one_hot(targets, 4) + 0.3 * F.one_hot(targets.flip(0), 4)
    want = sum(-float((shares[i].numpy() * logs[i]).sum()) for i in range(3)) / 3
    assert float(CrossEntropy()(logits, shares.double())) == pytest.approx(want)
    with pytest.raises(BadInputError, match=r"label_smoothing must be in \[0, 1\); got 1"):
        CrossEntropy(1.0)


def test_targets_of_a_blend() -> None:
    targets = torch.tensor([0, 2, 1, 2])
    plain = Batch(np.array([1, 2]), np.zeros((2, 1, 1, 3), np.float32))
    assert plain.targets(targets).tolist() == [2, 1]
    blend = replace(plain, blended=np.array([2, 2]), share=0.75)
    found = blend.targets(targets)
    torch.testing.assert_close(found, torch.tensor([[0, 0.25, 0.75], [0, 1.0, 0]]))


def test_pictures_are_blended_as_their_labels_are(figures: Benchmark) -> None:
    transform = made_classifier(recipe(), ["a", "b"]).transform
    pictures = Pictures(figures.train.paths[:8], transform, 64, 1)
    plain = Batches(pictures, transform, AugmentConfig(), seed=3, threads=1)
    chosen = [np.array([0, 5, 2, 7]), np.array([1, 3, 4, 6])]
    blended = list(Blended(plain, 0.4, seed=3).epoch(2, chosen))
    for original, blend in zip(plain.epoch(2, chosen), blended, strict=True):
        assert blend.blended is not None
        assert sorted(blend.blended) == sorted(blend.positions)
        assert 0 < blend.share < 1
        pixels = np.asarray(original.inputs)
        for row, other in enumerate(blend.blended):
            (place,) = np.flatnonzero(original.positions == other)
            want = blend.share * pixels[row] + (1 - blend.share) * pixels[place]
            np.testing.assert_allclose(blend.inputs[row], want, rtol=1e-4, atol=1e-3)
    (late,) = Blended(plain, 0.4, seed=3).epoch(2, chosen, start=1)
    np.testing.assert_array_equal(late.inputs, blended[1].inputs)
    assert late.share == blended[1].share


@pytest.fixture(scope="module")
def finished(figures: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    out = tmp_path_factory.mktemp("runs") / "run"
    return train_classifier(recipe(), out, benchmark=figures)


def test_what_a_run_leaves(finished: TrainResult, figures: Benchmark) -> None:
    classifier = load_classifier(finished.folder / "best")
    assert classifier.classes == tuple(str(target) for target in range(12))
    assert load_encoder(finished.folder / "best").dim == 192
    assert finished.best.hits == max(report.hits for report in finished.reports[1:])
    assert str(finished.best).count("top-1") == str(finished.best).count("top-5") == 1
    _, held_out = split_pictures(figures.train.targets, 0.3, 0)
    assert finished.best.queries == len(held_out) == 24
    paths = [figures.train.paths[i] for i in held_out]
    logits, targets = classify_files(classifier, paths).logits, figures.train.targets[held_out]
    assert (logits.argmax(axis=1) == targets).sum() == finished.best.hits
    assert classifier.temperature == pytest.approx(fit_temperature(logits, targets), rel=1e-3)
    assert finished.notes[-1].startswith(f"temperature {classifier.temperature:.3f} fitted to 24")


def test_classes_are_learned(figures: Benchmark, tmp_path: Path) -> None:
    """Pictures that were learned are recognised, far above chance."""
    config = recipe("schedule.epochs=12", "optimizer.backbone_learning_rate=2e-3")
    few = figures.train.targets < 4
    paths = tuple(path for path, one in zip(figures.train.paths, few, strict=True) if one)
    split = Split(paths, figures.train.targets[few], names={0: "a", 1: "b", 2: "c", 3: "d"})
    result = train_classifier(config, tmp_path / "run", benchmark=replace(figures, train=split))
    classifier = load_classifier(tmp_path / "run" / "best")
    assert classifier.classes == ("a", "b", "c", "d")
    shares = probabilities(classify_files(classifier, paths).logits, classifier.temperature)
    assert (shares.argmax(axis=1) == split.targets).mean() > 0.6
    best, first = result.best.loss, result.reports[1].loss
    assert best is not None
    assert first is not None
    assert best < first


@pytest.mark.parametrize(
    "changes",
    [
        ("head.name=factorised_bilinear", "recognition.mixup=0.4", "run.average_weights=0.9"),
        ("head.name=isqrt_cov", "head.reduced=6", "run.precision=bf16", "run.pieces=2"),
        ("head.name=compact_bilinear", "head.dim=32", "optimizer.frozen_layers=2",
         "run.cached_views=2", "run.freeze_batch_norm=true"),
    ],
    ids=["blended", "pieces", "cached"],
)  # fmt: skip
def test_a_stopped_run_goes_on_as_if_never_stopped(
    figures: Benchmark, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    config = recipe(*changes)
    whole = train_classifier(config, tmp_path / "whole", benchmark=figures)
    for step in (1, 4):
        out = tmp_path / f"stopped-{step}"
        assert not train_classifier(config, out, benchmark=figures, should_stop=Stop(step)).finished
        assert same(whole, resume(out, benchmark=figures)), f"stopped after step {step}"
    assert same(whole, resume(tmp_path / "whole", benchmark=figures))


def test_norms_of_a_head_are_learned_where_those_of_the_backbone_are_kept(
    figures: Benchmark, tmp_path: Path
) -> None:
    config = recipe("head.name=isqrt_cov", "head.reduced=6", "run.freeze_batch_norm=true")
    result = train_classifier(config, tmp_path / "run", benchmark=figures)
    tensors = numbers(result)
    assert tensors["encoder/head.pooling.reduction.1.num_batches_tracked"] > 0
    assert tensors["encoder/backbone.stem.1.num_batches_tracked"] == 0


def test_a_benchmark_may_name_what_is_validated_on(figures: Benchmark, tmp_path: Path) -> None:
    learned, held_out = split_pictures(figures.train.targets, 0.5, 0)

    def part(rows: np.ndarray) -> Split:
        paths = tuple(figures.train.paths[i] for i in rows)
        targets = 3 * figures.train.targets[rows] + 5
        return Split(paths, targets, names={3 * n + 5: f"no. {n}" for n in range(12)})

    shown = held_out[figures.train.targets[held_out] > 3]
    divided = replace(figures, train=part(learned), validation=part(shown))
    result = train_classifier(recipe(), tmp_path / "run", benchmark=divided)
    classifier = load_classifier(tmp_path / "run" / "best")
    logits = classify_files(classifier, divided.validation.paths).logits
    right = [classifier.classes[k] for k in logits.argmax(axis=1)]
    names = [divided.validation.name(i) for i in range(len(shown))]
    hits = sum(one == other for one, other in zip(right, names, strict=True))
    assert (result.best.hits, result.best.queries) == (hits, len(shown))
    with pytest.raises(BadInputError, match=r"validation must show classes of train .*; got no. 4"):
        replace(divided, train=part(learned[figures.train.targets[learned] > 5]))
    with pytest.raises(BadInputError, match=r"validation must show .* in other photos; got .*png"):
        replace(divided, validation=divided.train)


def test_without_validation_nothing_is_fitted(figures: Benchmark, tmp_path: Path) -> None:
    result = train_classifier(recipe("validation_share=0"), tmp_path / "run", benchmark=figures)
    assert load_classifier(tmp_path / "run" / "best").temperature == 1
    assert result.notes == ("temperature not fitted: nothing is held out. Set validation_share.",)
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[1])["best"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["encoder.pooling=gem"], "encoder.pooling must be left out where classes are recognised"),
        (["encoder.dim=8"], "encoder.dim must be left out where classes are recognised; got 8"),
        (["head={}"], "head must be a table with a name; got {}"),
        (["head.name=softmxa"], "no heads called 'softmxa'"),
        (["loss.name=triplet"], "no logit_losses called 'triplet'; known: cross_entropy"),
        (
            ["recognition.mixup=0.2", "run.cached_views=2", "optimizer.frozen_layers=2"],
            "recognition.mixup must be 0 with run.cached_views; got 0.2",
        ),
        (["task=classes", "loss.name=triplet"], "head must be left out with task classes"),
        (["recognition.mixup=-1"], r"recognition.mixup must be in \[0, inf\]; got -1"),
    ],
)
def test_what_is_refused(
    figures: Benchmark, tmp_path: Path, changes: list[str], sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        train_classifier(recipe(*changes), tmp_path / "run", benchmark=figures)


@pytest.mark.parametrize("name", ["recognition_small", "recognition_two_cores"])
def test_a_recipe_can_be_built(name: str) -> None:
    config = read_recipe(name)
    with torch.device("meta"):
        made = made_classifier(config, [str(number) for number in range(7)])
    assert all(parameter.is_meta for parameter in made.head.parameters())
    assert isinstance(made.head, nn.Module)
    assert config.schedule.backbone_from < config.schedule.epochs


def test_a_benchmark_without_training_part(figures: Benchmark) -> None:
    empty = replace(figures, train=Split((), np.empty(0, np.int64)))
    with pytest.raises(BadInputError, match="figures must have a training part; got none"):
        Recognition(recipe(), empty, torch.device("cpu"), Ranks())
