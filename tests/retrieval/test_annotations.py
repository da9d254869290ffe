"""Boxes, parts and attributes of CUB-200-2011, on a miniature in its published layout."""

import math
from pathlib import Path

import numpy as np
import pytest

from retrieval.annotations import Annotations
from retrieval.benchmarks import cub200
from retrieval.errors import BadInputError

PARTS = ("back", "beak", "left eye")


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two photos whose ids are not their rows, lists in another order than the photos."""
    folder = tmp_path / "CUB_200_2011"
    write(folder, "images.txt", "7 001.Gull/a.jpg", "3 002.Tern/b.jpg")
    write(folder, "bounding_boxes.txt", "3 10.0 20.0 30.0 40.0", "7 1.5 2.0 100.0 50.0")
    write(folder, "parts/parts.txt", *(f"{n} {name}" for n, name in enumerate(PARTS, 1)))
    write(
        folder,
        "parts/part_locs.txt",
        *("7 1 5.0 6.0 1", "7 2 0.0 0.0 0", "7 3 9.5 4.0 1"),
        *("3 1 11.0 21.0 1", "3 2 12.0 40.0 1", "3 3 0.0 0.0 0"),
    )
    write(folder, "attributes/attributes.txt", "1 has_bill::long", "2 has_wing::red")
    write(
        folder,
        "attributes/image_attribute_labels.txt",
        *("3 1 0 3 27.7080", "3 2 1 4 4.0", "7 1 1 1 12.0"),
    )
    return tmp_path


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "CUB_200_2011" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_boxes_and_keypoints(root: Path) -> None:
    found = cub200.read_annotations(root)
    assert [path.name for path in found.paths] == ["a.jpg", "b.jpg"]
    assert found.boxes.tolist() == [[1.5, 2, 101.5, 52], [10, 20, 40, 60]]
    assert found.parts == PARTS
    assert found.keypoints.tolist() == [
        [[5, 6, 1], [0, 0, 0], [9.5, 4, 1]],
        [[11, 21, 1], [12, 40, 1], [0, 0, 0]],
    ]


def test_attributes(root: Path) -> None:
    found = cub200.read_attributes(root)
    assert found.names == ("has_bill::long", "has_wing::red")
    assert found.present.tolist() == [[True, False], [False, True]]
    assert found.certainty.tolist() == [[1, 0], [3, 4]]


@pytest.mark.parametrize("odd", ["7 1 1 1 0 12.0", "7 1 1 1 0 12.0 3"])
def test_a_number_too_many_before_the_time_is_passed_over(root: Path, odd: str) -> None:
    edit(root, "attributes/image_attribute_labels.txt", "7 1 1 1 12.0", odd)
    found = cub200.read_attributes(root)
    assert (found.present[0, 0], found.certainty[0, 0]) == (True, 1)


def test_names_of_attributes_may_lie_beside_the_folder(root: Path) -> None:
    (root / "CUB_200_2011/attributes/attributes.txt").rename(root / "attributes.txt")
    assert len(cub200.read_attributes(root).names) == 2


def test_those_of_a_split_in_its_order(root: Path) -> None:
    found, said = cub200.read_annotations(root), cub200.read_attributes(root)
    turned = found.of(found.paths[::-1])
    assert turned.paths == found.paths[::-1]
    assert turned.boxes.tolist() == found.boxes[::-1].tolist()
    assert turned.keypoints.tolist() == found.keypoints[::-1].tolist()
    assert said.of(said.paths[1:]).certainty.tolist() == [[3, 4]]
    with pytest.raises(BadInputError, match=r"must be an annotated one; got 1 others, .*c\.jpg"):
        found.of([Path("c.jpg")])


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("bounding_boxes.txt", "30.0", "wide", "bounding_boxes.txt row 1 must hold numbers; got"),
        ("bounding_boxes.txt", "30.0", "nan", "bounding_boxes.txt row 1 must hold numbers; got"),
        ("bounding_boxes.txt", "100.0", "0", "row 2 must have width and height; got 0, 50"),
        ("bounding_boxes.txt", "7 1.5", "9 1.5", "row 2 must name something .*; got '9'"),
        ("bounding_boxes.txt", "7 1.5", "3 1.5", "row 2 must say something new"),
        ("bounding_boxes.txt", "7 1.5 2.0 100.0 50.0", "", "got 1 photos without, .*a.jpg"),
        ("bounding_boxes.txt", " 40.0", "", "row 1 must be <image_id> .*; got '3 10.0"),
        (
            "parts/part_locs.txt",
            "9.5 4.0 1",
            "9.5 4.0 2",
            "row 3 must have visible of 0 or 1; got 2",
        ),
        ("parts/part_locs.txt", "7 3", "7 4", "part_locs.txt row 3 must name something"),
        ("parts/part_locs.txt", "7 3", "7 1", "part_locs.txt row 3 must say something new"),
        ("parts/part_locs.txt", "3 3 0.0 0.0 0", "", "got 1 photos without, .*b.jpg"),
    ],
)
def test_what_is_wrong_is_named(root: Path, name: str, old: str, new: str, sentence: str) -> None:
    edit(root, name, old, new)
    with pytest.raises(BadInputError, match=sentence):
        cub200.read_annotations(root)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("3 2 1 4", "3 2 2 4", "labels.txt row 2 must have is_present of 0 or 1; got '3 2 2 4'"),
        ("3 2 1 4", "3 2 1 5", "row 2 must have certainty_id of 1 to 4; got '3 2 1 5'"),
        ("3 2 1 4", "4 2 1 4", "row 2 must have the image_id of a photo; got '4 2 1 4'"),
        ("3 2 1 4", "3 9 1 4", "row 2 must have the attribute_id of an attribute"),
        ("3 2 1 4", "3 1 1 4", "row 2 must say something new"),
        ("3 2 1 4", "3 x 1 4", "labels.txt must be rows of <image_id> .*'x'.* row 1, column 2"),
        ("3 2 1 4 4.0", "3 2 1", "labels.txt must be rows of <image_id> .* row 2"),
    ],
)
def test_what_is_wrong_with_attributes_is_named(
    root: Path, old: str, new: str, sentence: str
) -> None:
    edit(root, "attributes/image_attribute_labels.txt", old, new)
    with pytest.raises(BadInputError, match=sentence):
        cub200.read_attributes(root)


def test_empty_lists_are_named(root: Path) -> None:
    write(root / "CUB_200_2011", "attributes/attributes.txt", "")
    with pytest.raises(BadInputError, match="row 1 must have the attribute_id of an attribute"):
        cub200.read_attributes(root)
    write(root / "CUB_200_2011", "attributes/image_attribute_labels.txt", "")
    with pytest.raises(BadInputError, match=r"labels\.txt must be rows of .*no data"):
        cub200.read_attributes(root)


def test_ids_are_whole_numbers(root: Path) -> None:
    edit(root, "images.txt", "7 001", "x 001")
    with pytest.raises(BadInputError, match="every id must hold a whole number; got 'x'"):
        cub200.read_attributes(root)


def test_a_missing_list_is_named(root: Path) -> None:
    (root / "CUB_200_2011/parts/part_locs.txt").unlink()
    with pytest.raises(BadInputError, match=r"must hold parts/part_locs\.txt; got .*Unpack"):
        cub200.read_annotations(root)


def test_part_boxes_are_the_smallest_around_what_is_seen() -> None:
    drawn = np.random.default_rng(0)
    keypoints = drawn.normal(size=(9, 3, 3))
    keypoints[:, :, 2] = drawn.integers(0, 2, (9, 3))
    keypoints[0, :, 2], keypoints[1, :, 2] = 0, 1
    paths = tuple(Path(f"{n}.jpg") for n in range(9))
    found = Annotations(paths, np.zeros((9, 4)), PARTS, keypoints).part_boxes(PARTS[1:])
    for box, photo in zip(found.tolist(), keypoints.tolist(), strict=True):
        xs = [x for x, _, seen in photo[1:] if seen]
        ys = [y for _, y, seen in photo[1:] if seen]
        want = [min(xs), min(ys), max(xs), max(ys)] if xs else [math.nan] * 4
        np.testing.assert_array_equal(box, want)
    assert np.isnan(found[0]).all()
    assert not np.isnan(found[1]).any()


def test_boxes_of_parts_that_are_not_there(root: Path) -> None:
    found = cub200.read_annotations(root)
    with pytest.raises(BadInputError, match="some of the parts back, beak, left eye; got 'wheel'"):
        found.part_boxes(["beak", "wheel"])
    with pytest.raises(BadInputError, match="got 'none'"):
        found.part_boxes([])


def test_head_and_torso_share_no_part_and_leave_none_out() -> None:
    assert len(cub200.HEAD) + len(cub200.TORSO) == 15 == len({*cub200.HEAD, *cub200.TORSO})
