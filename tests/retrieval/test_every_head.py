"""What every file of ``retrieval/heads`` must do, found without a list; then each special one."""

import inspect
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval import heads, plugins
from retrieval.classifier import build_head
from retrieval.encoder import Encoder
from retrieval.errors import BadInputError
from retrieval.heads import Head, LinearHead
from retrieval.heads.factorised_bilinear import FactorisedBilinear
from retrieval.heads.low_rank_bilinear import LowRankBilinear
from retrieval.transforms import Transform
from tests.retrieval.small_network import SmallNetwork
from train import schemes

NAMES = plugins.names(heads)
CHANNELS, CLASSES = (3, 5), 4
SMALL = {"dim": 12, "reduced": 4, "width": 3, "groups": 2, "parts": 2}


def made(name: str, channels: tuple[int, int] = CHANNELS) -> Head:
    known = inspect.signature(plugins.find(heads, name)).parameters
    sizes = {option: size for option, size in SMALL.items() if option in known}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_head({"name": name, **sizes}, channels, CLASSES).eval()


def maps(batch: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    last = torch.rand(batch, CHANNELS[1], 4, 5, generator=generator, dtype=torch.float64)
    early = torch.rand(batch, CHANNELS[0], 8, 10, generator=generator, dtype=torch.float64)
    return last, early


def pictures(batch: int = 3, size: tuple[int, int] = (17, 20)) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(batch, 3, *size, generator=generator, dtype=torch.float64)


def seen(images: Tensor) -> tuple[Tensor, Tensor]:
    """A backbone that makes maps of pictures of any size."""
    generator = torch.Generator().manual_seed(5)
    first = torch.randn(CHANNELS[0], 3, 2, 2, generator=generator, dtype=images.dtype)
    second = torch.randn(CHANNELS[1], CHANNELS[0], 2, 2, generator=generator, dtype=images.dtype)
    early = torch.nn.functional.conv2d(images, first, stride=2, padding=1).relu()
    return torch.nn.functional.conv2d(early, second, stride=2, padding=1).relu(), early


@pytest.fixture(params=NAMES)
def head(request: pytest.FixtureRequest) -> Head:
    return made(request.param)


def test_the_folder_has_parts() -> None:
    assert {"softmax", "bilinear", "compact_bilinear", "isqrt_cov"} <= set(NAMES)


def test_logits_of_each_class(head: Head) -> None:
    last, early = maps()
    head.double()
    assert head(last, early).shape == (3, CLASSES)
    described = head.representation(last, early)
    assert described.shape == (3, head.pooling.out_dim(CHANNELS))


def test_rows_of_a_batch_do_not_influence_each_other(head: Head) -> None:
    last, early = maps()
    head.double()
    together = head(last, early)
    for row in range(3):
        alone = head(last[row : row + 1], early[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-9, atol=1e-9)


def test_gradients_are_right(head: Head) -> None:
    last, early = (one.requires_grad_() for one in maps(2))
    head.double()
    assert torch.autograd.gradcheck(head, (last, early))


@pytest.mark.parametrize("size", [(17, 20), (16, 16), (1, 1)])
def test_logits_of_pictures(head: Head, size: tuple[int, int]) -> None:
    """The same alone and together, twice, and from a picture of one pixel on."""
    images = pictures(size=size)
    head.double()
    together = head.of_images(images, seen)
    assert together.shape == (3, CLASSES)
    assert together.isfinite().all()
    assert torch.equal(together, head.of_images(images, seen))
    for row in range(3):
        alone = head.of_images(images[row : row + 1], seen)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-9, atol=1e-9)


def test_attention(head: Head) -> None:
    last, early = maps()
    looked = head.double().attention(last, early)
    assert looked.shape == (3, *last.shape[2:])
    assert (looked >= 0).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in plugins.names(schemes)])
