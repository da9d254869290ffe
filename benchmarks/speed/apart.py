"""One measurement in a process of its own, on so many cores, watched from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.clustered import Rows

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
FEWEST_QUERIES, FEWEST_BATCHES = 20, 3

Calls = dict[str, Callable[[Rows], object]]
Measured = dict[str, Any]


def apart(script: str, arguments: Sequence[str], threads: int) -> Measured:
    """What a child printed last, as JSON, and the peak of its memory in MB.

    Libraries' pools have ``threads`` threads, and the process may use as many cores. Memory is what
    it asked for itself; pages of files, which the system may drop, are not counted.
    """
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.Popen(
        [sys.executable, "-m", script, *arguments],
        env=os.environ | dict.fromkeys(POOLS, str(threads)),
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(process.pid, cores)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _own_pages(process.pid))
        time.sleep(0.05)
    lines = process.stdout.read().splitlines() if process.stdout else []
    if process.returncode or not lines:
        return {"failed": f"ended with {process.returncode}"}  # -9: out of memory
    return {**json.loads(lines[-1]), "memory_mb": round(peak / 1024)}


def _own_pages(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):  # it has just ended
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.partition("RssAnon:")[2].split()[0])
    return 0


def timed(call: Callable[[], object]) -> Measured:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def one_by_one(calls: Calls, queries: Rows, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each query alone; the calls take turns, so each query is a paired round."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call(queries[:1])
    end = time.perf_counter() + seconds
    for number in range(len(queries)):
        if number >= FEWEST_QUERIES and time.perf_counter() > end:
            break
        for name in list(calls)[:: 1 if number % 2 else -1]:
            begun = time.perf_counter()
            calls[name](queries[number : number + 1])
            took[name].append(1000 * (time.perf_counter() - begun))
    return took


def in_batches(calls: Calls, queries: Rows, size: int, seconds: float) -> dict[str, Measured]:
    """Wall and CPU milliseconds a query in batches of ``size``, round after round."""
    asked = np.resize(queries, (size, queries.shape[1]))  # goes round where there are fewer
    took: dict[str, Measured] = {name: {"wall_ms": [], "cpu_ms": []} for name in calls}
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < FEWEST_BATCHES or time.perf_counter() < end:
        for name in list(calls)[:: 1 if rounds % 2 else -1]:
            one = timed(lambda call=calls[name]: call(asked))  # type: ignore[misc]
            took[name]["wall_ms"].append(1000 * one["wall_s"] / size)
            took[name]["cpu_ms"].append(1000 * one["cpu_s"] / size)
        rounds += 1
    return took
