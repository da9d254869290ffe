"""What every file of ``retrieval/poolings`` must do, found without a list."""

import inspect
import json

import pytest
import torch
from torch import Tensor

from retrieval import plugins, poolings
from retrieval.encoder import build_pooling
from retrieval.poolings import Pooling

NAMES = plugins.names(poolings)
CHANNELS = (3, 5)
SMALL = {"dim": 12, "reduced": 4, "width": 3, "groups": 2, "parts": 2, "filters": 8}
"""Sizes that a part may have, for which it need not be as large as it comes."""


def small(name: str) -> dict[str, object]:
    known = inspect.signature(plugins.find(poolings, name)).parameters
    return {"name": name} | {option: size for option, size in SMALL.items() if option in known}


def made(name: str) -> Pooling:
    return build_pooling(small(name), CHANNELS).eval()


def variants() -> list[dict[str, object]]:
    """Each part as it comes, and with each of its switches turned on."""
    found: list[dict[str, object]] = []
    for name in NAMES:
        found.append(small(name))
        found += [
            small(name) | {option: True}
            for option, value in made(name).settings().items()
            if value is False
        ]
    return found


def maps(batch: int = 4, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    last = torch.rand(batch, CHANNELS[1], 4, 5, generator=generator, dtype=torch.float64)
    early = torch.rand(batch, CHANNELS[0], 8, 10, generator=generator, dtype=torch.float64)
    return last.to(dtype), early.to(dtype)


@pytest.fixture(params=variants(), ids=str)
def pooling(request: pytest.FixtureRequest) -> Pooling:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_pooling(request.param, CHANNELS).eval()


def test_the_folder_has_parts() -> None:
    assert len(NAMES) >= 5


def test_the_promised_size_is_the_real_one(pooling: Pooling) -> None:
    last, early = maps()
    assert pooling(last, early).shape == (4, pooling.out_dim(CHANNELS))


def test_an_early_map_is_asked_for_when_it_is_used(pooling: Pooling) -> None:
    last, early = maps()
    if pooling.needs_early:
        with pytest.raises(ValueError, match="needs the early map; got None"):
            pooling(last)
    else:
        torch.testing.assert_close(pooling(last), pooling(last, early), rtol=0, atol=0)


def test_rows_of_a_batch_do_not_influence_each_other(pooling: Pooling) -> None:
    last, early = maps(4)
    together = pooling(last, early)
    for row in range(4):
        alone = pooling(last[row : row + 1], early[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-6, atol=1e-7)
    last[0] = torch.nan
    early[0] = torch.inf
    torch.testing.assert_close(pooling(last, early)[1:], together[1:], rtol=0, atol=0)


def test_a_map_that_is_not_finite_does_not_look_like_one_that_is(pooling: Pooling) -> None:
    last, early = maps(1)
    last[0, 1, 2, 3] = torch.nan
    assert not torch.isfinite(pooling(last, early)).all()


def test_where_something_is_does_not_matter_when_all_of_it_moves(pooling: Pooling) -> None:
    """Mirrored maps have the same descriptor, but for a pooling that says it keeps positions.

    A convolution that sees neighbours is mirrored with them.
    """
    last, early = maps()
    descriptors = pooling(last, early)
    for module in pooling.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.flip(3)
    mirrored = pooling(last.flip(3), early.flip(3))
    if pooling.keeps_positions:
        assert (mirrored - descriptors).abs().max() > 0.1
        return
    torch.testing.assert_close(mirrored, descriptors, rtol=1e-5, atol=1e-6)


def test_gradients_are_right(pooling: Pooling) -> None:
    last, early = (m.requires_grad_() for m in maps(2, torch.float64))
    assert torch.autograd.gradcheck(pooling.double(), (last, early))


def test_gradients_of_parameters_are_right(pooling: Pooling) -> None:
    last, early = maps(2, torch.float64)
    pooling.double()
    for name, parameter in pooling.named_parameters():

        def call(value: Tensor, name: str = name) -> Tensor:
            result = torch.func.functional_call(pooling, {name: value}, (last, early))
            assert isinstance(result, Tensor)
            return result

        assert torch.autograd.gradcheck(call, parameter.detach().clone().requires_grad_())


def test_gradients_of_a_dead_map_are_finite(pooling: Pooling) -> None:
    last, early = (torch.zeros_like(m).requires_grad_() for m in maps(2))
    pooling(last, early).sum().backward()
    for tensor in (last, early, *pooling.parameters()):
        assert tensor.grad is None or torch.isfinite(tensor.grad).all()


def test_settings_make_the_same_part_again(pooling: Pooling) -> None:
    settings = json.loads(json.dumps(pooling.settings()))
    again: Pooling = plugins.build(poolings, settings).eval()
    again.load_state_dict(pooling.state_dict())
    last, early = maps()
    assert again.settings() == pooling.settings()
    torch.testing.assert_close(again(last, early), pooling(last, early), rtol=0, atol=0)
