"""A collection in a form that any program can read.

::

    OUT/
      items.parquet     one row for each item: names, hash of the picture, vector
      export.json       dim, encoder fingerprint, count, created, rejected pictures, file hashes
      encoder/          copy of the encoder's checkpoint, where the collection carries one
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from retrieval.files import new_folder, sha256_of_file

from .choice import AUTO, CHOSEN
from .collection import Vectors
from .creating import copy_encoder
from .manifest import ENCODER
from .paths import moved_paths, moved_row
from .rows import Row
from .transfer import Copyable

ITEMS: Final = "items.parquet"
ABOUT: Final = "export.json"
FORMAT: Final = 1
NAMES: Final = ("id", "path", "label")
_KEPT = ("engine", "created", "created_by")  # as far as there are: a server has no engine


class Exportable(Copyable, Protocol):
    """A collection that says what it is."""

    def encoder_folder(self) -> Path | None:
        """The encoder's checkpoint, where the collection carries one."""
        ...

    def info(self) -> dict[str, str | int]:
        """Facts for a person."""
        ...


def export_collection(
    collection: Exportable,
    out: Path,
    *,
    on_progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Write a collection as Parquet and JSON, block by block.

    Columns of ``items.parquet``: ``id``, ``path`` (starts from ``out``), ``label``, ``payload``
    (JSON text), ``content_sha256`` (of the picture's file, null where it is not known), ``vector``
    (fixed-size list of float32, norm 1). A name that is no UTF-8 has its bytes in ``id_bytes``,
    ``path_bytes`` or ``label_bytes``, which are null otherwise, and U+FFFD in the text.

    Args:
        collection: Open.
        out: A new or empty folder; it appears when it is whole.
        on_progress: Called with the number of items written since the last call.

    Returns:
        The number of items.

    Raises:
        BadInputError: ``out`` is in use.
        StorageError: The disk is full or failing. Nothing is left at ``out``.
    """
    out = out.absolute()
    encoder = collection.encoder_folder()
    moved = moved_paths(collection.folder, out)
    with new_folder(out) as partial:
        count = _write_items(collection, partial / ITEMS, moved, on_progress)
        hashes = {ITEMS: sha256_of_file(partial / ITEMS)}
        if encoder is not None:
            copied = copy_encoder(encoder, partial / ENCODER)
            hashes |= {f"{ENCODER}/{name}": sha256 for name, sha256 in copied.items()}
        info = collection.info()
        if CHOSEN in info:
            info["engine"] = AUTO
        about = {
            "format": FORMAT,
            "dim": collection.dim,
            "encoder_fingerprint": collection.fingerprint,
            "count": count,
            **{name: info[name] for name in _KEPT if name in info},
            "rejected": {moved(path): why for path, why in collection.rejected().items()},
            "sha256": hashes,
        }
        (partial / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="ascii")
    return count


def _write_items(
    collection: Exportable,
    path: Path,
    moved: Callable[[str], str],
    on_progress: Callable[[int], None],
) -> int:
    import pyarrow.parquet  # half a second that other commands must not pay

    count = 0
    schema = _schema(collection.dim)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows, vectors in collection.blocks():
            writer.write_batch(_batch([moved_row(row, moved) for row in rows], vectors, schema))
            count += len(rows)
            on_progress(len(rows))
    return count


def _schema(dim: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow

    texts = [(name, pyarrow.string()) for name in (*NAMES, "payload", "content_sha256")]
    raw = [(f"{name}_bytes", pyarrow.binary()) for name in NAMES]
    return pyarrow.schema([*texts, ("vector", pyarrow.list_(pyarrow.float32(), dim)), *raw])


def _batch(rows: Sequence[Row], vectors: Vectors, schema: Any) -> Any:  # noqa: ANN401
    import pyarrow

    columns: dict[str, Any] = {
        "payload": [row.payload.decode("ascii") for row in rows],
        "content_sha256": [row.content.hex() or None for row in rows],
        "vector": pyarrow.FixedSizeListArray.from_arrays(
            pyarrow.array(vectors.reshape(-1)), vectors.shape[1]
        ),
    }
    for name in NAMES:
        stored = [getattr(row, name) for row in rows]
        texts = [one.decode("utf-8", "replace") for one in stored]
        columns[name] = texts
        columns[f"{name}_bytes"] = [
            None if text.encode() == one else one for text, one in zip(texts, stored, strict=True)
        ]
    arrays = [pyarrow.array(columns[field.name], field.type) for field in schema]
    return pyarrow.record_batch(arrays, schema=schema)
