"""Held-out classes, and Recall@1 against its definition."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInputError
from train.validation import _nearest_other_is_right, split_classes


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=6, max_size=30), st.floats(0.01, 0.4))
def test_no_class_is_on_both_sides_and_nothing_is_lost(sizes: list[int], share: float) -> None:
    targets = np.repeat(np.arange(len(sizes)) * 3, sizes)
    if sum(size >= 2 for size in sizes) < max(2, round(share * len(sizes))):
        return
    train, validation = split_classes(targets, share, seed=0)
    assert sorted([*train, *validation]) == list(range(len(targets)))
    held_out = set(targets[validation])
    assert not held_out & set(targets[train])
    assert len(held_out) == max(2, round(share * len(sizes)))
    assert all((targets == target).sum() >= 2 for target in held_out)


def test_the_seed_decides() -> None:
    targets = np.repeat(np.arange(50), 2)
    first, again = (split_classes(targets, 0.2, seed=1)[1] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, split_classes(targets, 0.2, seed=2)[1])


def test_a_share_of_nothing_holds_nothing_out() -> None:
    train, validation = split_classes(np.array([4, 4, 5]), 0, seed=0)
    assert (train.tolist(), validation.tolist()) == ([0, 1, 2], [])


@pytest.mark.parametrize("targets", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 5]])
def test_too_few_classes(targets: list[int]) -> None:
    with pytest.raises(BadInputError, match=r"validation_share must leave 2 classes on both sides"):
        split_classes(np.array(targets), 0.15, seed=0)


def nearest_by_loops(vectors: np.ndarray, targets: np.ndarray) -> list[bool]:
    right = []
    for i in range(len(vectors)):
        scores = [float(vectors[i] @ vectors[j]) for j in range(len(vectors))]
        others = [j for j in range(len(vectors)) if j != i]
        best = max(scores[j] for j in others)
        winners = {int(targets[j]) for j in others if scores[j] == best}
        right.append(winners == {int(targets[i])})  # a tie with a wrong picture is lost
    return right


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30))
def test_recall_at_1_by_its_definition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (count, 3)).astype(np.float32)  # small integers: many ties
    targets = rng.integers(0, 4, count)
    got = _nearest_other_is_right(torch.from_numpy(vectors), torch.from_numpy(targets))
    assert got.tolist() == nearest_by_loops(vectors, targets)


def test_vectors_that_are_no_numbers_find_nothing(tmp_path: Path) -> None:
    vectors = torch.full((4, 3), torch.nan)
    assert not _nearest_other_is_right(vectors, torch.tensor([0, 0, 1, 1])).any()
