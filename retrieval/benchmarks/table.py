"""Your own photos: a table with one row a photo, CSV or Parquet.

Columns:

- ``path``: relative to the table's folder, with forward slashes.
- ``label``: the class, any text; another column with the option ``label``.
- ``split`` (optional): the part a photo belongs to, any words, usually train and test.
- ``superclass`` (optional): a coarser class, kept as the group ``superclass``.
- ``query`` and ``gallery``, or ``is_query`` and ``is_gallery`` (optional): true or false. Both
  true means that the photo is searched with and searched for, as in open-metric-learning's tables.
- ``modality`` (optional): must be photo.

Other columns are ignored. Who queries what, in this order: ``query_split`` and ``gallery_split``
when given; else the marks; else the photos of ``test`` query one another; else, in a table without
``split``, all photos do.

Source: your photos.
Licence: whatever theirs is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import EMPTY, Benchmark, Split
from ..errors import BadInputError
from ..photo_root import PhotoRoot
from ..plugins import unknown
from ..tables import Table, find_table, read_table
from . import _notes

FILES = ("images.csv", "images.parquet")
"""What the table in a folder is called when it is not said."""

MARKS = (("query", "gallery"), ("is_query", "is_gallery"))
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


def read(
    root: Path,
    *,
    table: str | None = None,
    query_split: str | None = None,
    gallery_split: str | None = None,
    train_split: str | None = None,
    validation_split: str | None = None,
    label: str = "label",
) -> Benchmark:
    """Read a table of photos.

    Photos that are listed and missing are noted here and named by whoever opens them.

    Args:
        root: The folder of the table, or the table itself.
        table: Name of the table in ``root``; ``images.csv`` or ``images.parquet`` when left out.
        query_split: Split that is searched with.
        gallery_split: Split that is searched in; the same as ``query_split`` when left out, and
            then every photo queries all others.
        train_split: Split that may be learned from; ``train`` when left out, if there is one and
            it is neither query nor gallery.
        validation_split: Split that settings of a classifier are chosen on; none when left out.
        label: Column that names the class, such as superclass.

    Raises:
        BadInputError: No table, a missing column, a row that cannot be right (named by its number
            and column), a split that does not occur, or a file in train that is queried too.
    """
    listed = _Listed.of(find_table(Path(root), table, FILES), label)
    query, gallery = _question(listed, query_split, gallery_split)
    train, why = _learned(listed, train_split, {*query, *gallery})
    queries = listed.split(query)
    searched = queries if query == gallery else listed.split(gallery)
    learned = listed.split(train) if train else EMPTY
    held_out = (
        EMPTY if validation_split is None else listed.split(listed.of_split(validation_split))
    )
    overlap = _notes.shared_classes(learned, queries)
    return Benchmark(
        name=listed.table.file.resolve().parent.name,
        query=queries,
        gallery=searched,
        train=learned,
        validation=held_out,
        class_disjoint=bool(train) and not overlap and not _notes.shared_classes(learned, searched),
        notes=(
            *listed.notes(),
            *why,
            *overlap,
            *_notes.differ_only_in_case(listed.labels),
            *_notes.unanswerable(queries, searched),
        ),
    )


@dataclass(frozen=True)
class _Listed:
    """A table whose every row names a photo and a class."""

    table: Table
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    missing: tuple[Path, ...]

    @classmethod
    def of(cls, file: Path, label: str) -> "_Listed":
        table = read_table(file)
        table.needs("path", label)
        keep = PhotoRoot(file.parent)
        paths: list[Path] = []
        missing: list[Path] = []
        rows: dict[Path, int] = {}
        for index, row in enumerate(table.rows):
            path, there = keep.locate(row["path"], table.where(index, "path"))
            if path in rows:
                raise BadInputError(
                    f"{table.where(index, 'path')} must be listed once; got {row['path']!r} "
                    f"in row {table.numbers[rows[path]]} too."
                )
            rows[path] = index
            paths.append(path)
            if not there:
                missing.append(path)
            _check_row(table, index, label)
        labels = tuple(row[label] for row in table.rows)
        return cls(table, tuple(paths), labels, tuple(missing))

    def of_split(self, name: str) -> list[int]:
        """The rows of one split."""
        self.table.needs("split")
        rows = [index for index, row in enumerate(self.table.rows) if row["split"] == name]
        if not rows:
            raise BadInputError(unknown("split", name, self.splits()))
        return rows

    def splits(self) -> list[str]:
        return sorted({row["split"] for row in self.table.rows}) if self.has("split") else []

    def has(self, column: str) -> bool:
        return column in self.table.columns

    def marked(self, column: str) -> list[int]:
        """The rows with a true mark."""
        chosen = []
        for index, row in enumerate(self.table.rows):
            mark = _TRUTH.get(row[column].lower())
            if mark is None:
                where = self.table.where(index, column)
                raise BadInputError(f"{where} must be true or false; got {row[column]!r}.")
            if mark:
                chosen.append(index)
        if not chosen:
            raise BadInputError(f"{self.table.file} must mark some rows as {column}; got none.")
        return chosen

    def split(self, rows: Sequence[int]) -> Split:
        """Photos of these rows; a class has the same number in every split."""
        numbers = {label: number for number, label in enumerate(sorted(set(self.labels)))}
        used = {self.labels[row] for row in rows}
        return Split(
            tuple(self.paths[row] for row in rows),
            np.array([numbers[self.labels[row]] for row in rows], dtype=np.int64),
            names={numbers[label]: label for label in used},
            groups=self._groups(rows),
        )

    def _groups(self, rows: Sequence[int]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        if not self.has("superclass"):
            return {}
        values = [row["superclass"] for row in self.table.rows]
        numbers = {value: number for number, value in enumerate(sorted(set(values)))}
        return {"superclass": np.array([numbers[values[row]] for row in rows], dtype=np.int64)}

    def notes(self) -> list[str]:
        if not self.missing:
            return []
        return [_notes.some(len(self.missing), "listed photos are not there", self.missing)]


def _check_row(table: Table, index: int, label: str) -> None:
    row = table.rows[index]
    if row[label].strip().lower() in ("", "nan"):
        raise BadInputError(f"{table.where(index, label)} must name a class; got {row[label]!r}.")
    if row.get("modality", "photo") != "photo":
        raise BadInputError(
            f"{table.where(index, 'modality')} must be photo; got {row['modality']!r}. "
            "Leave rows of other modalities out."
        )


def _question(
    listed: _Listed, query_split: str | None, gallery_split: str | None
) -> tuple[list[int], list[int]]:
    """Rows to search with and rows to search in."""
    if query_split is None and gallery_split is None:
        for query, gallery in MARKS:
            if listed.has(query) or listed.has(gallery):
                listed.table.needs(query, gallery)
                return listed.marked(query), listed.marked(gallery)
        if not listed.has("split"):
            everything = list(range(len(listed.table)))
            return everything, everything
    query_rows = listed.of_split(query_split or "test")
    return query_rows, query_rows if gallery_split is None else listed.of_split(gallery_split)


def _learned(
    listed: _Listed, train_split: str | None, asked: set[int]
) -> tuple[list[int], list[str]]:
    """Rows to learn from, and why there are none."""
    if train_split is not None:
        return listed.of_split(train_split), []
    if "train" not in listed.splits():
        return [], []
    rows = listed.of_split("train")
    if asked.isdisjoint(rows):
        return rows, []
    return [], ["Split train is searched here: nothing is left to learn from."]
