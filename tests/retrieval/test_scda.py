"""SCDA against its definition: float64, plain loops, breadth-first search."""

import warnings
from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import ndimage

from retrieval.poolings import _selection
from retrieval.poolings._selection import largest_component, longest_path
from retrieval.poolings.scda import Scda

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def components(mask: Mask) -> list[list[tuple[int, int]]]:
    """8-connected components in the order in which a walk down the columns meets them."""
    height, width = mask.shape
    seen: set[tuple[int, int]] = set()
    found = []
    for column in range(width):
        for row in range(height):
            if not mask[row, column] or (row, column) in seen:
                continue
            component, queue = [], deque([(row, column)])
            seen.add((row, column))
            while queue:
                i, j = queue.popleft()
                component.append((i, j))
                for near in [(i + di, j + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)]:
                    inside = 0 <= near[0] < height and 0 <= near[1] < width
                    if inside and mask[near] and near not in seen:
                        seen.add(near)
                        queue.append(near)
            found.append(component)
    return found


def above_mean(features: Array) -> Mask:
    activation = np.zeros(features.shape[1:])
    for channel in features:
        activation += channel
    return np.array(activation > activation.sum() / activation.size)


def selected(features: Array) -> Mask:
    """The mask of one image (C, h, w)."""
    largest: list[tuple[int, int]] = []
    for component in components(above_mean(features)):
        if len(component) > len(largest):  # the first of equal ones stays
            largest = component
    mask = np.zeros(features.shape[1:], bool)
    for position in largest:
        mask[position] = True
    return mask if largest else ~mask


def unit(vector: list[float]) -> list[float]:
    length = sum(v * v for v in vector) ** 0.5
    return [v / length for v in vector] if length else vector


def halves(features: Array, mask: Mask) -> list[float]:
    positions = list(zip(*np.nonzero(mask), strict=True))
    if not positions:
        return [0.0] * (2 * len(features))
    inside = [[float(channel[position]) for position in positions] for channel in features]
    return unit([sum(v) / len(v) for v in inside]) + unit([max(v) for v in inside])


def scda(last: Array, early: Array | None = None) -> list[float]:
    mask = selected(last)
    descriptor = halves(last, mask)
    if early is None:
        return descriptor
    (height, width), (rows, columns) = mask.shape, early.shape[1:]
    wide = np.zeros((rows, columns), bool)
    for row in range(rows):
        for column in range(columns):
            wide[row, column] = mask[row * height // rows, column * width // columns]
    return descriptor + [0.5 * v for v in halves(early, above_mean(early) & wide)]


# Whole numbers: sums and the comparison with the mean are then exact in both precisions.
MAPS = arrays.arrays(
    np.int64,
    st.tuples(st.just(4), st.integers(1, 6), st.integers(1, 6)),
    elements=st.integers(0, 3),
)
MASKS = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))


@settings(deadline=None)
@given(MASKS)
def test_the_largest_component(mask: Mask) -> None:
    largest: list[tuple[int, int]] = max(components(mask), key=len, default=[])  # first of equals
    want = np.zeros_like(mask)
    for position in largest:
        want[position] = True
    np.testing.assert_array_equal(largest_component(torch.from_numpy(mask[None]))[0].numpy(), want)


@settings(deadline=None)
@given(MASKS)
def test_components_are_those_of_scipy(mask: Mask) -> None:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    got = largest_component(torch.from_numpy(mask[None]))[0].numpy()
    sizes = [int((labels == label).sum()) for label in range(1, count + 1)]
    assert got.sum() == max(sizes, default=0)
    assert len(set(labels[got])) == (1 if count else 0)


