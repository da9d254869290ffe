"""What is learned from training pairs, against its definition in float64, and what it is for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from retrieval.data import Modality, Split
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.exports import export_encoder, load_export
from retrieval.images import ImageError
from retrieval.paired import (
    fit_centring,
    fit_pair,
    fit_paired_whitening,
    photo_rows_of,
    with_paired_whitening,
)
from retrieval.whitening import Whitening
from tests.retrieval.small_network import disturb_norms

Rows = NDArray[np.float32]
Array = NDArray[np.float64]


def unit(rows: Array) -> Rows:
    units: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return units


def pairs(
    photos: int = 30, sketches: int = 40, dim: int = 7, seed: int = 0
) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Objects seen twice: sketches have a mean of their own and differ most in the first axis."""
    random = np.random.default_rng(seed)
    objects = random.normal(size=(photos, dim)) * np.geomspace(1, 0.3, dim)
    shown = np.concatenate([np.arange(photos), random.integers(0, photos, sketches - photos)])
    noise = random.normal(size=(sketches, dim)) * np.geomspace(1, 0.05, dim)
    sketched = objects[shown] + noise + np.linspace(2, 0, dim)
    return unit(objects + 0.5), unit(sketched), shown.astype(np.int64)


def mean(rows: Rows | Array) -> Array:
    total = np.zeros(rows.shape[1])
    for row in rows:
        total += row / len(rows)
    return total


def definition(
    photos: Rows, sketches: Rows, shown: NDArray[np.int64], dim: int, ridge: float, queries: Rows
) -> tuple[Array, Array]:
    """Queries as photos and as sketches, by loops; signs as the module says."""
    p, s = photos.astype(np.float64), sketches.astype(np.float64)
    means = mean(p), mean(s)
    stacked = np.array([*(row - means[0] for row in p), *(row - means[1] for row in s)])
    _, _, rows = np.linalg.svd(stacked, full_matrices=False)
    directions = np.array([v * np.sign(v[np.argmax(np.abs(v))]) for v in rows[:dim]])
    moments = np.zeros((dim, dim))
    for i, row in enumerate(shown):
        d = directions @ ((s[i] - means[1]) - (p[row] - means[0]))
        moments += np.outer(d, d) / len(shown)
    moments += ridge * np.trace(moments) / dim * np.eye(dim)
    values, vectors = np.linalg.eigh(moments)
    root = np.zeros((dim, dim))
    for value, vector in zip(values, vectors.T, strict=True):
        root += np.outer(vector, vector) / np.sqrt(value)
    photo, sketch = (
        np.array([root @ (directions @ (query - m)) for query in queries.astype(np.float64)])
        for m in means
    )
    return photo, sketch


def cosines(one: Array, other: Array) -> Array:
    one, other = (r / np.linalg.norm(r, axis=1, keepdims=True) for r in (one, other))
    result: Array = one @ other.T
    return result


@settings(deadline=None, max_examples=40)
@given(
    dim=st.integers(1, 7),
    wide=st.booleans(),
    ridge=st.sampled_from([0.01, 0.3, 1.0, 10.0]),
    seed=st.integers(0, 20),
)
def test_the_definition(dim: int, wide: bool, ridge: float, seed: int) -> None:
    photos, sketches, shown = pairs(5, 6, 40, seed) if wide else pairs(seed=seed)
    queries = pairs(8, 8, photos.shape[1], seed + 1000)[0]
    fitted = fit_paired_whitening(photos, sketches, shown, dim, ridge)
    wanted = definition(photos, sketches, shown, dim, ridge, queries)
    for whitening, want in zip(fitted, wanted, strict=True):
        got = whitening(torch.from_numpy(queries)).double().numpy()
        np.testing.assert_allclose(got, want, atol=2e-4 * np.abs(want).max())
        assert (whitening.method, whitening.dim) == ("paired", dim)


def test_one_projection_two_means() -> None:
    photos, sketches, shown = pairs()
    photo, sketch = fit_paired_whitening(photos, sketches, shown, 4)
    torch.testing.assert_close(photo.projection, sketch.projection, rtol=0, atol=0)
    np.testing.assert_allclose(photo.mean.numpy(), mean(photos.astype(np.float64)), atol=1e-7)
    np.testing.assert_allclose(sketch.mean.numpy(), mean(sketches.astype(np.float64)), atol=1e-7)


