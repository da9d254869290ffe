"""Your own sketches: a table with one row a sketch and the photo it shows, CSV or Parquet.

Columns:

- ``sketch``: a file relative to the table's folder, or else a name in ``strokes.json`` beside the
  table ({name: strokes of [x, y]}), which then has the path ``FOLDER/strokes.json/NAME``.
- ``photo``: a file relative to the table's folder. Several sketches may show one photo.
- ``split`` (optional): the part a pair belongs to, any words, usually train and test.
- ``label`` (optional): the class of the object, kept as the group ``label``.

Other columns are ignored unless ``groups`` names them. The sketches of ``test`` search the photos
of ``test``; a sketch has one right answer, the photo it shows (acc@K).

Source: your photos and sketches.
Licence: whatever theirs is.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import Benchmark, Relevance, Split
from ..errors import BadInputError
from ..images import is_image_name
from ..photo_root import PhotoRoot
from ..plugins import unknown
from ..sketches import drawing_keys
from ..tables import Table, find_table, read_table
from . import _notes
from ._objects import Drawn, Objects

FILES = ("pairs.csv", "pairs.parquet")
"""What the table in a folder is called when it is not said."""

STROKES = "strokes.json"
"""The file beside the table that holds sketches as strokes."""


def read(
    root: Path,
    *,
    table: str | None = None,
    query_split: str | None = None,
    train_split: str | None = None,
    holdout: float | None = None,
    seed: int = 0,
    distractors: str | None = None,
    groups: str | None = None,
) -> Benchmark:
    """Read a table of pairs.

    Pictures that are listed and missing are noted here and named by whoever opens them.

    Args:
        root: The folder of the table, or the table itself.
        table: Name of the table in ``root``; ``pairs.csv`` or ``pairs.parquet`` when left out.
        query_split: Split whose sketches search its photos; ``test`` when left out, or everything
            in a table without ``split``.
        train_split: Split that may be learned from; ``train`` when left out, if there is one.
        holdout: For a table that has a training part only: the share of its photos that are
            tested, with all their sketches, in (0, 1). The others are for learning.
        seed: Of the choice that ``holdout`` makes; the same for the same number and photos.
        distractors: A folder of photos that nobody drew; all of them, however deep, are searched
            too, as wrong answers.
        groups: More columns to keep as groups, apart by commas.

    Raises:
        BadInputError: No table, a missing column, a row that cannot be right (named by its number
            and column), a split that does not occur, a photo in train that is searched too, or a
            share that leaves no photo on one side.
    """
    listed = Listed.of(find_table(Path(root), table, FILES), _names(groups))
    name = listed.table.file.resolve().parent.name
    if holdout is None:
        test, train = listed.tested(query_split), listed.learned(train_split, query_split)
    else:
        if query_split is not None:
            raise BadInputError(
                f"query_split must be left out with holdout; got {query_split!r}. "
                "Photos of train_split are held out."
            )
        test, train = listed.held_out(train_split, holdout, seed)
        name = f"{name} ({holdout:.0%} held out, seed {seed})"
    others = _photos_below(Path(distractors)) if distractors is not None else []
    if others:
        name = f"{name} + {len(others):,} distractors"
    return listed.benchmark(name, train, test, others)


@dataclass(frozen=True)
class Listed:
    """A table whose every row names a sketch and a photo.

    Attributes:
        table: As it was read.
        pairs: Sketch and photo of each row.
        missing: Sketches and photos that are not there.
        groups: Columns that are kept as groups.
    """

    table: Table
    pairs: tuple[Drawn, ...]
    missing: tuple[Path, ...]
    groups: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: Path, groups: Sequence[str] = ()) -> "Listed":
        """Read a table and find its pictures."""
        table = read_table(file)
        table.needs("sketch", "photo", *groups)
        keep = PhotoRoot(file.parent)
        container = file.parent / STROKES
        strokes = set(drawing_keys(container)) if container.is_file() else set()
        pairs: list[Drawn] = []
        missing: dict[Path, None] = {}
        rows: dict[Path, int] = {}
        for index, row in enumerate(table.rows):
            sketch, drawn = keep.locate(row["sketch"], table.where(index, "sketch"))
            if not drawn and row["sketch"] in strokes:
                sketch, drawn = container / row["sketch"], True
            photo, there = keep.locate(row["photo"], table.where(index, "photo"))
            if sketch in rows:
                raise BadInputError(
                    f"{table.where(index, 'sketch')} must be listed once; got {row['sketch']!r} "
                    f"in row {table.numbers[rows[sketch]]} too."
                )
            rows[sketch] = index
            pairs.append((sketch, photo))
            missing |= dict.fromkeys(
                path for path, found in ((sketch, drawn), (photo, there)) if not found
            )
        chosen = dict.fromkeys([*groups, *(c for c in ("label",) if c in table.columns)])
        return cls(table, tuple(pairs), tuple(missing), tuple(chosen))

    def tested(self, name: str | None) -> list[int]:
        """Rows to search with."""
        if name is None and "split" not in self.table.columns:
            return list(range(len(self.table)))
        if name is None and "test" not in self._splits():
            raise BadInputError(
                f"{self.table.file} must have a split 'test'; got {', '.join(self._splits())}. "
                "Name another with query_split=NAME, or set photos aside with holdout=0.2."
            )
        return self._of_split(name or "test")

    def learned(self, name: str | None, tested: str | None = None) -> list[int]:
        """Rows to learn from; none where nothing is called train."""
        if name is None and (tested == "train" or "train" not in self._splits()):
            return []
        return self._of_split(name or "train")

    def held_out(self, name: str | None, share: float, seed: int) -> tuple[list[int], list[int]]:
        """Rows of some photos, to search with, and the other rows of the training part."""
        whole = name is None and "split" not in self.table.columns
        rows = list(range(len(self.table))) if whole else self._of_split(name or "train")
        chosen = held_out({self.table.rows[row]["photo"] for row in rows}, share, seed)
        test = [row for row in rows if self.table.rows[row]["photo"] in chosen]
        return test, sorted(set(rows) - set(test))

    def benchmark(
        self, name: str, train: Sequence[int], test: Sequence[int], others: Sequence[Path] = ()
    ) -> Benchmark:
        """A benchmark of these rows.

        Args:
            name: As it is printed.
            train: Rows to learn from.
            test: Rows whose sketches search their photos.
            others: Photos that are searched too and that nobody drew.
        """
        return Benchmark(
            name=name,
            relevance=Relevance.INSTANCE,
            class_disjoint=bool(train),
            notes=tuple(self.notes()),
            **self.parts(train, test, others),
        )

    def notes(self) -> list[str]:
        """What a reader of the figures must know."""
        if not self.missing:
            return []
        return [_notes.some(len(self.missing), "listed pictures are not there", self.missing)]

    def parts(
        self, train: Sequence[int], test: Sequence[int], others: Sequence[Path] = ()
    ) -> dict[str, Split]:
        """Training photos and sketches, queries and gallery."""
        photos = {photo: row["photo"] for (_, photo), row in self._rows()}
        known = {path.resolve() for path in photos}
        again = [path for path in others if path.resolve() in known]
        if again:
            raise BadInputError(
                f"distractors must be other photos than those of {self.table.file}; "
                f"got {len(again)} of them, such as {again[0]}."
            )
        names = dict(sorted(photos.items(), key=lambda item: item[1]))
        names |= {path: path.stem for path in others}
        objects = Objects(names, {name: self._values(name) for name in self.groups})
        return objects.parts(
            [self.pairs[row] for row in train], [self.pairs[row] for row in test], gallery=others
        )

    def _rows(self) -> "zip[tuple[Drawn, dict[str, str]]]":
        return zip(self.pairs, self.table.rows, strict=True)

    def _values(self, column: str) -> dict[Path, str]:
        """What a column says of each photo."""
        values: dict[Path, str] = {}
        for index, ((_, photo), row) in enumerate(self._rows()):
            if values.setdefault(photo, row[column]) != row[column]:
                raise BadInputError(
                    f"{self.table.where(index, column)} must be the same for all sketches of "
                    f"{row['photo']}; got {row[column]!r} after {values[photo]!r}."
                )
        return values

    def _splits(self) -> list[str]:
        has = "split" in self.table.columns
        return sorted({row["split"] for row in self.table.rows}) if has else []

    def _of_split(self, name: str) -> list[int]:
        self.table.needs("split")
        rows = [index for index, row in enumerate(self.table.rows) if row["split"] == name]
        if not rows:
            raise BadInputError(unknown("split", name, self._splits()))
        return rows


def held_out(photos: Iterable[str], share: float, seed: int) -> set[str]:
    """A share of some photos, by chance; the same for the same names and seed.

    Raises:
        BadInputError: The share leaves no photo on one side.
    """
    names = sorted(photos)
    count = round(len(names) * share)
    if not 0 < share < 1:
        raise BadInputError(f"holdout must be in (0, 1); got {share}.")
    if not 0 < count < len(names):
        raise BadInputError(
            f"holdout must leave a photo on both sides; got {share} of {len(names)} photos."
        )
    random.Random(seed).shuffle(names)
    return set(names[:count])


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _photos_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInputError(f"distractors must be a folder of photos; got {str(folder)!r}.")
    found = sorted(path for path in folder.rglob("*") if is_image_name(path) and path.is_file())
    if not found:
        raise BadInputError(f"distractors must be a folder of photos; got none in {folder}.")
    return found