def test_of_two_equal_components_the_one_further_left_wins() -> None:
    mask = torch.tensor([[0, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
    want = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
    assert torch.equal(largest_component(mask[None])[0], want)


def test_positions_that_touch_at_a_corner_are_connected() -> None:
    mask = torch.eye(6, dtype=torch.bool)
    assert torch.equal(largest_component(mask[None])[0], mask)


def test_a_long_winding_component_is_followed_to_its_end() -> None:
    mask = torch.zeros(15, 15, dtype=torch.bool)
    mask[::2] = True
    mask[1::4, -1] = True
    mask[3::4, 0] = True
    assert torch.equal(largest_component(mask[None])[0], mask)


def fixed_flood(mask: torch.Tensor, steps: int | None = None) -> torch.Tensor:
    """What an exported graph selects, which cannot stop early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.compiler, "is_exporting", lambda: True)
        if steps is not None:
            patch.setattr(_selection, "longest_path", lambda height, width: steps)
        return largest_component(mask)


def test_the_steps_of_a_graph_are_enough_for_every_small_mask() -> None:
    bits = torch.arange(2**16)[:, None] >> torch.arange(16)
    masks = (bits & 1).bool().view(-1, 4, 4)
    assert torch.equal(fixed_flood(masks), fixed_flood(masks, steps=16))
    assert not torch.equal(fixed_flood(masks, steps=4), fixed_flood(masks, steps=16))


@settings(deadline=None)
@given(MASKS)
def test_the_steps_of_a_graph_are_enough(mask: Mask) -> None:
    batch = torch.from_numpy(mask[None])
    assert torch.equal(fixed_flood(batch), fixed_flood(batch, steps=mask.size))


def test_a_long_winding_component_needs_nearly_all_steps_of_a_graph() -> None:
    mask = torch.zeros(15, 15, dtype=torch.bool)
    mask[::2] = True
    mask[1::4, -1] = True
    mask[3::4, 0] = True
    needed = min(n for n in range(1, 200) if torch.equal(fixed_flood(mask[None], n)[0], mask))
    assert 0.8 * longest_path(15, 15) < needed <= longest_path(15, 15) == 127


@settings(deadline=None)
@given(MAPS)
def test_the_mask(features: NDArray[np.int64]) -> None:
    got = Scda().mask(torch.from_numpy(features[None]).float())[0].numpy()
    np.testing.assert_array_equal(got, selected(features.astype(np.float64)))


@settings(deadline=None)
@given(MAPS)
def test_the_descriptor(features: NDArray[np.int64]) -> None:
    got = Scda()(torch.from_numpy(features[None]).float())[0].numpy()
    np.testing.assert_allclose(got, scda(features.astype(np.float64)), atol=1e-6)


@settings(deadline=None)
@given(MAPS, st.integers(0, 1000), st.integers(1, 3))
def test_the_descriptor_with_the_early_map(
    features: NDArray[np.int64], seed: int, factor: int
) -> None:
    height, width = features.shape[1:]
    shape = (3, height * factor, width * factor)
    early = np.random.default_rng(seed).integers(0, 4, shape)
    got = Scda(plus=True)(
        torch.from_numpy(features[None]).float(), torch.from_numpy(early[None]).float()
    )[0].numpy()
    want = scda(features.astype(np.float64), early.astype(np.float64))
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_a_batch_gives_what_each_image_gives() -> None:
    maps = np.random.default_rng(1).gamma(0.5, size=(16, 8, 7, 7))
    got = Scda()(torch.from_numpy(maps).float()).numpy()
    for row, features in zip(got, maps, strict=True):
        np.testing.assert_allclose(row, scda(features), atol=1e-5)


def test_negative_maxima_are_kept() -> None:
    """Networks whose last layer has no ReLU: a channel may be negative everywhere."""
    maps = torch.full((1, 2, 2, 2), -3.0)
    maps[0, 0] = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
    want = torch.tensor([[0.8, -0.6, 0.8, -0.6]])
    torch.testing.assert_close(Scda()(maps), want)


def test_a_constant_map_is_taken_whole() -> None:
    maps = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 5, 5)
    assert Scda().mask(maps).all()
    torch.testing.assert_close(Scda()(maps), torch.tensor([[0.6, 0.8, 0.6, 0.8]]))


def test_an_early_map_with_nothing_left_gives_zeros() -> None:
    last, early = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)
    last[0, 0, 0, 0] = 1  # the object is at the top left
    early[0, 0, 3, 3] = 1  # and the early map fires elsewhere
    torch.testing.assert_close(
        Scda(plus=True)(last, early), torch.tensor([[1.0, 1.0, 0.0, 0.0]]), rtol=0, atol=0
    )


def test_each_half_has_norm_one_and_the_early_half_weighs_half() -> None:
    generator = torch.Generator().manual_seed(0)
    last = torch.rand(3, 512, 7, 7, generator=generator)
    early = torch.rand(3, 512, 14, 14, generator=generator)
    parts = Scda(plus=True)(last, early).unflatten(1, (4, 512))
    torch.testing.assert_close(parts.norm(dim=2), torch.tensor([1, 1, 0.5, 0.5]).expand(3, 4))


def test_the_sizes_of_the_paper() -> None:
    assert Scda().out_dim((512, 512)) == 1024
    assert Scda(plus=True).out_dim((512, 512)) == 2048


def test_a_traced_selection_is_refused_since_it_would_freeze() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # tracing itself is on its way out
        with pytest.raises(ValueError, match="must not be traced"):
            torch.jit.trace(Scda(), torch.rand(1, 2, 3, 3))  # type: ignore[no-untyped-call]
