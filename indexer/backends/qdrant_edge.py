"""Qdrant's own engine inside this process: its graph, its quantization, no server.

The engine lives in a folder; here that is a temporary one, made for the snapshot's vectors and gone
with the engine. What is kept is the folder packed into one piece of bytes: its files are mostly
holes (82 MB of which 12 MB are there, for 20,000 x 128), and holes are not packed.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Vectors
from retrieval import plugins
from retrieval.errors import BadInputError

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard, Filter, SearchParams

EXACT_UP_TO = 20_000
"""Rows among which every one is compared and no graph is built: milliseconds a query."""

_BLOCK = 4_096
_POINTS = 1_000  # handed to the engine at once
_QUERIES = 64
_MAGIC = b"fgir-edge-1\n"


class QdrantEdge:
    """A shard of Qdrant over the rows of one array; ids are positions.

    Args:
        vectors: (N, D), N > 0, rows of norm 1.
        m: Edges of a node of the graph.
        ef_construction: Candidates looked at for each edge.
        ef_search: Candidates a search looks at; more find more.
        quantization: none, int8 or binary: what the graph is walked with. Candidates are scored
            again with the full vectors.
        oversampling: How many times more candidates are scored again.
    """

    quantizations: ClassVar[tuple[str, ...]] = ("none", "int8", "binary")

    def __init__(
        self,
        vectors: Vectors,
        m: int = 16,
        ef_construction: int = 100,
        ef_search: int = 128,
        quantization: str = "none",
        oversampling: float = 3.0,
    ) -> None:
        if quantization not in self.quantizations:
            raise BadInputError(plugins.unknown("quantization", quantization, self.quantizations))
        for name, value, least in (
            ("m", m, 2),
            ("ef_construction", ef_construction, 4),
            ("ef_search", ef_search, 1),
            ("oversampling", oversampling, 1),
        ):
            if not value >= least:
                raise BadInputError(f"{name} must be at least {least}; got {value}.")
        self._options: dict[str, Any] = {
            "m": m,
            "ef_construction": ef_construction,
            "ef_search": ef_search,
            "quantization": quantization,
            "oversampling": oversampling,
        }
        self._count = len(vectors)
        self._source = _source(vectors)
        self._folder = self._new_folder()
        self._shard = self._filled(vectors)

    @property
    def exact(self) -> bool:
        """See :class:`indexer.engines.Engine`: small arrays are compared row by row."""
        return self._count <= EXACT_UP_TO

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], Vectors]:
        """See :class:`indexer.engines.Engine`."""
        from qdrant_edge import Query, QueryBatchRequest, QueryRequest

        positions = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        condition = None if allowed is None else _of_positions(np.flatnonzero(allowed))
        params = self._params(exact=self.exact or allowed is not None)
        for start in range(0, len(queries), _QUERIES):
            requests = [
                QueryRequest(limit=k, query=Query.Nearest(query), filter=condition, params=params)
                for query in queries[start : start + _QUERIES].tolist()
            ]
            for row, points in enumerate(
                self._shard.query_batch(QueryBatchRequest(requests)), start
            ):
                positions[row, : len(points)] = [point.id for point in points]
                scores[row, : len(points)] = [point.score for point in points]
        return positions, scores

    def to_bytes(self) -> memoryview:
        """See :class:`indexer.engines.KeptEngine`."""
        self._shard.flush()
        folder = self._folder
        files, body = [], bytearray()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            places = []
            for place, block in _full_blocks(path):
                places.append(place)
                body += block
            name = path.relative_to(folder).as_posix()
            files.append({"name": name, "size": path.stat().st_size, "blocks": places})
        folders = [path.relative_to(folder).as_posix() for path in folder.rglob("*/")]
        header = {
            "source": self._source,
            "options": self._options,
            "folders": sorted(folders),
            "files": files,
            "body": [len(body), hashlib.sha256(body).hexdigest()],
        }
        line = json.dumps(header).encode()
        checked = hashlib.sha256(line).hexdigest().encode()
        return memoryview(b"".join((_MAGIC, checked, b"\n", line, b"\n", body)))

    @classmethod
    def from_bytes(cls, data: bytes, vectors: Vectors) -> Self:
        """See :class:`indexer.engines.KeptEngine`."""
        from qdrant_edge import EdgeShard

        header, body = _checked(data)
        source = _source(vectors)
        if header["source"] != source:
            raise ValueError(f"it holds {header['source']} where {source} is wanted")
        engine = cls.__new__(cls)
        engine._options = header["options"]
        engine._count, engine._source = len(vectors), source
        engine._folder = engine._new_folder()
        _unpack(header, body, engine._folder)
        try:
            engine._shard = EdgeShard.load(str(engine._folder))
        except Exception as error:
            raise ValueError(f"Qdrant Edge cannot read it: {error}") from error
        return engine

    def _new_folder(self) -> Path:
        """A folder that goes when the engine does."""
        if find_spec("qdrant_edge") is None:
            raise BadInputError(
                "the engine qdrant_edge needs qdrant-edge-py to be installed; got none. "
                "Run pip install 'fine-grained-image-retrieval[qdrant]'."
            )
        folder = tempfile.mkdtemp(prefix="fgir-edge-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _filled(self, vectors: Vectors) -> "EdgeShard":
        from qdrant_edge import (
            Distance,
            EdgeConfig,
            EdgeOptimizersConfig,
            EdgeShard,
            EdgeVectorParams,
            HnswIndexConfig,
            Point,
            UpdateOperation,
        )

        shard = EdgeShard.create(
            str(self._folder),
            EdgeConfig(
                vectors=EdgeVectorParams(size=vectors.shape[1], distance=Distance.Dot),
                hnsw_config=HnswIndexConfig(
                    m=self._options["m"],
                    ef_construct=self._options["ef_construction"],
                    full_scan_threshold=1,  # where there is a graph, it is used
                ),
                quantization_config=_quantization(self._options["quantization"]),
                optimizers=EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
                wal_enabled=False,  # the vectors are kept elsewhere; a log of them helps nobody
            ),
        )
        for start in range(0, len(vectors), _POINTS):
            rows = vectors[start : start + _POINTS].tolist()
            points = [Point(id=position, vector=row) for position, row in enumerate(rows, start)]
            shard.update(UpdateOperation.upsert_points(points))
        if not self.exact:
            shard.optimize()
        return shard

    def _params(self, *, exact: bool) -> "SearchParams":
        """Under a filter every allowed row is compared: there the graph loses most of its hits."""
        from qdrant_edge import QuantizationSearchParams, SearchParams

        if exact:
            return SearchParams(exact=True)
        quantized = QuantizationSearchParams(
            rescore=True, oversampling=float(self._options["oversampling"])
        )
        return SearchParams(
            hnsw_ef=self._options["ef_search"],
            quantization=None if self._options["quantization"] == "none" else quantized,
        )


def _source(vectors: Vectors) -> dict[str, Any]:
    """What tells these vectors from all others."""
    rows = np.ascontiguousarray(vectors, "<f4")
    return {"shape": list(rows.shape), "sha256": hashlib.sha256(rows.data).hexdigest()}


def _of_positions(positions: NDArray[np.int64]) -> "Filter":
    from qdrant_edge import Filter, HasIdCondition

    return Filter(must=[HasIdCondition(set(positions.tolist()))])


def _quantization(name: str) -> Any:  # noqa: ANN401
    from qdrant_edge import BinaryQuantizationConfig, ScalarQuantizationConfig, ScalarType

    if name == "int8":
        return ScalarQuantizationConfig(type=ScalarType.Int8, always_ram=True)
    return BinaryQuantizationConfig(always_ram=True) if name == "binary" else None


def _full_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Blocks of a file that hold anything but zeros, and where they are; holes are not read."""
    with path.open("rb") as file:
        place = _next_full(file.fileno(), 0)
        while place is not None:
            block = os.pread(file.fileno(), _BLOCK, place * _BLOCK)
            if block.strip(b"\0"):
                yield place, block
            place = _next_full(file.fileno(), place + 1)


