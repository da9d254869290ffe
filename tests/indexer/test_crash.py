"""Promise: nothing acknowledged is lost, and a kill leaves the state before or the state after.

More kills are in test_promises.py.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.indexer.crash import power, workload
from tests.indexer.crash.crasher import LATE, Crashes
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.workload import NotKeptError


def test_kills_find_the_state_before_the_state_after_and_no_collection_yet(
    forks: Forks, tmp_path: Path
):
    crashes = Crashes(forks, tmp_path, "exact", seed=1)
    lines = np.linspace(1, crashes.lines() - LATE, 16).astype(int)
    found, places = zip(*(crashes.kill_at(line) for line in lines.tolist()), strict=True)
    assert {"nothing", "before"} <= set(found)
    assert len(set(places)) >= 8


def lose_power(root: Path, engine: str, steps: int, **sabotage: bool) -> int:
    """Check every disk that a power loss may leave; how many of them hold a collection."""
    live, disk = root / "live", root / "disk"
    live.mkdir()
    facts = {"seed": 6, "start": 0, "steps": steps, "engine": engine, **sabotage}
    facts |= {"folder": str(live / "new" / "c"), "acknowledged": str(live / "acknowledged")}
    count = there = 0
    for _ in power.losses(live, power.record(live, **facts), disk):
        count += 1
        done = (disk / "acknowledged").read_text().count("\n")
        if (disk / "new" / "c").exists():
            there += 1
            workload.check(disk / "new" / "c", 6, done, engine, write=count % 2 == 0)
        else:
            assert done == 0
    print(f"{count} disks, {there} with a collection, 0 lost")  # noqa: T201
    return there


needs_strace = pytest.mark.skipif(
    not power.can_trace(), reason="needs strace and the right to trace"
)


@needs_strace
def test_the_power_is_lost_at_any_call(tmp_path: Path):
    assert lose_power(tmp_path, "exact", 2) >= 60


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_the_power_is_lost_at_any_of_many_calls(tmp_path: Path, engine: str):
    assert lose_power(tmp_path, engine, 20) >= 500


@needs_strace
def test_a_power_loss_without_synchronising_is_noticed(tmp_path: Path):
    with pytest.raises(NotKeptError):
        lose_power(tmp_path, "exact", 2, without_sync=True)
