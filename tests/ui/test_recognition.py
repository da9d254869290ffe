"""``fgir classify`` and ``fgir recognise``."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from retrieval.classifier import build_classifier
from retrieval.classifier_folders import save_classifier
from tests.ui.conftest import Fgir

NAMES = ("blue", "green", "grey", "red")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifiers") / "best"
    save_classifier(build_classifier(NAMES, "small", size=32), folder)
    return folder


def test_photos_and_folders_are_classified(
    fgir: Fgir, classifier: Path, photos: Path, tmp_path: Path
) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,superclass\nred,warm\nblue,cold\ngreen,cold\ngrey,cold\n")
    rows, page = tmp_path / "rows.csv", tmp_path / "page.html"
    done = fgir(
        "classify", classifier, photos / "red" / "0.png", photos / "blue", "-k", 2, "--json",
        "--superclass", table, "--csv", rows, "--gallery", page,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [Path(one["photo"]).parent.name for one in found] == ["red"] + ["blue"] * 4
    for one in found:
        assert len(one["classes"]) == 2
        first, second = (each["probability"] for each in one["classes"])
        assert first >= second
        assert sum(each["probability"] for each in one["superclasses"]) == pytest.approx(1)
        assert one["p_known"] is None
    with rows.open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert [row["label"] for row in written[:2]] == [e["name"] for e in found[0]["classes"]]
    assert page.read_text().count("<figure") == 5


def test_where_photos_were_looked_at(
    fgir: Fgir, classifier: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "looked" / "at"
    asked = ("classify", classifier, photos / "red" / "0.png", photos / "blue" / "0.png", "--json")
    done = fgir(*asked, "--localise", out)
    assert done.returncode == 0, done.stderr
    assert f"pictures: {out}" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["0001-0.png", "0002-0.png"]
    for one in json.loads(done.stdout):
        left, top, right, bottom = one["box"]
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    assert json.loads(fgir(*asked).stdout)[0]["box"] is None
    with Image.open(out / "0001-0.png") as shown, Image.open(photos / "red" / "0.png") as photo:
        assert max(shown.size) == 480
        assert shown.width * photo.height == shown.height * photo.width
    done = fgir(*asked, "--localise", photos / "red" / "0.png")
    assert done.returncode == 3
    assert "--localise must be a folder; got the file" in done.stderr


def test_none_of_these_is_told_by_a_collection_alone(
    fgir: Fgir, classifier: Path, photos: Path, tmp_path: Path
) -> None:
    photo = photos / "red" / "0.png"
    done = fgir("classify", classifier, photo)
    assert "whether it is none of these is not known: give a --collection" in done.stdout
    shop = tmp_path / "shop"
    made = fgir("index", photos, "--out", shop, "--encoder", classifier, "--runtime", "eager")
    assert made.returncode == 0, made.stderr
    done = fgir("classify", classifier, photo, "--collection", shop, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["p_known"] == 1  # the photo itself is there
    other = tmp_path / "other"
    save_classifier(build_classifier(NAMES, "small", size=32, seed=1), other)
    done = fgir("classify", other, photo, "--collection", shop)
    assert done.returncode == 4
    assert "the classifier's encoder" in done.stderr


def test_a_classifier_is_measured(
    fgir: Fgir, classifier: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.json"
    asked = ("recognise", classifier, "folder", photos, "-o", "learned_share=0.5", "--out", out)
    done = fgir(*asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("top-1 ")
    assert "/8, " in done.stdout  # half of 4 classes of 4
    report = json.loads(out.read_text())
    assert sum(one["pictures"] for one in report["classes"]) == 8
    wrong = sum(one["pictures"] for one in report["confusions"])
    assert report["scores"][0]["hits"] == 8 - wrong
    assert json.loads(fgir(*asked[:-2], "--json").stdout) == report


def test_mistakes_are_answered_with_a_sentence(
    fgir: Fgir, classifier: Path, photos: Path, tmp_path: Path
) -> None:
    for words, sentence in (
        (("classify", photos, photos), "must hold a classifier"),
        (("classify", classifier, tmp_path), "must hold pictures; got none"),
        (("classify", classifier, photos, "--gallery", "a.txt"), "--gallery must be an .html"),
        (("recognise", classifier, "folder", photos.parent), "must test classes that the class"),
    ):
        done = fgir(*words)
        assert done.returncode == 3, done.stderr
        assert sentence in done.stderr
    broken = shutil.copytree(photos / "red", tmp_path / "some")
    (broken / "0.png").write_bytes(b"nothing")
    done = fgir("classify", classifier, broken)
    assert done.returncode == 9
    assert "rejected" in done.stderr
