"""A new collection from an export, whichever program has written it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import BadInputError, DamagedDataError, StorageError
from retrieval.files import sha256_of_file

from .build import Buildable
from .choice import AUTO, EngineChoice
from .choosing import automatic
from .collection import Item, Vectors
from .creating import whole_or_nothing
from .disk import DiskCollection
from .exporting import ABOUT, FORMAT, ITEMS, NAMES
from .manifest import ENCODER
from .paths import moved_paths
from .rows import as_text, check_vectors, rows_of
from .store import Change
from .transfer import paths_into

_MANY = 1024
_HASH_BYTES = 32


def import_collection(
    source: Path,
    folder: Path,
    *,
    engine: str | None = None,
    on_progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Make a collection from a folder that :func:`indexer.exporting.export_collection` wrote.

    Everything passes the checks of adding: ids once, text that can be stored, finite vectors of
    norm 1. It is all or nothing: ``folder`` appears when the last item is in it, and after an
    interruption or a kill the import begins anew. Ids, order, payloads, vectors and so the answers
    are those of the collection that was exported; paths lead from ``folder`` to the same files.

    Other programs may write such a folder: ``items.parquet`` needs ``id`` and ``vector``,
    ``export.json`` needs ``dim`` and ``encoder_fingerprint``; what else there is is used and must
    be right.

    Args:
        source: The exported folder.
        folder: Must not exist, or be empty.
        engine: File in ``indexer/backends``, or ``auto`` for one by the number of items; as the
            exported collection had it when left out.
        on_progress: Called with the number of items added since the last call.

    Returns:
        The number of items.

    Raises:
        BadInputError: Not an export, a row that cannot be added (it is named), or ``folder`` is in
            use. Nothing is made.
        DamagedDataError: A file is not what ``export.json`` has the hash of.
        StorageError: The disk is full or failing. Nothing is left at ``folder``.
    """
    source, folder = source.absolute(), folder.absolute()
    about = _About.read(source)
    engine = engine or about.engine
    encoder = source / ENCODER
    moved = moved_paths(source, folder)
    with whole_or_nothing(folder) as place:
        made = DiskCollection.create(
            place,
            dim=about.dim,
            fingerprint=about.fingerprint,
            choice=automatic() if engine == AUTO else EngineChoice(engine),
            encoder=encoder if encoder.is_dir() else None,
        )
        with made as collection:
            for change in _changes(source / ITEMS, about.dim, moved):
                collection.write(change)
                on_progress(len(change.rows))
            about.check_count(source / ITEMS, len(collection))
            if about.rejected:
                notes = [(moved(path), why) for path, why in about.rejected.items()]
                none = np.empty((0, about.dim), np.float32)
                collection.write(Change(none, (), rejected=notes))
            return len(collection)


