"""What a folder or a table names for indexing."""

import os
from pathlib import Path

import pytest

from indexer.sources import (
    Entry,
    check_different_ids,
    entries_of,
    entries_of_folder,
    entries_of_table,
)
from retrieval.errors import BadInputError
from tests.indexer.pictures import write_pictures


def test_a_folder_gives_its_pictures_by_path_with_the_class_folder_as_label(tmp_path: Path):
    for name in ("b/2.JPG", "b/deep/1.png", "a/3.webp", "top.jpg", "a/notes.txt", "a/._3.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in (".hidden/4.jpg", "__MACOSX/5.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert entries_of_folder(tmp_path) == [
        Entry("a/3.webp", "a/3.webp", "a"),
        Entry("b/2.JPG", "b/2.JPG", "b"),
        Entry("b/deep/1.png", "b/deep/1.png", "b"),
        Entry("top.jpg", "top.jpg", ""),
    ]
    assert entries_of(tmp_path) == (entries_of_folder(tmp_path), tmp_path)


def test_links_to_folders_and_loops_end_and_are_named(tmp_path: Path):
    root = write_pictures(tmp_path / "photos", 3)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").touch()
    (root / "loop").symlink_to(root)
    (root / "away").symlink_to(tmp_path / "outside")
    paths = [entry.path for entry in entries_of_folder(root)]
    assert paths == ["away", "class 0/000.jpg", "class 1/001.jpg", "class 2/002.jpg", "loop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path):
    root = write_pictures(tmp_path / "photos", 3)
    (root / "class 1").chmod(0)
    paths = [entry.path for entry in entries_of_folder(root)]
    (root / "class 1").chmod(0o755)
    assert paths == ["class 0/000.jpg", "class 1", "class 2/002.jpg"]


def test_no_folder_and_no_pictures_are_said(tmp_path: Path):
    with pytest.raises(BadInputError, match="must hold pictures; got none below it"):
        entries_of(tmp_path)
    with pytest.raises(BadInputError, match="must be a folder of pictures; got no such folder"):
        entries_of_folder(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="must be a table"):
        entries_of(tmp_path / "nowhere")


def test_a_table_gives_a_row_each_and_other_columns_as_payload(tmp_path: Path):
    write_pictures(tmp_path, 3)
    table = tmp_path / "photos.csv"
    table.write_text(
        "id,path,label,price,note\n"
        "x,class 0/000.jpg,shoe,12,\n"
        ",class 1/001.jpg,,,\n"
        "y,class 0/000.jpg,shoe,7,the same again\n"
    )
    entries = [
        Entry("x", "class 0/000.jpg", "shoe", {"price": 12}),
        Entry("class 1/001.jpg", "class 1/001.jpg", "", {}),
        Entry("y", "class 0/000.jpg", "shoe", {"price": 7, "note": "the same again"}),
    ]
    assert entries_of_table(table) == entries
    assert entries_of(table) == (entries, tmp_path)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2.5", ""], [1, -2.5]),
        (["19.90", "1e-07"], [19.9, 1e-7]),
        (["0012", "12"], ["0012", "12"]),
        (["12", "12 EU"], ["12", "12 EU"]),
        (["1234567890123456", "1"], ["1234567890123456", "1"]),
        (["true", "", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["nan", "1"], ["nan", "1"]),
        (["1", "٣"], ["1", "٣"]),
    ],
)
def test_a_column_of_numbers_or_truth_values_is_kept_as_such(
    tmp_path: Path, cells: list[str], values: list[object]
):
    table = tmp_path / "photos.csv"
    lines = [f"{number}.jpg,{cell}" for number, cell in enumerate(cells)]
    table.write_text("\n".join(["path,x", *lines]), encoding="utf-8")
    payloads = [entry.payload for entry in entries_of_table(table)]
    found = [payload["x"] for payload in payloads if payload]
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label\na\n", "must have a column 'path'"),
        ("path\na.jpg\nb.jpg\na.jpg\n", "got 'a.jpg' in rows 2 and 4"),
        ("id,path\n1,a.jpg\n1,b.jpg\n", "got '1' in rows 2 and 3"),
        ("path\na.jpg\n../b.jpg\n", "row 3, column path must be a relative path"),
        ("path\n/etc/passwd\n", "row 2, column path must be a relative path"),
        ("path\n~/b.jpg\n", "row 2, column path"),
        ("path\nC:\\b.jpg\n", "row 2, column path"),
        ("path\n\\\\server\\b.jpg\n", "row 2, column path"),
        ("path\nfile:///b.jpg\n", "row 2, column path"),
        ('path\n"a\nb.jpg"\n', "row 2, column path"),
        ("path\na/../../b.jpg\n", "row 2, column path"),
    ],
)
def test_a_faulty_table_is_refused_by_row(tmp_path: Path, text: str, said: str):
    (tmp_path / "photos.csv").write_text(text)
    with pytest.raises(BadInputError, match=said):
        entries_of_table(tmp_path / "photos.csv")


def test_one_id_twice_is_refused():
    check_different_ids([Entry("a", "x"), Entry("b", "x")])
    with pytest.raises(BadInputError, match="got 'a' at 0 and 2"):
        check_different_ids([Entry("a", "x"), Entry("b", "x"), Entry("a", "y")])