def _next_full(file: int, place: int) -> int | None:
    """The first block from ``place`` on that is no hole; None when the rest of the file is one."""
    try:
        return os.lseek(file, place * _BLOCK, os.SEEK_DATA) // _BLOCK
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def _checked(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and body; nothing that was changed or cut reaches the engine.

    Raises:
        ValueError: They are not as they were packed.
    """
    magic, _, rest = bytes(data).partition(b"\n")
    checked, _, rest = rest.partition(b"\n")
    line, _, body = rest.partition(b"\n")
    if magic + b"\n" != _MAGIC or hashlib.sha256(line).hexdigest().encode() != checked:
        raise ValueError("Qdrant Edge cannot read it: its header is not whole")
    header: dict[str, Any] = json.loads(line)
    if header["body"] != [len(body), hashlib.sha256(body).hexdigest()]:
        raise ValueError("Qdrant Edge cannot read it: it is cut or changed")
    return header, memoryview(body)


def _unpack(header: dict[str, Any], body: memoryview, folder: Path) -> None:
    for name in header["folders"]:
        _inside(folder, name).mkdir(parents=True, exist_ok=True)
    start = 0
    for one in header["files"]:
        path = _inside(folder, one["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.truncate(one["size"])
            for place in one["blocks"]:
                length = min(_BLOCK, one["size"] - place * _BLOCK)
                file.seek(place * _BLOCK)
                file.write(body[start : start + length])
                start += length


def _inside(folder: Path, name: str) -> Path:
    """The place of a packed file.

    Raises:
        ValueError: It would lie outside the folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"Qdrant Edge cannot read it: {name!r} leads out of its folder")
    return folder / path
