"""Contributions that sum to the score, for every pooling; parts that correspond; what is drawn."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from retrieval import plugins, poolings
from retrieval.backbones import Backbone
from retrieval.centring import Centring
from retrieval.data import Modality
from retrieval.encoder import Encoder, build_encoder, build_pooling
from retrieval.encoder_pair import EncoderPair
from retrieval.explain import correspondences, explain
from retrieval.explanation_pictures import numbered, overlay, selected, sheet
from retrieval.joined import JoinedEncoder
from retrieval.placement import Placement
from retrieval.poolings.average import Average
from retrieval.poolings.grid import Grid
from retrieval.transforms import Transform
from retrieval.whitening import Whitening
from tests.retrieval.small_network import SmallNetwork, small_encoder

CELL = 8


class Patches(Backbone):
    """Each cell of 8 x 8 pixels on its own, so that what stands where is known.

    Mirror-symmetric, if asked: a mirrored picture then has the mirrored map.
    """

    name, size, stride, channels = "patches", 64, CELL, (12, 24)

    def __init__(self, *, symmetric: bool = False) -> None:
        super().__init__()
        self.early = nn.Conv2d(3, 12, CELL // 2, CELL // 2)
        self.last = nn.Conv2d(3, 24, CELL, CELL)
        if symmetric:
            for layer in (self.early, self.last):
                weight = layer.weight.data
                layer.weight.data = weight + weight.flip(3)

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return torch.relu(self.early(images)), torch.relu(self.last(images))


def patches(pooling: str = "average", *, flip: bool = False, symmetric: bool = False) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        backbone = Patches(symmetric=symmetric)
        part = build_pooling({"name": pooling}, backbone.channels)
        return Encoder(backbone, part, Transform(64), flip=flip).eval()


def noise(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


def with_all_steps(encoder: Encoder, seed: int = 0) -> Encoder:
    """Projection with bias, centring and whitening with a mean, none of them trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        projection = nn.Linear(encoder.dim, 20)
        centring, whitening = Centring(20).eval(), Whitening(20, 9)
        centring.mean.normal_(std=0.2)
        whitening.mean.normal_(std=0.1)
        whitening.projection.normal_()
    return encoder.with_parts(projection=projection, centring=centring, whitening=whitening)


