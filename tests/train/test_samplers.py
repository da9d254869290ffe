"""Batches of P classes with K images each, whatever the classes look like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInputError
from train.samplers import PKSampler

sizes = st.lists(st.integers(1, 20), min_size=3, max_size=9)


def labels(sizes: list[int]) -> np.ndarray:
    shuffled = np.repeat(np.arange(len(sizes)) * 5, sizes)
    return np.random.default_rng(0).permutation(shuffled)


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(2, 3), st.integers(2, 5), st.integers(0, 3))
def test_every_batch_has_p_classes_of_k_images_and_every_image_is_shown(
    sizes: list[int], classes: int, images: int, epoch: int
) -> None:
    targets = labels(sizes)
    batches = PKSampler(targets, classes, images).batches(epoch)
    for batch in batches:
        groups = targets[batch].reshape(classes, images)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == classes
    assert set(np.concatenate(batches)) == set(range(len(targets)))


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(2, 5))
def test_an_image_meets_itself_only_in_classes_that_are_too_small(
    sizes: list[int], images: int
) -> None:
    targets = labels(sizes)
    for batch in PKSampler(targets, 2, images).batches(0):
        for group in batch.reshape(2, images):
            size = int((targets == targets[group[0]]).sum())
            assert len(set(group)) == images if size >= images else set(group) <= set(range(999))
            assert size >= images or len(set(group)) == size


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    targets = np.repeat(np.arange(6), 8)
    first = PKSampler(targets, 3, 4, seed=1)
    again = PKSampler(targets, 3, 4, seed=1)
    other = PKSampler(targets, 3, 4, seed=2)
    first.batches(0)  # having made another epoch before changes nothing
    assert np.array_equal(first.batches(1), again.batches(1))
    assert not np.array_equal(first.batches(1), first.batches(2))
    assert not np.array_equal(first.batches(1), other.batches(1))


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_steps_are_as_many_as_wanted(steps: int) -> None:
    batches = PKSampler(np.repeat(np.arange(4), 6), 2, 3, steps).batches(0)
    assert len(batches) == steps
    assert all(len(batch) == 6 for batch in batches)


def test_even_classes_are_shown_once_each() -> None:
    batches = PKSampler(np.repeat(np.arange(6), 8), 3, 4).batches(0)
    assert sorted(np.concatenate(batches)) == list(range(48))


def test_too_few_classes() -> None:
    with pytest.raises(BadInputError, match=r"sampler.classes must be at most .* 3; got 4\. Lower"):
        PKSampler(np.array([0, 1, 2, 2]), classes=4, images=2)