def test_what_pairs_differ_in_is_white_without_a_ridge() -> None:
    photos, sketches, shown = pairs(sketches=400)
    doors = fit_paired_whitening(photos, sketches, shown, 7, 1e-9)
    out = [
        door(torch.from_numpy(r)).double()
        for door, r in zip(doors, (photos, sketches), strict=True)
    ]
    differences = out[1] - out[0][shown]
    moments = (differences.T @ differences / len(differences)).numpy()
    np.testing.assert_allclose(moments, np.eye(7), atol=1e-3)


def test_a_large_ridge_leaves_the_principal_directions() -> None:
    photos, sketches, shown = pairs()
    doors = fit_paired_whitening(photos, sketches, shown, 7, 1e7)
    photo, sketch = (
        door(torch.from_numpy(r)).numpy() for door, r in zip(doors, (photos, sketches), strict=True)
    )
    want = cosines(photos - mean(photos), sketches - mean(sketches))  # all 7 of 7 directions
    np.testing.assert_allclose(cosines(photo, sketch), want, atol=1e-4)


def test_it_finds_more_of_other_objects() -> None:
    photos, sketches, shown = pairs(60, 60, seed=1)
    known, new = slice(0, 40), slice(40, 60)
    doors = fit_paired_whitening(photos[known], sketches[known], shown[known], 7, 0.1)
    whitened = [
        door(torch.from_numpy(r)).double().numpy()
        for door, r in zip(doors, (photos[new], sketches[new]), strict=True)
    ]

    def hits(photo: Any, sketch: Any) -> int:
        return int((cosines(sketch, photo).argmax(axis=1) == np.arange(20)).sum())

    assert hits(*whitened) > hits(photos[new], sketches[new]) + 3


def test_the_order_of_pairs_does_not_matter() -> None:
    photos, sketches, shown = pairs()
    order = np.random.default_rng(0).permutation(len(shown))
    one = fit_paired_whitening(photos, sketches, shown, 5)[0]
    other = fit_paired_whitening(photos, sketches[order], shown[order], 5)[0]
    torch.testing.assert_close(one.projection, other.projection, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_learned_is_a_sentence() -> None:
    photos, sketches, shown = pairs(4, 5, 40)
    with pytest.raises(BadInputError, match=r"^dim must be at most 7, the rank of 9 .*; got 8\. "):
        fit_paired_whitening(photos, sketches, shown, 8)
    with pytest.raises(BadInputError, match=r"^dim must be at most 7, the rank of 9 .*; got 30\. "):
        fit_paired_whitening(photos, sketches, shown, 30)
    with pytest.raises(BadInputError, match=r"^dim of a whitening must be in 1\.\.40; got 41\.$"):
        fit_paired_whitening(photos, sketches, shown, 41)
    same = np.arange(4)
    with pytest.raises(BadInputError, match=r"^sketch_vectors must differ from those of their pho"):
        fit_paired_whitening(photos, photos, same, 3)
    for ridge in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(BadInputError, match=rf"^ridge must be above 0 and finite; got {ridge}"):
            fit_paired_whitening(photos, sketches, shown, 3, ridge)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shown": np.array([0, 1, 2, 3, 4])}, r"photo_rows must be in 0\.\.3; got 4\."),
        ({"shown": np.array([0, 1, 2, 3, -1])}, r"photo_rows must be in 0\.\.3; got -1\."),
        ({"shown": np.zeros(4, np.int64)}, r"photo_rows must be \(5,\); got \(4,\)\."),
        ({"shown": np.zeros(5, np.int32)}, "photo_rows must be int64; got int32"),
        ({"photos": np.ones((4, 40), np.float32)}, "photo_vectors must have finite rows of norm 1"),
        ({"sketches": np.full((5, 40), np.nan, np.float32)}, "sketch_vectors must have finite"),
        ({"sketches": np.eye(5, 39, dtype=np.float32)}, r"sketch_vectors must be \(N, 40\); got"),
    ],
    ids=["above", "below", "few", "type", "norm", "NaN", "length"],
)
def test_vectors_that_do_not_fit_are_refused(change: dict[str, Any], sentence: str) -> None:
    photos, sketches, shown = pairs(4, 5, 40)
    given: dict[str, Any] = {"photos": photos, "sketches": sketches, "shown": shown} | change
    with pytest.raises(BadInputError, match=rf"^{sentence}"):
        fit_paired_whitening(given["photos"], given["sketches"], given["shown"], 3)


