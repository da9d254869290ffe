"""One row a photo."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval import benchmarks
from retrieval.benchmarks.table import read
from retrieval.data import Benchmark
from retrieval.errors import BadInputError

Rows = list[dict[str, str]]


def photos(*rows: str, columns: str = "path label split") -> Rows:
    names = columns.split()
    return [dict(zip(names, row.split(), strict=True)) for row in rows]


def written(
    folder: Path, rows: Rows, name: str = "images.csv", missing: tuple[str, ...] = ()
) -> Path:
    folder.mkdir(exist_ok=True)
    for row in rows:
        if row["path"] not in missing:
            (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / row["path"]).write_bytes(b"photo")
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


BIRDS = photos(
    *("1.jpg wren train", "2.jpg wren train", "3.jpg robin train"),
    *("4.jpg owl test", "5.jpg owl test", "6.jpg finch test", "7.jpg finch test"),
)


def names(benchmark: Benchmark) -> dict[str, list[str]]:
    return {
        part: [path.name for path in getattr(benchmark, part).paths]
        for part in ("train", "query", "gallery")
    }


def test_test_photos_query_one_another(tmp_path: Path) -> None:
    benchmark = read(written(tmp_path / "birds", BIRDS))
    assert benchmark.name == "birds"
    assert names(benchmark) == {
        "train": ["1.jpg", "2.jpg", "3.jpg"],
        "query": ["4.jpg", "5.jpg", "6.jpg", "7.jpg"],
        "gallery": ["4.jpg", "5.jpg", "6.jpg", "7.jpg"],
    }
    assert benchmark.same_images
    assert benchmark.class_disjoint
    assert benchmark.notes == ()
    assert benchmark.query.targets.tolist() == [1, 1, 0, 0]  # numbered in alphabetical order
    assert benchmark.query.names == {0: "finch", 1: "owl"}
    assert benchmark.train.names == {2: "robin", 3: "wren"}


def test_without_splits_all_photos_query_one_another(tmp_path: Path) -> None:
    rows = photos("1.jpg a", "2.jpg a", "3.jpg b", "4.jpg b", columns="path label")
    benchmark = read(written(tmp_path, rows))
    assert benchmark.same_images
    assert len(benchmark.query) == 4
    assert len(benchmark.train) == 0
    assert not benchmark.class_disjoint


def test_query_and_gallery_by_split(tmp_path: Path) -> None:
    rows = photos("1.jpg a train", "2.jpg b train", "3.jpg a val", "4.jpg a test", "5.jpg b test")
    root = written(tmp_path, rows)
    benchmark = read(root, query_split="test", gallery_split="train")
    assert names(benchmark) == {
        "train": [],
        "query": ["4.jpg", "5.jpg"],
        "gallery": ["1.jpg", "2.jpg"],
    }
    assert not benchmark.same_images
    assert benchmark.notes == ("Split train is searched here: nothing is left to learn from.",)
    benchmark = read(root, query_split="test", gallery_split="train", train_split="val")
    assert names(benchmark)["train"] == ["3.jpg"]
    assert not benchmark.class_disjoint
    assert not len(benchmark.validation)
    with_validation = read(root, validation_split="val")
    assert [path.name for path in with_validation.validation.paths] == ["3.jpg"]
    assert benchmark.notes == (
        "1 of the 2 classes that are queried occur in train too: not a test on unseen classes.",
    )


@pytest.mark.parametrize("learned", ["a", "b"])
def test_classes_seen_in_query_or_gallery_are_seen(tmp_path: Path, learned: str) -> None:
    rows = photos(f"1.jpg {learned} train", "2.jpg a query", "3.jpg b gallery")
    root = written(tmp_path, rows)
    benchmark = read(root, query_split="query", gallery_split="gallery")
    assert len(benchmark.train) == 1
    assert not benchmark.class_disjoint


def test_training_photos_are_never_queried(tmp_path: Path) -> None:
    root = written(tmp_path, BIRDS)
    with pytest.raises(BadInputError, match="train must share no file with query or gallery"):
        read(root, train_split="test")


@pytest.mark.parametrize("columns", ["query gallery", "is_query is_gallery"])
def test_marks(tmp_path: Path, columns: str) -> None:
    rows = photos(
        *("1.jpg a train - -", "2.jpg b train - -"),
        *("3.jpg c validation True False", "4.jpg d validation True False"),
        *("5.jpg c validation False True", "6.jpg d validation 0 1"),
        columns=f"path label split {columns}",
    )
    rows = [{key: value.replace("-", "") for key, value in row.items()} for row in rows]
    benchmark = read(written(tmp_path, rows))
    assert names(benchmark) == {
        "train": ["1.jpg", "2.jpg"],
        "query": ["3.jpg", "4.jpg"],
        "gallery": ["5.jpg", "6.jpg"],
    }
    assert benchmark.class_disjoint
    assert not benchmark.same_images


def test_both_marks_are_one_set(tmp_path: Path) -> None:
    rows = photos("1.jpg a 1 1", "2.jpg a 1 1", columns="path label is_query is_gallery")
    assert read(written(tmp_path, rows)).same_images


def test_marks_that_overlap_in_part_are_refused(tmp_path: Path) -> None:
    rows = photos("1.jpg a 1 1", "2.jpg a 0 1", columns="path label query gallery")
    with pytest.raises(BadInputError, match="query and gallery must be one set or share no file"):
        read(written(tmp_path, rows))


def test_splits_win_over_marks(tmp_path: Path) -> None:
    rows = photos(
        "1.jpg a x 1 0", "2.jpg a x 0 1", "3.jpg a y 0 0", columns="path label split query gallery"
    )
    benchmark = read(written(tmp_path, rows), query_split="x", gallery_split="y")
    assert names(benchmark)["query"] == ["1.jpg", "2.jpg"]


def test_superclasses_are_a_group(tmp_path: Path) -> None:
    rows = photos(
        *("1.jpg gala apple", "2.jpg bosc pear", "3.jpg gala apple", "4.jpg bosc pear"),
        columns="path label superclass",
    )
    benchmark = read(written(tmp_path, rows))
    assert benchmark.query.groups["superclass"].tolist() == [0, 1, 0, 1]
    assert benchmark.query.groups["superclass"].dtype == np.int64


def test_parquet_is_csv(tmp_path: Path) -> None:
    root = written(tmp_path, BIRDS)
    expected = read(root)
    pq.write_table(pa.Table.from_pylist(BIRDS), root / "images.parquet")
    (root / "images.csv").unlink()
    got = read(root)
    for part in ("train", "query", "gallery"):
        mine, theirs = getattr(got, part), getattr(expected, part)
        assert mine.paths == theirs.paths
        assert mine.names == theirs.names
        np.testing.assert_array_equal(mine.targets, theirs.targets)


def test_the_table_itself_or_another_name(tmp_path: Path) -> None:
    root = written(tmp_path / "birds", BIRDS, "mine.csv")
    assert read(root / "mine.csv").name == "birds"
    assert read(root, table="mine.csv").name == "birds"
    with pytest.raises(BadInputError, match=r"must hold images\.csv or images\.parquet"):
        read(root)
    with pytest.raises(BadInputError, match="table must be a relative path"):
        read(root, table="../birds/mine.csv")


def test_photos_that_are_not_there_are_noted(tmp_path: Path) -> None:
    benchmark = read(written(tmp_path, BIRDS, missing=("2.jpg", "5.jpg")))
    assert len(benchmark.query) == 4
    assert benchmark.notes == (f"2 listed photos are not there, such as {tmp_path / '2.jpg'}.",)


def test_singletons_and_clashes_of_case_are_noted(tmp_path: Path) -> None:
    rows = photos(
        *("1.jpg Owl", "2.jpg owl", "3.jpg owl", "4.jpg wren", "5.jpg wren"), columns="path label"
    )
    assert read(written(tmp_path, rows)).notes == (
        "1 labels are spelt in several cases, such as 'Owl' and 'owl': kept apart.",
        "1 of 5 queries have no photo of their class to find, such as class 'Owl': "
        "they cannot be answered.",
    )


def test_a_query_whose_class_is_not_in_the_gallery_is_noted(tmp_path: Path) -> None:
    rows = photos("1.jpg a train", "2.jpg b test", "3.jpg a test")
    benchmark = read(written(tmp_path, rows), query_split="test", gallery_split="train")
    assert "1 of 2 queries have no photo of their class to find, such as class 'b'" in str(
        benchmark.notes
    )


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["label,split", "a,test"], "must have a column 'path'; got the columns 'label', 'split'"),
        (["path,split", "1.jpg,test"], "must have a column 'label'"),
        (["path,label", "1.jpg,"], r"images\.csv row 2, column label must name a class; got ''"),
        (["path,label", "1.jpg,NaN"], "row 2, column label must name a class; got 'NaN'"),
        (["path,label", "1.jpg,  "], "row 2, column label must name a class"),
        (["path,label", ",a"], "row 2, column path .* which is empty"),
        (["path,label", "1.jpg,a", "1.jpg,b"], "row 3, column path .*'1.jpg' in row 2 too"),
        (["path,label", "1.jpg,a", "./1.jpg,b"], "row 3, column path .*'./1.jpg' in row 2 too"),
        (["path,label", "1.jpg,a", "../x.jpg,b"], "row 3, column path .* climbs out"),
        (["path,label", "1.jpg,a", "/x.jpg,b"], "row 3, column path .* is absolute"),
        (["path,label,modality", "1.jpg,a,sketch"], "row 2, column modality must be photo"),
        (["path,label,query", "1.jpg,a,1"], "must have a column 'gallery'"),
        (
            ["path,label,query,gallery", "1.jpg,a,yes,1"],
            "row 2, column query must be true or false",
        ),
        (["path,label,query,gallery", "1.jpg,a,0,1"], "must mark some rows as query; got none"),
        (["path,label,split", "1.jpg,a,tset"], "no split called 'test'; known: tset. Did you mean"),
        (["path,label,split", "1.jpg,a"], "row 2 must have 3 cells"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, lines: list[str], sentence: str) -> None:
    (tmp_path / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=sentence):
        read(tmp_path)


def test_a_split_needs_its_column(tmp_path: Path) -> None:
    rows = photos("1.jpg a", "2.jpg a", columns="path label")
    with pytest.raises(BadInputError, match="must have a column 'split'"):
        read(written(tmp_path, rows), query_split="test")


def test_options_as_a_command_line_gives_them(tmp_path: Path) -> None:
    rows = photos("1.jpg a 1", "2.jpg a 1", "3.jpg a 2")
    root = written(tmp_path, rows)
    benchmark = benchmarks.read("table", root, {"query_split": 1, "gallery_split": 2})
    assert names(benchmark)["gallery"] == ["3.jpg"]
    with pytest.raises(BadInputError, match=r"no option of table called 'query'; known: .*query"):
        benchmarks.read("table", root, {"query": "x"})
    with pytest.raises(BadInputError, match="folder option test_share must be float; got 'half'"):
        benchmarks.read("folder", root, {"test_share": "half"})
    with pytest.raises(BadInputError, match=r"no benchmarks called 'tabel'.*Did you mean 'table'"):
        benchmarks.read("tabel", root)


@pytest.mark.data
def test_real_birds(data_folder: Path) -> None:
    benchmark = read(data_folder / "birds")
    assert (len(benchmark.train), benchmark.train.num_classes) == (5_902, 100)
    assert (len(benchmark.query), benchmark.query.num_classes) == (3_013, 100)
    assert benchmark.same_images
    assert benchmark.class_disjoint
    assert benchmark.notes == ()
    assert "CUB" not in benchmark.name


@pytest.mark.data
def test_real_groceries(data_folder: Path) -> None:
    benchmark = read(data_folder / "grocery", query_split="test", gallery_split="train")
    assert (len(benchmark.query), benchmark.query.num_classes) == (2_485, 81)
    assert (len(benchmark.gallery), benchmark.gallery.num_classes) == (2_640, 81)
    superclasses = np.unique(benchmark.gallery.groups["superclass"])
    assert len(superclasses) == 43  # the paper says 42; the list has 43
    assert len(benchmark.train) == 0
    for split in (benchmark.query, benchmark.gallery):
        assert all(path.is_file() for path in split.paths)
