"""Which engine fits a collection: a table of a few rows, read from the top."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from retrieval import plugins
from retrieval.errors import BadInputError

from . import backends
from .choice import EngineChoice

GROWN = 2
"""An engine is chosen again when there are so many times more items than then, or fewer."""

RECALL = 0.98
"""Share of the true ten nearest that is wanted when nobody says otherwise."""

_MEASURED_DIM = 512
_MEMORY_SHARE = 0.5
_FIELDS: dict[str, tuple[type, ...]] = {
    "engine": (str,),
    "options": (dict,),
    "up_to": (int,),
    "recall": (int, float),
    "bytes_a_coordinate": (int, float),
    "bytes_a_vector": (int, float),
}


def read_table(path: Path | None = None) -> list[dict[str, Any]]:
    """Rows of a table, checked; the one of this program when no file is given.

    Raises:
        BadInputError: The file cannot be read, or a row has what no row can have.
    """
    source = path or resources.files(__package__) / "engine_table.toml"
    try:
        found = tomllib.loads(source.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{source} must be a TOML file that can be read; got: {error}. "
            "See docs/engines.md for an example."
        ) from error
    rows = found.get("row")
    if set(found) != {"row"} or not isinstance(rows, list) or not rows:
        got = ", ".join(found) or "nothing"
        raise BadInputError(f"{source} must hold [[row]] tables and nothing else; got {got}.")
    for number, row in enumerate(rows, 1):
        _check_row(f"{source} row {number}", row)
    return rows


def due(choice: EngineChoice, count: int) -> bool:
    """Whether the engine of a collection with ``count`` items is to be chosen, again or at all."""
    if not choice.automatic or not count:
        return False
    return not choice.count or not choice.count / GROWN < count < choice.count * GROWN


def choose(choice: EngineChoice, count: int, dim: int, memory: int | None = None) -> EngineChoice:
    """The engine of the first row that fits.

    Args:
        choice: Table and wanted recall.
        count: Items.
        dim: Length of a vector.
        memory: Bytes that are available; asked of the system when left out.
    """
    memory = available_memory() if memory is None else memory
    for number, row in enumerate(choice.table, 1):
        needed = count * (row.get("bytes_a_coordinate", 0) * dim + row.get("bytes_a_vector", 0))
        small = count * dim <= row.get("up_to", float("inf")) * _MEASURED_DIM
        right = choice.recall <= row.get("recall", 1.0)
        if (small and right and needed <= _MEMORY_SHARE * memory) or number == len(choice.table):
            break
    why = (
        f"{row['engine']} for {count:,} vectors of {dim}, recall {choice.recall:g} wanted, "
        f"{memory / 2**30:.1f} GiB of memory available, {needed / 2**30:.2f} needed"
    )
    return EngineChoice(
        row["engine"], row.get("options", {}), choice.table, choice.recall, count, why
    )


def available_memory() -> int:
    """Bytes that programs may take without any being moved to the disk, as far as is known."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(one.split()[1]) * 1024 for one in lines if one.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def check_options(engine: str, options: Mapping[str, Any], dim: int) -> None:
    """Raise unless the engine can be made with these options for vectors of ``dim``."""
    one = np.eye(1, dim, dtype=np.float32)
    plugins.build(backends, {"name": engine, **options}, vectors=one, index=None, on_progress=None)


def _check_row(name: str, row: Mapping[str, Any]) -> None:
    for key, value in row.items():
        if key not in _FIELDS:
            raise BadInputError(f"{name}: {plugins.unknown('field', key, _FIELDS)}")
        if not isinstance(value, _FIELDS[key]) or isinstance(value, bool):
            kinds = " or ".join(kind.__name__ for kind in _FIELDS[key])
            raise BadInputError(f"{name}: {key} must be {kinds}; got {value!r}.")
    if "engine" not in row:
        raise BadInputError(f"{name} must name an engine; got {', '.join(row) or 'nothing'}.")
    check_options(row["engine"], row.get("options", {}), _MEASURED_DIM)


def automatic(
    table: Sequence[Mapping[str, Any]] | None = None, recall: float = RECALL
) -> EngineChoice:
    """A choice that is made when a writer closes the collection, and again when it has grown.

    Args:
        table: Rows of :func:`read_table`; those of this program when left out.
        recall: Share of the true ten nearest that shall be found, in (0, 1].
    """
    if not 0 < recall <= 1:
        raise BadInputError(f"recall must be above 0 and at most 1; got {recall}.")
    return EngineChoice("exact", table=table or read_table(), recall=recall)
