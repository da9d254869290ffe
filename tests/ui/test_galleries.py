"""What people do with a gallery, at the command line."""

import csv
import json
import re
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.ui.conftest import SMALL, Done, Fgir


def said(done: Done, code: int, sentence: str) -> None:
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def pictures(photos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photos, tmp_path / "photos"))


@pytest.fixture
def shop(fgir: Fgir, pictures: Path, tmp_path: Path) -> Path:
    done = fgir("index", pictures, "--collection", tmp_path / "shop", "--sync", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "added 16, changed 0, removed 0, unchanged 0, rejected 0; 16 items" in done.stdout
    return tmp_path / "shop"


def ids(fgir: Fgir, collection: Path, query: Path) -> list[tuple[str, float]]:
    done = fgir("search", collection, query, "-k", 99, "--json", "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    return [(hit["id"], hit["score"]) for hit in json.loads(done.stdout)[0]["hits"]]


def test_photos_and_collection_are_brought_in_step(fgir: Fgir, shop: Path, pictures: Path):
    (pictures / "red" / "0.png").unlink()
    shutil.copy(pictures / "green" / "0.png", pictures / "red" / "1.png")
    shutil.copy(pictures / "blue" / "0.png", pictures / "blue" / "new.png")
    before = (shop / "SEAL").read_bytes()
    listed = fgir("index", pictures, "--out", shop, "--sync", "--dry-run")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines() == [
        "add blue/new.png",
        "change red/1.png",
        "remove red/0.png",
        "would add 1, change 1, remove 1, leave 14, reject 0",
    ]
    assert (shop / "SEAL").read_bytes() == before
    done = fgir("index", pictures, "--out", shop, "--sync", "--runtime", "eager")
    assert "added 1, changed 1, removed 1, unchanged 14, rejected 0; 16 items" in done.stdout
    again = fgir("index", pictures, "--out", shop, "--sync", "--runtime", "eager")
    assert "added 0, changed 0, removed 0, unchanged 16, rejected 0; 16 items" in again.stdout
    found = dict(ids(fgir, shop, pictures / "green" / "0.png"))
    assert found["red/1.png"] == found["green/0.png"] == pytest.approx(1, abs=1e-5)
    assert "red/0.png" not in found


def test_most_of_a_collection_is_not_removed_unasked(fgir: Fgir, shop: Path, pictures: Path):
    for label in ("red", "green", "blue"):
        shutil.rmtree(pictures / label)
    given = ("index", pictures, "--out", shop, "--sync", "--runtime", "eager")
    said(fgir(*given), 3, "--yes must be given to remove more than half; got 12 of 16 items")
    assert len(ids(fgir, shop, pictures / "grey" / "0.png")) == 16
    assert "removed 12" in fgir(*given, "--yes").stdout
    assert len(ids(fgir, shop, pictures / "grey" / "0.png")) == 4


def test_a_dry_run_makes_nothing(fgir: Fgir, pictures: Path, tmp_path: Path):
    done = fgir("index", pictures, "--out", tmp_path / "new", "--sync", "--dry-run")
    assert done.stdout.splitlines()[-1] == "would add 16, change 0, remove 0, leave 0, reject 0"
    assert not (tmp_path / "new").exists()


def test_another_encoder_is_refused_when_it_is_named(fgir: Fgir, shop: Path, pictures: Path):
    given = ("index", pictures, "--out", shop, "--sync", "--backbone", "small", "--untrained")
    said(fgir(*given, "--size", 32), 4, "must come from the encoder of the collection")


def test_options_of_keeping_in_step_need_it(fgir: Fgir, pictures: Path, tmp_path: Path):
    for option in ("--dry-run", "--yes", "--watch=2"):
        said(fgir("index", pictures, "--out", tmp_path / "c", option), 3, "must come with --sync")


def test_a_folder_is_watched_until_ctrl_c(
    fgir: Fgir, shop: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
):
    (pictures / "red" / "0.png").unlink()
    rounds = 0

    def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            shutil.copy(pictures / "blue" / "0.png", pictures / "new.png")
        elif rounds == 6:
            shutil.move(pictures, pictures.with_name("moved"))
        elif rounds == 8:
            shutil.move(pictures.with_name("moved"), pictures)
            for label in ("red", "green", "blue"):
                shutil.rmtree(pictures / label)
        elif rounds == 12:
            signal.raise_signal(signal.SIGINT)

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: float(rounds))
    monkeypatch.setattr("ui.syncing.time", clock)  # other threads of this process keep theirs
    done = fgir("index", pictures, "--out", shop, "--sync", "--watch", 1, "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    lines = [line.split(";")[0] for line in done.stdout.splitlines()]
    assert lines == [
        "added 0, changed 0, removed 1, unchanged 15, rejected 0",
        "added 1, changed 0, removed 0, unchanged 15, rejected 0",
        "added 0, changed 0, removed 0, unchanged 5, rejected 0",
    ]
    assert done.stderr.count("must be a table") + done.stderr.count("must be a folder") == 1
    assert done.stderr.count("11 of 16 items") == 1
    assert len(ids(fgir, shop, pictures / "grey" / "0.png")) == 16


def test_there_and_back_the_answers_are_the_same(fgir: Fgir, shop: Path, tmp_path: Path):
    query = tmp_path / "photos" / "grey" / "2.png"
    exported = tmp_path / "else" / "where" / "exported"
    assert "exported 16 items" in fgir("collection", "export", shop, exported).stdout
    assert "imported 16" in fgir("collection", "import", exported, tmp_path / "b" / "again").stdout
    assert ids(fgir, tmp_path / "b" / "again", query) == ids(fgir, shop, query)
    copied = fgir("collection", "snapshot", shop, tmp_path / "copy")
    assert (copied.stdout, copied.stderr) == (
        f"copied 16 items to {tmp_path / 'copy'}; verified\n",
        "",
    )
    assert ids(fgir, tmp_path / "copy", query) == ids(fgir, shop, query)
    said(fgir("collection", "snapshot", shop, tmp_path / "copy"), 3, "must be a new or empty")
    far = fgir("collection", "snapshot", shop, tmp_path / "far" / "copy")
    assert "move the copy beside" in far.stderr


def test_collections_are_merged(fgir: Fgir, shop: Path, photos: Path, tmp_path: Path):
    other = tmp_path / "b" / "other"
    assert fgir("index", photos / "red", "--out", other, *SMALL).returncode == 0
    done = fgir("collection", "merge", shop, other)
    assert done.stdout == f"added 4, replaced 0, kept 0, unchanged 0; 20 items in {shop}\n"
    page = tmp_path / "hits.html"
    fgir("search", shop, photos / "red" / "2.png", "-k", 2, "--gallery", page, "--runtime", "eager")
    assert "picture not found" not in page.read_text().split("</style>")[1]
    said(fgir("collection", "merge", shop, shop), 3, "must be another collection; got the same")
    said(fgir("collection", "merge", shop, other, "--on-collision", "x"), 3, "--on-collision must")


def test_removed_room_is_given_back(fgir: Fgir, shop: Path):
    fgir("remove", shop, *(f"{label}/{n}.png" for label in ("red", "blue") for n in range(4)))
    done = fgir("collection", "compact", shop)
    assert done.returncode == 0, done.stderr
    found = re.search(r"([\d,]+) bytes before, ([\d,]+) after", done.stdout)
    assert found is not None
    before, after = (int(size.replace(",", "")) for size in found.groups())
    assert after < before
    assert after == sum(path.stat().st_size for path in shop.rglob("*") if path.is_file())
    verified = fgir("collection", "verify", shop)
    assert verified.returncode == 0
    count = verified.stdout.split(": all ")[1].split()[0]
    assert f"Comparing: {count} of {count} in" in verified.stderr


def test_duplicates_are_listed(fgir: Fgir, shop: Path, pictures: Path, tmp_path: Path):
    shutil.copy(pictures / "blue" / "0.png", pictures / "blue" / "copy.png")
    fgir("index", pictures, "--out", shop, "--sync", "--runtime", "eager")
    table, page = tmp_path / "groups.csv", tmp_path / "groups.html"
    done = fgir(
        "collection", "duplicates", shop, "--likeness", 1, "--csv", table, "--gallery", page
    )
    assert done.returncode == 0, done.stderr
    assert "  1.000000 = blue/copy.png  blue" in done.stdout
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["identical"] == "true"]
    assert [row["id"] for row in rows] == ["blue/0.png", "blue/copy.png"]
    assert {row["group"] for row in rows} == {"1"}
    assert page.read_text().count("data:image/jpeg;base64,") >= 2
    said(fgir("collection", "duplicates", shop, "--likeness", 2), 3, "likeness must be in (0, 1]")
    said(fgir("collection", "duplicates", shop, "--gallery", "a.txt"), 3, "--gallery must be")


def test_a_class_is_added_from_a_few_photos_and_removed_again(
    fgir: Fgir, shop: Path, pictures: Path, tmp_path: Path
):
    query = pictures / "red" / "0.png"
    before = ids(fgir, shop, query)
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        shutil.copy(pictures / "grey" / f"{number}.png", few / f"{number}.png")
    done = fgir("add", shop, few, "--label", "new shoe", "--runtime", "eager")
    assert "indexed 3" in done.stdout
    found = json.loads(
        fgir("search", shop, few / "1.png", "-k", 2, "--json", "--runtime", "eager").stdout
    )[0]["hits"]
    assert ("new shoe/1.png", "new shoe") in {(hit["id"], hit["label"]) for hit in found}
    assert fgir("remove", shop, *(f"new shoe/{n}.png" for n in range(3))).returncode == 0
    assert ids(fgir, shop, query) == before
    said(fgir("add", shop, few, "--label", " "), 3, "a label must be text")
