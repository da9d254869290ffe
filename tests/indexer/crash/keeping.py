"""Compacting, copying, exporting, importing and merging, killed or failing anywhere."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from indexer.disk import DiskCollection
from indexer.exporting import export_collection
from indexer.importing import import_collection
from retrieval.errors import FgirError, StorageError
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.workload import NotKeptError, must
from tests.indexer.gallery import FINGERPRINT, item_of, items_of, vector_of, vectors_of

STEPS = 12
SEED = 8
DONE, FULL, KILLED = 0, StorageError.exit_code, -9
OTHERS = [f"other {number}" for number in range(13)]


class Keeping:
    """A collection, what is to be imported or merged, and what came of it.

    Args:
        root: A folder for all of it.
        what: compact, snapshot, export, import or merge.
        engine: Of the collections.
    """

    def __init__(self, root: Path, what: str, engine: str) -> None:
        self._what = what
        self._engine = engine
        self._root = root
        self._base = root / "base"
        self._folder = root / "c"
        self._out = root / "out"
        self._other = root / "other"
        make: dict[str, Any] = {"dim": workload.DIM, "fingerprint": FINGERPRINT, "engine": engine}
        with DiskCollection.create(self._base, **make) as collection:
            for step in workload.steps(SEED, 0, STEPS):
                workload.do(collection, step)
            if what == "import":
                export_collection(collection, self._other)
        if what == "merge":
            with DiskCollection.create(self._other, **make) as collection:
                collection.add(vectors_of(OTHERS), items_of(OTHERS), fingerprint=FINGERPRINT)
        self.begin()

    def begin(self) -> None:
        """Put everything back to where it was."""
        for folder in (self._folder, self._out):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, self._folder)

    def run(self, forks: Forks, **fault: Any) -> int:
        """Do it in another process, killed or with a fault; the exit status."""
        return forks.run(
            "keep",
            what=self._what,
            folder=str(self._folder),
            other=str(self._other),
            out=str(self._out),
            **fault,
        )

    def lines(self, forks: Forks) -> int:
        """How many lines of the storage code it takes."""
        counted = self._root / "lines"
        assert self.run(forks, count_lines=str(counted)) == DONE
        self.check(whole=True)
        self.begin()
        return int(counted.read_text())

    def check(self, *, whole: bool) -> bool:
        """Compare what there is with what must be; whether it is done."""
        model = workload.model_at(SEED, STEPS)
        if self._what == "merge":
            done = self._check_merged(model)
        else:
            generation = workload.check(self._folder, SEED, STEPS, self._engine)
            must("phantom", generation == STEPS, f"generation {generation}")
            done = self._out.exists() or self._what == "compact"
        if self._out.exists():
            self._check_out(model)
        assert done or not whole
        return done

    def end(self, forks: Forks) -> None:
        """Run it again to its end, unless it was there, and look for leftovers.

        What a kill leaves beside a finished collection waits for the next one to be made there.
        """
        finished = self._out.exists()
        if not finished:
            assert self.run(forks) == DONE
        self.check(whole=True)
        left = [*self._folder.rglob("*.partial")]
        if self._what in ("snapshot", "import") and not finished:
            left += self._root.glob(".*.partial")
        must("left over", left == [], f"{[path.name for path in left]}")
        self.begin()

    def _check_out(self, model: dict[str, int]) -> None:
        if self._what == "export":
            shutil.rmtree(self._root / "imported", ignore_errors=True)
            import_collection(self._out, self._root / "imported")
        found = self._root / "imported" if self._what == "export" else self._out
        origin = {"export": "../c/", "import": "../base/", "snapshot": ""}[self._what]
        with _checked(found) as collection:
            _check_items(collection, {name: (one, origin) for name, one in model.items()})

    def _check_merged(self, model: dict[str, int]) -> bool:
        with _checked(self._folder) as collection:
            merged = [name for name in OTHERS if name in collection]
            blocks = len(merged) % 4 == 0 or merged == OTHERS
            must("mixed", merged == OTHERS[: len(merged)] and blocks, f"half a block: {merged}")
            mine = {name: (one, "") for name, one in model.items()}
            _check_items(collection, mine | dict.fromkeys(merged, (0, "../other/")))
        return merged == OTHERS


@contextmanager
def _checked(folder: Path) -> Iterator[DiskCollection]:
    try:
        with DiskCollection.open(folder) as collection:
            collection.verify()
            yield collection
    except FgirError as error:
        raise NotKeptError("unreadable", str(error)) from error


def _check_items(collection: DiskCollection, model: dict[str, tuple[int, str]]) -> None:
    """Raise unless there are exactly the items of the model: version, and where paths lead."""
    ids = collection.ids()
    must("lost", set(ids) >= model.keys(), f"{sorted(model.keys() - set(ids))} are gone")
    must("phantom", sorted(ids) == sorted(model), f"{sorted(ids)}, not {sorted(model)}")
    for item, row in zip(collection.items, collection.vectors, strict=True):
        version, origin = model[item.id]
        want = item_of(item.id, version)
        must("mixed", item == replace(want, path=origin + want.path), f"{item}")
        must("mixed", np.array_equal(row, vector_of(item.id, version)), f"the vector of {item.id}")
    hits = collection.search(collection.vectors, 1, fingerprint=FINGERPRINT)
    must("mixed", [found[0].item.id for found in hits] == ids, "an item does not find itself")
