"""Disks that are full or fail, and what must be left: everything acknowledged, and a sentence."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval.errors import StorageError
from tests.indexer.crash import workload
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.workload import must

STEPS = 6
SEED = 5
PAGE = 4_096
DONE, FULL = 0, StorageError.exit_code


def survives(
    forks: Forks, root: Path, engine: str = "faiss_flat", last: int = STEPS, **fault: Any
) -> int:
    """Run the workload with a fault, check what is left, then end it without the fault."""
    job, done, status = _with_fault(forks, root / "c", root, engine, last, **fault)
    status_after = forks.run("change", start=done, steps=last - done, **job)
    must("unreadable", status_after == DONE, f"the next writer ended with {status_after}")
    workload.check(root / "c", SEED, last, engine)
    left = [path.name for path in root.rglob("*.partial")]
    must("left over", left == [], f"{left}")
    shutil.rmtree(root / "c")
    return status


def fill_up(forks: Forks, disk: Path, notes: Path, engine: str = "faiss_flat") -> int:
    """Run the workload on a small disk and check what is left."""
    return _with_fault(forks, disk / "c", notes, engine, STEPS, close_every=2)[2]


def _with_fault(
    forks: Forks, folder: Path, notes: Path, engine: str, last: int, **fault: Any
) -> tuple[dict[str, Any], int, int]:
    """Facts of the job, how far the collection is, and the exit status."""
    acknowledged = notes / "acknowledged"
    acknowledged.write_text("")
    job: dict[str, Any] = {"folder": str(folder), "seed": SEED, "engine": engine}
    job |= {"acknowledged": str(acknowledged)}
    status = forks.run("change_with_faults", start=0, steps=last, **fault, **job)
    done = acknowledged.read_text().count("\n")
    told = status == FULL or (status == DONE and done == last)
    must("silent", told, f"{done} of {last} changes, and the status {status}")
    if folder.exists():
        return job, workload.check(folder, SEED, done, engine), status
    must("lost", done == 0, "the whole collection")
    return job, 0, status


class CannotMountError(Exception):
    """This process may not mount file systems."""


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes in memory.

    Raises:
        CannotMountError: This process may not mount one.
    """
    place.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={size}", "fgir-test", str(place)]
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CannotMountError("needs the command mount") from error
    if mounted.returncode:
        raise CannotMountError(f"needs the right to mount: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
