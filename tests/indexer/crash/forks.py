"""Processes to be killed: forked from one that has imported everything, so that each costs little.

The process that forks is not the test's own, because forking a process in which OpenMP has run can
hang the child.
"""

import errno
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np

from indexer.copying import take_snapshot
from indexer.disk import DiskCollection
from indexer.exporting import export_collection
from indexer.importing import import_collection
from indexer.interruption import Interruption
from indexer.merging import merge_collections
from indexer.sources import entries_of_folder
from indexer.store import Store
from retrieval.errors import EXIT_INTERRUPTED, BusyError, FgirError, StorageError
from tests.indexer import pictures
from tests.indexer.crash import workload
from tests.indexer.gallery import unit_rows

ROOT = Path(__file__).resolve().parents[3]
SOURCES = (str(ROOT / "indexer"), str(ROOT / "retrieval" / "files.py"))


class Forks:
    """Runs jobs, each in a forked process. A job is the name of a function below and its facts."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(self, kind: str, *, kill_after: float | None = None, **facts: Any) -> int:
        """The exit status of the child: minus the signal's number when a signal ended it."""
        pid = self.start(kind, **facts)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def start(self, kind: str, **facts: Any) -> int:
        """The process id of a child that runs beside the test."""
        return self._ask({"kind": kind, **facts})

    def wait(self, pid: int) -> int:
        """The exit status of a child that was started."""
        return self._ask({"wait": pid})

    def _ask(self, job: Mapping[str, Any]) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def _serve() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            print(os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1]), flush=True)  # noqa: T201
            continue
        if "start" in job:  # worked out once, not by each child
            workload.model_at(job["seed"], job["start"])
        child = os.fork()
        if child == 0:
            _child(job)
        print(child, flush=True)  # noqa: T201


def _child(job: dict[str, Any]) -> None:
    status = 1
    try:
        sys.stdin.close()
        os.dup2(2, 1)  # what a child prints must not be taken for a status
        kind = job.pop("kind")
        jobs: dict[str, Callable[..., None]] = {
            "change": change,
            "hold": hold,
            "read": read,
            "add_one": add_one,
            "change_with_faults": change_with_faults,
            "as_nobody": as_nobody,
            "build": build,
            "keep": keep,
            "ask": ask,
        }
        with workload.few_rows_are_many():
            jobs[kind](**job)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def change(
    folder: str,
    seed: int,
    start: int,
    steps: int,
    engine: str,
    acknowledged: str,
    close_every: int = 1_000_000,
    kill_at_line: int | None = None,
    count_lines: str | None = None,
    place: str | None = None,
    without_transactions: bool = False,
    without_sync: bool = False,
) -> None:
    """Do the workload's steps from ``start`` on.

    Each step that is done is noted in the file ``acknowledged``, and after some of them the
    collection is closed and opened again. ``kill_at_line`` ends the process by SIGKILL before that
    line of the storage code is run, whose function is noted in the file ``place``; ``count_lines``
    is a file for their number. ``without_transactions`` and ``without_sync`` are sabotage: each
    statement is durable by itself; our own files are not synchronised.
    """
    if without_sync:
        os.fsync = lambda fd: None
    if without_transactions:
        Store._transaction = lambda *kind: nullcontext()  # type: ignore[assignment,method-assign]
    counter = _LineCounter(kill_at_line, place)
    descriptor = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if kill_at_line is not None or count_lines is not None:
        sys.settrace(counter.trace)
    collection = _opened(Path(folder), engine)
    for number, step in enumerate(workload.steps(seed, start, start + steps), start + 1):
        workload.do(collection, step)
        os.write(descriptor, b"1\n")
        if number % close_every == 0:
            collection.close()
            collection = _opened(Path(folder), engine)
    collection.close()
    sys.settrace(None)
    if count_lines is not None:
        Path(count_lines).write_text(str(counter.count))


def change_with_faults(
    *,
    most_bytes: int | None = None,
    fail_call: int | None = None,
    error: int = errno.EIO,
    **facts: Any,
) -> None:
    """The workload while files may not grow beyond a size, or while the n-th call fails.

    Ends with the exit code of the error, as the command line does.
    """
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    if fail_call is not None:
        _fail(fail_call, error)
    try:
        change(**facts)
    except StorageError as failure:
        os._exit(failure.exit_code)


def keep(
    what: str,
    folder: str,
    other: str,
    out: str,
    *,
    kill_at_line: int | None = None,
    count_lines: str | None = None,
    place: str | None = None,
    most_bytes: int | None = None,
    fail_call: int | None = None,
    error: int = errno.EIO,
) -> None:
    """Compact, copy, export, import or merge a collection, killed or with a fault as above.

    ``other`` is what is imported or merged, in blocks of four items, and ``out`` what is made.
    """
    DiskCollection.blocks.__defaults__ = (4,)
    counter = _LineCounter(kill_at_line, place)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    if fail_call is not None:
        _fail(fail_call, error)
    if kill_at_line is not None or count_lines is not None:
        sys.settrace(counter.trace)
    try:
        _KEPT[what](Path(folder), Path(other), Path(out))
    except StorageError as failure:
        os._exit(failure.exit_code)
    sys.settrace(None)
    if count_lines is not None:
        Path(count_lines).write_text(str(counter.count))


def _compact(folder: Path, other: Path, out: Path) -> None:
    with DiskCollection.open(folder, write=True) as collection:
        collection.compact()


def _snapshot(folder: Path, other: Path, out: Path) -> None:
    take_snapshot(folder, out)


def _export(folder: Path, other: Path, out: Path) -> None:
    with DiskCollection.open(folder) as collection:
        export_collection(collection, out)


