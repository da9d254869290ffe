"""Numbers in ``.npy`` and ``.npz`` files, without anything in them that could run."""

import io
import math
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from ..image_headers import Refusal

MAX_UNPACKED = 300_000_000
"""Most bytes of all that is packed in a file, unpacked, unless the caller says otherwise."""

MAX_ARRAYS = 100_000
"""Most arrays of a file."""

_READ_AGAIN = "Copy or download it again."
_MAGIC = b"\x93NUMPY"
_ARCHIVE = b"PK\x03\x04"


def is_arrays(data: bytes) -> bool:
    """Whether the bytes begin like an array or an archive of some."""
    return data.startswith((_MAGIC, _ARCHIVE))


def arrays_of(data: bytes, *, most: int) -> dict[str, NDArray[np.float64]]:
    """The arrays of a file by name; "" is that of a file with one.

    Args:
        data: Of the file.
        most: Bytes of all arrays, unpacked.

    Raises:
        Refusal: An array holds Python objects, is no array of numbers, or is cut short; or all are
            too large.
    """
    if data.startswith(_MAGIC):
        return {"": _array(data)}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > most or len(members) > MAX_ARRAYS:
                want = f"at most {MAX_ARRAYS:,} arrays of {most:,} bytes together"
                raise Refusal(want, f"{len(members):,} of {size:,}", "Split the file.")
            return {
                member.filename.removesuffix(".npy"): _array(archive.read(member))
                for member in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Refusal("a whole archive of arrays", str(error)[:80], _READ_AGAIN) from None


def _array(data: bytes) -> NDArray[np.float64]:
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if dtype.hasobject:
            raise Refusal(
                "plain arrays of numbers",
                "Python objects, which cannot be read safely: they could run code",
                "Save each drawing as its own array, or all of them as JSON.",
            )
        if dtype.kind not in "iuf":
            raise Refusal("arrays of numbers", f"an array of {dtype}", "Save numbers.")
        if math.prod(shape) * dtype.itemsize > len(data) - file.tell():
            got = f"one of {shape} cut short at {len(data):,} bytes"
            raise Refusal("a whole array", got, _READ_AGAIN)
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), np.float64)
    except Refusal:
        raise
    except Exception as error:  # numpy reads the header as Python, and raises what that raises
        reason = ascii(str(error)[:80] or type(error).__name__)
        raise Refusal("a whole array", reason, _READ_AGAIN) from error
