"""One engine, two doors: what a pair is, how it is kept, and what enters by which door."""

import copy
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from retrieval import encoder_folders, plugins, reranking
from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.data import Benchmark, Modality, Relevance, Split
from retrieval.data_identity import file_hashes
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import keep_encoder, open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError, DamagedDataError, FgirError, StorageError
from retrieval.evaluation import EvaluationReport, evaluate
from retrieval.local_descriptors import LocalDescriptors, local_descriptors
from retrieval.reranker import Reranker
from retrieval.sketches import read_drawing

PHOTO, SKETCH = Modality.PHOTO, Modality.SKETCH


def door(seed: int, dim: int = 6) -> Encoder:
    return build_encoder("small", size=32, dim=dim, seed=seed)


def made(photo: int = 0, sketch: int = 1) -> EncoderPair:
    return EncoderPair(door(photo), door(sketch))


def siamese(seed: int = 0) -> EncoderPair:
    one = door(seed)
    return EncoderPair(one, one)


def vector(encoder: Encoder, path: Path) -> Any:
    image = Image.open(path).convert("RGB")
    return encoder.vectors(encoder.transform(image)[None])[0]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Six pictures of different sizes and places of a disc."""
    paths = []
    for number in range(6):
        image = Image.new("RGB", (40 + number, 36), "white")
        ImageDraw.Draw(image).ellipse((2 + 3 * number, 4, 20 + 3 * number, 30), outline="black")
        paths.append(tmp_path / f"{number}.png")
        image.save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs") / "pair"
    save_pair(made(), folder)
    return folder


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "pair"))


def opened(folder: Path) -> EncoderPair:
    pair = open_encoder(folder)
    assert isinstance(pair, EncoderPair)
    return pair


def refused(folder: Path, kind: type[FgirError] = DamagedDataError) -> str:
    with pytest.raises(kind) as caught:
        open_encoder(folder)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert sentence.endswith(".")
    return sentence


def describe(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite pair.json."""
    path = folder / "pair.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


# What a pair is


def test_each_kind_of_picture_has_its_door() -> None:
    photo, sketch = door(0), door(1)
    pair = EncoderPair(photo, sketch)
    assert pair.door(PHOTO) is photo
    assert pair.door(SKETCH) is sketch
    assert pair.dim == 6
    assert not pair.training
    assert not pair.siamese
    assert EncoderPair(photo, photo).siamese


def test_both_doors_lead_to_vectors_of_one_length() -> None:
    with pytest.raises(
        BadInputError,
        match=r"photo and sketch encoder must have vectors of one length; got 6 and 5\. Project",
    ):
        EncoderPair(door(0), door(1, dim=5))


def test_the_fingerprint_is_that_of_both_doors_and_their_roles() -> None:
    photo, sketch = door(0), door(1)
    text = json.dumps({"pair": 1, "photo": photo.fingerprint(), "sketch": sketch.fingerprint()})
    pair = EncoderPair(photo, sketch)
    assert pair.fingerprint() == hashlib.sha256(text.encode()).hexdigest()
    others = [EncoderPair(sketch, photo), EncoderPair(photo, photo), made(0, 2), made(2, 1)]
    prints = {pair.fingerprint(), photo.fingerprint(), *(one.fingerprint() for one in others)}
    assert len(prints) == 6


def test_settings_are_those_of_each_door() -> None:
    pair = EncoderPair(door(0), build_encoder("small", "gem", size=48, dim=6))
    assert pair.settings()["photo"] == pair.photo.settings()
    assert pair.settings()["sketch"] == pair.sketch.settings()


def test_modes_and_parameters_are_those_of_both_doors() -> None:
    pair = made()
    assert pair.train().sketch.training
    assert pair.photo.training
    one = door(0)
    assert len(list(EncoderPair(one, one).parameters())) == len(list(one.parameters()))


# Which door


