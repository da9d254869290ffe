"""One row a sketch: sketches that are files or strokes, several of one photo, nothing leaks."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval import benchmarks
from retrieval.benchmarks.pairs import read
from retrieval.data import Benchmark, Modality, Relevance, Split
from retrieval.data_identity import file_hashes
from retrieval.errors import BadInputError, StorageError
from retrieval.leaks import find_leaks
from retrieval.sketches import read_drawing, sha256_of_picture

COLUMNS = "sketch photo split"
SHOES = (
    *("s1.png a.jpg train", "s2.png a.jpg train", "s3.png b.jpg train"),
    *("s4.png d.jpg test", "s5.png c.jpg test", "s6.png d.jpg test"),
)


def written(folder: Path, *rows: str, columns: str = COLUMNS, name: str = "pairs.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = columns.split()
    cells = [row.split() for row in rows]
    for row in cells:
        for column, text in zip(names, row, strict=True):
            if column in ("sketch", "photo") and "." in text:
                (folder / text).parent.mkdir(parents=True, exist_ok=True)
                (folder / text).write_bytes(f"{column} {text}".encode())
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([names, *cells])
    return folder


def shown(split: Split) -> list[tuple[str, str]]:
    """Each picture and the object it shows."""
    return [(path.name, split.name(index)) for index, path in enumerate(split.paths)]


def test_sketches_search_the_photos_of_their_part(tmp_path: Path) -> None:
    found = read(written(tmp_path / "shoes", *SHOES))
    assert found.name == "shoes"
    assert found.relevance is Relevance.INSTANCE
    assert shown(found.query) == [("s4.png", "d.jpg"), ("s5.png", "c.jpg"), ("s6.png", "d.jpg")]
    assert shown(found.gallery) == [("d.jpg", "d.jpg"), ("c.jpg", "c.jpg")]
    assert shown(found.train) == [("a.jpg", "a.jpg"), ("b.jpg", "b.jpg")]
    assert [name for name, _ in shown(found.train_sketches)] == ["s1.png", "s2.png", "s3.png"]
    assert found.train_sketches.targets.tolist() == [0, 0, 1]
    assert found.train.targets.tolist() == [0, 1]
    assert found.query.targets.tolist() == [3, 2, 3]
    kinds = [part.modality for part in (found.train, found.train_sketches)]
    assert kinds == [Modality.PHOTO, Modality.SKETCH]
    assert (found.query.modality, found.gallery.modality) == (Modality.SKETCH, Modality.PHOTO)
    assert found.class_disjoint
    assert found.notes == ()


def test_parquet_is_read_alike(tmp_path: Path) -> None:
    root = written(tmp_path / "shoes", *SHOES)
    with (root / "pairs.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    expected = read(root)
    (root / "pairs.csv").unlink()
    pq.write_table(pa.Table.from_pylist(rows), root / "pairs.parquet")
    assert read(root).query.paths == expected.query.paths


def test_a_table_without_splits_is_all_test(tmp_path: Path) -> None:
    found = read(written(tmp_path, "1.png a.jpg", "2.png b.jpg", columns="sketch photo"))
    assert (len(found.query), len(found.gallery), len(found.train)) == (2, 2, 0)
    assert not found.class_disjoint


def test_other_splits(tmp_path: Path) -> None:
    root = written(tmp_path, *SHOES, "s7.png e.jpg val")
    found = read(root, query_split="val")
    assert shown(found.query) == [("s7.png", "e.jpg")]
    assert len(found.train) == 2
    assert len(read(root, query_split="train").train) == 0
    assert len(read(root, query_split="val", train_split="test").train_sketches) == 3
    with pytest.raises(
        BadInputError, match=r"no split called 'tset'; known: test, train, val\. Did"
    ):
        read(root, query_split="tset")


def test_sketches_as_strokes(tmp_path: Path) -> None:
    root = written(
        tmp_path, "one a.jpg test", "two b.jpg test", "file.png c.jpg test", "no d.jpg test"
    )
    strokes = {"one": [[[0, 0], [5.5, 1]]], "two": [[[1, 1]]], "file.png": [[[2, 2]]]}
    (root / "strokes.json").write_text(json.dumps(strokes))
    found = read(root)
    container = root / "strokes.json"
    assert found.query.paths == (
        *(container / "one", container / "two"),
        *(root / "file.png", root / "no"),  # a file goes before an entry of its name
    )
    assert found.notes == (f"1 listed pictures are not there, such as {root / 'no'}.",)
    assert read_drawing(container / "one").strokes[0].points.tolist() == [[0, 0], [5.5, 1]]


def test_the_identity_of_a_sketch_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "strokes.json").write_text('{"a": [[[1, 2]]]}')
    with pytest.raises(StorageError, match=r"json/b must be a drawing of strokes\.json; got no su"):
        sha256_of_picture(tmp_path / "strokes.json" / "b")
    with pytest.raises(StorageError, match=r"b\.png must be readable; got: No such"):
        sha256_of_picture(tmp_path / "b.png")
    (tmp_path / "strokes.json").write_text('{"c": [[[1, 2]]], "a": 7}')
    with pytest.raises(StorageError, match=r"json/a must be a list of strokes; got 7\."):
        sha256_of_picture(tmp_path / "strokes.json" / "a")
    (tmp_path / "strokes.json").write_text('{"a": 7}')
    with pytest.raises(BadInputError, match=r"strokes\.json must be JSON of a canvas, .* lists of"):
        read(written(tmp_path, "a a.jpg test"))


def test_identities_of_one_drawing_among_many(tmp_path: Path) -> None:
    """Of an entry its own strokes count, whatever its key, its file's format and its neighbours."""
    one, two = tmp_path / "one.json", tmp_path / "two.ndjson"
    one.write_text('{"shoe/left 1": [[[0, 0], [9, 4]]], "b": [[[1, 1]]]}')
    before = sha256_of_picture(one / "shoe/left 1")
    one.write_text('{"b": [[[7, 1]]],  "shoe/left 1": [[[0.0, 0], [9, 4.0]]]}')
    assert sha256_of_picture(one / "shoe/left 1") == before
    two.write_text(
        '{"key_id": "5", "drawing": [[[0, 9], [0, 4]]]}\n'
        '{"key_id": "6", "drawing": [[[0, 9], [0, 5]]]}\n'
    )
    assert sha256_of_picture(two / "5") == before != sha256_of_picture(two / "6")


