"""Compact, snapshot, export, import, merge: the state before or the state after, never between.

Kills at lines are in test_promises.py.
"""

import errno
from pathlib import Path

import pytest

from tests.indexer.crash.forks import Forks, moments
from tests.indexer.crash.keeping import DONE, FULL, KILLED, Keeping

WHAT = ["compact", "snapshot", "export", "import", "merge"]


@pytest.mark.parametrize("what", WHAT)
def test_killed_at_random_moments(forks: Forks, tmp_path: Path, what: str):
    keeping = Keeping(tmp_path, what, "exact")
    for moment in moments(9, 3, 0.05):
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
    for number in range(1, 400, 12):
        status = keeping.run(forks, fail_call=number, error=errno.ENOSPC)
        assert status in (DONE, FULL)
        keeping.check(whole=status == DONE)
        keeping.end(forks)
        failed += status == FULL
        if status == DONE and number > 60:
            break
    assert failed >= 1
