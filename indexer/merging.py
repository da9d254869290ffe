"""Items of several collections of one encoder in one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from retrieval.errors import BadInputError

from .disk import DiskCollection
from .interruption import Interruption
from .paths import moved_paths, moved_row
from .rows import Row, as_text, check_fingerprint
from .store import Change

_MINE = -1  # the collection itself, beside the numbers of the others


class Collision(StrEnum):
    """What becomes of items of one id that differ in picture, path, label, payload or vector."""

    ERROR = "error"
    KEEP = "keep"
    REPLACE = "replace"


@dataclass
class MergeResult:
    """What became of the items of the others.

    Attributes:
        added: Items that are new.
        replaced: Items that took the place of another one with their id.
        kept: Items that were left out because another one with their id stays.
        unchanged: Items that were there already, the same in everything.
        interrupted: Whether a signal ended the run before its end.
    """

    added: int = 0
    replaced: int = 0
    kept: int = 0
    unchanged: int = 0
    interrupted: bool = False

    def __str__(self) -> str:
        parts = [f"added {self.added:,}", f"replaced {self.replaced:,}", f"kept {self.kept:,}"]
        end = "; interrupted, run the same command again to go on" if self.interrupted else ""
        return ", ".join([*parts, f"unchanged {self.unchanged:,}"]) + end


def merge_collections(
    collection: DiskCollection,
    others: Sequence[DiskCollection],
    *,
    on_collision: Collision = Collision.ERROR,
) -> MergeResult:
    """Add the items of others to a collection that is open for writing.

    All ids are compared before anything is written. Then each block of items is one transaction:
    after an interruption or a kill whole blocks are there, and running the merge again adds the
    rest. Paths start from the folder of the collection afterwards. Notes about rejected pictures
    stay where they are.

    Args:
        collection: Open for writing.
        others: Of the same encoder, opened for search; none of them the collection itself.
        on_collision: ``error`` raises and writes nothing; ``keep`` keeps the item that was there
            first, ``replace`` the one that comes last.

    Raises:
        EncoderMismatchError: Another encoder made one of them.
        BadInputError: An id collides, or one of the others is the collection itself.
        StorageError: The disk is full or failing. Blocks that were done are kept.
    """
    for other in others:
        check_fingerprint(
            f"the vectors of {other.folder}", other.fingerprint, collection.fingerprint
        )
        if other.folder.resolve() == collection.folder.resolve():
            raise BadInputError(f"{other.folder} must be another collection; got the same one.")
    plan = _Plan(collection, others, on_collision)
    result = MergeResult(kept=plan.kept, unchanged=plan.unchanged)
    with Interruption() as interruption:
        for number in range(len(others)):
            for change in plan.changes(number):
                collection.write(change)
                replaced = sum(row.id in plan.there for row in change.rows)
                result.replaced += replaced
                result.added += len(change.rows) - replaced
                if interruption.wished:
                    result.interrupted = True
                    return result
    return result


class _Plan:
    """Which item of each id shall be there in the end.

    Attributes:
        there: Ids of the collection before the merge, each with the checksum of its item.
        kept: Items of others that have to stay out.
        unchanged: Items of others that are there already.
    """

    def __init__(
        self, collection: DiskCollection, others: Sequence[DiskCollection], collision: Collision
    ) -> None:
        self._folder = collection.folder
        self._others = others
        self.kept = self.unchanged = 0
        winners = {id_: (_MINE, sum_) for id_, sum_ in self._sums(collection)}
        self.there = {id_: sum_ for id_, (_, sum_) in winners.items()}
        for number, other in enumerate(others):
            for id_, sum_ in self._sums(other):
                before = winners.get(id_)
                if before is None:
                    winners[id_] = (number, sum_)
                elif before[1] == sum_:
                    self.unchanged += 1
                elif collision is Collision.REPLACE:
                    self.kept += before[0] != _MINE
                    mine = self.there.get(id_) == sum_
                    winners[id_] = (_MINE if mine else number, sum_)
                elif collision is Collision.KEEP:
                    self.kept += 1
                else:
                    raise BadInputError(_collision(id_, other.folder))
        self._winners = {id_: number for id_, (number, _) in winners.items() if number != _MINE}

    def changes(self, number: int) -> Iterator[Change]:
        """What to write of the items of one of the others, block by block."""
        other = self._others[number]
        moved = moved_paths(other.folder, self._folder)
        for rows, vectors in other.blocks():
            chosen = [place for place, row in enumerate(rows) if self._wins(row, number)]
            if chosen:
                moved_rows = [moved_row(rows[place], moved) for place in chosen]
                yield Change(np.ascontiguousarray(vectors[chosen]), moved_rows, replace=True)

    def _wins(self, row: Row, number: int) -> bool:
        return self._winners.get(row.id) == number

    def _sums(self, other: DiskCollection) -> Iterator[tuple[bytes, bytes]]:
        """Each id with the checksum over everything that the item would be in the collection."""
        moved = moved_paths(other.folder, self._folder)
        for rows, vectors in other.blocks():
            for row, vector in zip(rows, vectors, strict=True):
                yield row.id, moved_row(row, moved).checksum(vector.tobytes())


def _collision(id_: bytes, folder: Path) -> str:
    return (
        f"ids must be different in all collections, or their items the same; got {as_text(id_)!r} "
        f"in {folder} and before it, with another picture, path, label or payload. Choose keep or "
        "replace for such items; nothing was written."
    )
