"""Pictures of visitors, decoded in a process that can be ended: the page lives on.

A decoder that hangs, asks for all memory or dies of a hostile file takes one process with it. The
next picture gets another one.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from PIL import Image

from retrieval.images import ImageError

from .decoding_process import ANSWER, QUESTION

SECONDS = 10
"""Processor time that a picture may take; the largest that are read take about one."""

PATIENCE = 6
"""How many times that may pass by the clock: the machine may be busy with something else."""

MEMORY = 1_500_000_000
"""Most bytes of the process: 100 MP of a JPEG that is decoded smaller, and the interpreter."""

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from ui.decoding_process import main; main(int(sys.argv[1]))"
)


class Decoder:
    """One process that decodes one picture at a time, whoever asks; threads may share it.

    Args:
        seconds: Processor time that a picture may take.
        memory: Most bytes of address space of the process.
    """

    def __init__(self, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self, data: bytes, *, name: str, draft_size: int | None = None) -> Image.Image:
        """What :func:`retrieval.images.decode` gives; its arguments.

        Raises:
            ImageError: The sentence of that function; or decoding takes too long, or too much, or
                ends the process.
        """
        with self._one_at_a_time, self._ended_in_time() as process:
            source, answers = _pipes(process)
            try:
                called = name.encode("utf-8", "backslashreplace")
                lengths = len(called), len(data)
                source.write(QUESTION.pack(self._seconds, draft_size or 0, *lengths))
                source.write(called + data)
                source.flush()
                made, width, height, length = ANSWER.unpack(_exactly(answers, ANSWER.size))
                said = _exactly(answers, length)
            except (OSError, EOFError):
                self.close()
                raise ImageError(
                    f"{name} must be a picture that can be decoded within {self._seconds} s; got "
                    "one that cannot. Save it again as JPEG or PNG."
                ) from None
        if not made:
            raise ImageError(said.decode())
        return Image.frombytes("RGB", (width, height), said)

    def close(self) -> None:
        """End the process; the next picture starts another one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in _pipes(process):
            with suppress(OSError):  # what was not read yet has no reader any more
                pipe.close()
        process.wait()

    @contextmanager
    def _ended_in_time(self) -> Iterator[subprocess.Popen[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._started()
        timer = threading.Timer(self._seconds * PATIENCE, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield self._process
        finally:
            timer.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(self._memory), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the page, whose end is the end of its input
        )


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise OSError("the process was started without pipes")
    return process.stdin, process.stdout


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
