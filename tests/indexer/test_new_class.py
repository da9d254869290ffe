"""A class is added without training and removed again: no search knows that it was there."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from indexer import backends
from indexer.collection import SearchHit
from indexer.disk import DiskCollection
from retrieval import plugins
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, unit_rows, vectors_of

names = st.lists(st.integers(0, 10**6), min_size=1, max_size=40, unique=True)


def built(folder: Path, engine: str, *parts: list[str], removed: list[str]) -> list[SearchHit]:
    """All hits of some queries in a collection to which parts were added in turn."""
    with DiskCollection.create(folder, dim=DIM, fingerprint=FINGERPRINT, engine=engine) as made:
        for part in parts:
            made.add(vectors_of(part), items_of(part), fingerprint=FINGERPRINT)
        if removed:
            made.remove(removed)
        before = answers(made)
    with DiskCollection.open(folder) as again:  # as the next process sees it
        assert answers(again) == before
        again.verify()
    return before


def answers(collection: DiskCollection) -> list[SearchHit]:
    queries = np.concatenate([unit_rows(np.random.default_rng(5), 4), collection.vectors[:3]])
    hits = []
    for k in (1, 3, 99):
        for found in collection.search(queries, k, fingerprint=FINGERPRINT):
            hits += found
    return hits


@pytest.mark.parametrize("engine", plugins.names(backends))
@settings(max_examples=8, deadline=None, derandomize=True)
@given(base=names, new=names, cut=st.floats(0, 1))
def test_a_class_that_was_removed_leaves_no_trace(
    engine: str, base: list[int], new: list[int], cut: float
):
    old = [f"old {number}" for number in base]
    few = [f"new shoe/{number}.jpg" for number in new]
    first, second = old[: int(cut * len(old))], old[int(cut * len(old)) :]
    parts = [part for part in (first, few, second) if part]
    root = Path(tempfile.mkdtemp())
    try:
        with_it = built(root / "with", engine, *parts, removed=few)
        assert with_it == built(root / "without", engine, old, removed=[])
    finally:
        shutil.rmtree(root)
