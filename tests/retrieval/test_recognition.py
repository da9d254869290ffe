"""Classifiers in folders, on files and on benchmarks; figures by their definitions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retrieval.calibration import probabilities
from retrieval.checkpoints import load_encoder
from retrieval.classifier import Classifier, build_classifier
from retrieval.classifier_folders import is_classifier, load_classifier, save_classifier
from retrieval.classifying import classify_files
from retrieval.data import Benchmark, Split
from retrieval.errors import BadInputError, DamagedDataError, FgirError
from retrieval.recognition import place_of_right, recognition_report
from retrieval.recognition_evaluation import recognise
from retrieval.superclasses import read_superclasses, rolled_up

NAMES = ("wren", "robin", "oak")


def classifier(head: str = "softmax", seed: int = 0) -> Classifier:
    options = {"name": head} | ({"reduced": 6} if head == "isqrt_cov" else {})
    return build_classifier(NAMES, "small", options, size=32, seed=seed)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifiers") / "one"
    save_classifier(classifier("isqrt_cov").with_temperature(0.7), folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    return paths


def test_probabilities_are_those_of_logits_over_the_temperature() -> None:
    made = classifier()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = made.logits(images)
    shares = made.with_temperature(2.0).probabilities(images)
    np.testing.assert_allclose(shares, probabilities(logits, 2.0))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    last = made.backbone(images)
    np.testing.assert_allclose(made.head(last).detach().numpy(), logits, atol=1e-6)


def test_a_classifier_comes_back_as_it_was_saved(saved: Path) -> None:
    made, again = classifier("isqrt_cov").with_temperature(0.7), load_classifier(saved)
    assert again.classes == NAMES
    assert again.temperature == 0.7
    assert again.fingerprint() == made.fingerprint()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(again.logits(images), made.logits(images))


def test_its_folder_is_that_of_an_encoder_too(saved: Path) -> None:
    encoder = load_encoder(saved)
    assert encoder.pooling.settings()["name"] == "isqrt_cov"
    assert encoder.fingerprint() == load_classifier(saved).encoder().fingerprint()
    assert is_classifier(saved)


def test_whatever_changes_an_answer_changes_the_fingerprint() -> None:
    made = classifier()
    prints = {made.fingerprint(), made.with_temperature(2.0).fingerprint()}
    renamed = Classifier(made.backbone, made.head, made.transform, ("wren", "robin", "elm"))
    prints |= {renamed.fingerprint(), classifier(seed=1).fingerprint()}
    with torch.no_grad():
        next(iter(made.head.parameters())).flatten()[0] += 1
    assert len({*prints, made.fingerprint()}) == 5


def test_another_classifier_is_replaced_only_when_told(tmp_path: Path) -> None:
    save_classifier(classifier(), tmp_path)
    with pytest.raises(BadInputError, match="must hold no encoder yet"):
        save_classifier(classifier(seed=1), tmp_path)
    save_classifier(classifier(seed=1), tmp_path, overwrite=True)
    assert load_classifier(tmp_path).fingerprint() == classifier(seed=1).fingerprint()
    assert len(list(tmp_path.iterdir())) == 4


def test_a_save_that_is_stopped_leaves_no_half_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_classifier(classifier(), tmp_path)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("retrieval.classifier_folders.save_encoder", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_classifier(classifier(seed=1), tmp_path, overwrite=True)
    assert not is_classifier(tmp_path)
    assert load_encoder(tmp_path).fingerprint() == classifier().encoder().fingerprint()


def described(folder: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    file = folder / "classifier.json"
    description = json.loads(file.read_text())
    change(description)
    file.write_text(json.dumps(description))


DAMAGES: dict[str, tuple[Callable[[Path], object], type[FgirError], str]] = {
    "no file": (
        lambda f: (f / "classifier.json").unlink(),
        BadInputError,
        "must hold a classifier; got no readable classifier.json",
    ),
    "no JSON": (
        lambda f: (f / "classifier.json").write_text("{"),
        DamagedDataError,
        "must be JSON",
    ),
    "another format": (
        lambda f: described(f, lambda d: d.update(format="x")),
        DamagedDataError,
        "must describe a classifier; got something else",
    ),
    "another version": (
        lambda f: described(f, lambda d: d.update(version=9)),
        BadInputError,
        "must have format version 1; got 9",
    ),
    "a key gone": (
        lambda f: described(f, lambda d: d.pop("weights")),
        DamagedDataError,
        "it lacks 'weights'",
    ),
    "classes in another order": (
        lambda f: described(f, lambda d: d["settings"]["classes"].reverse()),
        DamagedDataError,
        "must carry the fingerprint of the classifier it describes",
    ),
    "another temperature": (
        lambda f: described(f, lambda d: d["settings"].update(temperature=1.5)),
        DamagedDataError,
        "must carry the fingerprint of the classifier it describes",
    ),
    "a head that pools otherwise": (
        lambda f: described(f, lambda d: d["settings"].update(head={"name": "softmax"})),
        DamagedDataError,
        "ones that make none",
    ),
    "one class": (
        lambda f: described(f, lambda d: d["settings"].update(classes=["wren"])),
        DamagedDataError,
        "ones that make none",
    ),
    "weights elsewhere": (
        lambda f: described(f, lambda d: d["weights"].update(file="../x.safetensors")),
        DamagedDataError,
        "must name weights beside it",
    ),
    "a flipped bit": (
        lambda f: flip(next(f.glob("classifier-*.safetensors"))),
        DamagedDataError,
        "with another SHA-256",
    ),
    "weights gone": (
        lambda f: next(f.glob("classifier-*.safetensors")).unlink(),
        DamagedDataError,
        "must be readable",
    ),
}


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_folder_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    damage, kind, sentence = DAMAGES[name]
    damage(folder)
    with pytest.raises(kind, match=sentence):
        load_classifier(folder)


def test_an_encoder_exchanged_is_noticed(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    save_classifier(classifier("isqrt_cov", seed=3), tmp_path / "other")
    for file in ("encoder.json", *[p.name for p in (tmp_path / "other").glob("weights-*")]):
        shutil.copy(tmp_path / "other" / file, folder / file)
    with pytest.raises(DamagedDataError, match="must name the encoder beside it"):
        load_classifier(folder)


def test_names_and_temperatures_that_cannot_be() -> None:
    with pytest.raises(BadInputError, match=r"classes must be two names or more.*got 'a' twice"):
        build_classifier(["a", "b", "a"], "small", size=32)
    with pytest.raises(BadInputError, match="temperature must be above 0 and finite; got 0"):
        classifier().with_temperature(0)
    with pytest.raises(BadInputError, match="classifier must be in eval mode"):
        classifier().train().logits(torch.zeros(1, 3, 32, 32))


def test_files_are_classified_one_by_one_or_together(photos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    made = classifier()
    done: list[int] = []
    paths = [*photos[:2], broken, *photos[2:]]
    found = classify_files(made, paths, batch_size=4, on_progress=done.append)
    assert sum(done) == len(paths)
    assert found.kept.tolist() == [0, 1, 3, 4, 5]
    assert [rejection.path for rejection in found.rejected] == [str(broken)]
    for row, path in zip(found.logits, photos, strict=True):
        alone = classify_files(made, [path], batch_size=1).logits
        np.testing.assert_allclose(row, alone[0], atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_the_place_of_the_right_class_by_its_definition(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, 4, (5, classes)).astype(float)  # many ties
    targets = rng.integers(0, classes, 5)
    want = [
        1 + sum(row[k] >= row[t] for k in range(classes) if k != t)
        for row, t in zip(logits, targets, strict=True)
    ]
    assert place_of_right(logits, targets).tolist() == want


def test_what_is_not_a_number_is_no_hit() -> None:
    """A published evaluator counted it as one."""
    logits = np.array([[np.nan, np.nan, np.nan], [np.nan, 1.0, 2.0]])
    assert place_of_right(logits, np.array([1, 0])).tolist() == [3, 3]


def test_figures_by_hand() -> None:
    logits = np.log(
        [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.3, 0.5, 0.2]]
    )
    report = recognition_report(logits, np.array([0, 0, 1, 0, 2]), NAMES, 1.0)
    first, five = report.scores
    assert (first.hits, first.count, five.hits) == (3, 5, 5)
    assert first.interval is not None
    assert first.interval[0] < 0.6 < first.interval[1]
    assert report.surprise == pytest.approx(-np.log([0.7, 0.6, 0.8, 0.3, 0.2]).mean())
    assert [(c.name, c.first, c.pictures, c.stated) for c in report.classes] == [
        ("oak", 0, 1, 0),
        ("wren", 2, 3, 2),
        ("robin", 1, 1, 3),
    ]
    assert [(c.right, c.stated, c.pictures) for c in report.confusions] == [
        ("wren", "robin", 1),
        ("oak", "robin", 1),
    ]
    assert str(report).startswith("top-1 60.0% (3/5, 23.1-88.2")
    assert json.loads(json.dumps(report.as_dict()))["scores"][0]["hits"] == 3


def test_a_benchmark_is_met_by_names(photos: list[Path]) -> None:
    made = classifier()
    numbers = np.array([8, 3, 3, 5, 7])
    names = {8: "oak", 3: "wren", 5: "robin", 7: "elm"}
    split = Split(tuple(photos), numbers, names=names)
    report, rejected = recognise(made, Benchmark("trees", split, split))
    logits = classify_files(made, photos[:4]).logits
    want = (logits.argmax(axis=1) == [2, 0, 0, 1]).sum()
    assert (report.scores[0].hits, report.pictures, rejected) == (want, 4, [])
    assert report.notes[-1].startswith("1 of 5 test pictures are of classes that the classifier")
    strangers = Split(tuple(photos), numbers)
    with pytest.raises(BadInputError, match="must test classes that the classifier knows"):
        recognise(made, Benchmark("trees", strangers, strangers))


def test_superclasses_are_sums(tmp_path: Path) -> None:
    file = tmp_path / "classes.csv"
    file.write_text("label,superclass\nwren,bird\noak,tree\nrobin,bird\nelm,tree\nwren,bird\n")
    above = read_superclasses(file, NAMES)
    shares, names = rolled_up(np.array([[0.5, 0.2, 0.3]]), NAMES, above)
    assert names == ("bird", "tree")
    np.testing.assert_allclose(shares, [[0.7, 0.3]])
    with pytest.raises(BadInputError, match="must have a row for every class; got none for 'ash'"):
        read_superclasses(file, ["ash"])
    file.write_text("label,superclass\nwren,bird\nwren,tree\n")
    with pytest.raises(BadInputError, match="must be the one of its class everywhere"):
        read_superclasses(file, ["wren"])
