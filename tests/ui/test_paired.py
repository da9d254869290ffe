"""Centring and whitening by training pairs at the command line."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from retrieval.encoder_folders import open_encoder
from retrieval.encoder_pair import EncoderPair
from tests.ui.conftest import Done, Fgir

HOG = ["--backbone", "hog", "--pooling", "grid:cells=4", "--size", "64"]


def said(done: Done, code: int, *sentences: str) -> None:
    assert done.returncode == code, done.stderr
    for sentence in sentences:
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen photos of ellipses and a sketch of each; twelve pairs to learn from."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = []
    for number in range(16):
        box = (6 + 3 * (number % 4), 8 + 2 * (number // 4), 50 + number % 3, 44 + number)
        photo, sketch = (Image.new("RGB", (64, 64), "white") for _ in range(2))
        ImageDraw.Draw(photo).ellipse(box, fill=(90, 10 * number, 60))
        ImageDraw.Draw(sketch).ellipse(box, outline="black", width=2)
        photo.save(folder / f"p{number}.png")
        sketch.save(folder / f"s{number}.png")
        split = "train" if number < 12 else "test"
        rows.append((f"s{number}.png", f"p{number}.png", split))
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sketch", "photo", "split"), *rows])
    return folder


def test_a_benchmark_of_pairs_is_measured_centred_and_whitened(
    fgir: Fgir, drawn: Path, tmp_path: Path
):
    names, values = [], []
    given = [[], ["--centred"], ["--whiten", "paired:8"], ["--whiten", "paired:8:100"]]
    for number, options in enumerate(given):
        out = tmp_path / str(number)
        done = fgir(
            *("evaluate", "pairs", drawn, *HOG, "--no-leaks", "--runtime", "eager"),
            *("--out", out, "--json", *options),
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        names.append(report["encoder"]["name"])
        values.append(report["scores"][0]["value"])
        assert ("Encoding training pairs: 24 of 24" in done.stderr) == bool(options)
    assert names[0] == "hog grid(cells=4) 64 squash"
    assert names[1] == f"photo: {names[0]} centred; sketch: {names[0]} centred"
    assert names[2] == names[3] == names[1].replace("centred", "centred paired 8")
    assert all(value >= 0.5 for value in values)


def test_an_encoder_that_learned_from_pairs_is_kept_and_searched(
    fgir: Fgir, drawn: Path, tmp_path: Path
):
    out = tmp_path / "pair"
    done = fgir("encoder", out, *HOG, "--whiten", "paired:8", "--pairs", "pairs", drawn)
    assert done.returncode == 0, done.stderr
    assert "pair, 8 dimensions" in done.stdout
    pair = open_encoder(out)
    assert isinstance(pair, EncoderPair)
    assert pair.photo.whitening is not None
    assert pair.sketch.whitening is not None
    assert not pair.photo.whitening.mean.equal(pair.sketch.whitening.mean)
    shop = tmp_path / "shop"
    assert fgir("index", drawn, "--out", shop, "--encoder", out).returncode == 0
    found = fgir("search", shop, "--sketch", drawn / "s13.png", "-k", 3, "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)[0]["hits"][0]["score"] > 0
    centred = tmp_path / "centred"
    assert fgir("encoder", centred, *HOG, "--centred", "--pairs", "pairs", drawn).returncode == 0
    shown = fgir("encoder", centred, "--show").stdout
    assert "sketch: hog grid(cells=4) 64 squash centred, 128 dimensions" in shown


def test_the_first_layers_of_a_network_are_chosen(fgir: Fgir, tmp_path: Path):
    small = ["--backbone", "small", "--untrained", "--size", "64"]
    done = fgir("encoder", tmp_path / "a", *small, "--keep-layers", 3)
    assert done.returncode == 0, done.stderr
    assert "small first 3 average 64" in fgir("encoder", tmp_path / "a", "--show").stdout
    given = ["encoder", tmp_path / "b", *small, "--keep-layers"]
    said(fgir(*given, 9), 3, "keep_layers must be in 1..5 for small; got 9.")


def test_what_cannot_be_learned_is_said(fgir: Fgir, drawn: Path, photos: Path, tmp_path: Path):
    given = ["encoder", tmp_path / "x", *HOG]
    asked = ["--pairs", "pairs", drawn]
    said(fgir(*given, "--centred"), 3, "must have pairs to learn from; got none. Add --pairs")
    said(fgir(*given, "--whiten", "paired:4"), 3, "Add --pairs BENCHMARK ROOT.")
    said(fgir(*given, *asked), 3, "--pairs must come with --centred or --whiten paired")
    said(fgir(*given, *asked, "--whiten", "pca:4"), 3, "--pairs must come with --centred or")
    said(fgir(*given, *asked, "--whiten", "paired:x"), 3, "such as paired:256; got 'paired:x'")
    said(fgir(*given, *asked, "--whiten", "paired:99"), 3, "dim must be at most 22, the rank of 24")
    said(fgir(*given, *asked, "--whiten", "paired:4:0"), 3, "ridge must be above 0 and finite")
    said(fgir(*given, *asked, "--whiten", "pca:4", "--centred"), 3, "--whiten must be paired with")
    folder = ["evaluate", "folder", photos, *HOG, "--no-leaks"]
    said(fgir(*folder, "--centred"), 3, "must have training pairs to learn from")
    assert not (tmp_path / "x").exists()