def test_one_drawing_in_two_formats_is_a_leak(tmp_path: Path) -> None:
    svg = '<svg viewBox="0 0 256 256"><polyline points="{}" stroke="black"/></svg>'
    root = written(tmp_path, "s.svg a.jpg train", "one b.jpg test", "t.svg c.jpg test")
    (root / "s.svg").write_text(svg.format("0,0 9,4"))
    (root / "t.svg").write_text(svg.format("0,0 9,5"))
    (root / "strokes.json").write_text('{"one": [[[0, 0], [9, 4]]], "two": [[[1, 1]]]}')
    leaks = find_leaks(read(root))
    (twin,) = leaks.overlaps[0].identical
    assert (leaks.overlaps[0].other, twin.image.name, twin.twin.name) == (
        "train_sketches",
        "one",
        "s.svg",
    )
    assert not any(path.suffix == ".svg" for path in leaks.unreadable)


def test_the_identity_of_strokes_is_their_own(tmp_path: Path) -> None:
    root = written(tmp_path, "one a.jpg test", "two b.jpg test")
    container = root / "strokes.json"
    container.write_text(json.dumps({"one": [[[0, 0]]], "two": [[[1, 1]]]}))
    before = file_hashes(read(root))[0]
    assert len(set(before)) == 2
    container.write_text(
        json.dumps({"new": [[[5, 5]]], "two": [[[1, 1]]], "one": [[[9, 9]]]}, indent=1)
    )
    after = file_hashes(read(root))[0]
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)
    assert after[1] == sha256_of_picture(container / "two")


