"""The share of two joined encoders: the best of a grid, by ranks counted in loops."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from retrieval.encoder import build_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.images import ImageError
from retrieval.joined import join_pairs
from retrieval.joined_shares import GRID, best_shares, fit_shares

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Rows = np.divide(rows, lengths, where=lengths > 0, out=np.zeros_like(rows)).astype(
        np.float32
    )
    return units


def seen_twice(
    seed: int, noises: tuple[float, float], blind: bool = False
) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows], NDArray[np.int64]]:
    """Photos and sketches as two encoders of so much noise see them; some they do not see."""
    random = np.random.default_rng(seed)
    shown = np.concatenate([np.arange(12), random.integers(0, 12, 8)])
    photos, sketches = [], []
    for dim, noise in zip((6, 9), noises, strict=True):
        objects = random.normal(size=(12, dim))
        sketched = objects[shown] + noise * random.normal(size=(20, dim))
        if blind:
            objects[random.integers(12)] = 0
            sketched[random.integers(20)] = 0
        photos.append(unit(objects))
        sketches.append(unit(sketched))
    return (photos[0], photos[1]), (sketches[0], sketches[1]), shown.astype(np.int64)


def joined_row(parts: tuple[Rows, Rows], place: int, share: float) -> NDArray[np.float64]:
    row = np.concatenate(
        [
            np.sqrt(share) * parts[0][place].astype(np.float64),
            np.sqrt(1 - share) * parts[1][place].astype(np.float64),
        ]
    )
    length = np.sqrt(sum(value * value for value in row))
    return row / length if length > 0 else row


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), blind=st.booleans())
def test_the_definition(seed: int, blind: bool) -> None:
    photos, sketches, shown = seen_twice(seed, (0.8, 0.8), blind)
    found = best_shares(photos, sketches, shown)
    for share, got in zip(GRID, found.reciprocal_ranks, strict=True):
        want = 0.0
        for place, right in enumerate(shown):
            query = joined_row(sketches, place, share)
            scores = [float(query @ joined_row(photos, p, share)) for p in range(12)]
            rank = 1
            for p, score in enumerate(scores):
                rank += score > scores[right] + 1e-12 or (
                    abs(score - scores[right]) <= 1e-12 and p < right
                )
            want += 1 / rank / len(shown)
        assert got == pytest.approx(want, abs=1e-9)
    best = max(found.reciprocal_ranks)
    assert found.reciprocal_ranks[GRID.index(found.share)] == best
    others = [s for s, got in zip(GRID, found.reciprocal_ranks, strict=True) if got == best]
    assert abs(found.share - 0.5) == min(abs(share - 0.5) for share in others)


def test_an_encoder_that_sees_nothing_right_has_no_share() -> None:
    photos, sketches, shown = seen_twice(0, (0.0, 0.0))
    wrong = np.roll(sketches[1], 1, axis=0)
    assert best_shares(photos, (sketches[0], -sketches[1]), shown).share > 0.5
    assert best_shares(photos, (-sketches[0], sketches[1]), shown).share < 0.5
    assert best_shares(photos, (sketches[0], wrong), shown).reciprocal_ranks[-1] == 1
    both = best_shares(photos, sketches, shown)
    assert (both.share, set(both.reciprocal_ranks)) == (0.5, {1.0})


def test_swapped_encoders_have_swapped_shares() -> None:
    photos, sketches, shown = seen_twice(3, (0.9, 0.6))
    one = best_shares(photos, sketches, shown)
    other = best_shares(photos[::-1], sketches[::-1], shown)
    assert other.reciprocal_ranks == one.reciprocal_ranks[::-1]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Photos of filled boxes and sketches of their outlines."""
    folder = tmp_path_factory.mktemp("pictures")
    photos: list[Path] = []
    sketches: list[Path] = []
    for number in range(6):
        box = (10 + 6 * number, 20, 60 + 10 * number, 50 + 12 * number)
        for kind, paths in (("photo", photos), ("sketch", sketches)):
            picture = Image.new("RGB", (140, 140), "white")
            fill = (200, 30 * number, 60) if kind == "photo" else None
            ImageDraw.Draw(picture).rectangle(box, outline="black", width=2, fill=fill)
            paths.append(folder / f"{kind}{number}.png")
            picture.save(paths[-1])
    return photos, sketches


def test_from_files(pictures: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    photos, sketches = pictures
    shown = np.arange(6)
    hog = build_encoder("hog", {"name": "grid", "cells": 4}, size=128)
    small = build_encoder("small", size=64)
    first, second = EncoderPair(small, small), EncoderPair(hog, hog)
    steps: list[int] = []
    found = fit_shares(
        first, second, photos, sketches, shown, runtime="eager", on_progress=steps.append
    )
    assert sum(steps) == 24
    for share in (0.0, 0.35, 1.0):  # what the joined pair itself finds
        door = join_pairs(first, second, share).photo
        p, s = (encode_files(door, paths, runtime="eager").vectors for paths in pictures)
        scores = (s @ p.T).tolist()
        ranks = [1 + sum(score > row[i] for score in row) for i, row in enumerate(scores)]
        want = np.mean([1 / rank for rank in ranks])
        assert found.reciprocal_ranks[GRID.index(share)] == pytest.approx(want)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (64, 64), "white").save(plain)
    blind = EncoderPair(hog, hog)
    with pytest.raises(ImageError, match=r"plain.png must show something; got no usable features"):
        fit_shares(blind, blind, [*photos, plain], sketches, shown, runtime="eager")


def test_pairs_that_do_not_fit_together() -> None:
    photos, sketches, shown = seen_twice(0, (0.5, 0.5))
    with pytest.raises(BadInputError, match=r"photo_rows must be in 0..11; got 12"):
        best_shares(photos, sketches, shown + 1)
    with pytest.raises(BadInputError, match=r"photo_rows must be \(20,\)"):
        best_shares(photos, sketches, shown[:5])
    with pytest.raises(BadInputError, match=r"sketch_vectors must be \(20, 9\); got \(20, 8\)"):
        best_shares(photos, (sketches[0], sketches[1][:, :8]), shown)
    with pytest.raises(BadInputError, match="pairs must be of training sketches"):
        best_shares(photos, (sketches[0][:0], sketches[1][:0]), shown[:0])
