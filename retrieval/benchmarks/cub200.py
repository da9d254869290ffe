"""CUB-200-2011: 11,788 photos of 200 bird species.

The retrieval split: species 1 to 100 for learning (5,864 photos), species 101 to 200 for the test
(5,924), where every photo queries all others.

Not to be mixed up with the classification split (5,994 / 5,794 photos of all species,
``train_test_split.txt``, not read here) and with CUB-200 of 2010, which has other photos.

Source: https://www.vision.caltech.edu/datasets/cub_200_2011/ (CUB_200_2011.tgz)
Licence: none stated; photos from Flickr whose photographers keep their rights. Research use.

References:
    Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, 2011.
    Split: Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
"""

import math
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotations import Annotations, Attributes
from ..data import Benchmark
from ..errors import BadInputError
from ._published import Layout, Source, halves, whole

SOURCE = Source(
    name="CUB-200-2011",
    page="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    get="CUB_200_2011.tgz",
    terms="no licence stated, research use",
)
EXPECTED = {"train": (5_864, 100), "test": (5_924, 100)}
LAST_TRAIN = 100

HEAD = ("beak", "crown", "forehead", "left eye", "nape", "right eye", "throat")
"""Parts that make the head."""

TORSO = ("back", "belly", "breast", "left leg", "left wing", "right leg", "right wing", "tail")
"""The others. Mask-CNN masks head and torso; which part belongs to which is ours."""


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archive.

    Args:
        root: ``CUB_200_2011`` or the folder that holds it.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = _layout(root)
    classes = {
        image: whole(where, target)
        for where, (image, target) in layout.rows(
            layout.file("image_class_labels.txt"), "image_id", "class_id"
        )
    }
    names = {
        whole(where, target): name
        for where, (target, name) in layout.rows(layout.file("classes.txt"), "class_id", "name")
    }
    photos = [
        layout.photo(where, f"images/{name}", layout.known(where, classes, image))
        for where, (image, name) in layout.rows(layout.file("images.txt"), "image_id", "image_name")
    ]
    return layout.benchmark(
        halves(photos, LAST_TRAIN, names),
        EXPECTED,
        counts,
        notes=["Some photos are in ImageNet too: a backbone trained on ImageNet has seen them."],
    )


def read_annotations(root: Path) -> Annotations:
    """Read the boxes of the birds and the places of their 15 parts, of all photos.

    Args:
        root: As for :func:`read`.

    Raises:
        BadInputError: A list is missing or malformed, or says nothing of a photo or says it twice.
    """
    layout = _layout(root)
    rows, paths = _photos(layout)
    boxes = np.full((len(rows), 4), np.nan)
    for where, (image, *values) in layout.rows(
        layout.file("bounding_boxes.txt"), "image_id", "x", "y", "width", "height"
    ):
        row = layout.known(where, rows, image)
        left, top, width, height = (_decimal(where, value) for value in values)
        if not (width > 0 and height > 0):
            raise BadInputError(f"{where} must have width and height; got {width:g}, {height:g}.")
        _only_one(where, np.isnan(boxes[row, 0]))
        boxes[row] = left, top, left + width, top + height
    parts = {
        part: (number, name)
        for number, (_, (part, name)) in enumerate(
            layout.rows(layout.file("parts/parts.txt"), "part_id", "part_name")
        )
    }
    numbers = {part: number for part, (number, _) in parts.items()}
    keypoints = np.full((len(rows), len(parts), 3), np.nan)
    for where, (image, part, *values) in layout.rows(
        layout.file("parts/part_locs.txt"), "image_id", "part_id", "x", "y", "visible"
    ):
        place = layout.known(where, rows, image), layout.known(where, numbers, part)
        _only_one(where, np.isnan(keypoints[place][0]))
        x, y, visible = (_decimal(where, value) for value in values)
        if visible not in (0, 1):
            raise BadInputError(f"{where} must have visible of 0 or 1; got {visible:g}.")
        keypoints[place] = x, y, visible
    _all_there("bounding_boxes.txt", ~np.isnan(boxes[:, 0]), paths)
    _all_there("parts/part_locs.txt", ~np.isnan(keypoints[:, :, 0]).any(axis=1), paths)
    return Annotations(paths, boxes, tuple(name for _, name in parts.values()), keypoints)


