"""More like this, not like that."""

import math

import numpy as np
import pytest

from retrieval.errors import BadInputError
from retrieval.relevance_feedback import UNWANTED_WEIGHT, moved_query

DIM = 5
NONE = np.empty((0, DIM), np.float32)


def unit(rows: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(rows, DIM)).astype(np.float32)
    rows_of_norm_1: np.ndarray = made / np.linalg.norm(made, axis=1, keepdims=True)
    return rows_of_norm_1


def oracle(query, wanted, unwanted, weight: float) -> list[float]:
    """The definition in plain loops."""
    moved = []
    for d in range(DIM):
        value = float(query[d])
        if len(wanted):
            value += sum(float(row[d]) for row in wanted) / len(wanted)
        if len(unwanted):
            value -= weight * sum(float(row[d]) for row in unwanted) / len(unwanted)
        moved.append(value)
    norm = math.sqrt(sum(value * value for value in moved))
    return [value / norm for value in moved]


@pytest.mark.parametrize(("positives", "negatives"), [(0, 0), (1, 0), (0, 1), (3, 4), (7, 1)])
@pytest.mark.parametrize("weight", [UNWANTED_WEIGHT, 0.0, 1.0])
def test_it_is_the_definition(positives: int, negatives: int, weight: float):
    (query,) = unit(1, 0)
    wanted, unwanted = unit(positives, 1), unit(negatives, 2)
    moved = moved_query(query, wanted, unwanted, weight=weight)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, oracle(query, wanted, unwanted, weight), atol=1e-6)
    assert float(np.linalg.norm(moved)) == pytest.approx(1, abs=1e-6)


def test_wanted_examples_come_nearer_and_unwanted_ones_go_away():
    (query,) = unit(1, 3)
    (one,) = unit(1, 4)
    assert one @ moved_query(query, one[None], NONE) > one @ query
    assert one @ moved_query(query, NONE, one[None]) < one @ query


def test_many_examples_of_one_kind_weigh_like_one():
    (query,) = unit(1, 5)
    (one,) = unit(1, 6)
    many = np.repeat(one[None], 9, axis=0)
    np.testing.assert_allclose(
        moved_query(query, many, NONE), moved_query(query, one[None], NONE), atol=1e-6
    )


def test_without_examples_it_is_the_query():
    (query,) = unit(1, 7)
    np.testing.assert_allclose(moved_query(query, NONE, NONE), query, atol=1e-6)


def test_examples_that_cancel_the_query_are_refused():
    (query,) = unit(1, 8)
    with pytest.raises(BadInputError, match="examples must leave something to look for"):
        moved_query(query, -query[None], NONE)