def test_no_pairs_are_refused() -> None:
    empty = np.empty((0, 4), np.float32)
    with pytest.raises(BadInputError, match=r"^pairs must be of training sketches"):
        fit_paired_whitening(empty, empty, np.empty(0, np.int64), 2)


# ---- centring -----------------------------------------------------------------------------------


def test_a_centring_is_the_mean() -> None:
    descriptors = np.random.default_rng(0).normal(3, 1, (9, 4)).astype(np.float32)
    centring = fit_centring(descriptors)
    np.testing.assert_allclose(centring.mean.numpy(), mean(descriptors.astype(np.float64)), 1e-6)
    out = centring(torch.from_numpy(descriptors))
    np.testing.assert_allclose(out.mean(dim=0).numpy(), 0, atol=1e-6)
    assert not centring.training
    assert centring.seen == 1  # training goes on from it


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (np.empty((0, 4), np.float32), "descriptors must be of training pictures; got none"),
        (np.array([[1, np.nan]], np.float32), "descriptors must be finite"),
        (np.zeros(4, np.float32), r"descriptors must be \(N, D\); got \(4,\)"),
    ],
)
def test_descriptors_without_a_mean_are_refused(rows: Rows, sentence: str) -> None:
    with pytest.raises(BadInputError, match=rf"^{sentence}"):
        fit_centring(rows)


# ---- of files -----------------------------------------------------------------------------------


def split(targets: list[int]) -> Split:
    return Split(tuple(Path(f"{n}.png") for n in range(len(targets))), np.array(targets, np.int64))


def test_which_photo_a_sketch_shows() -> None:
    photos, sketches = split([7, 3, 9, 3]), split([3, 9, 7, 3])
    assert photo_rows_of(photos, sketches).tolist() == [1, 2, 0, 1]
    for missing in (5, 99, -1):
        with pytest.raises(BadInputError, match=r"must show one of the photos; got 1\.png, which"):
            photo_rows_of(photos, split([3, missing]))


