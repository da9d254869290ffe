"""MATLAB files: what scipy writes is read, and damage is an error and never an end."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from retrieval.benchmarks._mat import mat_values
from retrieval.errors import BadInputError


def annotations(texts: list[str], numbers: list[int]) -> np.ndarray:
    rows = np.zeros(len(texts), dtype=[("fname", object), ("class", object), ("box", object)])
    for index, pair in enumerate(zip(texts, numbers, strict=True)):
        rows[index] = (*pair, np.array([1.5, 2.5]))
    return rows


letters = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(letters, st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=5),
    packed=st.booleans(),
)
def test_what_scipy_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], packed: bool
) -> None:
    file = tmp_path_factory.mktemp("mat") / "a.mat"
    texts, numbers = map(list, zip(*rows, strict=True))
    savemat(
        file,
        {
            "annotations": annotations(texts, numbers),
            "class_names": np.array(texts, dtype=object),
            "labels": np.array([numbers]),
        },
        do_compression=packed,
    )
    assert mat_values(
        file, "annotations.fname", "annotations.class", "class_names", "labels", "annotations.box"
    ) == [texts, numbers, texts, numbers, [""] * len(rows)]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_kind_of_number(tmp_path: Path, dtype: str) -> None:
    values = np.array([[1, 2, 102]], dtype=dtype)
    savemat(tmp_path / "a.mat", {"labels": values})
    assert mat_values(tmp_path / "a.mat", "labels") == [[1, 2, 102]]
    theirs = loadmat(tmp_path / "a.mat")["labels"]
    np.testing.assert_array_equal(theirs, values)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("names", "must hold 'names'; got labels, annotations"),
        ("annotations", "must hold 'annotations'"),
        ("annotations.face", r"must hold 'annotations\.face'"),
        ("labels.face", r"must hold 'labels\.face'"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, sentence: str) -> None:
    savemat(tmp_path / "a.mat", {"labels": np.arange(5), "annotations": annotations(["a"], [1])})
    if name == "annotations":
        savemat(tmp_path / "a.mat", {"labels": np.arange(5)})
    with pytest.raises(BadInputError, match=sentence):
        mat_values(tmp_path / "a.mat", name)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a mat file",
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n",
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0f\0\0\0\x10\0\0\0" + b"x" * 16,
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0e\0\0\0\xff\xff\xff\xff",
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0e\0\0",
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(BadInputError, match=r"a\.mat must be a MATLAB file of version 5 to 7; got"):
        mat_values(tmp_path / "a.mat", "labels")


def test_boxes_in_boxes_end(tmp_path: Path) -> None:
    box: object = "kernel"
    for _ in range(12):
        nested = np.empty((1, 1), dtype=object)
        nested[0, 0] = box
        box = nested
    savemat(tmp_path / "a.mat", {"labels": box})
    with pytest.raises(BadInputError, match="a part of another kind than expected"):
        mat_values(tmp_path / "a.mat", "labels")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat(tmp_path / "a.mat", {"labels": np.zeros(100_000)}, do_compression=True)
    monkeypatch.setattr("retrieval.benchmarks._mat.MAX_BYTES", 10_000)
    with pytest.raises(BadInputError, match="cut short or too large"):
        mat_values(tmp_path / "a.mat", "labels")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "packed"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("good") / "a.mat"
    content = {"annotations": annotations(["a.jpg", "b.jpg"], [1, 300]), "labels": np.arange(9)}
    savemat(file, content, do_compression=request.param)
    return file.read_bytes()


def test_a_file_cut_short_is_never_read_in_part(good: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    for length in range(0, len(good) - 8, 7):
        file.write_bytes(good[:length])
        with pytest.raises(BadInputError):
            mat_values(file, "annotations.class", "labels")


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), min_size=1, max_size=4)
)
def test_wrong_bits_are_an_error_or_a_value(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(good)
    for place, bit in changes:
        data[place % len(data)] ^= 1 << bit
    file = tmp_path_factory.mktemp("bad") / "a.mat"
    file.write_bytes(data)
    try:
        values = mat_values(file, "annotations.class", "labels")
    except BadInputError:
        return
    assert all(isinstance(value, int | str) for vector in values for value in vector)
