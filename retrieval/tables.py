"""Tables of photos: CSV and Parquet read alike, with the row number of everything.

Every cell is text. A fault is reported with the row a person sees in an editor or a spreadsheet:
the line of the file for CSV, where the header is 1, and the row for Parquet, where the first is 1.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BadInputError
from .photo_root import PhotoRoot

MAX_TABLE_BYTES = 512 * 1024**2
"""A larger table is refused before it is read."""


@dataclass(frozen=True)
class Table:
    """A table in memory.

    Attributes:
        file: Where it came from.
        columns: Names in the order of the file.
        rows: One mapping a row from column to text; an empty cell is "".
        numbers: Row number of each row, as a person counts.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, index: int, column: str) -> str:
        """What a message calls one cell."""
        return f"{self.file.name} row {self.numbers[index]}, column {column}"

    def needs(self, *columns: str) -> None:
        """Raise unless every one of these columns is there."""
        for column in columns:
            if column not in self.columns:
                raise BadInputError(
                    f"{self.file} must have a column {column!r}; "
                    f"got the columns {', '.join(map(repr, self.columns))}."
                )


def find_table(root: Path, name: str | None, usual: Sequence[str]) -> Path:
    """The table that ``root`` is or holds.

    Args:
        root: A table, or the folder of one.
        name: What it is called in the folder; the first of ``usual`` that is there when left out.
        usual: Names that are looked for.

    Raises:
        BadInputError: None is there.
    """
    if root.is_file() and name is None:
        return root
    if not root.is_dir():
        raise BadInputError(f"{root} must be a table or a folder with one; got nothing there.")
    if name is not None:
        path, _ = PhotoRoot(root).locate(name, "table")
        return path
    for candidate in usual:
        if (root / candidate).is_file():
            return root / candidate
    raise BadInputError(
        f"{root} must hold {' or '.join(usual)}; got neither. Name the table with table=NAME."
    )


def read_table(file: Path) -> Table:
    """Read a .csv or .parquet file.

    CSV is UTF-8 with or without a byte order mark, any line ends, commas, a header line. Columns
    of Parquet that hold lists or structures are left out.

    Raises:
        BadInputError: Not such a file, damaged, without rows, or a row that does not fit the
            header; the message names the file and the row.
    """
    if not file.is_file():
        raise BadInputError(f"{file} must be a table (.csv or .parquet); got no such file.")
    size = file.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise BadInputError(f"{file} must be at most {MAX_TABLE_BYTES:,} bytes; got {size:,}.")
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise BadInputError(f"{file} must be a table (.csv or .parquet); got {suffix!r}.")
    try:
        columns, cells = _csv(file) if suffix == ".csv" else _parquet(file)
    except OSError as error:
        raise BadInputError(f"{file} must be readable; got {error.strerror or error}.") from error
    if not cells:
        raise BadInputError(f"{file} must have at least one row below its header; got none.")
    return Table(
        file=file,
        columns=tuple(columns),
        rows=tuple(dict(zip(columns, row, strict=True)) for _, row in cells),
        numbers=tuple(number for number, _ in cells),
    )


_Cells = list[tuple[int, Sequence[str]]]


def _csv(file: Path) -> tuple[list[str], _Cells]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            records = _records(file, csv.reader(stream, strict=True))
            _, columns = next(records, (0, []))
            _check_columns(file, columns)
            return columns, [_fitting(file, columns, *record) for record in records]
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{file} must be UTF-8 text; got another encoding ({error.reason}). Save it as UTF-8."
        ) from error


def _records(file: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:  # noqa: ANN401
    """Each record with the line it starts on; blank lines are passed over."""
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInputError(f"{file.name} row {line} must be CSV; got {error}.") from error
        if record:
            yield line, record


def _fitting(
    file: Path, columns: Sequence[str], number: int, record: list[str]
) -> tuple[int, list[str]]:
    if len(record) != len(columns):
        raise BadInputError(
            f"{file.name} row {number} must have {len(columns)} cells "
            f"({', '.join(columns)}); got {len(record)}. Quote a cell that holds a comma."
        )
    return number, record


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    if not any(columns):
        raise BadInputError(f"{file} must begin with a header line; got none.")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise BadInputError(f"{file} must name each column once; got {twice[0]!r} twice.")


def _parquet(file: Path) -> tuple[list[str], _Cells]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file).read()
    except (pyarrow.ArrowException, ValueError) as error:
        raise BadInputError(f"{file} must be a Parquet file; got {error}.") from error
    names = [field.name for field in table.schema if not pyarrow.types.is_nested(field.type)]
    _check_columns(file, names)
    columns = [[_text(value) for value in table.column(name).to_pylist()] for name in names]
    return names, list(enumerate(zip(*columns, strict=True), start=1))


def _text(value: object) -> str:
    """A Parquet cell as CSV would have it: whole numbers without a point, truth in lower case."""
    if value is None or value != value:  # not equal to itself: NaN, which pandas writes for a gap
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
