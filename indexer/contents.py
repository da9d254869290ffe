"""Vectors and rows of one generation as files that are mapped instead of read, never trusted.

::

    cache/
      vectors.f32     N rows of D little-endian float32, in the order of the store
      rows.text       the rows' fields, one behind the other
      rows.bounds     where each field begins: 5 N + 1 little-endian uint64
      contents.json   what they were made from, and the SHA-256 of each

They are made from checked rows of the store and compared with their own SHA-256 before they are
used. A file that is missing, damaged, of another generation or of another collection costs time,
not answers: the rows are read from the store again. A file is never changed: a new one takes its
name, and whoever has mapped the old one keeps it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import file_digest, sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from retrieval.errors import BadInputError, DamagedDataError
from retrieval.files import new_file

from .caches import made_from, reason_of
from .collection import Vectors
from .manifest import CACHE, CONTENTS, Manifest, State
from .mapped import MappedRows, laid_out, rows_fit
from .records import read_record, write_record
from .rows import Row

VECTORS = "vectors.f32"
TEXT = "rows.text"
BOUNDS = "rows.bounds"
_FILES = (VECTORS, TEXT, BOUNDS)


class ContentCache:
    """``cache/vectors.f32`` and the rows beside it."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder / CACHE
        self._manifest = manifest
        self._unfit = False

    def is_current(self, state: State) -> bool:
        """Whether files of this state are kept and none was found unfit; no byte is compared."""
        try:
            self._hashes(state)
        except _UnfitError:
            return False
        return not self._unfit

    def write(self, state: State, blocks: Iterable[tuple[Sequence[Row], Vectors]]) -> None:
        """Keep the rows of this state, block after block.

        Raises:
            StorageError: The disk is full, read-only or failing. The old files are still there.
        """
        self._folder.mkdir(exist_ok=True)
        with ExitStack() as files:
            vectors, text, bounds = (
                _Hashed(files.enter_context(new_file(self._folder / name))) for name in _FILES
            )
            bounds.write(bytes(8))
            for rows, block in blocks:
                written, ends = laid_out(rows, text.size)
                vectors.write(block.data)
                text.write(written)
                bounds.write(ends.data)
        hashes = [one.hexdigest() for one in (vectors, text, bounds)]
        made = made_from(self._manifest, state)
        fields = {"made_from": made, "sha256": dict(zip(_FILES, hashes, strict=True))}
        write_record(self._folder / CONTENTS, fields)
        self._unfit = False

    def read(
        self, state: State, notice: Callable[[str], None]
    ) -> tuple[Sequence[Row], Vectors] | None:
        """Rows and vectors (N, D) of this state, compared and mapped; None, and a notice why not.

        Of a state without items nothing is kept.
        """
        if not state.count:
            return None
        try:
            return self._read(state)
        except _UnfitError as error:
            self._unfit = True
            notice(f"{error.path} is made again from the store: {error}.")
            return None

    def damaged(self) -> list[str]:
        """A sentence for each file whose bytes are not what was written."""
        if not (self._folder / CONTENTS).exists():
            return []
        found = []
        for name in (CONTENTS, *_FILES):
            try:
                hashes = self._record()["sha256"]
                if name != CONTENTS:
                    self._mapped(name, hashes)
            except _UnfitError as error:
                sentence = f"{error.path} will be made again from the store: {error}."
                found += [] if sentence in found else [sentence]
        return found

    def _read(self, state: State) -> tuple[Sequence[Row], Vectors]:
        hashes = self._hashes(state)
        vectors, text, bounds = (self._mapped(name, hashes) for name in _FILES)
        shape = (state.count, self._manifest.dim)
        if len(vectors) != 4 * shape[0] * shape[1]:
            raise _UnfitError(self._folder / VECTORS, f"it does not hold {shape} numbers")
        if not rows_fit(bounds, text, state.count):
            raise _UnfitError(self._folder / BOUNDS, f"it does not fit the {state.count:,} rows")
        return MappedRows(bounds, text), np.frombuffer(vectors, "<f4").reshape(shape)

    def _hashes(self, state: State) -> Mapping[str, str]:
        record = self._record()
        if record["made_from"] != made_from(self._manifest, state):
            raise _UnfitError(self._folder / CONTENTS, "it was made from another generation")
        hashes: Mapping[str, str] = record["sha256"]
        return hashes

    def _record(self) -> Mapping[str, Any]:
        path = self._folder / CONTENTS
        try:
            record = read_record(path)
            if record.keys() != {"made_from", "sha256"} or {*record["sha256"]} != {*_FILES}:
                raise TypeError
        except TypeError as error:
            raise _UnfitError(path, "it has other fields") from error
        except (BadInputError, DamagedDataError, OSError) as error:
            raise _UnfitError(path, reason_of(error)) from error
        return record

    def _mapped(self, name: str, hashes: Mapping[str, str]) -> mmap:
        """The file, mapped after its bytes were compared; both through one descriptor."""
        path = self._folder / name
        try:
            with path.open("rb", buffering=0) as file:
                if file_digest(file, "sha256").hexdigest() != hashes[name]:
                    raise _UnfitError(path, "its checksum does not fit")
                return mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise _UnfitError(path, reason_of(error)) from error


class _UnfitError(Exception):
    """A file that is not what it must be; says what was found."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(found)
        self.path = path


class _Hashed:
    """A file that is written from its begin to its end, and the hash of what went there."""

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self._file = file
        self._digest = sha256()

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += memoryview(data).nbytes

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
