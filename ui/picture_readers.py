"""Pictures of strangers, decoded in processes that can be killed; for the page and for HTTP.

A decoder that hangs, eats memory or dies of a hostile file takes one process with it, which the
next picture replaces; the server lives.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from PIL import Image

from retrieval.errors import BadInputError
from retrieval.images import ImageError
from retrieval.modalities import drawn_side
from retrieval.transforms import Transform

from .picture_reader import receive, send

_PROGRAM = (
    "import sys; memory, seconds, *sys.path = sys.argv[1:]; "
    "from ui.picture_reader import main; main(int(memory), float(seconds))"
)
_SECRETS = ("FGIR_API_KEY",)


class PictureReaders:
    """Processes that each decode one picture at a time, whoever asks; threads share them.

    Args:
        count: Of processes.
        seconds: Of processor time that one picture may take; the largest that are read take one.
        memory: Most bytes of address space of a process.
        patience: How many times ``seconds`` may pass by the clock, where the machine may be busy
            with something else.
    """

    def __init__(self, count: int, seconds: float, memory: int, *, patience: float = 1) -> None:
        self._seconds, self._memory, self._patience = seconds, memory, patience
        self._idle: SimpleQueue[subprocess.Popen[bytes] | None] = SimpleQueue()
        self._count = count
        for _ in range(count):
            self._idle.put(None)

    def start(self) -> None:
        """Start the processes, so that the first requests need not wait for it."""
        for _ in range(self._count):
            self._idle.put(self._idle.get() or self._started())

    def pixels(self, data: bytes, name: str, draft_size: int | None = None) -> Image.Image:
        """What :func:`retrieval.images.decode` gives; its arguments.

        Raises:
            ImageError: The sentence of that function; or decoding takes too long, or too much, or
                ends the process.
        """
        asked = {"do": "pixels", "name": name, "draft_size": draft_size}
        return _image(*self._ask(asked, data))

    def drawn(self, drawing: Mapping[str, Any], transform: Transform) -> Image.Image:
        """Strokes as RGB pixels, drawn with a transform's pen.

        Args:
            drawing: As :class:`retrieval.drawing_files.canvas.Canvas` describes it.
            transform: Of the encoder it goes to.

        Raises:
            BadInputError: It is no drawing, or takes too long.
        """
        asked = {"do": "draw", "name": "drawing", "side": drawn_side(transform)}
        text = json.dumps(drawing).encode()
        return _image(*self._ask({**asked, "pen": transform.pen}, text, BadInputError))

    def kept(self, data: bytes, name: str) -> tuple[bytes, str]:
        """A picture file written anew, without anything but its pixels, and its suffix.

        Raises:
            ImageError: It is no intact picture, or takes too long.
        """
        answer, kept = self._ask({"do": "keep", "name": name}, data)
        return kept, str(answer["suffix"])

    def shown(self, path: Path, name: str, side: int) -> bytes:
        """A picture of the gallery as a JPEG of at most ``side`` pixels, without its metadata.

        Raises:
            ImageError: It is no intact picture, or takes too long.
        """
        return self._ask({"do": "show", "name": name, "path": str(path), "side": side}, b"")[1]

    def close(self) -> None:
        """End the processes. Nobody may be asking them any more."""
        for _ in range(self._count):
            process = self._idle.get()
            if process is not None:
                _end(process)

    def _ask(
        self, asked: dict[str, Any], data: bytes, refusal: type[BadInputError] = ImageError
    ) -> tuple[dict[str, Any], bytes]:
        late = threading.Event()
        with self._process() as process:
            timer = threading.Timer(self._seconds * self._patience, _kill, (process, late))
            timer.daemon = True
            timer.start()
            try:
                if process.stdin is None or process.stdout is None:
                    raise EOFError
                send(process.stdin, asked, data)
                answer, made = receive(process.stdout)
            except (OSError, EOFError):
                _end(process)
                slow = late.is_set() or process.returncode == -signal.SIGXCPU
                got = f"over {self._seconds:g} s of work" if slow else "a dead decoder"
                raise refusal(
                    f"{asked['name']} must be one that can be decoded; got {got}. "
                    "Save it again as JPEG or PNG."
                ) from None
            finally:
                timer.cancel()
        if "error" in answer:
            raise refusal(answer["error"])
        return answer, made

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self._idle.get()
        try:
            if process is not None and process.poll() is not None:
                _end(process)
                process = None
            process = process or self._started()
            yield process
        finally:
            self._idle.put(process)

    def _started(self) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(self._memory), str(self._seconds), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, **one_core},
            start_new_session=True,  # Ctrl-C is for the server, which finishes what runs
        )


def _image(answer: dict[str, Any], made: bytes) -> Image.Image:
    return Image.frombytes("RGB", tuple(answer["size"]), made)


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):  # what was not yet written has no reader
            if stream is not None:
                stream.close()
    process.wait()