Files = tuple[list[Path], list[Path], NDArray[np.int64]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Ten photos of filled ellipses, and two drawings of each."""
    folder = tmp_path_factory.mktemp("pairs")
    photos, sketches = [], []
    for number in range(10):
        box = (4 + 2 * (number % 4), 4, 26 + number, 40 - number)
        photo = Image.new("RGB", (44, 44), "white")
        ImageDraw.Draw(photo).ellipse(box, fill=(200, 20 * number, 90))
        photos.append(folder / f"{number}.png")
        photo.save(photos[-1])
        for width in (1, 2):
            sketch = Image.new("RGB", (44, 44), "white")
            ImageDraw.Draw(sketch).ellipse(box, outline="black", width=width)
            sketches.append(folder / f"{number}-{width}.png")
            sketch.save(sketches[-1])
    return photos, sketches, np.repeat(np.arange(10), 2)


def frozen(seed: int = 0, dim: int | None = 6) -> Encoder:
    encoder = build_encoder("small", size=32, dim=dim, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        disturb_norms(encoder)
    return encoder


def encoded(pair: EncoderPair, files: Files) -> tuple[Rows, Rows]:
    kinds = (Modality.PHOTO, Modality.SKETCH)
    photo, sketch = (
        encode_files(pair, paths, modality=kind, runtime="eager").vectors
        for paths, kind in zip(files[:2], kinds, strict=True)
    )
    return photo, sketch


def described(encoder: Encoder, paths: list[Path]) -> Array:
    rows = []
    for path in paths:
        with Image.open(path) as picture, torch.inference_mode():
            rows.append(encoder.projected(encoder.transform(picture.convert("RGB"))[None])[0])
    return torch.stack(rows).double().numpy()


def test_one_encoder_becomes_a_pair_with_each_modality_centred(files: Files) -> None:
    encoder = frozen()
    counts: list[int] = []
    pair = fit_pair(encoder, *files, on_progress=counts.append)
    assert sum(counts) == 30
    for got, paths in zip(encoded(pair, files), files[:2], strict=True):
        descriptors = described(encoder, paths)
        want = unit(descriptors - mean(descriptors))
        np.testing.assert_allclose(got, want, atol=1e-3)  # folded norms round otherwise
    assert pair.photo.backbone is pair.sketch.backbone is encoder.backbone
    assert not pair.siamese
    assert encoder.centring is None


def test_pairs_are_whitened_after_they_were_centred(files: Files) -> None:
    encoder = frozen()
    centred = fit_pair(encoder, *files)
    vectors = encoded(centred, files)
    want = with_paired_whitening(centred, *vectors, files[2], 4, 0.5)
    got = fit_pair(encoder, *files, whiten=(4, 0.5))
    assert got.dim == want.dim == 4
    assert got.settings() == want.settings()
    for one, other in zip(encoded(got, files), encoded(want, files), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    for made, door in ((got, "photo"), (got, "sketch")):
        assert getattr(made, door).whitening.method == "paired"


def test_what_was_fitted_before_is_replaced(files: Files) -> None:
    encoder = frozen()
    once = fit_pair(encoder, *files, whiten=(4, 0.5))
    again = fit_pair(once, *files, whiten=(3, 1.0))
    assert again.fingerprint() == fit_pair(encoder, *files, whiten=(3, 1.0)).fingerprint()


def test_two_encoders_keep_their_doors(files: Files) -> None:
    photo, sketch = frozen(0), frozen(1)
    pair = fit_pair(EncoderPair(photo, sketch), *files)
    assert (pair.photo.backbone, pair.sketch.backbone) == (photo.backbone, sketch.backbone)


def test_one_encoder_may_be_whitened_at_both_doors(files: Files) -> None:
    encoder = frozen()
    vectors = encoded(EncoderPair(encoder, encoder), files)
    pair = with_paired_whitening(encoder, *vectors, files[2], 3)
    photo, sketch = fit_paired_whitening(*vectors, files[2], 3)
    for got, rows, whitening in zip(encoded(pair, files), vectors, (photo, sketch), strict=True):
        want = unit(whitening(torch.from_numpy(rows)).double().numpy())
        np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("backbone", ["small", "hog"])
def test_a_fitted_pair_is_saved_opened_and_exported(
    files: Files, backbone: str, tmp_path: Path
) -> None:
    encoder = build_encoder(backbone, "grid", size=64, seed=2)
    pair = fit_pair(encoder, *files, whiten=(5, 1.0))
    save_pair(pair, tmp_path / "pair")
    again = open_encoder(tmp_path / "pair")
    assert isinstance(again, EncoderPair)
    assert again.fingerprint() == pair.fingerprint()
    for one, other in zip(encoded(again, files), encoded(pair, files), strict=True):
        np.testing.assert_array_equal(one, other)
    pictures = [Image.open(path).convert("RGB") for path in files[1][:3]]
    export_encoder(pair.sketch, tmp_path / "out", "torch", pictures, "drawings")
    assert load_export(tmp_path / "out").fingerprint() == pair.sketch.fingerprint()


def test_fingerprints_of_other_whitenings_hold() -> None:
    plain = frozen().with_whitening(Whitening(6, 3))
    assert plain.settings()["whitening"] == {"dim": 3, "method": "pca"}
    paired = frozen().with_whitening(Whitening(6, 3, "paired"))
    assert plain.fingerprint() != paired.fingerprint()


def test_what_cannot_be_fitted_is_a_sentence(files: Files, tmp_path: Path) -> None:
    photos, sketches, shown = files
    with pytest.raises(BadInputError, match=r"^encoder must be in eval mode; got train mode"):
        fit_pair(frozen().train(), *files)
    with pytest.raises(BadInputError, match=r"^ridge must be above 0"):
        fit_pair(frozen(), *files, whiten=(3, 0.0))
    with pytest.raises(BadInputError, match=r"^photo_rows must be in 0\.\.8; got 9"):
        fit_pair(frozen(), photos[:9], sketches, shown)
    with pytest.raises(ImageError, match=r"none\.png"):
        fit_pair(frozen(), photos, [*sketches[:-1], tmp_path / "none.png"], shown)
    Image.new("RGB", (40, 40), "white").save(tmp_path / "blank.png")
    hog = build_encoder("hog", "grid", size=64)
    with pytest.raises(ImageError, match=r"blank\.png must show something; got no usable features"):
        fit_pair(hog, [tmp_path / "blank.png", *photos[1:]], sketches, shown)
    pictures = [Image.open(path).convert("RGB") for path in photos[:2]]
    export_encoder(frozen(), tmp_path / "out", "openvino", pictures, "photos")
    with pytest.raises(BadInputError, match=r"^whitening and energy must be set before"):
        fit_pair(load_export(tmp_path / "out"), *files)
    with pytest.raises(BadInputError, match=r"^centring and whitening and energy must be set"):
        load_export(tmp_path / "out").with_centring(fit_centring(np.ones((2, 6), np.float32)))
