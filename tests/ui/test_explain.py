"""``fgir explain`` at the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from retrieval.encoder import build_encoder
from retrieval.encoder_folders import save_pair
from retrieval.encoder_pair import EncoderPair
from tests.ui.conftest import SMALL, Done, Fgir


def said(done: Done, code: int, sentence: str) -> None:
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def shop(fgir: Fgir, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("collections") / "shop"
    done = fgir("index", photos, "--out", out, *SMALL)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def two_doors(fgir: Fgir, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    photo, sketch = (build_encoder("small", size=64, dim=12, seed=seed) for seed in (0, 1))
    save_pair(EncoderPair(photo, sketch), folder / "pair")
    done = fgir(
        "index",
        photos,
        "--out",
        folder / "shop",
        "--encoder",
        folder / "pair",
        "--runtime",
        "eager",
    )
    assert done.returncode == 0, done.stderr
    return folder / "shop"


def test_the_places_sum_to_the_score(fgir: Fgir, shop: Path, photos: Path) -> None:
    query = photos / "red" / "2.png"
    hits = json.loads(fgir("search", shop, query, "-k", 3, "--json").stdout)[0]["hits"]
    found = json.loads(fgir("explain", shop, query, "--rank", 3, "--json").stdout)
    assert found["id"] == hits[2]["id"]
    assert found["score"] == pytest.approx(hits[2]["score"], abs=1e-4)
    for side in (found["query"], found["hit"]):
        places = sum(map(sum, side["contributions"]))
        assert places + side["constant"] + side["remainder"] == pytest.approx(found["score"])
        assert side["exact"]
    named = json.loads(fgir("explain", shop, query, "--hit", hits[2]["id"], "--json").stdout)
    assert named == found


def test_it_prints_sums_and_places(fgir: Fgir, shop: Path, photos: Path) -> None:
    done = fgir("explain", shop, photos / "red" / "2.png")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("red/2.png  red")
    assert lines[1] == "score 1.000000"
    assert lines[2].split() == ["query:", "places", "+1.0000", "constant", "+0.0000"]
    assert lines[5].split()[2:5] == ["query", "row", lines[5].split()[4]]


def test_it_shows_both_pictures(fgir: Fgir, shop: Path, photos: Path, tmp_path: Path) -> None:
    query = photos / "green" / "1.png"
    for name in ("why.png", "why.html"):
        done = fgir("explain", shop, query, "--rank", 2, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "why.png") as sheet:
        assert sheet.width > 3 * 300
    page = (tmp_path / "why.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert "http" not in page.replace("http-equiv", "")


def test_a_sketch_enters_by_its_door(fgir: Fgir, two_doors: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).ellipse((40, 60, 200, 190), outline="black", width=2)
    picture.save(tmp_path / "circle.png")
    strokes = [[[40, 60], [200, 60], [200, 190], [40, 190], [40, 60]]]
    (tmp_path / "strokes.json").write_text(json.dumps({"square": strokes}))
    for sketch in (tmp_path / "circle.png", tmp_path / "strokes.json" / "square"):
        hits = json.loads(fgir("search", two_doors, "--sketch", sketch, "--json").stdout)[0]["hits"]
        found = json.loads(fgir("explain", two_doors, "--sketch", sketch, "--json").stdout)
        assert found["id"] == hits[0]["id"]
        assert found["score"] == pytest.approx(hits[0]["score"], abs=1e-4)
    said(fgir("explain", two_doors, tmp_path / "strokes.json"), 3, "must be a photo; got strokes")


def test_what_cannot_be_explained_is_said(
    fgir: Fgir, shop: Path, photos: Path, tmp_path: Path
) -> None:
    query = photos / "red" / "0.png"
    said(fgir("explain", shop, query, "--rank", 17), 3, "--rank must be in 1..16")
    said(fgir("explain", shop, query, "--hit", "none/such"), 3, "none/such")
    said(fgir("explain", shop, query, "--out", tmp_path / "why.gif"), 3, ".png or .html file")
    said(fgir("explain", shop), 3, "must have a photo or a --sketch; got neither")
    said(fgir("explain", shop, query, "--sketch", query), 3, "got both")
    said(fgir("explain", shop, "--sketch", query), 3, "a door for sketches")
