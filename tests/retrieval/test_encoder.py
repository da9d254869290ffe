"""The encoder: unit rows, the parts in their order, a fingerprint of all that matters."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval.backbones import Backbone
from retrieval.encoder import Encoder, build_encoder, unusable
from retrieval.errors import BadInputError
from retrieval.poolings.average import Average
from retrieval.poolings.scda import Scda
from retrieval.transforms import Transform
from retrieval.whitening import Whitening, fit_whitening


class Colours(Backbone):
    """The picture at half size is the early map and at a quarter the last: readable by eye."""

    name, channels, stride, size = "colours", (3, 3), 4, 32

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3, 1, 1))

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early = nn.functional.avg_pool2d(images, 2)
        return early, self.scale * nn.functional.avg_pool2d(early, 2)


def images(batch: int = 5, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def encoder(**parts: object) -> Encoder:
    options = {"pooling": Average(), "transform": Transform(32), **parts}
    return Encoder(Colours(), **options).eval()  # type: ignore[arg-type]


def unit(row: list[float]) -> list[float]:
    length = math.sqrt(sum(v * v for v in row))
    return [v / length for v in row]


def channel_means(image: Tensor) -> list[float]:
    return [sum(v) / len(v) for v in (c.flatten().double().tolist() for c in image)]


def test_a_vector_is_the_unit_descriptor() -> None:
    want = [unit(channel_means(image)) for image in images()]
    np.testing.assert_allclose(encoder()(images()).detach().numpy(), want, rtol=1e-5)


def test_projection_then_norm_then_whitening_then_norm() -> None:
    projection = nn.Linear(3, 4)
    whitening = Whitening(4, 2, "pca")
    whitening.mean.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
    whitening.projection.copy_(torch.rand(4, 2))
    matrix, bias = projection.weight.detach().double().numpy(), projection.bias.detach().numpy()
    want = []
    for image in images():
        projected = unit([float(v) for v in matrix @ channel_means(image) + bias])
        white = (np.array(projected) - whitening.mean.numpy()) @ whitening.projection.numpy()
        want.append(unit([float(v) for v in white]))
    got = encoder(projection=projection, whitening=whitening)
    assert got.dim == 2
    np.testing.assert_allclose(got(images()).detach().numpy(), want, rtol=1e-4, atol=1e-5)


def test_flip_appends_the_mirrored_picture() -> None:
    """Checked on a network that tells left from right and up from down."""
    options = {"name": "scda", "plus": True}
    plain, both = (build_encoder("small", options, size=32, flip=flip) for flip in (False, True))
    got = both.descriptors(images())
    left, right = got[:, : plain.dim], got[:, plain.dim :]
    assert both.dim == got.shape[1] == 2 * plain.dim
    torch.testing.assert_close(left, plain.descriptors(images()))
    torch.testing.assert_close(right, plain.descriptors(images().flip(3)))
    assert not torch.allclose(right, plain.descriptors(images().flip(2)), atol=1e-3)
    torch.testing.assert_close(both(images()), nn.functional.normalize(got))


def test_one_image_needs_a_batch_axis() -> None:
    with pytest.raises(ValueError, match=r"^images must be .*; got \(3, 32, 32\)\. One image is a"):
        encoder()(images()[0])


@pytest.mark.parametrize("fitted", [False, True])
def test_c2_a_blank_feature_map_stays_zero_and_is_reported(fitted: bool) -> None:
    """Through a bias, a whitening mean or GeM's floor a dead image would look like a live one."""
    whitening = fit_whitening(encoder().vectors(images(20)), 2) if fitted else None
    dead = encoder(whitening=whitening)
    batch = images(3)
    batch[1] = 0
    vectors = dead.vectors(batch)
    assert (vectors[1] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors[[0, 2]], axis=1), 1, rtol=1e-6)
    assert unusable(vectors) == {1: "no usable features"}


def test_c2_every_kind_of_encoder_reports_a_blank_feature_map() -> None:
    for pooling in ("average", "maximum", "average_maximum", "gem", "scda"):
        blank = build_encoder("small", pooling, dim=4)
        with torch.no_grad():
            for parameter in blank.backbone.parameters():
                parameter.zero_()
        assert unusable(blank.vectors(images(2, 96))) == dict.fromkeys(
            (0, 1), "no usable features"
        ), pooling


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_c1_a_picture_that_is_not_finite_is_reported_and_spoils_no_other(value: float) -> None:
    batch = images(3)
    batch[2, 0, 0, 0] = value
    vectors = encoder().vectors(batch)
    assert unusable(vectors) == {2: "the vector is not finite"}
    np.testing.assert_array_equal(vectors[:2], encoder().vectors(images(3))[:2])


