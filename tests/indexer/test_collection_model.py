"""Any sequence of calls leaves a collection equal to a dict, with the answers of the definition."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from indexer.disk import DiskCollection
from retrieval.errors import BadInputError
from tests.indexer.gallery import (
    DIM,
    FINGERPRINT,
    answer_by_definition,
    item_of,
    pairs,
    vector_of,
)

names = st.sampled_from([*"abcdefgh", "é", "e\u0301", "🦜", "-", "0"])
versions = st.integers(0, 2)


class AgainstADict(RuleBasedStateMachine):
    """The model is {id: version}; a version decides vector and payload."""

    @initialize(engine=st.sampled_from(["exact", "faiss_flat"]))
    def create(self, engine: str) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.model: dict[str, int] = {}
        self.collection = DiskCollection.create(
            self.root / "c", dim=DIM, fingerprint=FINGERPRINT, engine=engine
        )

    @rule(added=st.dictionaries(names, versions, max_size=4), replace=st.booleans())
    def add(self, added: dict[str, int], replace: bool) -> None:
        vectors = np.array([vector_of(*one) for one in added.items()], np.float32).reshape(-1, DIM)
        items = [item_of(*one) for one in added.items()]
        if replace or not added.keys() & self.model.keys():
            self.collection.add(vectors, items, fingerprint=FINGERPRINT, replace=replace)
            self.model |= added
        else:
            with pytest.raises(BadInputError, match="is in the collection"):
                self.collection.add(vectors, items, fingerprint=FINGERPRINT)

    @rule(removed=st.lists(names, max_size=3))
    def remove(self, removed: list[str]) -> None:
        if set(removed) <= self.model.keys():
            self.collection.remove(removed)
            for name in set(removed):
                del self.model[name]
        else:
            with pytest.raises(BadInputError, match="which is not"):
                self.collection.remove(removed)

    @rule(query=names, version=versions, k=st.integers(1, 15))
    def search(self, query: str, version: int, k: int) -> None:
        (hits,) = self.collection.search(
            vector_of(query, version)[None], k, fingerprint=FINGERPRINT
        )
        vectors = np.array([vector_of(*one) for one in self.model.items()]).reshape(-1, DIM)
        want = answer_by_definition(vectors, list(self.model), vector_of(query, version), k)
        assert pairs(hits) == want
        assert [hit.item for hit in hits] == [item_of(id_, self.model[id_]) for id_, _ in want]

    @rule(in_order=st.booleans(), engine=st.sampled_from(["exact", "faiss_flat"]))
    def reopen(self, in_order: bool, engine: str) -> None:
        if in_order:
            self.collection.close()
        else:
            shutil.copytree(self.collection.folder, self.root / "killed")
            self.collection.close()
            shutil.rmtree(self.collection.folder)
            (self.root / "killed").rename(self.collection.folder)
        self.collection = DiskCollection.open(self.collection.folder, write=True, engine=engine)
        self.collection.verify()

    @precondition(lambda self: hasattr(self, "collection"))
    @invariant()
    def count(self) -> None:
        assert len(self.collection) == len(self.model)

    @precondition(lambda self: hasattr(self, "collection"))
    @invariant()
    def a_reader_sees_the_same(self) -> None:
        with DiskCollection.open(self.collection.folder) as reader:
            assert {item.id: item for item in reader.items} == {
                name: item_of(name, version) for name, version in self.model.items()
            }
            for id_, row in zip(reader.ids(), reader.vectors, strict=True):
                np.testing.assert_array_equal(row, vector_of(id_, self.model[id_]))

    def teardown(self) -> None:
        if hasattr(self, "collection"):
            self.collection.close()
            shutil.rmtree(self.root)


def test_sequences_of_calls():
    run_state_machine_as_test(
        AgainstADict, settings=settings(max_examples=15, stateful_step_count=15, deadline=None)
    )


@pytest.mark.slow
def test_many_long_sequences_of_calls():
    run_state_machine_as_test(
        AgainstADict, settings=settings(max_examples=500, stateful_step_count=30, deadline=None)
    )
