"""Threads that share the cores out among them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

NAME = "encoding"
"""How the threads' names begin."""


@contextmanager
def open_lanes(count: int, threads: int) -> Iterator[ThreadPoolExecutor]:
    """``count`` threads, each of which computes with ``threads`` cores, until the block ends.

    With one core each, nobody waits for anybody. A network that is spread over cores waits at the
    end of every layer for the slowest of them, and on a busy machine that is most of its time.
    """
    cores = torch.get_num_threads()
    executor = ThreadPoolExecutor(
        count, NAME, initializer=torch.set_num_threads, initargs=(threads,)
    )
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # a lane's choice became the default of every new thread