def test_files_enter_by_the_door_of_their_kind(pictures: list[Path]) -> None:
    pair = made()
    for kind in Modality:
        got = encode_files(pair, pictures, modality=kind, runtime="eager").vectors
        want = np.stack([vector(pair.door(kind), path) for path in pictures])
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_a_pair_has_to_be_told_what_it_sees(pictures: list[Path]) -> None:
    sentence = "modality must be photo or sketch where an encoder has a door for each; got none"
    with pytest.raises(BadInputError, match=sentence):
        encode_files(made(), pictures)
    with pytest.raises(BadInputError, match=sentence):
        local_descriptors(made(), pictures)


def test_one_encoder_takes_files_for_photos_unless_told(pictures: list[Path]) -> None:
    one = door(0)
    plain = encode_files(one, pictures, runtime="eager").vectors
    for kind in Modality:
        same = encode_files(one, pictures, modality=kind, runtime="eager").vectors
        np.testing.assert_array_equal(same, plain)


def test_local_descriptors_are_those_of_the_door(pictures: list[Path]) -> None:
    pair = made()
    got, _ = local_descriptors(pair, pictures, modality=SKETCH).of(2)
    want, _ = local_descriptors(pair.sketch, pictures).of(2)
    other, _ = local_descriptors(pair.photo, pictures).of(2)
    np.testing.assert_array_equal(got, want)
    assert not np.array_equal(got, other)


# On disk


def test_the_same_pair_comes_back(original: Path) -> None:
    pair, again = made(), opened(original)
    images = torch.rand(3, 3, 32, 32)
    for kind in Modality:
        np.testing.assert_array_equal(
            pair.door(kind).vectors(images), again.door(kind).vectors(images)
        )
    assert again.fingerprint() == pair.fingerprint()
    assert not again.training
    assert not again.siamese
    assert sorted(path.name for path in original.iterdir()) == ["pair.json", "photo", "sketch"]
    assert load_encoder(original / "sketch").fingerprint() == pair.sketch.fingerprint()


def test_a_siamese_pair_is_kept_once(tmp_path: Path) -> None:
    pair = siamese()
    keep_encoder(pair, tmp_path / "a")
    again = opened(tmp_path / "a")
    assert again.siamese
    assert again.fingerprint() == pair.fingerprint()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["both", "pair.json"]


def test_doors_that_share_tensors_come_back(tmp_path: Path) -> None:
    photo = door(0)
    sketch = copy.deepcopy(photo)
    sketch.backbone = photo.backbone
    assert sketch.projection is not None
    torch.nn.init.orthogonal_(sketch.projection.weight)
    pair = EncoderPair(photo, sketch)
    keep_encoder(pair, tmp_path / "a")
    assert opened(tmp_path / "a").fingerprint() == pair.fingerprint()


def test_a_pair_is_not_overwritten_by_chance(saved: Path) -> None:
    with pytest.raises(BadInputError, match="must hold no pair of encoders yet; got one"):
        save_pair(made(2, 3), saved)
    for pair in (made(2, 3), siamese(4), made(5, 6), siamese(7), siamese(8)):
        save_pair(pair, saved, overwrite=True)
        assert opened(saved).fingerprint() == pair.fingerprint()
        assert len(list(saved.iterdir())) == (2 if pair.siamese else 3)  # the old doors are gone


def test_an_encoder_and_a_pair_never_share_a_folder(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="must hold no pair of encoders; got one"):
        save_encoder(door(0), saved, overwrite=True)
    save_encoder(door(0), tmp_path / "one")
    with pytest.raises(BadInputError, match="must hold no encoder of another kind"):
        save_pair(made(), tmp_path / "one", overwrite=True)


def test_folders_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo").mkdir()
    (tmp_path / "photo" / "cat.jpg").write_bytes(b"a cat")
    with pytest.raises(BadInputError, match=r"photo must be free .* with 'cat.jpg' in it"):
        save_pair(made(), tmp_path)
    assert (tmp_path / "photo" / "cat.jpg").read_bytes() == b"a cat"


