"""``export.json``: what an exported folder holds, and the SHA-256 of every file in it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from ..encoder import Encoder
from ..errors import BadInputError, DamagedDataError
from ..files import sha256_of_file, write_atomically

DESCRIPTION = "export.json"
CARD = "README.md"
VERSION = 1

_HASH = "sha256"


@dataclass(frozen=True)
class Description:
    """What :func:`load_export` needs to know.

    Attributes:
        kind: The format's name.
        fingerprint: Of the space of the vectors.
        source: Fingerprint of the encoder it was made from; the same unless precision is reduced.
        dim: D.
        settings: Of the encoder it was made from, see :meth:`Encoder.settings`.
        files: SHA-256 of each file by name.
        probe: (D,) the vector of a made-up picture.
        libraries: Versions under which it was made, by name.
        version: Of this description.
    """

    kind: str
    fingerprint: str
    source: str
    dim: int
    settings: dict[str, Any]
    files: dict[str, str]
    probe: list[float]
    libraries: dict[str, str]
    version: int = VERSION

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        kind: str,
        folder: Path,
        reduced: bool,
        packages: Iterable[str],
        probe: Sequence[float] = (),
    ) -> Self:
        """Of the files that lie in ``folder`` now, made with ``packages``."""
        names = sorted(path.name for path in folder.iterdir() if path.name != CARD)
        files = {name: sha256_of_file(folder / name) for name in names}
        source = encoder.fingerprint()
        rounded = hashlib.sha256(json.dumps([source, kind]).encode()).hexdigest()
        fingerprint = rounded if reduced else source
        libraries = {name: metadata.version(name) for name in packages}
        settings = json.loads(json.dumps(encoder.settings()))
        return cls(kind, fingerprint, source, encoder.dim, settings, files, list(probe), libraries)

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        write_atomically(folder / DESCRIPTION, _bytes(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What :meth:`write` wrote, byte for byte."""
        path = folder / DESCRIPTION
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadInputError(
                f"{folder} must hold an exported encoder; got no readable {DESCRIPTION}: "
                f"{error.strerror}. Give the folder that fgir export wrote."
            ) from error
        try:
            values = json.loads(data)
            found = values.pop(_HASH)
            whole = data == _bytes(values) and found == _digest(values)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise DamagedDataError(_sentence(path, "no description of an export")) from error
        if not whole:
            raise DamagedDataError(_sentence(path, "a checksum that does not fit its content"))
        if values.get("version") != VERSION:
            raise BadInputError(
                f"{path} must have format version {VERSION}; got {values.get('version')!r}. "
                "Another version of this program wrote it; use that one."
            )
        if values.keys() != {field.name for field in fields(cls)}:
            raise DamagedDataError(_sentence(path, f"the fields {', '.join(values)}"))
        return cls(**values)

    def contents(self, folder: Path) -> dict[str, bytes]:
        """Each file's bytes by name, compared with its SHA-256."""
        found = {}
        for name, digest in self.files.items():
            path = folder / name
            if Path(name).name != name:
                raise DamagedDataError(_sentence(folder / DESCRIPTION, f"a file {name!r}"))
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                raise DamagedDataError(_sentence(path, str(error.strerror))) from error
            if hashlib.sha256(found[name]).hexdigest() != digest:
                got = f"{len(found[name])} bytes with another SHA-256"
                raise DamagedDataError(_sentence(path, got))
        return found


def _bytes(values: dict[str, Any]) -> bytes:
    whole = {**values, _HASH: _digest(values)}
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode("ascii")


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("ascii")).hexdigest()


def _sentence(path: Path, got: str) -> str:
    return (
        f"{path} must be what was exported; got {got}. Copy the whole folder again, or export "
        "the encoder again."
    )
