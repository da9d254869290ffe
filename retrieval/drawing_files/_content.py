"""The bytes of a file, and what they are when read as JSON; parsed once, whoever asks."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..image_headers import Refusal
from ._arrays import MAX_UNPACKED, arrays_of, is_arrays

_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture",
    b"BM": "a BMP picture",
    b"PK\x03\x04": "an archive",
    b"\x93NUMPY": "a numpy array",
}


class Content:
    """A file's bytes.

    Attributes:
        data: All of them.
        most_unpacked: To how many bytes what is packed in them may be unpacked.
    """

    def __init__(self, data: bytes, *, most_unpacked: int = MAX_UNPACKED) -> None:
        self.data = data
        self.most_unpacked = most_unpacked

    @property
    def head(self) -> bytes:
        """The first bytes without a byte order mark and white space."""
        return self.data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()

    @cached_property
    def json(self) -> Any:  # noqa: ANN401
        """The value, or None where it is no JSON."""
        if self.head[:1] not in (b"{", b"["):
            return None
        try:
            return parsed(self.data)
        except ValueError:
            return None

    @property
    def is_arrays(self) -> bool:
        """Whether it begins like a ``.npy`` or ``.npz`` file."""
        return is_arrays(self.data)

    @cached_property
    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays by name.

        Raises:
            Refusal: They are no plain numbers, or cannot be read.
        """
        return arrays_of(self.data, most=self.most_unpacked)

    def has_columns(self, columns: int) -> bool:
        """Whether there is an array whose rows have so many columns."""
        try:
            return any(
                one.ndim in (2, 3) and one.shape[-1] == columns for one in self.arrays.values()
            )
        except Refusal:
            return False

    def check_json(self, name: str) -> None:
        """Refuse what is called JSON and cannot be parsed, with the place where it goes wrong."""
        if Path(name).suffix.lower() != ".json" or self.json is not None:
            return
        try:
            parsed(self.data)
        except ValueError as error:
            raise Refusal("whole JSON", str(error)[:120], "Write or copy it again.") from None

    def shown(self) -> str:
        """What the bytes look like, for a sentence."""
        if not self.data:
            return "0 bytes"
        for magic, kind in _MAGIC.items():
            if self.data.startswith(magic):
                return kind
        if self.json is not None:
            kind = "an object" if isinstance(self.json, dict) else "a list"
            return f"JSON with {kind} of something else"
        return f"{len(self.data):,} bytes of something else"


def parsed(data: bytes) -> Any:  # noqa: ANN401
    """JSON without NaN and infinities, which only Python's writes.

    Raises:
        ValueError: It is none, or is nested too deeply.
    """
    try:
        return json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("lists nested too deeply") from None


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant}, which is no number")
