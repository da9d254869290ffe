"""kill -9 at every line of the storage code, and at random moments; what is left is checked."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.locks import WriteLock
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks, moments
from tests.indexer.crash.workload import must

KILLED = -9
STEPS = 5
LATE = 50
"""Two runs of the same workload differ by fewer lines than this."""


class Crashes:
    """New collections that are created, changed and closed by processes that are killed.

    Args:
        root: A folder for them.
        engine: Of the collections.
        seed: Of what is done.
        sabotage: See :func:`tests.indexer.crash.forks.change`.
    """

    def __init__(self, forks: Forks, root: Path, engine: str, seed: int, **sabotage: bool) -> None:
        self._forks = forks
        self._root = root
        self._engine = engine
        self._seed = seed
        self._sabotage = sabotage
        self._folder = root / "c"
        self._acknowledged = root / "acknowledged"

    def lines(self) -> int:
        """How many lines of the storage code one run of the workload executes."""
        counted = self._root / "lines"
        assert self._run(0, STEPS, count_lines=str(counted)) == 0
        self._begin()
        return int(counted.read_text())

    def kill_at(self, line: int) -> tuple[str, str]:
        """What was found ("before", "after" or "nothing"), and the function that was killed.

        The interrupted run is then gone on with, in another process, to its end.
        """
        self._begin()
        place = self._root / "place"
        facts = {"kill_at_line": line, "place": str(place), **self._sabotage}
        status = self._run(0, STEPS, **facts)
        assert status == KILLED, f"line {line} was not reached: {status}"
        acknowledged = done = self._done()
        found = "nothing"
        if self._folder.exists():
            done = workload.check(self._folder, self._seed, acknowledged, self._engine)
            found = "before" if done == acknowledged else "after"
        else:
            must("lost", acknowledged == 0, "the whole collection")
        status = self._run(done, STEPS - done)
        must("unreadable", status == 0, f"the next writer ended with {status}")
        workload.check(self._folder, self._seed, STEPS, self._engine)
        left = [path.name for path in self._root.rglob("*.partial")]
        must("left over", left == [], f"{left}")
        WriteLock(self._folder / "LOCK").release()
        return found, place.read_text()

    def kill_at_random(self, kills: int, longest: float = 0.08) -> Iterator[tuple[str, int]]:
        """What was found each time ("before" or "after"), and how many changes a victim had made.

        It is one collection, made before, that is written to by one victim after another.
        """
        self._begin()
        assert self._run(0, STEPS) == 0
        done = STEPS
        for number, moment in enumerate(moments(self._seed, kills, longest)):
            self._acknowledged.write_text("")
            assert self._run(done, 1_000_000, close_every=3, kill_after=moment) == KILLED
            made = self._done()
            acknowledged = done + made
            # Each fifth time as a writer, which repairs; else the next victim has to.
            write = number % 5 == 4
            done = workload.check(self._folder, self._seed, acknowledged, self._engine, write=write)
            yield "before" if done == acknowledged else "after", made

    def _begin(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._acknowledged.unlink(missing_ok=True)

    def _run(self, start: int, steps: int, **facts: Any) -> int:
        return self._forks.run(
            "change",
            folder=str(self._folder),
            acknowledged=str(self._acknowledged),
            seed=self._seed,
            engine=self._engine,
            start=start,
            steps=steps,
            **facts,
        )

    def _done(self) -> int:
        done = self._acknowledged
        return done.read_text().count("\n") if done.exists() else 0
