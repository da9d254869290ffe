"""The simple poolings, each against its definition as plain loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.poolings.average import Average
from retrieval.poolings.average_maximum import AverageMaximum
from retrieval.poolings.gem import GeM
from retrieval.poolings.maximum import Maximum

Array = NDArray[np.float64]


def features(seed: int = 0, low: float = -1.0) -> torch.Tensor:
    values = np.random.default_rng(seed).uniform(low, 3.0, (2, 4, 3, 5))
    return torch.from_numpy(values.astype(np.float32))


def channels(maps: torch.Tensor) -> list[list[list[float]]]:
    """Values of each channel of each image."""
    return [[[float(v) for v in c.reshape(-1)] for c in image] for image in maps.double().numpy()]


def average(maps: torch.Tensor) -> Array:
    return np.array([[sum(values) / len(values) for values in image] for image in channels(maps)])


def maximum(maps: torch.Tensor) -> Array:
    return np.array([[max(values) for values in image] for image in channels(maps)])


def generalized_mean(maps: torch.Tensor, p: float, eps: float) -> Array:
    return np.array(
        [
            [(sum(max(v, eps) ** p for v in values) / len(values)) ** (1 / p) for values in image]
            for image in channels(maps)
        ]
    )


def test_average() -> None:
    np.testing.assert_allclose(Average()(features()).numpy(), average(features()), rtol=1e-5)


def test_maximum() -> None:
    np.testing.assert_allclose(Maximum()(features()).numpy(), maximum(features()), rtol=1e-6)


def test_average_maximum_is_both_as_they_are() -> None:
    want = np.concatenate([average(features()), maximum(features())], axis=1)
    np.testing.assert_allclose(AverageMaximum()(features()).numpy(), want, rtol=1e-5)


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_gem(p: float, eps: float) -> None:
    got = GeM(p, eps)(features()).detach().numpy()
    np.testing.assert_allclose(got, generalized_mean(features(), p, eps), rtol=2e-5)


def test_gem_of_4_and_2_by_hand() -> None:
    maps = torch.tensor([4.0, 2.0]).view(1, 1, 1, 2)
    assert GeM(p=2.0)(maps).item() == pytest.approx(10**0.5)  # ((16 + 4) / 2)^(1/2)


@settings(deadline=None)
@given(st.floats(1, 20), st.floats(1, 20), st.integers(0, 50))
def test_gem_grows_with_p_from_the_average_to_the_maximum(p: float, q: float, seed: int) -> None:
    maps = features(seed, low=0.0)
    small, large = sorted((p, q))
    slack = 1e-4
    assert (GeM(small)(maps) <= GeM(large)(maps) + slack).all()
    assert (Average()(maps) <= GeM(small)(maps) + slack).all()
    assert (GeM(large)(maps) <= Maximum()(maps) + slack).all()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_gem_neither_over_nor_underflows(scale: float) -> None:
    """A channel that never fires and one that fires strongly, under a large exponent."""
    maps = torch.zeros(1, 2, 3, 3)
    maps[0, 1] = scale
    pooling = GeM(p=30.0)
    maps.requires_grad_()
    pooled = pooling(maps)
    pooled.sum().backward()
    torch.testing.assert_close(pooled[0], torch.tensor([1e-6, scale]), rtol=1e-4, atol=0)
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()
    assert pooling.p.grad is not None
    assert torch.isfinite(pooling.p.grad)


@pytest.mark.parametrize("p", [0.0, -1.0, float("nan"), float("inf")])
def test_gem_refuses_an_exponent_without_a_mean(p: float) -> None:
    with pytest.raises(ValueError, match=r"^p of gem must be above 0 and finite; got "):
        GeM(p)
