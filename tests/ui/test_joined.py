"""Joined encoders at the command line: made, shown, indexed with, searched with, measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from retrieval.checkpoints import save_encoder
from retrieval.data import Modality
from retrieval.encoder import build_encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.joined import JoinedEncoder
from tests.ui.conftest import Done, Fgir


def said(done: Done, code: int, *sentences: str) -> None:
    assert done.returncode == code, done.stderr
    for sentence in sentences:
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def folder(fgir: Fgir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pair/ of two networks, hog/ alone, network/ alone, joined/ of pair and hog."""
    folder = tmp_path_factory.mktemp("encoders")
    photo, sketch = (build_encoder("small", size=64, dim=12, seed=seed) for seed in (0, 1))
    save_pair(EncoderPair(photo, sketch), folder / "pair")
    save_encoder(photo, folder / "network")
    save_encoder(build_encoder("hog", {"name": "grid", "cells": 4}, size=128), folder / "hog")
    words = ["--join", folder / "pair", "--join", folder / "hog", "--share", "0.3"]
    done = fgir("encoder", folder / "joined", *words)
    assert done.returncode == 0, done.stderr
    assert "joined: joined pair, 140 dimensions, fingerprint " in done.stdout
    return folder


@pytest.fixture(scope="module")
def shop(fgir: Fgir, photos: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shops") / "shop"
    done = fgir("index", photos, "--out", out, "--encoder", folder / "joined", "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """circle.png, and strokes.json with two drawings."""
    folder = tmp_path_factory.mktemp("sketches")
    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).ellipse((40, 60, 200, 190), outline="black", width=2)
    picture.save(folder / "circle.png")
    square = [[[40, 60], [200, 60], [200, 190], [40, 190], [40, 60]]]
    cross = [[[20, 20], [230, 230]], [[20, 230], [230, 20]]]
    (folder / "strokes.json").write_text(json.dumps({"square": square, "cross": cross}))
    return folder


def test_two_encoders_become_one(fgir: Fgir, folder: Path, tmp_path: Path) -> None:
    words = ["--join", folder / "network", "--join", folder / "hog", "--share", "0.6"]
    done = fgir("encoder", tmp_path / "one", *words)
    assert done.returncode == 0, done.stderr
    made = open_encoder(tmp_path / "one")
    assert isinstance(made, JoinedEncoder)
    assert made.shares == (0.6, 0.4)
    shown = fgir("encoder", tmp_path / "one", "--show").stdout
    assert shown.startswith(
        "encoder: joined: 0.6 small average 64 squash projected 12 + 0.4 hog grid(cells=4) 128"
    )
    assert shown.endswith(f"140 dimensions, fingerprint {made.fingerprint()}\n")
    three = [*words[:4], "--join", folder / "hog", "--share", "0.5", "--share", "0.2"]
    assert fgir("encoder", tmp_path / "three", *three).returncode == 0
    opened = open_encoder(tmp_path / "three")
    assert isinstance(opened, JoinedEncoder)
    assert opened.shares == (0.5, 0.2, 0.3)
    said(fgir("encoder", tmp_path / "one", *words), 3, "must hold no encoder yet; got one")


def test_photos_and_sketches_search_a_collection(
    fgir: Fgir, folder: Path, shop: Path, photos: Path, sketches: Path
) -> None:
    photo, drawn = photos / "red" / "2.png", sketches / "circle.png"
    done = fgir("search", shop, photo, "--sketch", drawn, "-k", 16, "--json")
    assert done.returncode == 0, done.stderr
    by_photo, by_sketch = json.loads(done.stdout)
    assert by_photo["hits"][0]["id"] == "red/2.png"
    assert by_photo["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
    pair, hog = open_encoder(folder / "pair"), open_encoder(folder / "hog")
    assert isinstance(pair, EncoderPair)
    for hit in by_sketch["hits"]:  # the mean of the scores of the two it is made of
        want = 0.0
        for share, photo_door, sketch_door in ((0.3, pair.photo, pair.sketch), (0.7, hog, hog)):
            (one,) = encode_files(photo_door, [photos / hit["id"]], runtime="eager").vectors
            (other,) = encode_files(
                sketch_door, [drawn], modality=Modality.SKETCH, runtime="eager"
            ).vectors
            want += share * float(np.dot(one, other))
        assert hit["score"] == pytest.approx(want, abs=1e-5)


def test_a_drawing_is_replayed(fgir: Fgir, shop: Path, sketches: Path) -> None:
    key = sketches / "strokes.json" / "cross"
    done = fgir("replay", key, shop, "--json")
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["steps"]
    assert [step["strokes"] for step in steps] == [1, 2]
    # The whole drawing has the answer of a search with it.
    given = ["--sketch", key, "-k", len(steps[-1]["hits"]), "--json", "--runtime", "eager"]
    (found,) = json.loads(fgir("search", shop, *given).stdout)
    for hit, again in zip(found["hits"], steps[-1]["hits"], strict=True):
        assert hit["id"] == again["id"]
        assert hit["score"] == pytest.approx(again["score"], abs=1e-5)


def test_it_is_measured(
    fgir: Fgir, photos: Path, folder: Path, sketches: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sketches / "strokes.json", data)
    for number, colour in enumerate(("red", "green")):
        shutil.copy(photos / colour / "0.png", data / f"{number}.png")
    (data / "pairs.csv").write_text("sketch,photo\nsquare,0.png\ncross,1.png\n")
    given = ["pairs", data, "--encoder", folder / "joined", "--runtime", "eager"]
    done = fgir("evaluate", *given, "--no-leaks", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "acc@1" in done.stdout
    kept = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "joined" in json.dumps(kept)
    done = fgir("on-the-fly", *given[:4], "--steps", 4)
    assert done.returncode == 0, done.stderr
    assert "on the fly in 4 steps" in done.stdout


def test_what_it_refuses(fgir: Fgir, folder: Path, shop: Path, photos: Path, tmp_path: Path):
    out, join = tmp_path / "out", ["--join", folder / "network", "--join", folder / "hog"]
    said(fgir("encoder", out, *join), 3, "--share must be given for each --join but the last, 1")
    said(fgir("encoder", out, *join[:2], "--share", "1"), 3, "--join must name two encoders")
    said(fgir("encoder", out, "--share", "1"), 3, "--join must name two encoders or more; got 0")
    said(fgir("encoder", out, *join, "--share", "1.2"), 3, "--share must be in 0..1", "got 1.2")
    nested = ["--join", folder / "joined", "--join", folder / "hog", "--share", "0.5"]
    said(fgir("encoder", out, *nested), 3, "weights of their own; got a joined one")
    said(fgir("export", folder / "joined", "--out", out), 3, "exported must be one encoder")
    search = ["search", shop, photos / "red" / "0.png"]
    said(fgir(*search, "--rerank", "local_max_sim"), 3, "need the maps of one encoder")
    assert not out.exists()
