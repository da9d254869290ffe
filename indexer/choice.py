"""``engine.json``: with which engine a collection is searched, with which options, and how well.

``collection.json`` names the engine that a collection was made with and never changes. This record
may be written again: when an engine is chosen by the size of the collection, or has been measured.
It is no part of the truth: without it the collection is searched with the engine it was made with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from retrieval.errors import BadInputError, DamagedDataError

from .caches import reason_of
from .manifest import Manifest
from .records import read_record, write_record

CHOICE = "engine.json"
AUTO = "auto"
CHOSEN = "engine chosen"
"""The fact that an engine is chosen as the collection grows, and why this one."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine, its options and where they come from.

    Attributes:
        engine: File in ``indexer/backends``.
        options: Of the engine.
        table: Rows to choose from as the collection grows; empty when a person has chosen.
        recall: Share of the true ten nearest that shall be found, where it is chosen from a table.
        count: Items there were when it was chosen; 0 when it has not been yet.
        why: One line for a person.
        measured: What :func:`indexer.tuning.tune` has found; empty before.
    """

    engine: str
    options: Mapping[str, Any] = field(default_factory=dict)
    table: Sequence[Mapping[str, Any]] = ()
    recall: float = 0.0
    count: int = 0
    why: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def automatic(self) -> bool:
        """Whether it is chosen again as the collection grows."""
        return bool(self.table)

    def satisfies(self, asked: Self) -> bool:
        """Whether this is what ``asked`` asks for, perhaps measured and tuned meanwhile."""
        if asked.automatic:
            return (self.table, self.recall) == (asked.table, asked.recall)
        given = {name: self.options.get(name) for name in asked.options}
        return not self.automatic and (self.engine, given) == (asked.engine, asked.options)

    @classmethod
    def read(cls, folder: Path, manifest: Manifest, notice: Callable[[str], None]) -> Self:
        """What is recorded in a collection's folder, or what the collection was made with."""
        path = folder / CHOICE
        if not path.exists():
            return cls(manifest.engine)
        try:
            fields = read_record(path)
            if fields.pop("collection") != manifest.collection:
                raise ValueError("it belongs to another collection")
            return cls(**fields)
        except (BadInputError, DamagedDataError, OSError, KeyError, TypeError, ValueError) as error:
            notice(f"{path} is left aside: {reason_of(error)}. The engine is {manifest.engine}.")
            return cls(manifest.engine)

    def write(self, folder: Path, manifest: Manifest) -> None:
        """Write it into a folder; durable when this returns."""
        write_record(folder / CHOICE, {"collection": manifest.collection, **asdict(self)})

    def facts(self, count: int) -> dict[str, str | int]:
        """Facts for a person.

        Args:
            count: Items there are now.
        """
        facts: dict[str, str | int] = {}
        if self.options:
            facts["engine options"] = _listed(self.options)
        if self.automatic:
            facts[CHOSEN] = self.why or "when a writer closes the collection"
        if self.measured:
            one = self.measured
            low, high = one["interval"]
            facts[f"recall@{one['k']}"] = (
                f"{one['recall']:.4f} [{low:.4f}, {high:.4f}] of the exact answers, "
                f"n = {one['queries']:,}, {one['option']} = {one['value']}, "
                f"{one['milliseconds']:.2f} ms a query, {one['date']}, at {one['count']:,} items "
                f"({count:,} now), target {one['target']}"
            )
        return facts


def _listed(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
