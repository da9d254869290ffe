"""A process that decodes what visitors send, and may die of it; :mod:`ui.decoding` starts it.

It reads one picture after the other from its standard input and writes pixels, or a sentence, to
its standard output. Nothing is imported here that pixels do not need: it starts at once.
"""

import resource
import struct
import sys

from PIL import Image

from retrieval.errors import FgirError
from retrieval.images import decode

QUESTION = struct.Struct(">IIIQ")
"""Seconds of processor time, shorter side wanted (0: all), length of the name, of the bytes."""

ANSWER = struct.Struct(">?IIQ")
"""Whether there are pixels, width, height, and the length of the pixels or of the sentence."""


def main(memory: int) -> None:
    """Answer until the input ends.

    Args:
        memory: Most bytes of address space.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(QUESTION.size)) == QUESTION.size:
        seconds, draft_size, *lengths = QUESTION.unpack(head)
        name, data = (source.read(length) for length in lengths)
        _allow(seconds)
        answers.writelines(_answer(data, name.decode(), draft_size or None))
        answers.flush()


def _allow(seconds: int) -> None:
    """From now on; the system ends a process that takes longer."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _answer(data: bytes, name: str, draft_size: int | None) -> tuple[bytes, bytes]:
    try:
        image: Image.Image = decode(data, name=name, draft_size=draft_size, max_bytes=len(data))
        made, size, said = True, image.size, image.tobytes()
    except (FgirError, MemoryError) as error:
        sentence = str(error) or f"{name} must be a picture that fits into memory; got none left."
        made, size, said = False, (0, 0), sentence.encode()
    return ANSWER.pack(made, *size, len(said)), said
