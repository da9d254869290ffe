"""kill -9 at every line of the storage code, and at random moments; what is left is checked."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.locks import WriteLock
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks, moments

KILLED = -9
STEPS = 5


@dataclass
class Tally:
    """What a run of kills came to.

    Attributes:
        kills: Processes ended by SIGKILL.
        before: Kills after which the last acknowledged generation was found.
        after: Kills after which the next generation, not yet acknowledged, was found whole.
        uncreated: Kills after which no collection was there yet.
    """

    kills: int = 0
    before: int = 0
    after: int = 0
    uncreated: int = 0

    def note(self, acknowledged: int, generation: int) -> None:
        self.kills += 1
        self.before += generation == acknowledged
        self.after += generation == acknowledged + 1

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.before} with the state before, {self.after} with the state "
            f"after, {self.uncreated} before there was a collection; 0 lost, 0 phantom, "
            "0 unreadable"
        )


def lines_in_all(forks: Forks, root: Path, engine: str, seed: int) -> int:
    """How many lines of the storage code one run of the workload executes."""
    counted = root / "lines"
    status = forks.run(
        "change",
        folder=str(root / "whole"),
        seed=seed,
        start=0,
        steps=STEPS,
        engine=engine,
        acknowledged=str(root / "whole acknowledged"),
        count_lines=str(counted),
    )
    assert status == 0
    return int(counted.read_text())


def kill_at_lines(
    forks: Forks,
    root: Path,
    lines: list[int],
    engine: str,
    seed: int,
    *,
    without_transactions: bool = False,
) -> Iterator[Tally]:
    """Create, change and close a new collection, killed at each of these lines in turn.

    The interrupted run is then gone on with, in another process, to its end.
    """
    tally = Tally()
    for line in lines:
        folder, acknowledged = root / "c", root / "acknowledged"
        job: dict[str, Any] = {"seed": seed, "engine": engine, "folder": str(folder)}
        job |= {"acknowledged": str(acknowledged)}
        sabotage = {"without_transactions": True} if without_transactions else {}
        status = forks.run("change", start=0, steps=STEPS, kill_at_line=line, **job, **sabotage)
        assert status == KILLED, f"line {line} was not reached: {status}"
        done = _lines(acknowledged)
        if folder.exists():
            tally.note(done, done := workload.check(folder, seed, done, engine))
        else:
            assert done == 0
            tally.kills += 1
            tally.uncreated += 1
        assert forks.run("change", start=done, steps=STEPS - done, **job) == 0
        workload.check(folder, seed, STEPS, engine)
        _nothing_left_over(root)
        shutil.rmtree(folder)
        acknowledged.unlink()
        yield tally


def kill_at_random(
    forks: Forks, root: Path, kills: int, engine: str, seed: int, longest: float = 0.08
) -> Iterator[Tally]:
    """One collection that is written to by one killed process after another."""
    tally = Tally()
    folder, acknowledged = root / "r", root / "random acknowledged"
    done = 0
    for number, moment in enumerate(moments(seed, kills, longest)):
        acknowledged.write_text("")
        status = forks.run(
            "change",
            seed=seed,
            engine=engine,
            folder=str(folder),
            acknowledged=str(acknowledged),
            start=done,
            steps=1_000_000,
            kill_after=moment,
        )
        assert status == KILLED
        done += _lines(acknowledged)
        if folder.exists():
            # Each fifth time as a writer, which repairs; else the next victim has to.
            write = number % 5 == 4
            tally.note(done, done := workload.check(folder, seed, done, engine, write=write))
        else:
            tally.kills += 1
            tally.uncreated += 1
        yield tally


def _lines(acknowledged: Path) -> int:
    return acknowledged.read_text().count("\n") if acknowledged.exists() else 0


def _nothing_left_over(root: Path) -> None:
    left = [path.name for path in root.rglob("*.partial")]
    assert left == []
    WriteLock(root / "c" / "LOCK").release()
