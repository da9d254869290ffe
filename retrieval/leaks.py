"""Photos that occur on both sides of a test: a figure with such leaks is not what it seems.

Published lists keep files apart, not photos: the same photo can be in train and test under two
names, saved again, scaled, cut at the edge or mirrored. Two looks find them:

- identical: the same bytes, or the same decoded pixels (another name, other metadata, PNG for BMP);
- near: perceptual hashes within :data:`NEAR_BITS` of 64 bits *and* thumbnails that correlate by
  :data:`NEAR_LIKENESS` or more, as they are or mirrored. Photos shot one after the other pass too,
  and they should: they answer a query just as easily.

On real photos (3,013 birds and 2,485 groceries queried) no pair of different scenes reached the
likeness, while JPEG of quality 30, scaling, mirroring and cuts of up to 4 % were found in at least
99 of 100 cases, cuts of 6 % in 86 and more. Larger cuts are mostly missed.

Products photographed alone on white are another matter: there the outline is most of what a
thumbnail shows. Of 2,000 photos of one shop's shoes 1,432 have a "near" twin among 419 of another,
and most are other shoes. Look at the pairs, or ask :func:`near_duplicates` for a likeness of 0.95.

Sketches are compared with sketches and photos with photos. Of sketches only identical ones are
looked for: drawings of two objects can be as alike as two drawings of one.

References:
    Zauner: Implementation and Benchmarking of Perceptual Image Hash Functions, 2010 (the DCT hash).
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .data import Benchmark, Modality, Relevance, Split
from .errors import BadInputError, StorageError
from .images import decode
from .sketches import holds_strokes, sha256_of_picture, sha256_of_strokes

NEAR_BITS = 10
"""Most bits in which the hashes of near photos differ."""

NEAR_LIKENESS = 0.8
"""Least correlation of the thumbnails of near photos."""

SIDE = 32
"""Of a thumbnail, in pixels."""

_LOW = 8  # frequencies kept on each axis
_ROWS = 64  # queries compared at once: a block stays below 100 MB against 100,000 photos


@dataclass(frozen=True)
class Twin:
    """One photo of a part, and the photo of another part that shows the same.

    Attributes:
        image: In the part that is asked about.
        twin: In the other part; the likest one.
        likeness: 1 for identical photos, else the correlation of the thumbnails.
    """

    image: Path
    twin: Path
    likeness: float


@dataclass(frozen=True)
class Overlap:
    """What two parts share.

    Attributes:
        part: Whose photos are counted: test, query or gallery.
        other: Where their twins are: train, train_sketches, gallery, or the same part again.
        images: Photos in ``part``.
        identical: One for each photo of ``part`` that is in ``other`` too.
        near: One for each further photo of ``part`` with a near twin in ``other``.
        modality: Of both parts; where it is sketches, read sketch for photo.
    """

    part: str
    other: str
    images: int
    identical: tuple[Twin, ...]
    near: tuple[Twin, ...]
    modality: Modality = Modality.PHOTO

    def __str__(self) -> str:
        where = "among themselves" if self.part == self.other else f"in {self.other}"
        photos = self.modality is Modality.PHOTO
        near, kinds = (f" and {len(self.near):,} near", "photos") if photos else ("", "sketches")
        return (
            f"{len(self.identical):,} identical{near} twins "
            f"of the {self.images:,} {self.part} {kinds} {where}"
        )


@dataclass(frozen=True)
class Leaks:
    """What the parts of a benchmark share.

    Attributes:
        overlaps: For each two parts that must not share a photo.
        shared_classes: Classes (or objects) of the test that occur in train.
        unreadable: Photos that could not be decoded; only their bytes were compared.
    """

    overlaps: tuple[Overlap, ...]
    shared_classes: int
    unreadable: tuple[Path, ...]

    def __str__(self) -> str:
        parts = [str(overlap) for overlap in self.overlaps]
        return "; ".join([*parts, f"{self.shared_classes:,} classes of the test in train"])

    def as_dict(self) -> dict[str, Any]:
        """Counts as JSON has them."""
        return {
            "overlaps": [
                {
                    "part": overlap.part,
                    "other": overlap.other,
                    "images": overlap.images,
                    "identical": len(overlap.identical),
                    "near": len(overlap.near),
                }
                for overlap in self.overlaps
            ],
            "shared_classes": self.shared_classes,
            "unreadable": len(self.unreadable),
        }


def find_leaks(benchmark: Benchmark, *, on_progress: Callable[[int], None] | None = None) -> Leaks:
    """Look at every photo of a benchmark once and compare the parts.

    Where every photo queries all others, photos with a twin among the others are counted as well:
    such a query is answered by its own copy. Where one photo of the gallery is the only answer,
    twins within the gallery are counted: which of the two a query finds is chance.

    Args:
        benchmark: What to look at.
        on_progress: Called with the number of photos looked at since the last call.

    Returns:
        Counts to be printed with every figure, and the pairs behind them.
    """
    asked = (
        {"test": benchmark.query}
        if benchmark.same_images
        else {
            "query": benchmark.query,
            "gallery": benchmark.gallery,
        }
    )
    learned = {"train": benchmark.train, "train_sketches": benchmark.train_sketches}
    parts = {name: split for name, split in (learned | asked).items() if len(split)}
    looks = {name: _look(split, on_progress) for name, split in parts.items()}
    pairs = [(name, other) for name in asked for other in learned]
    pairs.append(("test", "test") if benchmark.same_images else ("query", "gallery"))
    if benchmark.relevance is Relevance.INSTANCE and not benchmark.same_images:
        pairs.append(("gallery", "gallery"))
    comparable = [
        (part, other)
        for part, other in pairs
        if part in parts and other in parts and parts[part].modality is parts[other].modality
    ]
    tested = {*benchmark.query.targets.tolist(), *benchmark.gallery.targets.tolist()}
    return Leaks(
        overlaps=tuple(_overlap(part, other, looks) for part, other in comparable),
        shared_classes=len(tested & set(benchmark.train.targets.tolist())),
        unreadable=tuple(path for look in looks.values() for path in look.unreadable()),
    )


def near_duplicates(
    photos: Sequence[Path], others: Sequence[Path], *, likeness: float = NEAR_LIKENESS
) -> tuple[Twin, ...]:
    """The photos that show what a photo of another set shows, likest first.

    For two data sets of which one is to be learned from and the other tested on.

    Args:
        photos: Those that are asked about.
        others: Those they may repeat.
        likeness: Least one of a near twin, in [:data:`NEAR_LIKENESS`, 1].

    Returns:
        One for each of ``photos`` with a twin, named with its likest of ``others``.

    Raises:
        BadInputError: A likeness below what is looked for at all.
    """
    if not NEAR_LIKENESS <= likeness <= 1:
        raise BadInputError(f"likeness must be in [{NEAR_LIKENESS}, 1]; got {likeness}.")
    looks = {
        name: _look(Split(tuple(paths), np.zeros(len(paths), np.int64)), None)
        for name, paths in (("photos", photos), ("others", others))
    }
    found = _overlap("photos", "others", looks)
    near = sorted(found.near, key=lambda twin: -twin.likeness)
    return (*found.identical, *(twin for twin in near if twin.likeness >= likeness))


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """A picture as (32, 32) grey values, whatever its shape."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def perceptual_hash(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits that stay the same when a picture is scaled, compressed or brightened.

    Bit (u, v) tells whether the coefficient of frequency (u, v) of the thumbnail's cosine transform
    is above the median of the 63 coefficients other than the mean, for u, v in 0..7:

        F(u, v) = sum_y sum_x f(y, x) cos(pi (y + 1/2) u / 32) cos(pi (x + 1/2) v / 32)

    Shape: (N, 32, 32) uint8 to (N,) uint64.
    """
    steps = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    waves = np.cos(np.arange(_LOW)[:, None] * steps)  # (8, 32)
    low = waves @ thumbnails.astype(np.float64) @ waves.T  # (N, 8, 8)
    flat = low.reshape(len(low), _LOW * _LOW)
    bits = flat > np.median(flat[:, 1:], axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


@dataclass(frozen=True)
class _Looks:
    """What is known of the N photos of a part."""

    paths: tuple[Path, ...]
    content: list[str]  # digest of the bytes
    pixels: list[str]  # digest of the decoded pixels, "" where they cannot be had
    thumbnails: NDArray[np.uint8]  # (N, 32, 32), blank where only identical ones are looked for
    modality: Modality

    def unreadable(self) -> list[Path]:
        return [path for path, pixels in zip(self.paths, self.pixels, strict=True) if not pixels]


def _look(split: Split, on_progress: Callable[[int], None] | None) -> _Looks:
    content, pixels = [], []
    thumbnails = np.zeros((len(split), SIDE, SIDE), np.uint8)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for index, seen in enumerate(pool.map(_look_at, split.paths)):
            content.append(seen[0])
            pixels.append(seen[1])
            if split.modality is Modality.PHOTO:
                thumbnails[index] = seen[2]
            if on_progress is not None:
                on_progress(1)
    return _Looks(split.paths, content, pixels, thumbnails, split.modality)


def _look_at(path: Path) -> tuple[str, str, NDArray[np.uint8]]:
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    try:
        content = sha256_of_picture(path)
    except StorageError:
        return "", "", nothing
    try:
        if holds_strokes(path):
            return content, sha256_of_strokes(path), nothing  # equal strokes are equal pictures
        image = decode(path)
    except BadInputError:
        return content, "", nothing
    size = f"{image.width}x{image.height}:".encode()
    return content, hashlib.sha256(size + image.tobytes()).hexdigest(), thumbnail(image)


def _overlap(part: str, other: str, looks: dict[str, _Looks]) -> Overlap:
    ours, theirs = looks[part], looks[other]
    same = part == other
    identical = dict(_identical(ours, theirs, same))
    near = {
        index: (twin, likeness)
        for index, twin, likeness in _near(ours, theirs, same)
        if index not in identical
    }
    return Overlap(
        part,
        other,
        len(ours.paths),
        tuple(Twin(ours.paths[i], theirs.paths[j], 1.0) for i, j in identical.items()),
        tuple(Twin(ours.paths[i], theirs.paths[j], like) for i, (j, like) in near.items()),
        ours.modality,
    )


def _identical(ours: _Looks, theirs: _Looks, same: bool) -> Iterator[tuple[int, int]]:
    """For each photo of ours its first identical one of theirs that is not itself."""
    places: dict[str, list[int]] = {}  # two are enough: one of them is another photo
    for index, digests in enumerate(zip(theirs.content, theirs.pixels, strict=True)):
        for digest in set(digests) - {""}:
            found = places.setdefault(digest, [])
            if len(found) < 2:
                found.append(index)
    for index, digests in enumerate(zip(ours.content, ours.pixels, strict=True)):
        twins = {j for digest in digests for j in places.get(digest, [])}
        twins -= {index} if same else set()
        if twins:
            yield index, min(twins)


def _near(ours: _Looks, theirs: _Looks, same: bool) -> Iterator[tuple[int, int, float]]:
    """For each photo of ours with a near one of theirs: the likest."""
    if not theirs.paths:
        return
    hashes = perceptual_hash(ours.thumbnails)
    sides = [theirs.thumbnails, theirs.thumbnails[:, :, ::-1]]  # as it is, mirrored
    others = [perceptual_hash(side) for side in sides]
    for start in range(0, len(hashes), _ROWS):
        block = hashes[start : start + _ROWS, None]
        close = [np.bitwise_count(block ^ other[None]) <= NEAR_BITS for other in others]
        for row in np.flatnonzero(close[0].any(axis=1) | close[1].any(axis=1)).tolist():
            index = start + row
            twin, likeness = -1, 0.0
            for side, mask in zip(sides, close, strict=True):
                chosen = np.flatnonzero(mask[row])
                chosen = chosen[chosen != index] if same else chosen
                best, value = _likest(ours.thumbnails[index], side, chosen)
                if value > likeness:
                    twin, likeness = best, value
            if likeness >= NEAR_LIKENESS:
                yield index, twin, likeness


def _likest(
    thumbnail: NDArray[np.uint8], others: NDArray[np.uint8], chosen: NDArray[np.int64]
) -> tuple[int, float]:
    """The chosen thumbnail with the largest correlation; (-1, 0) when there is none."""
    best, likeness = -1, 0.0
    ours = _centred(thumbnail[None])[0]
    for start in range(0, len(chosen), 4096):
        part = chosen[start : start + 4096]
        values = _centred(others[part]) @ ours
        at = int(np.argmax(values))
        if values[at] > likeness:
            best, likeness = int(part[at]), float(values[at])
    return best, likeness


def _centred(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 32, 32) to (N, 1024) of mean 0 and norm 1; a blank one to zeros, like nothing."""
    flat = thumbnails.reshape(len(thumbnails), SIDE * SIDE).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norms > 0, norms, 1)
