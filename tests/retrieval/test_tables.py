"""CSV and Parquet are read alike, and a fault names its row."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInputError
from retrieval.tables import read_table


def written(folder: Path, data: str | bytes, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


@pytest.mark.parametrize(
    "data",
    [
        "path,label\na.jpg,cat\nb.jpg,dog\n",
        "path,label\r\na.jpg,cat\r\nb.jpg,dog\r\n",
        "path,label\ra.jpg,cat\rb.jpg,dog",
        "\ufeffpath,label\na.jpg,cat\nb.jpg,dog",
        '"path","label"\n"a.jpg","cat"\n"b.jpg","dog"\n',
        "path,label\n\na.jpg,cat\n\n\nb.jpg,dog\n\n",
    ],
)
def test_every_usual_way_to_write_csv(tmp_path: Path, data: str) -> None:
    table = read_table(written(tmp_path, data))
    assert table.columns == ("path", "label")
    assert table.rows == ({"path": "a.jpg", "label": "cat"}, {"path": "b.jpg", "label": "dog"})


def test_rows_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'path,label\na.jpg,"two\nlines"\n\nb.jpg,dog\n'))
    assert table.numbers == (2, 5)
    assert table.where(1, "label") == "t.csv row 5, column label"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "must begin with a header line"),
        ("\n\n", "must begin with a header line"),
        ("path,label\n", "at least one row below its header"),
        ("path,label,path\na,b,c\n", "must name each column once; got 'path' twice"),
        ("path,label\na.jpg,cat\nb.jpg\n", r"t\.csv row 3 must have 2 cells .*; got 1"),
        ("path,label\na.jpg,cat,x\n", r"t\.csv row 2 must have 2 cells .*; got 3"),
        ('path,label\na.jpg,"cat\nb.jpg,dog\n', r"t\.csv row 2 must be CSV"),
        ('path,label\na.jpg,"cat"x\n', r"t\.csv row 2 must be CSV"),
        ("path,label\na.jpg," + "x" * 200_000, r"t\.csv row 2 must be CSV; got field larger"),
        (b"path,label\na.jpg,\xff\xfe\n", "must be UTF-8 text"),
        ("path,label\na.jpg,cat\n".encode("utf-16"), "must be UTF-8 text"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, data: str | bytes, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        read_table(written(tmp_path, data))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("t.xlsx", "must be a table"), ("t.parquet", "must be a Parquet file"), ("t", "got ''")],
)
def test_other_files_are_refused(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        read_table(written(tmp_path, b"PK\x03\x04 not a table", name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none\.csv must be a table .* no such file"):
        read_table(tmp_path / "none.csv")


def test_a_table_that_is_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.tables.MAX_TABLE_BYTES", 10)
    with pytest.raises(BadInputError, match="must be at most 10 bytes; got 17"):
        read_table(written(tmp_path, "path,label\na,cat\n"))


def test_needs_names_the_column_and_what_is_there(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "path; label\na.jpg; cat\n"))
    with pytest.raises(BadInputError, match=r"column 'path'; got the columns 'path; label'"):
        table.needs("path")


def test_parquet_cells_become_the_text_csv_would_have(tmp_path: Path) -> None:
    pq.write_table(
        pa.table(
            {
                "path": ["a.jpg", "b.jpg"],
                "label": pa.array(["cat", None]).dictionary_encode(),
                "number": pa.array([3, 4]),
                "gap": pa.array([1.0, float("nan")]),
                "share": [0.5, 2.0],
                "is_query": [True, False],
                "vector": [[1.0], [2.0]],
            }
        ),
        tmp_path / "t.parquet",
    )
    table = read_table(tmp_path / "t.parquet")
    assert table.columns == ("path", "label", "number", "gap", "share", "is_query")
    assert [list(row.values()) for row in table.rows] == [
        ["a.jpg", "cat", "3", "1", "0.5", "true"],
        ["b.jpg", "", "4", "", "2", "false"],
    ]
    assert table.numbers == (1, 2)


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(cell, cell.filter(bool)), min_size=1, max_size=6))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("first", "second"), *rows])
    table = read_table(file)
    assert [(row["first"], row["second"]) for row in table.rows] == rows
    lines = file.read_text(encoding="utf-8").count("\n")
    assert 2 <= table.numbers[0] <= table.numbers[-1] <= lines
