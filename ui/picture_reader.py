"""A process that makes pixels of what strangers send, and may die of it.

It is told one thing after the other on its standard input, and answers on its standard output: a
JSON object with the length of the bytes that follow it. See :mod:`ui.picture_readers`.
"""

import io
import json
import math
import resource
import struct
import sys
from pathlib import Path
from typing import IO, Any

from PIL import Image

from retrieval.errors import BadInputError, FgirError
from retrieval.image_headers import Refusal, read_header
from retrieval.images import decode

KEPT_QUALITY = 95
SHOWN_QUALITY = 85


def send(stream: IO[bytes], header: dict[str, Any], data: bytes = b"") -> None:
    """Write one message."""
    text = json.dumps({**header, "bytes": len(data)}).encode("ascii")
    stream.write(struct.pack(">I", len(text)) + text)
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Raises:
        EOFError: The other end is gone.
    """
    (size,) = struct.unpack(">I", _exactly(stream, 4))
    header = json.loads(_exactly(stream, size))
    return header, _exactly(stream, header["bytes"])


def main(memory: int, seconds: float) -> None:
    """Answer until the input ends.

    Args:
        memory: Most bytes of address space.
        seconds: Of processor time that one answer may take: the system ends a process that takes
            longer.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.init()
    while True:
        try:
            asked, data = receive(sys.stdin.buffer)
        except EOFError:
            return
        _allow(seconds)
        try:
            header, answer = _DOES[asked["do"]](asked, data)
        except FgirError as error:
            header, answer = {"error": str(error)}, b""
        except MemoryError:
            said = "must be a picture that fits into memory; got none left. Scale it down."
            header, answer = {"error": f"{asked['name']} {said}"}, b""
        send(sys.stdout.buffer, header, answer)


def _allow(seconds: float) -> None:
    """From now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


_Answer = tuple[dict[str, Any], bytes]


def _pixels(asked: dict[str, Any], data: bytes) -> _Answer:
    image = decode(data, name=asked["name"], draft_size=asked["draft_size"], max_bytes=len(data))
    return {"size": image.size}, image.tobytes()


def _kept(asked: dict[str, Any], data: bytes) -> _Answer:
    image = decode(data, name=asked["name"], max_bytes=len(data))
    photo = read_header(data).format == "JPEG"
    memory = io.BytesIO()
    if photo:
        image.save(memory, "JPEG", quality=KEPT_QUALITY, subsampling=0)
    else:
        image.save(memory, "PNG")
    return {"suffix": ".jpg" if photo else ".png"}, memory.getvalue()


def _shown(asked: dict[str, Any], data: bytes) -> _Answer:
    side = asked["side"]
    image = decode(Path(asked["path"]), name=asked["name"], draft_size=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=SHOWN_QUALITY)
    return {}, memory.getvalue()


def _drawn(asked: dict[str, Any], data: bytes) -> _Answer:
    from retrieval.drawing_files import format_called  # scipy: half a second that photos need not

    try:
        drawing = format_called("canvas").drawing(json.loads(data))
    except Refusal as refusal:
        raise BadInputError(f"drawing {refusal}") from None
    except BadInputError as error:
        raise BadInputError(f"drawing must be one; {error}") from None
    image = drawing.raster(asked["side"], asked["pen"])
    return {"size": image.size}, image.convert("RGB").tobytes()


_DOES = {"pixels": _pixels, "keep": _kept, "show": _shown, "draw": _drawn}


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
