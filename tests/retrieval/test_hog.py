"""Oriented gradients against their definition as plain loops in float64, and as an encoder."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from retrieval import exports
from retrieval.backbones import build_backbone
from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.exports import export_encoder, load_export
from retrieval.folding import folded_backbone
from retrieval.local_descriptors import local_descriptors
from retrieval.plugins import names
from retrieval.runtimes import available_runtimes, with_runtime

Array = NDArray[np.float64]


def smooth(size: int, seed: int = 0) -> Tensor:
    """(1, 3, size, size) in [0, 1]: shapes of many directions and colours."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=random)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def edge(angle: float, size: int = 64) -> Tensor:
    """White on one side of a line through the middle; the gradient has this direction, y down."""
    y, x = torch.meshgrid(*[torch.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    side = x * math.cos(angle) + y * math.sin(angle)
    return (side.clamp(-1, 1) / 2 + 0.5).expand(1, 3, size, size)


def kernel(sigma: float) -> list[float]:
    radius = int(3 * sigma + 0.5)
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(-radius, radius + 1)]
    return [weight / sum(weights) for weight in weights]


def inside(value: int, size: int) -> int:
    return min(max(value, 0), size - 1)


def blurred(plane: Array, sigma: float, y: int, x: int) -> float:
    """At one pixel; outside, the nearest pixel of the border."""
    weights = kernel(sigma)
    radius = len(weights) // 2
    height, width = plane.shape
    total = 0.0
    for i, vertical in enumerate(weights):
        for j, horizontal in enumerate(weights):
            row, column = inside(y + i - radius, height), inside(x + j - radius, width)
            total += vertical * horizontal * plane[row, column]
    return total


def halved_and_blurred(plane: Array) -> Array:
    ys, xs = (range(size // 2) for size in plane.shape)
    halved = np.array(
        [[plane[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in xs] for y in ys]
    )
    return np.array([[blurred(halved, 1.2, y, x) for x in xs] for y in ys])


def gradient(planes: Array, y: int, x: int) -> tuple[float, float]:
    """To the right and down, of the colour in which it is longest."""
    _, height, width = planes.shape
    found = []
    for plane in planes:
        across = plane[y, x + 1] - plane[y, x - 1] if 0 < x < width - 1 else 0.0
        down = plane[y + 1, x] - plane[y - 1, x] if 0 < y < height - 1 else 0.0
        found.append((float(across), float(down)))
    return max(found, key=lambda g: math.hypot(*g))


def lines(image: Array) -> Array:
    """(3, H, W) to (8, H/2, W/2)."""
    planes = np.array([halved_and_blurred(plane) for plane in image])
    height, width = planes.shape[1:]
    places = [(y, x) for y in range(height) for x in range(width)]
    gradients = {place: gradient(planes, *place) for place in places}
    lengths = {place: math.hypot(*g) for place, g in gradients.items()}
    bins = np.zeros((8, height, width))
    for (y, x), m in lengths.items():
        across, down = gradients[y, x]
        angle = math.atan2(down, across) % math.pi
        dx, dy = [(1, 0), (1, 1), (0, 1), (-1, 1)][round(angle / (math.pi / 4)) % 4]
        after, before = ((y + s * dy, x + s * dx) for s in (1, -1))
        if m >= lengths.get(after, 0.0) and m > lengths.get(before, 0.0):
            for b in range(8):
                agreement = max(0.0, math.cos(2 * angle - 2 * math.pi * b / 8))
                bins[b, y, x] = m / (m + 0.05) * agreement**3
    return bins


def counted(bins: Array) -> Array:
    """(8, H/2, W/2) to (8, H/16, W/16)."""
    ys, xs = (range(4, size, 8) for size in bins.shape[1:])
    counts = np.array([[[blurred(plane, 5.0, y, x) for x in xs] for y in ys] for plane in bins])
    roots: Array = np.sqrt(counts / counts.sum())
    return roots


@pytest.mark.parametrize(
    "image", [smooth(64), edge(0.3), smooth(52, 1)], ids=["soft", "edge", "52"]
)
def test_the_definition(image: Tensor) -> None:
    early, last = build_backbone("hog").early_and_last(image)
    want = lines(image[0].double().numpy())
    np.testing.assert_allclose(early[0].numpy(), want, atol=2e-3)
    np.testing.assert_allclose(last[0].numpy(), counted(want), atol=1e-3)
    assert last.shape == (1, 8, image.shape[2] // 16, image.shape[3] // 16)
    assert last.square().sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("bin_", range(8))
@pytest.mark.parametrize("turned", [0, math.pi])
def test_each_direction_has_its_bin(bin_: int, turned: float) -> None:
    """A step from dark to light and one from light to dark are one direction."""
    _, last = build_backbone("hog").early_and_last(edge(bin_ * math.pi / 8 + turned))
    shares = last[0].square().sum(dim=(1, 2))
    order = shares.argsort(descending=True).tolist()
    assert order[0] == bin_
    assert shares[bin_] > 0.5
    assert {order[1], order[2]} == {(bin_ + 1) % 8, (bin_ - 1) % 8}
    assert shares[(bin_ + 4) % 8] < 1e-4  # the direction across it


def test_a_stroke_is_one_line_at_its_place() -> None:
    image = torch.ones(1, 3, 128, 128)
    image[..., 30:98, 40:44] = 0  # upright
    early, last = build_backbone("hog").early_and_last(image)
    energy = early[0].sum(dim=0)
    columns = energy[25:40].amax(dim=0)
    strong = (columns > 0.5 * columns.max()).nonzero().flatten().tolist()
    assert len(strong) == 2  # its left and its right edge, each one pixel wide
    assert all(abs(column - 20.5) < 3 for column in strong)
    where = last[0, 0].square()
    assert where.argmax() % 8 == 2  # 41 of 128 pixels to the right, of 8 positions
    assert where[:, 5:].sum() < 0.01 * where.sum()


def test_faint_and_strong_edges_weigh_nearly_alike() -> None:
    backbone = build_backbone("hog")
    strong, faint = (backbone.early_and_last(edge(0) * share)[0].max() for share in (1.0, 0.3))
    assert 0.6 * strong < faint < strong


def test_pictures_do_not_influence_each_other() -> None:
    backbone = build_backbone("hog")
    pictures = torch.cat([smooth(64, seed) for seed in range(3)])
    together = backbone(pictures)
    for row in range(3):
        torch.testing.assert_close(backbone(pictures[row : row + 1])[0], together[row])
    channels_last = pictures.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(backbone(channels_last), together)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_blank_picture_has_no_features(value: float) -> None:
    early, last = build_backbone("hog").early_and_last(torch.full((1, 3, 64, 64), value))
    assert not early.any()
    assert not last.any()


def test_it_is_float32_whatever_is_around_it() -> None:
    backbone = build_backbone("hog")
    with torch.autocast("cpu", torch.bfloat16):
        got = backbone(smooth(64))
    torch.testing.assert_close(got, backbone(smooth(64)), rtol=0, atol=0)
    assert backbone.bfloat16()(smooth(64).bfloat16()).dtype == torch.float32


def test_it_has_no_weights(tmp_path: Path) -> None:
    backbone = build_backbone("hog", pretrained=True)  # there is nothing to download
    assert not backbone.state_dict()
    assert (backbone.mean, backbone.std) == ((0, 0, 0), (1, 1, 1))
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"^hog has no weights; got .*\. Leave out --weights\."):
        build_backbone("hog", weights=tmp_path / "w.safetensors")
    folded = folded_backbone(backbone)
    torch.testing.assert_close(folded(smooth(64)), backbone(smooth(64)))


# ---- as an encoder ------------------------------------------------------------------------------


def encoder(size: int = 64) -> Encoder:
    return build_encoder("hog", {"name": "grid", "cells": size // 16}, size=size, fit="object")


def drawings(count: int = 6) -> list[Image.Image]:
    pictures = []
    for number in range(count):
        picture = Image.new("RGB", (90, 70), "white")
        pen = ImageDraw.Draw(picture)
        pen.ellipse((10, 10 + 3 * number, 60, 60), outline="black", width=2)
        pen.line((5, 5, 80, 8 * number + 5), fill="blue", width=2)
        pictures.append(picture)
    return pictures


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for picture, path in zip(drawings(), paths, strict=True):
        picture.save(path)
    return paths


def test_a_vector_is_the_map(files: list[Path]) -> None:
    made = encoder()
    images = torch.stack([made.transform(picture) for picture in drawings()])
    maps = build_backbone("hog")(images).flatten(1)
    np.testing.assert_allclose(made.vectors(images), maps.numpy(), atol=1e-6)
    encoded = encode_files(made, files)
    np.testing.assert_allclose(encoded.vectors, maps.numpy(), atol=1e-5)


def test_it_is_saved_and_loaded(tmp_path: Path, files: list[Path]) -> None:
    save_encoder(encoder(), tmp_path / "hog")
    again = load_encoder(tmp_path / "hog")
    assert again.fingerprint() == encoder().fingerprint()
    want = encode_files(encoder(), files, runtime="eager").vectors
    np.testing.assert_array_equal(encode_files(again, files, runtime="eager").vectors, want)


def test_a_blank_file_is_named(tmp_path: Path, files: list[Path]) -> None:
    Image.new("RGB", (50, 50), "grey").save(tmp_path / "blank.png")
    encoded = encode_files(encoder(), [files[0], tmp_path / "blank.png"])
    assert encoded.kept.tolist() == [0]
    (rejection,) = encoded.rejected
    assert rejection.reason.endswith(
        "blank.png must show something; got no usable features. Look at the picture."
    )


def test_runtimes_take_it(files: list[Path]) -> None:
    images = torch.stack([encoder().transform(picture) for picture in drawings()])
    want = encoder().vectors(images)
    for name, words in available_runtimes("cpu"):
        if words.startswith("not here") or name == "compile":
            continue
        got = with_runtime(encoder(), name).vectors(images)
        assert (want * got).sum(axis=1).min() > 0.99, name


def test_it_has_local_descriptors(files: list[Path]) -> None:
    rows, _ = local_descriptors(encoder(), files[:1]).of(0)
    columns = build_backbone("hog")(encoder().transform(drawings()[0])[None])[0].flatten(1).T
    np.testing.assert_allclose(rows, torch.nn.functional.normalize(columns).numpy(), atol=1e-3)


@pytest.mark.parametrize("kind", names(exports))
def test_it_is_exported(kind: str, tmp_path: Path) -> None:
    out = tmp_path / kind
    try:
        parity = export_encoder(encoder(), out, kind, drawings(), "drawings")
    except BadInputError as error:
        if "installed" in str(error):
            pytest.skip(str(error))
        raise
    assert parity.least_cosine > 0.999
    images = torch.stack([encoder().transform(picture) for picture in drawings()])
    cosines = (load_export(out).vectors(images) * encoder().vectors(images)).sum(axis=1)
    assert cosines.min() > 0.999