@pytest.mark.parametrize("step", [1, 2, 3])
def test_f1_a_stop_while_overwriting_leaves_the_old_pair(
    saved: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def stop(*given: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step:
                raise StorageError("full")
            return work(*given, **options)

        return stop

    for name in ("save_encoder", "write_atomically"):
        monkeypatch.setattr(encoder_folders, name, counted(getattr(encoder_folders, name)))
    with pytest.raises(StorageError, match="full"):
        save_pair(made(2, 3), saved, overwrite=True)
    assert opened(saved).fingerprint() == made().fingerprint()
    monkeypatch.undo()
    save_pair(made(4, 5), saved, overwrite=True)
    assert opened(saved).fingerprint() == made(4, 5).fingerprint()


def test_a_first_save_that_was_stopped_is_no_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise StorageError("full")

    monkeypatch.setattr(encoder_folders, "write_atomically", full)
    with pytest.raises(StorageError, match="full"):
        save_pair(made(), tmp_path / "a")
    assert "must hold an encoder" in refused(tmp_path / "a", BadInputError)
    monkeypatch.undo()
    save_pair(made(), tmp_path / "a")
    assert opened(tmp_path / "a").fingerprint() == made().fingerprint()


def test_swapped_doors_are_noticed(saved: Path) -> None:
    describe(saved, lambda d: d["doors"].update(photo="sketch", sketch="photo"))
    assert "must carry the fingerprint of the pair" in refused(saved)


def test_a_door_of_another_pair_is_noticed(saved: Path) -> None:
    save_encoder(door(9), saved / "sketch", overwrite=True)
    assert "A door was changed after the pair was written" in refused(saved)


def test_doors_that_do_not_fit_are_noticed(saved: Path) -> None:
    save_encoder(door(9, dim=5), saved / "sketch", overwrite=True)
    assert "got 6 and 5" in refused(saved)


@pytest.mark.parametrize("kind", ["photo", "sketch"])
def test_damage_in_a_door_is_named(saved: Path, kind: str) -> None:
    (path,) = (saved / kind).glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert f"{path} must be what was written" in refused(saved)
    shutil.rmtree(saved / kind)
    assert f"{saved / kind} must hold the encoder that pair.json names" in refused(saved)


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "format": (lambda d: d.update(format="x"), "must describe a pair of encoders"),
    "doors": (lambda d: d.pop("doors"), "must name a folder for each of photo, sketch"),
    "one door": (lambda d: d["doors"].pop("photo"), "must name a folder for each"),
    "another door": (lambda d: d["doors"].update(sound="x"), "must name a folder for each"),
    "number": (lambda d: d["doors"].update(photo=3), "must name folders beside it; got 3"),
    "outside": (lambda d: d["doors"].update(photo="../x"), "must name folders beside it"),
    "above": (lambda d: d["doors"].update(photo=".."), "must name folders beside it"),
    "here": (lambda d: d["doors"].update(photo="."), "must name folders beside it"),
    "fingerprint": (lambda d: d.pop("fingerprint"), "must carry the fingerprint"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_description_that_was_changed_is_refused(saved: Path, damage: str) -> None:
    change, sentence = DAMAGES[damage]
    describe(saved, change)
    assert sentence in refused(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\udcff"])
def test_a_description_that_is_no_json_is_refused(saved: Path, text: str) -> None:
    (saved / "pair.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(saved)


def test_another_version_is_named(saved: Path) -> None:
    describe(saved, lambda d: d.update(version=99))
    assert "must have format version 1; got 99" in refused(saved, BadInputError)


# Evaluation


def split(paths: list[Path], kind: Modality) -> Split:
    return Split(tuple(paths), np.arange(len(paths)), kind)


def run(encoder: Encoder | EncoderPair, benchmark: Benchmark) -> EvaluationReport:
    return evaluate(encoder, benchmark, runtime="eager", ks=(1, 3))


def drawn(pictures: list[Path]) -> Benchmark:
    """Sketches that look for the photo with the same number."""
    return Benchmark(
        "drawn",
        split(pictures[:3], SKETCH),
        split(pictures[3:], PHOTO),
        relevance=Relevance.INSTANCE,
    )


def test_each_part_of_a_benchmark_enters_by_its_door(pictures: list[Path]) -> None:
    pair = made()
    found = run(pair, drawn(pictures))
    queries = np.stack([vector(pair.sketch, path) for path in pictures[:3]])
    gallery = np.stack([vector(pair.photo, path) for path in pictures[3:]])
    want = np.sort(queries @ gallery.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(found.outcomes.hits.scores[:, :3], want, atol=2e-6)
    assert found.encoder["fingerprint"] == pair.fingerprint()
    assert found.encoder["settings"] == pair.settings()
    assert found.encoder["name"].startswith("photo: small average 32 squash")
    assert "; sketch: small average" in found.encoder["name"]
    assert not [note for note in found.notes if "one door" in note]


def test_a_report_of_a_pair_can_be_kept(pictures: list[Path], tmp_path: Path) -> None:
    found = run(made(), drawn(pictures))
    found.save(tmp_path / "report")
    again = EvaluationReport.load(tmp_path / "report")
    assert again.query.modality == SKETCH
    assert again.encoder == json.loads(json.dumps(found.encoder))


def test_one_encoder_for_both_is_noted(pictures: list[Path]) -> None:
    notes = run(door(0), drawn(pictures)).notes
    assert [note for note in notes if note.startswith("The encoder has one door: sketches were")]
    photos = Benchmark("b", split(pictures[:3], PHOTO), split(pictures[3:], PHOTO))
    assert not [note for note in run(door(0), photos).notes if "one door" in note]


# Strokes


@pytest.fixture
def strokes(tmp_path: Path) -> Path:
    """Three drawings in one file; the last repeats the first."""
    square = [[[60, 60], [190, 60], [190, 190], [60, 190], [60, 60]]]
    cross = [[[20, 20], [230, 230]], [[20, 230], [230, 20]]]
    path = tmp_path / "strokes.json"
    path.write_text(json.dumps({"square": square, "cross": cross, "again": square}))
    return path


def test_strokes_enter_by_the_sketch_door(strokes: Path) -> None:
    pair = made()
    keys = [strokes / "square", strokes / "cross"]
    got = encode_files(pair, keys, modality=SKETCH, runtime="eager").vectors
    for row, path in enumerate(keys):
        image = read_drawing(path).raster(32, 2.0)
        want = pair.sketch.vectors(pair.sketch.transform(image)[None])[0]
        np.testing.assert_allclose(got[row], want, atol=1e-6)
    refused_ = encode_files(pair, keys, modality=PHOTO, runtime="eager").rejected
    assert [Path(one.path) for one in refused_] == keys


def test_the_width_of_the_pen_is_the_encoders(strokes: Path) -> None:
    encoder = door(0)
    encoder.transform = replace(encoder.transform, pen=9.0)
    assert encoder.fingerprint() != door(0).fingerprint()
    (got,) = encode_files(encoder, [strokes / "cross"], modality=SKETCH, runtime="eager").vectors
    image = read_drawing(strokes / "cross").raster(32, 9.0)
    np.testing.assert_allclose(got, encoder.vectors(encoder.transform(image)[None])[0], atol=1e-6)


def test_drawings_of_one_file_are_told_apart(strokes: Path, pictures: list[Path]) -> None:
    """Their file is the same, the drawings are not; equal drawings are equal files."""
    keys = tuple(strokes / key for key in ("square", "cross", "again"))
    queries = Split(keys, np.arange(3), SKETCH)
    gallery = split(pictures[:3], PHOTO)
    query, _ = file_hashes(Benchmark("b", queries, gallery, relevance=Relevance.INSTANCE))
    assert query[0] == query[2] != query[1]


def test_maps_of_different_networks_are_not_compared(pictures: list[Path]) -> None:
    narrow, wide = (
        LocalDescriptors([(np.eye(4, width, dtype=np.float32), np.ones(4, bool))])
        for width in (4, 5)
    )
    rows = np.eye(1, 3, dtype=np.float32)
    method = plugins.build(reranking, {"name": "local_max_sim"})
    with pytest.raises(BadInputError, match=r"channels to compare; got 4 .* and 5"):
        Reranker(method, rows, rows, maps=(narrow, wide))