@pytest.mark.parametrize("steps", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", plugins.names(poolings))
def test_contributions_and_constant_are_the_score(name: str, flip: bool, steps: bool) -> None:
    backbone = SmallNetwork()
    part = build_pooling({"name": name}, backbone.channels)
    encoder = Encoder(backbone, part, Transform(64), flip=flip).eval()
    encoder = with_all_steps(encoder) if steps else encoder
    query, hit = noise(0, (90, 70)), noise(1)
    found = explain(encoder, query, hit)
    a, b = encoder.vectors(torch.stack([encoder.transform(query), encoder.transform(hit)]))
    assert found.score == pytest.approx(float(a.astype(float) @ b.astype(float)), abs=2e-6)
    for side in (found.query, found.hit):
        assert side.contributions.shape == side.mask.shape == (8, 8)
        total = side.contributions.sum() + side.constant + side.remainder
        assert total == pytest.approx(found.score, abs=1e-5)
        if side.exact or name in ("maximum", "scda"):
            assert abs(side.remainder) < 1e-5
        if not steps:
            assert abs(side.constant) < 1e-5
    assert found.query.exact == (name in ("average", "grid", "two_layers"))


def test_contributions_of_an_average_are_the_formula() -> None:
    encoder = with_all_steps(small_encoder())
    pictures = noise(2), noise(3)
    found = explain(encoder, *pictures)
    images = torch.stack([encoder.transform(one) for one in pictures])
    with torch.no_grad():
        last = encoder.backbone(images).double().numpy()  # (2, C, h, w)
    w = encoder.projection.weight.detach().double().numpy()  # type: ignore[union-attr]
    b = encoder.projection.bias.detach().double().numpy()  # type: ignore[union-attr]
    mu = encoder.centring.mean.double().numpy()  # type: ignore[union-attr]
    m = encoder.whitening.mean.double().numpy()  # type: ignore[union-attr]
    p = encoder.whitening.projection.double().numpy()  # type: ignore[union-attr]
    vectors, norms = [], []
    for one in last:
        y = w @ one.mean(axis=(1, 2)) + b - mu
        z = (y / np.linalg.norm(y) - m) @ p
        vectors.append(z / np.linalg.norm(z))
        norms.append((np.linalg.norm(y), np.linalg.norm(z)))
    for which, side in enumerate((found.query, found.hit)):
        (ry, rz), other = norms[which], vectors[1 - which]
        direction = p @ other  # (20,)
        count = last.shape[2] * last.shape[3]
        want = np.einsum("chw,c->hw", last[which], w.T @ direction) / (count * ry * rz)
        np.testing.assert_allclose(side.contributions, want, rtol=0, atol=1e-6)
        constant = ((b - mu) / ry - m) @ direction / rz
        assert side.constant == pytest.approx(constant, abs=1e-5)
        assert abs(constant) > 0.01


def test_a_grid_credits_each_cell_with_its_own_part() -> None:
    encoder = Encoder(Patches(), Grid(cells=8), Transform(64)).eval()
    query, hit = noise(4), noise(5)
    found = explain(encoder, query, hit)
    images = torch.stack([encoder.transform(query), encoder.transform(hit)])
    with torch.no_grad():
        a, b = encoder.backbone(images).double().numpy()
    want = (a * b).sum(axis=0) / (np.linalg.norm(a) * np.linalg.norm(b))
    np.testing.assert_allclose(found.query.contributions, want, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.hit.contributions, want, rtol=0, atol=1e-6)


def test_a_maximum_credits_the_position_that_has_it() -> None:
    encoder = patches("maximum")
    query, hit = noise(6), noise(7)
    found = explain(encoder, query, hit)
    with torch.no_grad():
        a = encoder.backbone(encoder.transform(query)[None])[0].double().numpy()
    other = encoder.vectors(encoder.transform(hit)[None])[0].astype(float)
    want = np.zeros((8, 8))
    norm = np.linalg.norm(a.max(axis=(1, 2)))
    for channel, weight in zip(a, other, strict=True):
        want[np.unravel_index(channel.argmax(), (8, 8))] += channel.max() * weight / norm
    np.testing.assert_allclose(found.query.contributions, want, rtol=0, atol=1e-6)
    assert not found.query.exact


def one_side(left: bool) -> Image.Image:
    """Coloured noise in one half, black in the other, where the symmetric network sees nothing."""
    pixels = np.full((64, 64, 3), 0, np.uint8)
    half = np.random.default_rng(8).integers(90, 256, (64, 32, 3), np.uint8)
    pixels[:, :32] = half
    picture = Image.fromarray(pixels)
    return picture if left else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


@pytest.mark.parametrize("pooling", ["average", "two_layers"])
def test_the_mirrored_half_is_mirrored_back(pooling: str) -> None:
    encoder = patches(pooling, flip=True, symmetric=True)
    with torch.no_grad():
        for layer in encoder.backbone.modules():
            if not isinstance(layer, nn.Conv2d) or layer.bias is None:
                continue
            black = torch.tensor([-m / s for m, s in zip(*_norm(encoder), strict=True)])
            layer.bias -= layer(black[None, :, None, None].expand(1, 3, 8, 8))[0, :, 0, 0]
    left, right = one_side(left=True), one_side(left=False)
    found = explain(encoder, left, right)
    assert found.score > 0.9999  # what is mirrored has the halves swapped
    assert found.query.contributions[:, :4].sum() == pytest.approx(found.score, abs=1e-5)
    assert np.abs(found.query.contributions[:, 4:]).max() < 1e-6
    np.testing.assert_allclose(
        found.hit.contributions, found.query.contributions[:, ::-1], rtol=0, atol=1e-6
    )


def _norm(encoder: Encoder) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return encoder.transform.mean, encoder.transform.std


def test_a_pasted_patch_is_found_at_its_place() -> None:
    query, hit = noise(9), noise(10)
    box = (2 * CELL, 5 * CELL, 4 * CELL, 6 * CELL)  # row 5, columns 2 and 3
    hit.paste(query.crop(box), (6 * CELL, 1 * CELL))  # row 1, columns 6 and 7
    found = explain(patches(), query, hit)
    best = {(one.query, one.hit) for one in found.correspondences[:2]}
    assert best == {((5, 2), (1, 6)), ((5, 3), (1, 7))}
    assert [one.score for one in found.correspondences[:2]] == [1, 1]
    assert found.correspondences[2].score < 0.999
    assert found.query.placement.cell((5, 2), (8, 8)) == (2 / 8, 5 / 8, 3 / 8, 6 / 8)


def test_a_mirrored_picture_corresponds_mirrored() -> None:
    query = noise(11)
    hit = query.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = explain(patches(symmetric=True), query, hit)
    assert len(found.correspondences) == 64
    for one in found.correspondences:
        assert one.hit == (one.query[0], 7 - one.query[1])
        assert one.score == pytest.approx(1, abs=1e-5)


def test_correspondences_are_mutual_nearest_neighbours() -> None:
    rng = np.random.default_rng(12)
    a, b = rng.standard_normal((3, 4, 5)), rng.standard_normal((2, 6, 5))
    a /= np.linalg.norm(a, axis=2, keepdims=True)
    b /= np.linalg.norm(b, axis=2, keepdims=True)
    a[1, 1] = 0  # no feature: no counterpart
    masks = rng.random((3, 4)) < 0.5, rng.random((2, 6)) < 0.5
    found = correspondences(a.astype(np.float32), b.astype(np.float32), *masks)
    every_a = [(i, j) for i in range(3) for j in range(4) if (i, j) != (1, 1)]
    every_b = [(i, j) for i in range(2) for j in range(6)]
    want = set()
    for here in every_a:
        there = max(every_b, key=lambda q: float(a[here] @ b[q]))
        if max(every_a, key=lambda p: float(a[p] @ b[there])) == here:
            want.add((here, there, bool(masks[0][here] and masks[1][there])))
    assert {(one.query, one.hit, one.on_objects) for one in found} == want
    assert 2 <= len(want) < 11
    for one in found:
        assert one.score == pytest.approx(float(a[one.query] @ b[one.hit]), abs=2e-6)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_a_pair_takes_each_door() -> None:
    photo, sketch = (build_encoder("small", size=64, dim=12, seed=seed) for seed in (0, 1))
    pair = EncoderPair(photo, sketch)
    drawn = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(drawn).ellipse((10, 12, 50, 44), outline="black", width=3)
    shop = noise(13)
    found = explain(pair, drawn, shop, modality=Modality.SKETCH)
    want = (
        sketch.vectors(sketch.transform(drawn)[None])[0]
        @ (photo.vectors(photo.transform(shop)[None])[0])
    )
    assert found.score == pytest.approx(float(want), abs=1e-5)
    with pytest.raises(ValueError, match=r"^modality must be photo or sketch"):
        explain(pair, drawn, shop)


def test_a_learned_energy_is_approximate_and_still_adds_up() -> None:
    pair = EncoderPair(small_encoder(), small_encoder()).with_energy(torch.eye(24) + 0.1)
    found = explain(pair, noise(14), noise(15), modality=Modality.SKETCH)
    assert not found.hit.exact
    for side in (found.query, found.hit):
        total = side.contributions.sum() + side.constant + side.remainder
        assert total == pytest.approx(found.score, abs=1e-5)


def test_who_cannot_be_explained_is_told_so() -> None:
    joined = JoinedEncoder([small_encoder(), small_encoder()], [0.5, 0.5]).eval()
    with pytest.raises(ValueError, match=r"^an explanation needs the maps of one encoder; got a j"):
        explain(joined, noise(0), noise(1))
    with pytest.raises(ValueError, match=r"^encoder must be in eval mode; got train mode"):
        explain(small_encoder().train(), noise(0), noise(1))
    empty = patches()
    for weight in empty.backbone.parameters():
        nn.init.zeros_(weight)
    with pytest.raises(ValueError, match=r"^query must be a picture with usable features; got one"):
        explain(empty, noise(0), noise(1))


def test_an_overlay_colours_what_speaks_for_and_against() -> None:
    picture = Image.new("RGB", (40, 20), "#808080")
    values = np.array([[0.5, -0.25]])
    seen = Placement(shown=(0.0, 0.0, 1.0, 0.5))
    pixels = np.asarray(overlay(picture, values, seen)).astype(int)
    assert pixels[5, 5].tolist() == [196, 101, 26]  # 0.8 of the way to orange
    assert pixels[5, 35].tolist() == [77, 122, 148]  # 0.4 of the way to blue
    assert (pixels[10:] == 128).all()  # not shown to the encoder
    weaker = np.asarray(overlay(picture, values, seen, largest=1.0)).astype(int)
    assert 128 < weaker[5, 5, 0] < pixels[5, 5, 0]


def test_what_is_not_selected_fades_and_regions_are_framed() -> None:
    picture = Image.new("RGB", (40, 40), "#200000")
    pixels = np.asarray(selected(picture, np.array([[True, False]]), Placement()))
    assert pixels[20, 10].tolist() == [32, 0, 0]
    assert pixels[20, 30].min() > 150
    framed = np.asarray(numbered(picture, [(0.5, 0.5, 1.0, 1.0)])).astype(int)
    assert framed[39, 30].tolist() == [0, 114, 178]
    assert framed[10, 10].tolist() == [32, 0, 0]


def test_a_sheet_shows_both_pictures_three_times() -> None:
    query, hit = Image.new("RGB", (60, 30), "#ff0000"), Image.new("RGB", (30, 60), "#00ff00")
    query.paste("black", (20, 10, 40, 20))
    hit.paste("black", (10, 20, 20, 40))
    found = explain(Encoder(Patches(), Average(), Transform(64)).eval(), query, hit)
    pixels = np.asarray(sheet(found, query, hit)).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 2] < 20) & (pixels[..., 1] < 20)
    green = (pixels[..., 1] > 200) & (pixels[..., 0] < 20) & (pixels[..., 2] < 20)
    middle = pixels.shape[0] // 2
    assert red[:middle].sum() > 10_000 > red[middle:].sum()
    assert green[middle:].sum() > 10_000 > green[:middle].sum()
