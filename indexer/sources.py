"""What is to be indexed: a folder of pictures, or a table that lists them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrieval.errors import BadInputError
from retrieval.images import is_image_name
from retrieval.photo_root import PhotoRoot
from retrieval.tables import Table, read_table

from .collection import Item

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,17})?(e[+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that shall become an item.

    Attributes:
        id: Of the item.
        path: Relative to the folder that is indexed, with forward slashes.
        label: Class or product, empty when unknown.
        payload: What else is known of it; values as JSON has them.
    """

    id: str
    path: str
    label: str = ""
    payload: Mapping[str, str | float] = field(default_factory=dict)

    def item(self, path: str) -> Item:
        """The item it shall become, with the path that a collection keeps."""
        return Item(self.id, path, self.label, self.payload)


def entries_of(photos: Path) -> tuple[list[Entry], Path]:
    """Entries of a folder or of a table, and the folder their paths start from.

    Raises:
        BadInputError: Neither, or nothing in it, or a table with a fault.
    """
    if photos.is_dir():
        return entries_of_folder(photos), photos
    return entries_of_table(photos), photos.parent


def entries_of_folder(root: Path) -> list[Entry]:
    """One entry for each picture below ``root``, ordered by path.

    The path is the id; the folder directly below ``root`` is the label, as in the ``folder`` data
    set. Names decide what is a picture, and names that begin with a dot are passed over. Links to
    folders are not followed; they and folders that cannot be opened become entries too, so that
    whoever builds a collection of them is told why nothing in them was taken.

    Raises:
        BadInputError: No such folder, or no pictures below it.
    """
    if not root.is_dir():
        raise BadInputError(f"{root} must be a folder of pictures; got no such folder.")
    found: list[Path] = []
    closed: list[OSError] = []
    for place, folders, files in os.walk(root, onerror=closed.append):
        folder = Path(place)
        found += [folder / name for name in files if is_image_name(Path(name))]
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        found += [folder / name for name in folders if (folder / name).is_symlink()]
    found += [Path(os.fsdecode(error.filename)) for error in closed]
    if not found:
        raise BadInputError(f"{root} must hold pictures; got none below it.")
    return [_entry(path.relative_to(root)) for path in sorted(found)]


def entries_of_table(file: Path) -> list[Entry]:
    """One entry for each row of a CSV or Parquet table.

    Columns: ``path``, relative to the table's folder; ``id`` (optional, else the path is the id);
    ``label`` (optional). Every other column becomes payload; empty cells are left out. A column
    whose cells are all numbers holds numbers, and one of ``true`` and ``false`` truth values, so
    that conditions can ask for them; ``0012`` is no number, and keeps its column text.

    Raises:
        BadInputError: No table, a path that leaves the table's folder, or an id twice; rows are
            named by number.
    """
    table = read_table(file)
    table.needs("path")
    root = PhotoRoot(file.parent)
    first: dict[str, int] = {}
    entries = []
    others = [name for name in table.columns if name not in ("id", "path", "label")]
    values = {name: _values([row[name] for row in table.rows]) for name in others}
    for index, row in enumerate(table.rows):
        root.locate(row["path"], table.where(index, "path"))
        id_ = row.get("id") or row["path"]
        _check_new_id(table, first, id_, index)
        payload = {name: values[name][index] for name in others if row[name]}
        entries.append(Entry(id_, row["path"], row.get("label", ""), payload))
    return entries


def labelled(entries: Sequence[Entry], label: str) -> list[Entry]:
    """Entries of one new class: the label goes before each id, so that names may come again.

    Example:
        >>> labelled([Entry("1.jpg", "1.jpg")], "new shoe")
        [Entry(id='new shoe/1.jpg', path='1.jpg', label='new shoe', payload={})]

    Raises:
        BadInputError: The label is empty.
    """
    if not label.strip():
        raise BadInputError(f"a label must be text; got {label!r}. Give the class a name.")
    return [replace(entry, id=f"{label}/{entry.id}", label=label) for entry in entries]


def check_different_ids(entries: Sequence[Entry]) -> None:
    """Raise when two entries have one id."""
    first: dict[str, int] = {}
    for place, entry in enumerate(entries):
        if first.setdefault(entry.id, place) != place:
            raise BadInputError(
                f"entries must have different ids; got {entry.id!r} at {first[entry.id]} and "
                f"{place}. Nothing was written."
            )


def _check_new_id(table: Table, first: dict[str, int], id_: str, index: int) -> None:
    before = first.setdefault(id_, index)
    if before != index:
        raise BadInputError(
            f"{table.file.name} must have each id once; got {id_!r} in rows "
            f"{table.numbers[before]} and {table.numbers[index]}. "
            "Give a column 'id' with different names."
        )


def _values(cells: Sequence[str]) -> list[str | float]:
    """A column of text as what it holds."""
    given = {cell for cell in cells if cell}
    if given <= {"true", "false"}:
        return [cell == "true" for cell in cells]
    if all(_NUMBER.fullmatch(cell) for cell in given):
        return [_number(cell or "0") for cell in cells]
    return list(cells)


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _entry(path: Path) -> Entry:
    label = path.parts[0] if len(path.parts) > 1 else ""
    return Entry(path.as_posix(), path.as_posix(), label)