def test_c20_vectors_in_train_mode_are_refused() -> None:
    with pytest.raises(ValueError, match="encoder must be in eval mode; got train mode"):
        encoder().train().vectors(images())


@pytest.mark.parametrize("pooling", ["average", {"name": "scda", "plus": True}])
def test_c20_one_image_has_the_same_vector_twice_and_in_any_batch(pooling: object) -> None:
    made = build_encoder("small", pooling, size=48)  # type: ignore[arg-type]
    batch = images(6, 48)
    together = made.vectors(batch)
    np.testing.assert_array_equal(together, made.vectors(batch))
    for row in range(6):
        np.testing.assert_allclose(made.vectors(batch[row : row + 1])[0], together[row], atol=1e-5)


def test_the_mask_is_that_of_the_pooling() -> None:
    got = encoder(pooling=Scda(), flip=True).mask(images())
    torch.testing.assert_close(got, Scda().mask(Colours()(images())))
    assert got.shape == (5, 8, 8)


def test_a_pooling_without_selection_has_no_mask() -> None:
    with pytest.raises(ValueError, match="needs a pooling that selects, such as scda; got average"):
        encoder().mask(images())


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^projection must be \(D, 3\); got \(4, 5\)"):
        encoder(projection=nn.Linear(5, 4))
    with pytest.raises(ValueError, match=r"^whitening must be \(3, D\); got \(5, 2\)"):
        encoder(whitening=Whitening(5, 2))


def test_whitening_fitted_on_own_vectors_makes_them_white() -> None:
    made = build_encoder("small", size=32)
    vectors = made.vectors(images(40))
    white = made.with_whitening(fit_whitening(vectors, 3))
    out = white.vectors(images(40))
    assert white.dim == out.shape[1] == 3
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, rtol=1e-5)
    before, after = (np.linalg.norm(rows.mean(axis=0)) for rows in (vectors, out))
    assert after < 0.3 < 0.9 < before  # they no longer share a direction
    assert not white.training
    assert made.with_whitening(None).fingerprint() == made.fingerprint()


def test_reduced_precision_stops_at_the_maps() -> None:
    """Under autocast the backbone is bfloat16; what follows it is not."""
    made = encoder(projection=nn.Linear(3, 3))
    with torch.autocast("cpu", torch.bfloat16):
        got = made(images())
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, made(images()))


CHANGES: dict[str, Callable[[Encoder], Encoder]] = {
    "size": lambda e: _with(e, transform=replace(e.transform, size=64)),
    "fit": lambda e: _with(e, transform=replace(e.transform, fit="crop")),
    "crop": lambda e: _with(e, transform=replace(e.transform, crop_share=0.9)),
    "mean": lambda e: _with(e, transform=replace(e.transform, mean=(0.5, 0.456, 0.406))),
    "std": lambda e: _with(e, transform=replace(e.transform, std=(0.5, 0.224, 0.225))),
    "pooling": lambda e: _with(e, pooling=Average()),
    "pooling option": lambda e: _with(e, pooling=Scda(plus=True), whitening=None),
    "flip": lambda e: _with(e, flip=True, whitening=None),
    "no whitening": lambda e: e.with_whitening(None),
    "whitening method": lambda e: _with(e, whitening=Whitening(6, 2, "svd")),
    "whitening size": lambda e: _with(e, whitening=Whitening(6, 3)),
    "whitening numbers": lambda e: _nudged(e, "whitening.mean"),
    "one weight": lambda e: _nudged(e, "backbone.scale"),
    "projection": lambda e: _with(e, projection=nn.Linear(6, 6)),
}


def _with(encoder: Encoder, **parts: object) -> Encoder:
    old = {
        name: getattr(encoder, name)
        for name in ("pooling", "transform", "projection", "whitening", "flip")
    }
    new = old | parts
    if isinstance(new["pooling"], Average):
        new["whitening"] = None
    return Encoder(encoder.backbone, **new).eval()


def _nudged(encoder: Encoder, name: str) -> Encoder:
    tensor = encoder.state_dict()[name].flatten()
    tensor[0] = torch.nextafter(tensor[0], torch.tensor(9.0))
    return encoder


