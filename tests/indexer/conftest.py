"""What the tests of this room share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.disk import DiskCollection
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vectors_of

Make = Callable[..., DiskCollection]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes collections that are open for writing; those left open are closed at the end."""
    made: list[DiskCollection] = []

    def one(
        *names: str, engine: str = "exact", folder: str = "birds", dim: int = DIM
    ) -> DiskCollection:
        collection = DiskCollection.create(
            tmp_path / folder, dim=dim, fingerprint=FINGERPRINT, engine=engine
        )
        made.append(collection)
        if names:
            collection.add(vectors_of(names, dim=dim), items_of(names), fingerprint=FINGERPRINT)
        return collection

    yield one
    for collection in made:
        collection.close()
