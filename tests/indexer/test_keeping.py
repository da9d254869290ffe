"""Compact, snapshot, export, import, merge: the state before or the state after, never between."""

import errno
from pathlib import Path

import numpy as np
import pytest

from tests.indexer.crash.forks import Forks, moments
from tests.indexer.crash.keeping import DONE, FULL, KILLED, Keeping

WHAT = ["compact", "snapshot", "export", "import", "merge"]


@pytest.mark.parametrize("what", WHAT)
def test_killed_at_a_line_of_the_storage_code(forks: Forks, tmp_path: Path, what: str):
    kill_at_lines(forks, tmp_path, what, "faiss_flat", 6)


@pytest.mark.slow
@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("engine", ["exact", "faiss_flat"])
def test_killed_at_very_many_lines(forks: Forks, tmp_path: Path, what: str, engine: str):
    kill_at_lines(forks, tmp_path, what, engine, 150)


def kill_at_lines(forks: Forks, root: Path, what: str, engine: str, kills: int) -> None:
    keeping = Keeping(root, what, engine)
    count = keeping.lines(forks)
    done = []
    for line in sorted({int(line) for line in np.linspace(1, 0.97 * count, kills)}):
        assert keeping.run(forks, kill_at_line=line) == KILLED, f"line {line} was not reached"
        done.append(keeping.check(whole=False))
        keeping.end(forks)
    assert what == "compact" or not all(done)


@pytest.mark.parametrize("what", WHAT)
def test_killed_at_random_moments(forks: Forks, tmp_path: Path, what: str):
    keeping = Keeping(tmp_path, what, "exact")
    for moment in moments(9, 5, 0.05):
        assert keeping.run(forks, kill_after=moment) in (KILLED, DONE)
        keeping.check(whole=False)
        keeping.end(forks)


@pytest.mark.parametrize("what", WHAT)
def test_files_that_may_not_grow(forks: Forks, tmp_path: Path, what: str):
    keeping = Keeping(tmp_path, what, "faiss_flat")
    ends = []
    for most_bytes in (0, 3_000, 32_768, 65_536, 10**9):
        ends.append(keeping.run(forks, most_bytes=most_bytes))
        assert keeping.check(whole=ends[-1] == DONE) in (True, False)
        keeping.end(forks)
    assert set(ends) == {DONE, FULL}
    assert (ends[0], ends[-1]) == (FULL, DONE)


@pytest.mark.parametrize("what", WHAT)
def test_each_call_that_fails_in_turn(forks: Forks, tmp_path: Path, what: str):
    keeping = Keeping(tmp_path, what, "exact")
    failed = 0
    for number in range(1, 400, 9):
        status = keeping.run(forks, fail_call=number, error=errno.ENOSPC)
        assert status in (DONE, FULL)
        keeping.check(whole=status == DONE)
        keeping.end(forks)
        failed += status == FULL
        if status == DONE and number > 60:
            break
    assert failed >= 1
