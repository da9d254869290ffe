"""Pooling in the style of CRL-WSL against its definition: float64, plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from retrieval.errors import BadInputError
from retrieval.poolings.wsl_style import WslStyle
from tests.retrieval.test_scda import Array, Mask, components, halves


def saliency(features: Array) -> Array:
    """What the gradient of half the squared norm of the mean gives each position."""
    height, width = features.shape[1:]
    found = np.zeros((height, width))
    for channel in features:
        mean = sum(float(channel[i, j]) for i in range(height) for j in range(width))
        for i in range(height):
            for j in range(width):
                found[i, j] += mean / (height * width) * channel[i, j]
    return found


def selected(features: Array, threshold: float) -> Mask:
    scores = saliency(features) * features[0].size  # whole numbers stay whole
    salient = np.array(np.rint(scores) > threshold * np.rint(scores).max())
    largest: list[tuple[int, int]] = max(components(salient), key=len, default=[])
    mask = np.zeros(features.shape[1:], bool)
    for position in largest:
        mask[position] = True
    return mask if largest else ~mask


# Whole numbers and a threshold of one half: the comparison is then exact in both precisions.
MAPS = arrays.arrays(
    np.int64,
    st.tuples(st.just(4), st.integers(1, 6), st.integers(1, 6)),
    elements=st.integers(-1, 3),
)


@settings(deadline=None)
@given(MAPS)
def test_the_mask_and_the_descriptor(features: NDArray[np.int64]) -> None:
    pooling, maps = WslStyle(0.5), torch.from_numpy(features[None]).float()
    want = selected(features.astype(np.float64), 0.5)
    np.testing.assert_array_equal(pooling.mask(maps)[0].numpy(), want)
    got = pooling(maps)[0].numpy()
    np.testing.assert_allclose(got, halves(features.astype(np.float64), want), atol=1e-6)


def test_saliency_is_the_gradient_of_the_descriptor_times_the_response() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(3, 5, 4, dtype=torch.float64, generator=generator).requires_grad_()
    score = maps.mean(dim=(1, 2)).square().sum() / 2
    (gradient,) = torch.autograd.grad(score, maps)
    want = (gradient * maps).sum(dim=0).detach().numpy() * maps[0].numel()
    np.testing.assert_allclose(saliency(maps.detach().numpy()), want, rtol=1e-12)


def test_what_shares_the_descriptor_is_kept_and_what_does_not_is_left() -> None:
    """Activation as strong as the object's, in a channel that fires nowhere else, is left out."""
    maps = torch.zeros(1, 2, 6, 6)
    maps[0, 0, 1:4, 1:4] = 1  # the object
    maps[0, 1, 5, 5] = 1  # something else
    assert WslStyle().mask(maps)[0].nonzero().tolist() == [
        [i, j] for i in range(1, 4) for j in range(1, 4)
    ]


def test_the_threshold_decides() -> None:
    maps = torch.tensor([[[[4.0, 3.0, 2.0, 1.0]]]])
    assert [int(WslStyle(t).mask(maps).sum()) for t in (0.0, 0.3, 0.6, 0.9)] == [4, 3, 2, 1]
    for threshold in (-0.1, 1.0):
        with pytest.raises(BadInputError, match=r"must be in \[0, 1\)"):
            WslStyle(threshold)


def test_a_dead_map_is_taken_whole() -> None:
    assert WslStyle().mask(torch.zeros(2, 3, 4, 4)).all()