@pytest.mark.parametrize("change", CHANGES)
def test_c10_the_fingerprint_tells_every_change(change: str) -> None:
    made = encoder(pooling=Scda(), whitening=Whitening(6, 2))
    before = made.fingerprint()
    assert before == encoder(pooling=Scda(), whitening=Whitening(6, 2)).fingerprint()
    assert CHANGES[change](made).fingerprint() != before


def test_c9_six_encoders_have_six_fingerprints() -> None:
    made = [build_encoder("small", size=32, seed=seed).fingerprint() for seed in range(6)]
    assert len(set(made)) == 6
    assert all(len(f) == 64 and int(f, 16) for f in made)


def test_the_fingerprint_does_not_depend_on_how_weights_lie_in_memory() -> None:
    made = build_encoder("small", size=32)
    before = made.fingerprint()
    assert made.to(memory_format=torch.channels_last).fingerprint() == before


def test_settings_are_plain_and_make_the_encoder_again() -> None:
    made = build_encoder("small", {"name": "scda", "plus": True}, size=64, flip=True, dim=7)
    made = made.with_whitening(Whitening(7, 3, "svd"))
    settings = json.loads(json.dumps(made.settings()))
    again = Encoder.from_settings(settings)
    again.load_state_dict(made.state_dict())
    assert again.fingerprint() == made.fingerprint()
    np.testing.assert_array_equal(again.vectors(images(2, 64)), made.vectors(images(2, 64)))


def test_the_stride_of_the_last_stage_is_part_of_an_encoder() -> None:
    usual = build_encoder("resnet18", size=64)
    finer = build_encoder("resnet18", size=64, last_stride=1)
    assert "last_stride" not in usual.settings()  # older fingerprints hold
    assert usual.fingerprint() != finer.fingerprint()
    again = Encoder.from_settings(json.loads(json.dumps(finer.settings())))
    again.load_state_dict(finer.state_dict())
    assert again.fingerprint() == finer.fingerprint()
    np.testing.assert_array_equal(again.vectors(images(1, 64)), finer.vectors(images(1, 64)))
    assert not np.allclose(usual.vectors(images(1, 64)), finer.vectors(images(1, 64)), atol=1e-3)


def test_another_pooling_of_the_same_weights() -> None:
    made = build_encoder("small", "average", size=32, flip=True)
    swapped = made.with_pooling(Scda())
    want = build_encoder("small", "scda", size=32, flip=True)
    assert swapped.fingerprint() == want.fingerprint()
    assert not swapped.training


@pytest.mark.parametrize("part", ["projection", "whitening"])
def test_a_pooling_that_something_was_made_for_stays(part: str) -> None:
    made = build_encoder("small", "average", size=32, dim=5 if part == "projection" else None)
    if part == "whitening":
        made = made.with_whitening(Whitening(192, 3))
    with pytest.raises(
        BadInputError, match=f"an encoder with a {part}, which was made for average"
    ):
        made.with_pooling(Scda())


def test_the_seed_decides_and_the_callers_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    one, other = build_encoder("small", dim=8, seed=1), build_encoder("small", dim=8, seed=1)
    torch.testing.assert_close(torch.rand(3), want, rtol=0, atol=0)
    assert one.fingerprint() == other.fingerprint()


def test_what_build_encoder_chooses_by_itself() -> None:
    made = build_encoder("small")
    assert (made.transform.size, made.transform.fit, made.training) == (96, "squash", False)
    assert build_encoder("small", size=64).transform.size == 64


def test_an_unknown_pooling_is_named() -> None:
    with pytest.raises(ValueError, match=r"no poolings called 'gme'.*Did you mean 'gem'"):
        build_encoder("small", "gme")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("pooling", ["average", "gem", {"name": "scda", "plus": True}])
def test_a_graphics_card_gives_the_same_vectors(pooling: Any) -> None:
    made = build_encoder("small", pooling, size=64, flip=True, dim=8)
    vectors, fingerprint = made.vectors(images(4, 64)), made.fingerprint()
    made = made.cuda()
    np.testing.assert_allclose(made.vectors(images(4, 64)), vectors, atol=1e-3)
    assert made.fingerprint() == fingerprint


def test_unusable_rows_of_nothing() -> None:
    nothing: NDArray[np.float32] = np.empty((0, 4), np.float32)
    assert unusable(nothing) == {}


def test_a_projection_as_wide_as_the_descriptor_starts_as_the_identity() -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    plain, adapted = (build_encoder("small", size=32, dim=dim) for dim in (None, 192))
    assert adapted.projection is not None
    torch.testing.assert_close(adapted(images), plain(images))
