"""Promise: nothing acknowledged is lost, and a kill leaves the state before or the state after."""

import os
from pathlib import Path

import numpy as np
import pytest

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
