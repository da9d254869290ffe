"""What people found nearer: judgements of which of two photos is more like a sketch.

QMUL-Shoe and QMUL-Chair came with such judgements. ``triplets.json`` has for each part the names of
its sketches and photos and, for each sketch, pairs of places in the list of photos::

    {"test": {"sketches": [...], "images": [...], "triplets": [[[0, 7], [5, 0], ...], ...]}}

Places count from 0 within the part, and the first photo of a pair is the nearer one. That is not
written anywhere; it was found by asking which reading puts the photo that was drawn in front. Of
the pairs that hold it, it comes first in 1,010 of 1,035 (test shoes), 7,668 of 8,208 (training
shoes), 873 of 873 (test chairs) and 5,333 of 5,400 (training chairs). Counted from 1, the same
place is first or second alike.

Each sketch has ten photos, all 45 pairs judged: once in the test part, three times in the training
part, where the three differ in a third of the shoes' pairs and a quarter of the chairs'. No encoder
agrees with judgements that contradict each other: take :meth:`HumanTriplets.majority` there.

The file passed on with QMUL-Handbag is the shoes' own and is refused for handbags.

References:
    Yu, Liu, Song, Xiang, Hospedales, Loy: Sketch Me That Shoe, CVPR 2016.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_shape, check_unit_rows
from .data import Split
from .errors import BadInputError
from .figures import Score
from .plugins import unknown
from .ranking import TIE
from .statistics import cluster_bootstrap, wilson

MAX_BYTES = 64 * 1024**2
"""A larger file is refused before it is read."""


@dataclass(frozen=True, eq=False)
class HumanTriplets:
    """T judgements about S sketches and P photos.

    Attributes:
        sketches: S file names.
        photos: P file names.
        triplets: (T, 3) int64. A row each: place of the sketch, of the photo found nearer to it,
            and of the other photo.
    """

    sketches: tuple[str, ...]
    photos: tuple[str, ...]
    triplets: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_shape("triplets", self.triplets, ("T", 3))
        sizes = len(self.sketches), len(self.photos), len(self.photos)
        if ((self.triplets < 0) | (self.triplets >= sizes)).any():
            raise BadInputError(
                f"triplets must name places of {sizes[0]} sketches and {sizes[1]} photos, from 0; "
                f"got rows up to {self.triplets.max(axis=0).tolist()}."
            )
        if (self.triplets[:, 1] == self.triplets[:, 2]).any():
            raise BadInputError("triplets must compare two photos; got one with itself.")

    def __len__(self) -> int:
        return len(self.triplets)

    def majority(self) -> "HumanTriplets":
        """One judgement of each sketch and two photos: that of the most people.

        Pairs that as many people saw one way as the other are left out.
        """
        lower = self.triplets[:, 1] < self.triplets[:, 2]
        ordered = np.where(lower[:, None], self.triplets, self.triplets[:, [0, 2, 1]])
        pairs, places = np.unique(ordered, axis=0, return_inverse=True)
        votes = np.bincount(places.ravel(), np.where(lower, 1, -1), len(pairs))
        chosen = np.where((votes > 0)[:, None], pairs, pairs[:, [0, 2, 1]])[votes != 0]
        return replace(self, triplets=chosen)

    def of(self, query: Split, gallery: Split) -> "HumanTriplets":
        """The same judgements with places of a benchmark's queries and gallery.

        Raises:
            BadInputError: They are judgements of other pictures.
        """
        places = []
        for what, names, split in (
            ("sketches", self.sketches, query),
            ("photos", self.photos, gallery),
        ):
            there = {path.name: place for place, path in enumerate(split.paths)}
            lost = [name for name in names if name not in there]
            if lost or len(names) != len(split):
                raise BadInputError(
                    f"triplets must be of the same {what} as the benchmark; got "
                    f"{len(names)} {what} for {len(split)}, {len(lost)} of them unknown. "
                    "Take the file and part of this data set; that of handbags is the shoes'."
                )
            places.append(np.array([there[name] for name in names], np.int64))
        sketches, photos = places
        rows = self.triplets
        moved = np.stack([sketches[rows[:, 0]], photos[rows[:, 1]], photos[rows[:, 2]]], axis=1)
        return HumanTriplets(
            tuple(path.name for path in query.paths),
            tuple(path.name for path in gallery.paths),
            moved,
        )


def read_triplets(file: Path, part: str = "test") -> HumanTriplets:
    """Read one part of a ``triplets.json``.

    Raises:
        BadInputError: No such file or part, or something in it that is no judgement.
    """
    parts = _json(file)
    if part not in parts:
        raise BadInputError(unknown(f"part of {file.name}", part, sorted(parts)))
    try:
        about = parts[part]
        sketches, photos = (tuple(map(str, about[name])) for name in ("sketches", "images"))
        rows = [
            (sketch, nearer, farther)
            for sketch, pairs in enumerate(about["triplets"])
            for nearer, farther in pairs
        ]
        triplets = np.array(rows).reshape(-1, 3)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(file, part, f"{type(error).__name__}: {error}") from error
    if not len(triplets) or triplets.dtype != np.int64:
        raise _malformed(file, part, f"{len(triplets)} rows of {triplets.dtype}")
    return HumanTriplets(sketches, photos, triplets)


def agreement(
    triplets: HumanTriplets,
    sketch_vectors: NDArray[np.float32],
    photo_vectors: NDArray[np.float32],
    *,
    seed: int = 0,
) -> Score:
    r"""Share of judgements in which an encoder finds the same photo nearer as the people did.

    .. math:: \frac{1}{T} \sum_{(s, p, q)} 1[\langle s, p \rangle > \langle s, q \rangle]

    Ties count as wrong. A random encoder gets one half.

    Args:
        triplets: T judgements, with places of these rows: see :meth:`HumanTriplets.of`.
        sketch_vectors: (S, D) float32, rows of norm 1.
        photo_vectors: (P, D) float32, rows of norm 1.
        seed: Of the bootstrap over sketches; the judgements of one sketch are not independent.
    """
    check_unit_rows("sketch_vectors", sketch_vectors, triplets.sketches)
    check_unit_rows("photo_vectors", photo_vectors, triplets.photos)
    _check_rows("sketch_vectors", sketch_vectors, triplets.sketches)
    _check_rows("photo_vectors", photo_vectors, triplets.photos)
    scores = sketch_vectors.astype(np.float64) @ photo_vectors.T.astype(np.float64)
    sketch, nearer, farther = triplets.triplets.T
    rounded = np.round(scores / TIE)
    right = rounded[sketch, nearer] > rounded[sketch, farther]
    hits, count = int(right.sum()), len(right)
    clustered = None
    if len(np.unique(sketch)) > 1:
        ends = cluster_bootstrap(right[:, None].astype(np.float64), sketch, seed=seed)[0]
        clustered = float(ends[0]), float(ends[1])
    return Score("human triplets", hits / count, count, hits, wilson(hits, count), clustered)


def _check_rows(name: str, vectors: NDArray[np.float32], pictures: Sequence[str]) -> None:
    check_shape(name, vectors, (len(pictures), "D"), "Give one vector for each picture.")


def _json(file: Path) -> dict[str, Any]:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise BadInputError(f"{file} must be at most {MAX_BYTES:,} bytes; got {size:,}.")
        parts = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{file} must be JSON of human triplets; got {error}.") from error
    if not isinstance(parts, dict):
        raise BadInputError(f"{file} must have a part by name; got a {type(parts).__name__}.")
    return parts


def _malformed(file: Path, part: str, got: str) -> BadInputError:
    return BadInputError(
        f"{file.name}, {part}, must have sketches, images and triplets "
        f"[[[nearer, farther], ...], ...]; got {got}."
    )