def test_every_weight_learns(name: str) -> None:
    """Of a head with a scheme of its own they do in it: tests/train/test_every_scheme.py."""
    head = made(name).double().train()
    logits = head.of_images(pictures(), seen)
    torch.nn.functional.cross_entropy(logits, torch.arange(3)).backward()  # type: ignore[no-untyped-call]
    for weight, parameter in head.named_parameters():
        if isinstance(head, LinearHead) or not weight.startswith("pooling."):
            assert parameter.grad is not None, weight
            assert parameter.grad.isfinite().all(), weight


def test_settings_make_the_same_head_again(head: Head) -> None:
    settings = json.loads(json.dumps(head.settings()))
    again = build_head(settings, CHANNELS, CLASSES).eval()
    again.load_state_dict(head.state_dict())
    last, early = (one.float() for one in maps())
    assert again.settings() == head.settings()
    torch.testing.assert_close(again(last, early), head(last, early), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_head_pools_makes_an_encoder(name: str) -> None:
    """With the representation as its vector, of norm 1, and settings that make it again."""
    network = SmallNetwork().eval()
    chosen = made(name, network.channels)
    encoder = Encoder(network, chosen.pooling, Transform(64, "squash")).eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    early, last = network.early_and_last(images)
    want = torch.nn.functional.normalize(chosen.representation(last, early))
    torch.testing.assert_close(encoder(images), want)
    again = plugins.build(__import__("retrieval").poolings, chosen.pooling.settings())
    assert again.settings() == chosen.pooling.settings()


def test_a_low_rank_classifier_is_a_linear_one_of_its_descriptor() -> None:
    """The products are never formed, and the scores are as if they were."""
    head = LowRankBilinear(CHANNELS[1], CLASSES, width=3, rank=4).double()
    last, _ = maps()
    with torch.no_grad():
        found, described = head(last).numpy(), head.representation(last).numpy()
    factors, bias = head.factors.detach().numpy(), head.bias.detach().numpy()
    for k in range(CLASSES):
        u, v = factors[k, :2].T, factors[k, 2:].T  # (m, r / 2)
        weight = u @ u.T - v @ v.T
        flat = [weight[a, b] * (1 if a == b else np.sqrt(2)) for a in range(3) for b in range(a, 3)]
        np.testing.assert_allclose(found[:, k], described @ np.array(flat) + bias[k], atol=1e-12)


def test_a_factorised_classifier_by_its_definition() -> None:
    head = FactorisedBilinear(CHANNELS[1], CLASSES, factors=2).double().eval()
    torch.nn.init.normal_(head.products)
    last, _ = maps()
    with torch.no_grad():
        found = head(last).numpy()
    w, b = head.linear.weight.detach().numpy(), head.linear.bias.detach().numpy()
    factors = head.products.detach().numpy()
    for row, image in zip(found, last.numpy(), strict=True):
        columns = image.reshape(len(image), -1).T
        for k in range(CLASSES):
            scores = [w[k] @ x + x @ factors[k].T @ factors[k] @ x for x in columns]
            assert row[k] == pytest.approx(b[k] + np.mean(scores))


def test_factors_are_dropped_in_training_and_right_on_average() -> None:
    head = FactorisedBilinear(CHANNELS[1], CLASSES, factors=3, drop=0.5).double()
    torch.nn.init.normal_(head.products)
    last, _ = maps(1)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = torch.stack([head.train()(last) for _ in range(2000)])
        want = head.eval()(last)
    error = drawn.std(dim=0) / 2000**0.5
    assert (drawn.std(dim=0) > 0).all()
    assert ((drawn.mean(dim=0) - want).abs() < 4 * error).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "softmxa"}, r"no heads called 'softmxa'.*Did you mean 'softmax'"),
        ({"name": "bilinear", "reduce": 4}, r"no option of bilinear called 'reduce'"),
        ({"name": "low_rank_bilinear", "rank": 3}, "rank of low_rank_bilinear must be even"),
        ({"name": "factorised_bilinear", "factors": 0}, "factors of factorised_bilinear must be 1"),
        ({"name": "factorised_bilinear", "drop": 1.0}, r"drop of factorised_bilinear must be in"),
        ({"name": "softmax", "pooling_name": "gme"}, r"no poolings called 'gme'"),
    ],
)
def test_what_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        build_head(options, CHANNELS, CLASSES)