def read_attributes(root: Path) -> Attributes:
    """Read what people said of 312 attributes of each photo: 3.7 million lines, some seconds.

    Certainty is 1 not visible, 2 guessing, 3 probably, 4 definitely. Some lines of the published
    list, of photos 2275 and 9364, have a number too many before the time; the time is not read.
    ``attributes.txt`` lies beside the unpacked folder in some archives, and is found there too.

    Args:
        root: As for :func:`read`.

    Raises:
        BadInputError: A list is missing or malformed, or says something twice.
    """
    layout = _layout(root)
    rows, paths = _photos(layout)
    file = layout.file("attributes/attributes.txt", "attributes.txt", "../attributes.txt")
    names = dict(values for _, values in layout.rows(file, "attribute_id", "attribute_name"))
    table = _label_table(layout.file("attributes/image_attribute_labels.txt"))  # (n, 4)
    photo, attribute = _positions(rows, table[:, 0]), _positions(names, table[:, 1])
    place = photo * len(names) + attribute
    first = np.zeros(len(table), dtype=np.bool_)
    first[np.unique(place, return_index=True)[1]] = True
    for right, wanted in (
        (photo >= 0, "have the image_id of a photo"),
        (attribute >= 0, "have the attribute_id of an attribute"),
        (np.isin(table[:, 2], (0, 1)), "have is_present of 0 or 1"),
        (np.isin(table[:, 3], (1, 2, 3, 4)), "have certainty_id of 1 to 4"),
        (first, "say something new"),
    ):
        if not right.all():
            row = int(np.argmin(right))
            raise BadInputError(
                f"{SOURCE.name}: image_attribute_labels.txt row {row + 1} must {wanted}; got "
                f"{' '.join(map(str, table[row]))!r}. Unpack the archive again."
            )
    present = np.zeros((len(paths), len(names)), dtype=np.bool_)
    certainty = np.zeros((len(paths), len(names)), dtype=np.int8)
    present.flat[place], certainty.flat[place] = table[:, 2], table[:, 3]
    return Attributes(paths, tuple(names.values()), present, certainty)


def _label_table(file: Path) -> NDArray[np.int64]:
    """The first four numbers of each line, (n, 4), in as little time as a list so long allows."""
    try:
        with warnings.catch_warnings(action="error"):  # of an empty file
            return np.loadtxt(
                file, dtype=np.int64, comments=None, usecols=range(4), ndmin=2, encoding="utf-8"
            )
    except (OSError, ValueError, UserWarning) as error:
        raise BadInputError(
            f"{SOURCE.name}: {file.name} must be rows of <image_id> <attribute_id> <is_present> "
            f"<certainty_id> <time>; got a file of which numpy says: {error}"
        ) from error


def _positions(ids: Iterable[str], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each number is among the ids, -1 where it is not."""
    known = np.array([whole(f"{SOURCE.name}: every id", one) for one in ids], dtype=np.int64)
    if not len(known):
        return np.full(len(wanted), -1)
    order = np.argsort(known)
    found = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[found] == wanted, found, -1)


def _layout(root: Path) -> Layout:
    return Layout(SOURCE, root, "images.txt", inner="CUB_200_2011")


def _photos(layout: Layout) -> tuple[dict[str, int], tuple[Path, ...]]:
    """The row of each image_id, and the photos."""
    listed = list(layout.rows(layout.file("images.txt"), "image_id", "image_name"))
    rows = {image: row for row, (_, (image, _)) in enumerate(listed)}
    paths = (layout.photo(where, f"images/{name}", 0).path for where, (_, name) in listed)
    return rows, tuple(paths)


def _decimal(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(f"{where} must hold numbers; got {text!r}.")
    return value


def _only_one(where: str, first: np.bool_) -> None:
    if not first:
        raise BadInputError(f"{where} must say something new; got what an earlier row says of it.")


def _all_there(file: str, told: NDArray[np.bool_], paths: tuple[Path, ...]) -> None:
    if not told.all():
        raise BadInputError(
            f"{SOURCE.name}: {file} must have a row for everything in each photo; got "
            f"{np.count_nonzero(~told):,} photos without, such as {paths[int(np.argmin(told))]}. "
            "Unpack the archive again."
        )
