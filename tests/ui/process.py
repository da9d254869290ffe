"""What a process holds, as the system counts it."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process by its number."""

    pid: int

    @property
    def memory(self) -> float:
        """Resident memory, in MB of 10^6 bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024 / 1e6

    @property
    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def children(self) -> "list[Process]":
        found = (one / "children" for one in Path(f"/proc/{self.pid}/task").iterdir())
        return [Process(int(pid)) for one in found for pid in one.read_text().split()]

    @property
    def held(self) -> "Held":
        """What it and its children hold now."""
        family = [self, *self.children]
        return Held(
            sum(one.memory for one in family),
            sum(one.threads for one in family),
            sum(one.descriptors for one in family),
        )


@dataclass(frozen=True)
class Held:
    """Memory in MB of 10^6 bytes, threads and descriptors."""

    memory: float
    threads: int
    descriptors: int


def check_nothing_is_left(process: Process, before: Held, memory: float = 20) -> None:
    """Fail where a process holds more than before; memory may grow by so many MB."""

    def let_go() -> bool:  # a timer that was called off ends a moment later
        now = process.held
        return now.threads <= before.threads and now.descriptors <= before.descriptors

    eventually(let_go, 20)
    after = process.held
    assert after.memory - before.memory < memory
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors


def eventually(true: Callable[[], bool], seconds: float = 180) -> None:
    """Wait until something holds, or long enough for the test to say that it does not."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.2)
