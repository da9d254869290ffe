"""Promise: nothing acknowledged is lost, and a kill leaves the state before or the state after."""

import os
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import DamagedDataError
from tests.indexer.crash import power, workload
from tests.indexer.crash.crasher import kill_at_lines, kill_at_random, lines_in_all
from tests.indexer.crash.forks import Forks


def _spread(count: int, kills: int) -> list[int]:
    """Lines from the first to nearly the last; the exact number differs by a few between runs."""
    return sorted({int(line) for line in np.linspace(1, count - 50, kills)})


@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_killed_at_a_line_of_the_storage_code(forks: Forks, tmp_path: Path, engine: str):
    count = lines_in_all(forks, tmp_path, engine, seed=1)
    lines = _spread(count, 20)
    *_, tally = kill_at_lines(forks, tmp_path, lines, engine, seed=1)
    assert tally.kills == 20
    assert tally.uncreated >= 1
    assert tally.before + tally.after >= 15


def test_killed_at_random_moments(forks: Forks, tmp_path: Path):
    *_, tally = kill_at_random(forks, tmp_path, 30, "faiss_flat", seed=2)
    assert tally.kills == 30


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_killed_at_very_many_lines(forks: Forks, tmp_path: Path, engine: str):
    count = lines_in_all(forks, tmp_path, engine, seed=3)
    lines = _spread(count, 400)
    *_, tally = kill_at_lines(forks, tmp_path, lines, engine, seed=3)
    assert tally.kills >= 240
    assert tally.after >= 1


@pytest.mark.slow
def test_killed_a_thousand_times_at_random(forks: Forks, tmp_path: Path):
    seed = int(os.environ.get("FGIR_SEED", "4"))
    *_, tally = kill_at_random(forks, tmp_path, 1_000, "faiss_flat", seed)
    assert tally.kills == 1_000


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
    with pytest.raises((AssertionError, DamagedDataError)):
        lose_power(tmp_path, "exact", 2, without_sync=True)