def test_equal_strokes_in_train_and_test_are_a_leak(tmp_path: Path) -> None:
    rows = ("one a.jpg train", "two b.jpg train", "three c.jpg test", "four d.jpg test")
    root = written(tmp_path, *rows)
    strokes = {
        "one": [[[0, 0], [1, 1]]],
        "two": [[[3, 0]]],
        "three": [[[0, 0], [1, 1]]],
        "four": [[[5, 5]]],
    }
    (root / "strokes.json").write_text(json.dumps(strokes))
    leaks = find_leaks(read(root))
    found = {(o.part, o.other): len(o.identical) for o in leaks.overlaps}
    assert found == {
        ("query", "train_sketches"): 1,
        ("gallery", "train"): 0,
        ("gallery", "gallery"): 0,
    }
    assert "1 identical twins of the 2 query sketches in train_sketches" in str(leaks)
    assert not any(path.parent.name == "strokes.json" for path in leaks.unreadable)


def test_photos_are_set_aside_with_all_their_sketches(tmp_path: Path) -> None:
    rows = [f"{photo}{n}.png {photo}.jpg train" for photo in "abcdefghij" for n in range(3)]
    root = written(tmp_path / "chairs", *rows)
    found = read(root, holdout=0.3, seed=1)
    assert found.name == "chairs (30% held out, seed 1)"
    assert (len(found.gallery), len(found.query)) == (3, 9)
    assert (len(found.train), len(found.train_sketches)) == (7, 21)
    assert set(found.query.targets.tolist()) == set(found.gallery.targets.tolist())
    assert not set(found.gallery.targets.tolist()) & set(found.train_sketches.targets.tolist())
    assert read(root, holdout=0.3, seed=1).gallery.paths == found.gallery.paths
    others = {read(root, holdout=0.3, seed=seed).gallery.paths for seed in range(5)}
    assert len(others) > 1
    with pytest.raises(
        BadInputError, match=r"must have a split 'test'; got train\. .*holdout=0\.2"
    ):
        read(root)
    for share, sentence in (
        (0.0, r"holdout must be in \(0, 1\); got 0\.0"),
        (0.01, r"leave a photo on both sides; got 0\.01 of 10 photos"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            read(root, holdout=share)
    with pytest.raises(
        BadInputError, match="query_split must be left out with holdout; got 'train'"
    ):
        read(root, holdout=0.3, query_split="train")


def test_distractors_are_wrong_answers(tmp_path: Path) -> None:
    root = written(tmp_path / "shoes", *SHOES)
    for name in ("x.jpg", "deep/y.PNG", "notes.txt", ".hidden.jpg"):
        (tmp_path / "more" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "more" / name).write_bytes(b"photo")
    found = benchmarks.read("pairs", root, {"distractors": str(tmp_path / "more")})
    assert found.name == "shoes + 2 distractors"
    assert [path.name for path in found.gallery.paths] == ["d.jpg", "c.jpg", "y.PNG", "x.jpg"]
    extra = found.gallery.targets[2:].tolist()
    assert len(set(extra)) == 2
    asked = {*found.query.targets.tolist(), *found.train.targets.tolist()}
    assert not set(extra) & asked
    with pytest.raises(
        BadInputError, match=r"distractors must be other photos than those of .*; got 4"
    ):
        read(root, distractors=str(root))
    with pytest.raises(
        BadInputError, match="distractors must be a folder of photos; got 'nowhere'"
    ):
        read(root, distractors="nowhere")


def test_labels_and_more_columns_are_groups(tmp_path: Path) -> None:
    rows = (
        "1.png a.jpg train boot red",
        "2.png b.jpg test sandal red",
        "3.png c.jpg test boot blue",
    )
    root = written(tmp_path, *rows, columns="sketch photo split label colour")
    found = read(root)
    assert {name: values.tolist() for name, values in found.query.groups.items()} == {
        "label": [1, 0]
    }
    assert found.train.groups["label"].tolist() == [0]
    found = read(root, groups="colour, label")
    assert found.gallery.groups["colour"].tolist() == [1, 0]
    with pytest.raises(BadInputError, match="must have a column 'heel'"):
        read(root, groups="heel")
    clash = ("1.png a.jpg test boot", "2.png a.jpg test clog")
    root = written(tmp_path / "two", *clash, columns="sketch photo split label")
    with pytest.raises(
        BadInputError, match=r"row 3, column label must be the same for all sketches"
    ):
        read(root)


def test_a_photo_in_train_is_not_searched(tmp_path: Path) -> None:
    root = written(tmp_path, "1.png a.jpg train", "2.png a.jpg test")
    with pytest.raises(BadInputError, match=r"train must share no file .* such as .*a\.jpg"):
        read(root)


def test_a_sketch_is_listed_once(tmp_path: Path) -> None:
    root = written(tmp_path, "1.png a.jpg train", "1.png b.jpg test")
    with pytest.raises(
        BadInputError, match=r"row 3, column sketch must be listed once; got '1.png'"
    ):
        read(root)


@pytest.mark.parametrize("column", ["sketch", "photo"])
def test_paths_stay_inside(tmp_path: Path, column: str) -> None:
    cells = {"sketch": "1.png", "photo": "a.jpg", column: "../out"}
    root = written(tmp_path / "in", f"{cells['sketch']} {cells['photo']} test")
    with pytest.raises(BadInputError, match=f"row 2, column {column} must be a relative path"):
        read(root)


def part(modality: Modality, *names: str, targets: list[int]) -> Split:
    return Split(tuple(map(Path, names)), np.array(targets, np.int64), modality)


def paired(train: Split, sketches: Split) -> Benchmark:
    query = part(Modality.SKETCH, "q.png", targets=[7])
    gallery = part(Modality.PHOTO, "g.jpg", targets=[7])
    return Benchmark("planted", query, gallery, train, Relevance.INSTANCE, train_sketches=sketches)


@pytest.mark.parametrize(
    ("photos", "sketches", "sentence"),
    [
        (
            part(Modality.PHOTO, "a.jpg", targets=[1]),
            part(Modality.SKETCH, "q.png", targets=[1]),
            r"train must share no file with query or gallery; got 1 shared, such as q\.png",
        ),
        (
            part(Modality.PHOTO, "a.jpg", targets=[1]),
            part(Modality.SKETCH, "g.jpg", targets=[1]),
            r"train must share no file with query or gallery; got 1 shared, such as g\.jpg",
        ),
        (
            part(Modality.PHOTO, "a.jpg", targets=[1]),
            part(Modality.SKETCH, "a.jpg", targets=[1]),
            r"train must share no file with train_sketches; got 1 shared, such as a\.jpg",
        ),
        (
            part(Modality.PHOTO, "a.jpg", targets=[1]),
            part(Modality.SKETCH, "1.png", "2.png", targets=[1, 2]),
            r"train_sketches must show what photos of train show; got 1 .* such as 2\.png",
        ),
        (
            part(Modality.PHOTO, "a.jpg", targets=[1]),
            part(Modality.PHOTO, "1.png", targets=[1]),
            "train must be photos and train_sketches sketches; got photo and photo",
        ),
    ],
)
def test_training_pairs_are_pairs_and_stay_out_of_the_test(
    photos: Split, sketches: Split, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        paired(photos, sketches)


def test_several_sketches_of_one_photo_are_training_pairs() -> None:
    photos = part(Modality.PHOTO, "a.jpg", "alone.jpg", targets=[1, 2])
    sketches = part(Modality.SKETCH, "1.png", "2.png", targets=[1, 1])
    assert len(paired(photos, sketches).train_sketches) == 2


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "options", "counts"),
    [
        ("qmul-shoe", {}, (304, 304, 115, 115)),
        ("qmul-chair", {}, (200, 200, 97, 97)),
        ("chairv2-train", {"holdout": 0.2}, (240, 763, 189, 60)),
    ],
)
def test_real_pairs(
    data_folder: Path,
    name: str,
    options: dict[str, float],
    counts: tuple[int, int, int, int],
) -> None:
    found = benchmarks.read("pairs", data_folder / name, options)
    parts = (found.train, found.train_sketches, found.query, found.gallery)
    assert tuple(map(len, parts)) == counts
    assert found.notes == ()
    assert all(len(sha256_of_picture(path)) == 64 for path in found.train_sketches.paths)
    assert {len(digest) for digest in file_hashes(found)[0]} == {64}


@pytest.mark.data
def test_real_distractors(data_folder: Path) -> None:
    more = str(data_folder / "shoev2-photos")
    found = read(data_folder / "qmul-shoe", distractors=more)
    assert (len(found.gallery), len(found.query)) == (2115, 115)
    assert found.gallery.num_classes == 2115
