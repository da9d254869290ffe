"""What an engine prepared, kept beside the truth and never trusted.

A cache that is missing, damaged, of another generation or of another collection costs time, not
answers: the engine is prepared again from the store, and the caller gets a sentence to print.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from retrieval.errors import BadInputError, DamagedDataError
from retrieval.files import sha256_of_file, write_atomically

from .collection import Vectors
from .engines import Engine, KeptEngine
from .manifest import CACHE, CONTENTS, Manifest, State
from .records import read_record, write_record


class EngineCache:
    """``cache/<engine>.bin`` and what it was made from, ``cache/<engine>.json``."""

    def __init__(self, folder: Path, manifest: Manifest, engine: str) -> None:
        self._manifest = manifest
        self._engine = engine
        self._data = folder / CACHE / f"{engine}.bin"
        self._record = folder / CACHE / f"{engine}.json"

    def is_current(self, state: State) -> bool:
        """Whether a cache of this state is there; its bytes are not looked at."""
        try:
            return bool(read_record(self._record)["made_from"] == self._source(state))
        except (BadInputError, DamagedDataError, KeyError):
            return False

    def is_whole(self) -> bool:
        """Whether the bytes of the cache are those that were written."""
        try:
            _check_bytes(self._data, self._record)
        except (BadInputError, DamagedDataError, OSError, KeyError, ValueError):
            return False
        return True

    def read(
        self,
        part: type[Engine],
        vectors: Vectors,
        state: State,
        notice: Callable[[str], None],
    ) -> Engine:
        """The engine from the cache, or a new one and a notice why."""
        if not issubclass(part, KeptEngine) or not (self._data.exists() or self._record.exists()):
            return part(vectors)
        try:
            return self._kept(part, vectors, state)  # type: ignore[return-value]
        except (BadInputError, DamagedDataError, OSError, KeyError, ValueError) as error:
            notice(f"{self._data} is made again from the store: {reason_of(error)}.")
            return part(vectors)

    def write(self, engine: KeptEngine, state: State) -> None:
        """Keep what ``engine`` has prepared for this state."""
        data = engine.to_bytes()
        self._data.parent.mkdir(exist_ok=True)
        write_atomically(self._data, data)
        made = {"made_from": self._source(state), "bytes_sha256": sha256(data).hexdigest()}
        write_record(self._record, made)

    def forget(self) -> None:
        """Remove what is kept: it serves nobody any more."""
        self._record.unlink(missing_ok=True)
        self._data.unlink(missing_ok=True)

    def _kept(self, part: type[KeptEngine], vectors: Vectors, state: State) -> KeptEngine:
        record = read_record(self._record)
        if record["made_from"] != self._source(state):
            raise ValueError("it was made from another generation")
        data = self._data.read_bytes()
        if sha256(data).hexdigest() != record["bytes_sha256"]:
            raise ValueError("its checksum does not fit")
        return part.from_bytes(data, vectors)

    def _source(self, state: State) -> dict[str, object]:
        return made_from(self._manifest, state) | {"engine": self._engine}


def made_from(manifest: Manifest, state: State) -> dict[str, object]:
    """What a cache has to be made from to be of use."""
    return {
        "collection": manifest.collection,
        "dim": manifest.dim,
        "generation": state.generation,
        "count": state.count,
        "digest": state.digest,
    }


def remove_unfit_caches(folder: Path, manifest: Manifest) -> None:
    """Remove what is damaged or half replaced: it costs room and serves nobody."""
    for path in (folder / CACHE).glob("*.bin"):
        cache = EngineCache(folder, manifest, path.stem)
        if not cache.is_whole():
            cache.forget()


def damaged_engines(folder: Path) -> list[str]:
    """A sentence for each engine's cache whose bytes are not what was written."""
    found = []
    records = sorted((folder / CACHE).glob("*.json"))
    for record in (one for one in records if one.name != CONTENTS):
        data = record.with_suffix(".bin")
        try:
            _check_bytes(data, record)
        except (BadInputError, DamagedDataError, OSError, KeyError, ValueError) as error:
            found.append(f"{data} will be made again from the store: {reason_of(error)}.")
    return found


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    return str(error).split(" Put a copy")[0].rstrip(".")


def _check_bytes(data: Path, record: Path) -> None:
    if sha256_of_file(data) != read_record(record)["bytes_sha256"]:
        raise ValueError("its checksum does not fit")
