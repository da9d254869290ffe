"""A list of photos is data from outside: nothing it says opens a file outside its folder."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import BadInputError
from retrieval.photo_root import PhotoRoot

HOSTILE = [
    "../secret.jpg",
    "a/../../secret.jpg",
    "a/b/../../../secret.jpg",
    "..",
    "a/..",
    "..\\secret.jpg",
    "a\\..\\..\\secret.jpg",
    "/etc/passwd",
    "//server/share/a.jpg",
    "/",
    "~/secret.jpg",
    "~root/a.jpg",
    "C:\\a.jpg",
    "c:/a.jpg",
    "C:a.jpg",
    "\\\\server\\share\\a.jpg",
    "\\a.jpg",
    "file:///etc/passwd",
    "file://a.jpg",
    "http://host/a.jpg",
    "a.jpg\0.png",
    "a\n.jpg",
    "a\r.jpg",
    "a\x1b[2J.jpg",
    "\x7f.jpg",
    "",
    "   ",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "photos"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "1.jpg").write_bytes(b"one")
    return folder


_opened: list[str] | None = None


def _hook(event: str, args: tuple[object, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and _opened is not None:
        _opened.append(str(args[0]))


sys.addaudithook(_hook)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Every file or folder that is opened while a test runs."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


@pytest.mark.parametrize("text", HOSTILE)
def test_refused_by_name_and_nothing_is_opened(root: Path, opened: list[str], text: str) -> None:
    photos = PhotoRoot(root)
    with pytest.raises(BadInputError, match=r"^images\.csv row 7, column path must be a relative"):
        photos.locate(text, "images.csv row 7, column path")
    assert not opened


@pytest.mark.parametrize(
    "name",
    [
        "plain.jpg",
        "with space.jpg",
        " leading and trailing ",
        "-rf.jpg",
        "'quoted' \"twice\".jpg",
        "%00.jpg",
        "..hidden.jpg",
        "a..b.jpg",
        "caf\u00e9.jpg",
        "cafe\u0301.jpg",
        "\U0001f426.jpg",
        "\u202egpj.exe",
        "<script>.jpg",
        "n" * 251 + ".jpg",
        "back\\slash.jpg",
        "a:b.jpg",
    ],
)
def test_any_other_name_is_a_name(root: Path, name: str) -> None:
    (root / "a" / name).write_bytes(b"photo")
    path, there = PhotoRoot(root).locate(f"a/{name}", "here")
    assert there
    assert path == root / "a" / name
    assert path.name == name  # neither normalised nor trimmed


def test_composed_and_decomposed_names_are_two_photos(root: Path) -> None:
    photos = PhotoRoot(root)
    for name in ("caf\u00e9.jpg", "cafe\u0301.jpg"):
        (root / name).write_bytes(b"photo")
    assert photos.locate("caf\u00e9.jpg", "")[0] != photos.locate("cafe\u0301.jpg", "")[0]


def test_one_path_in_two_spellings_is_one_photo(root: Path) -> None:
    photos = PhotoRoot(root)
    assert photos.locate("./a//1.jpg", "") == photos.locate("a/1.jpg", "")


@pytest.mark.parametrize("text", ["a/2.jpg", "none/1.jpg", "a/1.jpg/x.jpg", "n" * 300 + ".jpg"])
def test_what_is_not_there_is_told(root: Path, text: str) -> None:
    path, there = PhotoRoot(root).locate(text, "")
    assert not there
    assert path == root / text


def test_links_are_followed_inside_only(root: Path) -> None:
    photos = PhotoRoot(root)
    (root / "near.jpg").symlink_to(root / "a" / "1.jpg")
    (root / "near").symlink_to(root / "a", target_is_directory=True)
    (root / "far.jpg").symlink_to(root.parent / "secret.jpg")
    (root / "far").symlink_to(root.parent, target_is_directory=True)
    (root / "zero.jpg").symlink_to("/dev/zero")
    assert photos.locate("near.jpg", "") == (root / "near.jpg", True)
    assert photos.locate("near/1.jpg", "") == (root / "near" / "1.jpg", True)
    for text in ("far.jpg", "far/secret.jpg", "far/none.jpg", "zero.jpg"):
        with pytest.raises(BadInputError, match="is a link to the outside"):
            photos.locate(text, "row 1")


def test_loops_end(root: Path) -> None:
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "a" / "again").symlink_to(root / "a", target_is_directory=True)
    photos = PhotoRoot(root)
    assert not photos.locate("loop.jpg", "")[1]
    assert photos.locate("a/again/again/1.jpg", "")[1]


def test_a_root_that_is_a_link_holds_its_photos(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root, target_is_directory=True)
    assert PhotoRoot(link).locate("a/1.jpg", "") == (link / "a" / "1.jpg", True)


def test_only_regular_files_are_photos(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe.jpg")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("socket.jpg")
        for text in ("pipe.jpg", "socket.jpg", "a"):
            with pytest.raises(BadInputError, match="is not a regular file"):
                PhotoRoot(root).locate(text, "row 1")
