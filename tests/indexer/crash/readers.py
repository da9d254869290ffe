"""Readers beside a writer, and one that asks many questions."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from indexer.collection import Item
from indexer.disk import DiskCollection
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks
from tests.indexer.gallery import FINGERPRINT, unit_rows

READERS = 4
SEED = 7
COUNT, DIM = 2_000, 64


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.002)


def read_beside_a_writer(
    forks: Forks, root: Path, engine: str, answers: int, generations: int
) -> list[dict[str, Any]]:
    """What each of four readers saw while a fifth process wrote, closed and opened again.

    Each reads until it has so many answers from so many generations, however long that takes.
    """
    folder, acknowledged = root / "c", root / "acknowledged"
    writer = forks.start(
        "change",
        folder=str(folder),
        seed=SEED,
        start=0,
        steps=1_000_000,
        close_every=5,
        engine=engine,
        acknowledged=str(acknowledged),
    )
    wait_for(acknowledged)
    wait_for(folder)
    reports = [root / f"reader {number}" for number in range(READERS)]
    wanted = {"seed": SEED, "answers": answers, "generations": generations}
    readers = [
        forks.start("read", folder=str(folder), report=str(report), **wanted) for report in reports
    ]
    assert [forks.wait(pid) for pid in readers] == [0] * READERS
    os.kill(writer, signal.SIGKILL)
    assert forks.wait(writer) == -signal.SIGKILL
    done = acknowledged.read_text().count("\n")
    workload.check(folder, SEED, done, engine)
    return [json.loads(report.read_text()) for report in reports]


def growth(forks: Forks, root: Path, engine: str, first: int, last: int) -> dict[str, int]:
    """What a process holds more after ``last`` questions than after the ``first`` ones."""
    rows = unit_rows(np.random.default_rng(1), COUNT, DIM)
    items = [Item(f"item {number}", payload={"number": number}) for number in range(COUNT)]
    with DiskCollection.create(
        root / "c", dim=DIM, fingerprint=FINGERPRINT, engine=engine
    ) as collection:
        collection.add(rows, items, fingerprint=FINGERPRINT)
    facts: dict[str, Any] = {"folder": str(root / "c"), "report": str(root / "report")}
    assert forks.run("ask", engine=engine, first=first, last=last, **facts) == 0
    before, after = json.loads((root / "report").read_text())
    return {name: after[name] - before[name] for name in before}