def _import(folder: Path, other: Path, out: Path) -> None:
    import_collection(other, out)


def _merge(folder: Path, other: Path, out: Path) -> None:
    with (
        DiskCollection.open(folder, write=True) as collection,
        DiskCollection.open(other) as opened,
    ):
        merge_collections(collection, [opened])


_KEPT: dict[str, Callable[[Path, Path, Path], None]] = {
    "compact": _compact,
    "snapshot": _snapshot,
    "export": _export,
    "import": _import,
    "merge": _merge,
}


def _fail(number: int, error: int) -> None:
    """Make call ``number`` of those that reach the disk from Python raise."""
    calls = iter(range(1, number + 1))

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(calls, 0) == number:
                raise OSError(error, os.strerror(error))
            return real(*arguments, **options)

        return call

    for name in ("fsync", "replace", "mkdir", "ftruncate"):
        setattr(os, name, failing(getattr(os, name)))
    io.open = failing(io.open)


def as_nobody(folder: str, queries: int, report: str) -> None:
    """Open without any right to write, and say how that went."""
    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    said = []
    for write in (False, True):
        try:
            with DiskCollection.open(Path(folder), write=write) as collection:
                vectors = collection.vectors[:queries]
                hits = collection.search(vectors, 1, fingerprint=workload.FINGERPRINT)
                said.append(f"{len(hits)} answers")
        except FgirError as failure:
            said.append(f"{failure.identifier}: {failure}")
    os.write(descriptor, json.dumps(said).encode())


def build(folder: str, root: str, ready: str) -> None:
    """Build a collection slowly; ends as the command line does when it was interrupted."""
    with DiskCollection.open(Path(folder), write=True) as collection, Interruption():
        Path(ready).touch()
        entries = entries_of_folder(Path(root))
        result = pictures.build(collection, entries, Path(root), pictures.Encoder(seconds=0.001))
    if result.interrupted:
        os._exit(EXIT_INTERRUPTED)


def hold(folder: str, ready: str, *, fork: bool = False) -> None:
    """Keep a collection open for writing until killed, perhaps with a forked worker beside."""
    collection = DiskCollection.open(Path(folder), write=True)
    if fork and os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    Path(ready).touch()
    time.sleep(20)
    collection.close()


def read(folder: str, seed: int, report: str, answers: int, generations: int) -> None:
    """Open, refresh and search until so much was seen; every answer must be one generation's."""
    found: dict[str, Any] = {"answers": 0, "busy": 0, "faults": []}
    seen: set[int] = set()
    while found["answers"] < answers or len(seen) < generations:
        try:
            with DiskCollection.open(Path(folder)) as collection:
                for _ in range(5):
                    found["answers"] += 1
                    seen.add(collection.generation)
                    model = workload.model_at(seed, collection.generation)
                    workload.check_answers(collection, model)
                    collection.refresh()
        except BusyError:
            found["busy"] += 1
        except (FgirError, AssertionError) as error:
            found["faults"].append(f"{type(error).__name__}: {error}")
    Path(report).write_text(json.dumps(found | {"generations": len(seen)}))


def ask(folder: str, engine: str, first: int, last: int, report: str) -> None:
    """Ask ``last`` questions; what the process holds after the ``first`` ones and at the end."""
    held = []
    rng = np.random.default_rng(0)
    with DiskCollection.open(Path(folder), engine=engine) as collection:
        for number in range(1, last + 1):
            query = unit_rows(rng, 1, collection.dim)
            (hits,) = collection.search(query, 10, fingerprint=workload.FINGERPRINT)
            assert len(hits) == 10
            if number in (first, last):
                held.append(_held(Path(folder)))
    Path(report).write_text(json.dumps(held))


def _held(folder: Path) -> dict[str, int]:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "bytes": int(status["VmRSS"].split()[0]) * 1024,
        "threads": int(status["Threads"]),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "files": sum(1 for _ in folder.rglob("*")),
    }


def add_one(folder: str, name: str) -> None:
    """Add one item, waiting for one's turn."""
    while True:
        try:
            with DiskCollection.open(Path(folder), write=True) as collection:
                vectors = workload.vectors_of([name])
                items = [workload.item_of(name)]
                collection.add(vectors, items, fingerprint=workload.FINGERPRINT)
            return
        except BusyError:
            time.sleep(0.001)


def _opened(folder: Path, engine: str) -> DiskCollection:
    if folder.exists():
        return DiskCollection.open(folder, write=True, engine=engine)
    return DiskCollection.create(
        folder, dim=workload.DIM, fingerprint=workload.FINGERPRINT, engine=engine
    )


class _LineCounter:
    def __init__(self, last: int | None, place: str | None) -> None:
        self.count = 0
        self._last = last
        self._place = place

    def trace(self, frame: FrameType, event: str, value: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(SOURCES) else None

    def _line(self, frame: FrameType, event: str, value: object) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self._last:
                if self._place:
                    name = f"{Path(frame.f_code.co_filename).name} {frame.f_code.co_qualname}"
                    Path(self._place).write_text(name)
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line


def moments(seed: int, count: int, longest: float) -> list[float]:
    """Random moments to kill at, in seconds."""
    generator = random.Random(seed)
    return [generator.uniform(0, longest) for _ in range(count)]


if __name__ == "__main__":
    # So that no child pays for the imports.
    import pyarrow
    import pyarrow.parquet

    import indexer.backends.exact
    import indexer.backends.faiss_flat
    import indexer.backends.faiss_hnsw  # noqa: F401

    pyarrow.array([""])  # imports pandas where there is one

    if len(sys.argv) > 1:  # one job, in a process of its own
        _child(json.loads(sys.argv[1]))
    _serve()