def import_items(
    source: Path,
    open_target: Callable[[int, str], AbstractContextManager[Buildable]],
    *,
    on_progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Write the items of an exported folder into a collection wherever it is, and count them.

    Items pass the same checks as in :func:`import_collection`, batch by batch; each batch that is
    written stays. An item that is there already is replaced, so that an interrupted import can be
    run again. Notes about rejected pictures are left out.

    Args:
        source: The exported folder.
        open_target: The collection for a length of vectors and an encoder's fingerprint.
        on_progress: Called with the number of items written since the last call.

    Raises:
        BadInputError: Not an export, or a row that cannot be added; it is named.
        DamagedDataError: A file is not what ``export.json`` has the hash of. Nothing is written.
        EncoderMismatchError: Another encoder made the collection. Nothing is written.
        UnavailableError: The server of the collection does not answer.
    """
    source = source.absolute()
    about = _About.read(source)
    count = 0
    with open_target(about.dim, about.fingerprint) as target:
        moved = paths_into(target, source)
        for change in _changes(source / ITEMS, about.dim, moved):
            target.write(replace(change, replace=True))
            count += len(change.rows)
            on_progress(len(change.rows))
    about.check_count(source / ITEMS, count)
    return count


@dataclass(frozen=True)
class _About:
    """What ``export.json`` says."""

    dim: int
    fingerprint: str
    engine: str
    count: int | None
    rejected: Mapping[str, str]

    @classmethod
    def read(cls, source: Path) -> "_About":
        """Read it and compare the files with their hashes."""
        fields = _fields(source / ABOUT)
        about = cls(
            _field(source, fields, "dim", int),
            _field(source, fields, "encoder_fingerprint", str),
            _field(source, fields, "engine", str, AUTO),
            _field(source, fields, "count", int, -1),
            _field(source, fields, "rejected", dict, {}),
        )
        if not all(isinstance(why, str) for why in about.rejected.values()):
            raise BadInputError(f"rejected in {source / ABOUT} must hold text; got something else.")
        for name, want in _field(source, fields, "sha256", dict, {}).items():
            inside = not Path(name).is_absolute() and ".." not in Path(name).parts
            if not inside or sha256_of_file(source / name) != want:
                raise DamagedDataError(
                    f"{source / name} must be as it was exported; got other bytes. Export again."
                )
        return about

    def check_count(self, path: Path, count: int) -> None:
        """Raise unless as many items were read as were written."""
        if self.count not in (-1, count):
            raise BadInputError(
                f"{path} must hold the {self.count:,} items that {ABOUT} counts; got {count:,}. "
                "Export again."
            )


def _fields(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInputError(
            f"{path.parent} must be an exported collection; got no {ABOUT} in it. "
            "Make one with `fgir collection export`."
        ) from error
    except OSError as error:
        raise StorageError(f"{path} must be readable; got: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} must be JSON; got {error}.") from error
    if not isinstance(fields, dict):
        raise BadInputError(f"{path} must be a JSON object; got {type(fields).__name__}.")
    if fields.get("format", FORMAT) != FORMAT:
        raise BadInputError(
            f"{path} must have format {FORMAT}; got {fields['format']!r}. Update this program."
        )
    return fields


def _field(
    source: Path,
    fields: Mapping[str, Any],
    name: str,
    kind: type,
    default: object = None,
) -> Any:  # noqa: ANN401
    value = fields.get(name, default)
    if type(value) is not kind:
        raise BadInputError(
            f"{name} in {source / ABOUT} must be {kind.__name__}; got {value!r}. Export again."
        )
    return value


def _changes(path: Path, dim: int, moved: Callable[[str], str]) -> Iterator[Change]:
    import pyarrow
    import pyarrow.parquet

    known = (*NAMES, "payload", "content_sha256", *(f"{name}_bytes" for name in NAMES))
    start = 1
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            if not {"id", "vector"} <= names or len(names) != len(file.schema_arrow.names):
                got = ", ".join(map(repr, file.schema_arrow.names))
                raise BadInputError(f"{path} must have one column 'id' and 'vector'; got {got}.")
            columns = [*(name for name in known if name in names), "vector"]
            for batch in file.iter_batches(_MANY, columns=columns):
                texts = {name: batch.column(name).to_pylist() for name in columns[:-1]}
                where = f"{path.name}, rows {start:,} to {start + batch.num_rows - 1:,}"
                yield _change(texts, _vectors(batch.column("vector"), dim, where), where, moved)
                start += batch.num_rows
    except FileNotFoundError as error:
        raise BadInputError(f"{path} must be a Parquet file; got no such file.") from error
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInputError(f"{path} must be a Parquet file; got {error}.") from error


def _vectors(column: Any, dim: int, where: str) -> Vectors:  # noqa: ANN401
    """A column of lists as (N, dim)."""
    import pyarrow

    kind = column.type
    lists = (pyarrow.types.is_fixed_size_list, pyarrow.types.is_list, pyarrow.types.is_large_list)
    if not any(is_kind(kind) for is_kind in lists) or kind.value_type != pyarrow.float32():
        raise BadInputError(f"vector of {where} must be lists of float32; got {kind}.")
    lengths = {len(one) if one.is_valid else None for one in column}
    if lengths - {dim}:
        got = ", ".join(sorted(map(str, lengths)))
        raise BadInputError(f"vector of {where} must have {dim} numbers each; got {got}.")
    flat = column.flatten()
    if flat.null_count:
        raise BadInputError(f"vector of {where} must have {dim} numbers each; got nulls in it.")
    return np.asarray(flat.to_numpy(), np.float32).reshape(-1, dim)


def _change(
    texts: Mapping[str, Sequence[Any]],
    vectors: Vectors,
    where: str,
    moved: Callable[[str], str],
) -> Change:
    ids = _names(texts, "id", where)
    nothing = [""] * len(ids)
    paths = _names(texts, "path", where) if "path" in texts else nothing
    labels = _names(texts, "label", where) if "label" in texts else nothing
    payloads = [_payload(text, where) for text in texts.get("payload", nothing)]
    contents = [_content(text, where) for text in texts.get("content_sha256", nothing)]
    items = [
        Item(id_, moved(path), label, payload)
        for id_, path, label, payload in zip(ids, paths, labels, payloads, strict=True)
    ]
    rows = rows_of(items, contents)
    return Change(check_vectors(f"vector of {where}", vectors, vectors.shape[1], ids), rows)


def _names(texts: Mapping[str, Sequence[Any]], name: str, where: str) -> list[str]:
    raw = texts.get(f"{name}_bytes", [None] * len(texts[name]))
    names = [
        as_text(bytes_) if isinstance(bytes_, bytes) else text
        for text, bytes_ in zip(texts[name], raw, strict=True)
    ]
    if name != "id":
        names = ["" if one is None else one for one in names]
    for one in names:
        if not isinstance(one, str):
            raise BadInputError(f"{name} of {where} must be text; got {one!r}.")
    return names


def _payload(text: object, where: str) -> Mapping[str, Any]:
    if text is None or text == "":
        return {}
    try:
        payload = json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInputError(f"payload of {where} must be JSON; got {str(text)[:40]!r}.") from error
    if not isinstance(payload, dict):
        raise BadInputError(f"payload of {where} must be a JSON object; got {str(text)[:40]!r}.")
    return payload


def _content(text: object, where: str) -> bytes:
    if text is None or text == "":
        return b""
    try:
        content = bytes.fromhex(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        content = b""
    if len(content) != _HASH_BYTES:
        raise BadInputError(
            f"content_sha256 of {where} must be 64 hexadecimal digits; got {str(text)[:80]!r}."
        )
    return content
