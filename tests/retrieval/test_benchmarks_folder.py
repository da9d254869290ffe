"""One folder a class."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import benchmarks
from retrieval.benchmarks.folder import _tested, read
from retrieval.errors import BadInputError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"photo")
    return root


def test_every_photo_queries_all_others(tmp_path: Path) -> None:
    root = touch(tmp_path / "birds", "wren/2.jpg", "wren/1.JPG", "finch/a.png", "finch/deep/b.webp")
    benchmark = read(root)
    assert benchmark.name == "birds"
    assert benchmark.same_images
    assert [path.relative_to(root).as_posix() for path in benchmark.query.paths] == [
        "finch/a.png",
        "finch/deep/b.webp",
        "wren/1.JPG",
        "wren/2.jpg",
    ]
    assert benchmark.query.targets.tolist() == [0, 0, 1, 1]
    assert [benchmark.query.name(index) for index in range(4)] == ["finch", "finch", "wren", "wren"]
    assert len(benchmark.train) == 0
    assert benchmark.notes == ()


def test_the_order_is_that_of_the_names_and_not_of_the_disk(tmp_path: Path) -> None:
    folders = [f"a/{name}" for name in "mzbkqcx"]
    benchmark = read(touch(tmp_path, *(f"{folder}/{n}.jpg" for folder in folders for n in "21")))
    paths = [path.relative_to(tmp_path).as_posix() for path in benchmark.query.paths]
    assert paths == [f"{folder}/{n}.jpg" for folder in sorted(folders) for n in "12"]


def test_unseen_classes_are_the_last_in_order(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{label}/{n}.jpg" for label in "dacb" for n in range(2)))
    benchmark = read(root, test_share=0.5)
    assert sorted(set(benchmark.train.names.values())) == ["a", "b"]
    assert sorted(set(benchmark.query.names.values())) == ["c", "d"]
    assert benchmark.class_disjoint
    assert benchmark.same_images


@given(
    count=st.integers(2, 40),
    share=st.floats(0.05, 0.95),
    seed=st.one_of(st.none(), st.integers(0, 5)),
)
def test_the_choice_of_classes(count: int, share: float, seed: int | None) -> None:
    labels = [f"{number:02d}" for number in range(count)]
    if round(count * share) in (0, count):
        with pytest.raises(BadInputError, match="test_share must leave a class on both sides"):
            _tested(labels, share, seed)
        return
    chosen = _tested(labels, share, seed)
    assert len(chosen) == round(count * share)
    assert chosen == _tested(labels, share, seed)
    if seed is None:
        assert chosen == set(labels[-len(chosen) :])


def test_a_seed_chooses_other_classes() -> None:
    labels = [f"{number:02d}" for number in range(30)]
    choices = {frozenset(_tested(labels, 0.5, seed)) for seed in range(5)}
    assert len(choices) == 5


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_is_a_share(tmp_path: Path, share: float) -> None:
    with pytest.raises(BadInputError, match=r"test_share must be in \(0, 1\]"):
        read(touch(tmp_path, "a/1.jpg", "b/1.jpg"), test_share=share)


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "photos",
        *("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"),
        *("a/readme.txt", "b/labels.csv", "loose.jpg"),
        *("a/.hidden.jpg", ".git/1.jpg", "__MACOSX/1.jpg"),
    )
    touch(tmp_path / "outside", "secret.jpg")
    (root / "a" / "far.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (root / "a" / "near.jpg").symlink_to(root / "a" / "1.jpg")
    (root / "c").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "b" / "loop").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "a" / "pipe.jpg")
    benchmark = read(root)
    assert [path.name for path in benchmark.query.paths] == [
        *("1.jpg", "2.jpg", "near.jpg"),
        *("1.jpg", "2.jpg"),
    ]
    assert [note.partition(", such as")[0] for note in benchmark.notes] == [
        "2 files that are no pictures by their name were left out",
        "1 pictures outside every class folder were left out",
        "3 links to folders or to the outside were left out",
        "1 files or folders cannot be read and were left out",
    ]


def test_photos_without_permission_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = touch(tmp_path, "a/1.jpg", "a/2.jpg", "a/3.jpg")
    monkeypatch.setattr("os.access", lambda path, mode: path.name != "2.jpg")
    benchmark = read(root)
    assert [path.name for path in benchmark.query.paths] == ["1.jpg", "3.jpg"]
    assert benchmark.notes == (
        f"1 files or folders cannot be read and were left out, such as {root / 'a' / '2.jpg'}.",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_noted(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg")
    (root / "a" / "2.jpg").chmod(0)
    (root / "c").chmod(0)
    try:
        benchmark = read(root)
    finally:
        (root / "c").chmod(0o755)
    assert len(benchmark.query) == 2
    assert "2 files or folders cannot be read" in benchmark.notes[0]


def test_names_that_are_not_text_survive(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/a/\xff\xfe.jpg"
    (tmp_path / "a").mkdir()
    try:
        Path(os.fsdecode(raw)).write_bytes(b"photo")
    except OSError:
        pytest.skip("this file system holds only names that are text")
    touch(tmp_path, "a/1.jpg")
    assert [os.fsencode(path) for path in read(tmp_path).query.paths][1] == raw


def test_singletons_and_clashes_of_case_are_noted(tmp_path: Path) -> None:
    root = touch(tmp_path, "Wren/1.jpg", "wren/1.jpg", "wren/2.jpg", "owl/1.jpg")
    if len(list(root.iterdir())) < 3:
        pytest.skip("this file system does not tell cases apart")
    assert read(root).notes == (
        "1 labels are spelt in several cases, such as 'Wren' and 'wren': kept apart.",
        "2 of 4 queries have no photo of their class to find, such as class 'Wren': "
        "they cannot be answered.",
    )


def test_no_pictures_are_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a/readme.txt", "1.jpg")
    with pytest.raises(BadInputError, match="must hold one folder a class with pictures in it"):
        read(tmp_path)


@pytest.mark.data
def test_real_birds(data_folder: Path) -> None:
    benchmark = benchmarks.read("folder", data_folder / "birds" / "train", {"test_share": 0.5})
    assert (benchmark.train.num_classes, benchmark.query.num_classes) == (50, 50)
    assert len(benchmark.train) + len(benchmark.query) == 5_902
    assert benchmark.notes == ()
