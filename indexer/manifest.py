"""``collection.json`` and ``SEAL``: what a collection is, and how far it has come.

``collection.json`` is written once. ``SEAL`` is written after each change, before the change is
acknowledged, and says which generation the truth in ``collection.sqlite`` has to have reached: a
store that was set back to an older copy, or lost its write-ahead log, is behind its seal. When the
writer closes in order, the seal also holds size and SHA-256 of the store (it is *closed*), so that
opening needs no more than one hash over the file.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from retrieval.errors import DamagedDataError

from .records import read_record, write_record

MANIFEST = "collection.json"
SEAL = "SEAL"
STORE = "collection.sqlite"
LOCK = "LOCK"
CACHE = "cache"
CONTENTS = "contents.json"
ENCODER = "encoder"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stays true of a collection for as long as it exists.

    Attributes:
        collection: A random name. The store and the seal carry it too, so that a file of another
            collection is not taken for one of this.
        engine: File in ``indexer/backends`` that searches unless another is asked for.
        dim: Length of a vector.
        fingerprint: Of the encoder that made every vector.
        created: UTC, ISO 8601.
        created_by: Program and version.
        encoder: SHA-256 of each file below ``encoder/`` by its path there; empty without a copied
            encoder.
    """

    collection: str
    engine: str
    dim: int
    fingerprint: str
    created: str
    created_by: str
    encoder: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in a collection's folder."""
        return _built(cls, folder / MANIFEST, read_record(folder / MANIFEST))

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        write_record(folder / MANIFEST, asdict(self))


@dataclass(frozen=True, slots=True)
class State:
    """What the store holds: enough to notice one lost, added or changed row.

    Attributes:
        generation: Counts the changes since the collection was made.
        count: Number of items.
        digest: Sum of the checksums of all rows modulo 2^128, in hexadecimal. A sum does not
            depend on the order of the rows and can be kept up to date row by row.
    """

    generation: int
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The state that was acknowledged last, and the store's bytes if its writer has closed it."""

    collection: str
    state: State
    bytes: int | None = None
    sha256: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the bytes of the store are known."""
        return self.sha256 is not None

    @classmethod
    def read(cls, folder: Path, manifest: Manifest) -> Self:
        """The seal of the collection that ``manifest`` describes."""
        fields = read_record(folder / SEAL)
        if fields.get("collection") != manifest.collection:
            raise DamagedDataError(
                f"{folder / SEAL} must belong to this collection; got the seal of another one. "
                "Put a copy of the whole collection folder back."
            )
        fields["state"] = _built(State, folder / SEAL, fields.get("state", {}))
        return _built(cls, folder / SEAL, fields)

    def write(self, folder: Path) -> None:
        """Write it into a folder; durable when this returns."""
        write_record(folder / SEAL, asdict(self))


_Part = TypeVar("_Part")


def _built(part: type[_Part], path: Path, fields: Mapping[str, Any]) -> _Part:
    try:
        return part(**fields)
    except TypeError as error:
        raise DamagedDataError(
            f"{path} must hold what a collection has; got the fields {', '.join(fields)}. "
            "Put a copy of the whole collection folder back."
        ) from error
