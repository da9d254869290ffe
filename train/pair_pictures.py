"""Training sketches with the photos they show, and the batches made of them."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import map_coordinates

from retrieval.contours import edge_map
from retrieval.data import Modality
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import BadInputError
from retrieval.modalities import picture_of, read_picture
from retrieval.sketches import holds_strokes, read_drawing
from retrieval.stroke_variation import StrokeVariation, varied
from retrieval.strokes import CANVAS, Drawing
from retrieval.transforms import Transform

from .augment import Augmentation, draw
from .config import AugmentConfig, PairsConfig
from .pictures import TOLERATED_SHARE, Batch, Batches

NET = 5
"""Knots of the net by which a sketch is bent, along each side."""

OWN_BEND = 0.3
"""How far each stroke is bent by itself, as a share of how far the whole drawing is."""

Pixels = NDArray[np.uint8]


class PairPictures:
    """Sketches and, for each, its photo; kept in memory as the encoders see them.

    Attributes:
        kept: (M,) int64, positions of the pairs both of which can be read, among those given.
        rejected: Sentences about the other files.

    Args:
        sketches: N paths.
        photos: N paths; the same one for several sketches of it.
        pair: Whose transforms are used.
        threads: That decode.

    Raises:
        BadInputError: More than 1 % of the files cannot be read; the first ones are named.
    """

    def __init__(
        self, sketches: Sequence[Path], photos: Sequence[Path], pair: EncoderPair, threads: int
    ) -> None:
        self._transform = pair.sketch.transform
        distinct = list(dict.fromkeys(photos))
        with ThreadPoolExecutor(threads) as pool:
            drawn = list(pool.map(self._sketch, sketches))
            read = _Reader(pair.photo.transform)
            seen = dict(zip(distinct, pool.map(read, distinct), strict=True))
        bad = [found for found in (*drawn, *seen.values()) if isinstance(found, str)]
        if len(bad) > TOLERATED_SHARE * (len(drawn) + len(seen)):
            raise BadInputError(
                f"training pictures must be readable; got {len(bad)} that are not, "
                f"first: {'; '.join(bad[:3])}"
            )
        self.rejected = bad
        kept = [
            number
            for number, (sketch, photo) in enumerate(zip(drawn, photos, strict=True))
            if not isinstance(sketch, str) and not isinstance(seen[photo], str)
        ]
        self.kept = np.array(kept, np.int64)
        self._sketches = [one for one in (drawn[n] for n in kept) if not isinstance(one, str)]
        self._photos = [one for one in (seen[photos[n]] for n in kept) if not isinstance(one, str)]
        self._paths = [sketches[n] for n in kept]

    def __len__(self) -> int:
        return len(self._paths)

    def path(self, position: int) -> Path:
        """The file of a sketch."""
        return self._paths[position]

    def sketch(self, position: int) -> Drawing | Pixels:
        """Strokes where the file has them, else (S, S, 3) uint8."""
        return self._sketches[position]

    def photo(self, position: int) -> Pixels:
        """(S, S, 3) uint8, the photo of a sketch."""
        return self._photos[position]

    def _sketch(self, path: Path) -> Drawing | Pixels | str:
        try:
            if holds_strokes(path) and self._transform.fit != "stretch":
                drawing = read_drawing(path)
                if self._transform.fit == "object":
                    return drawing.fitted(margin=self._transform.margin)
                return drawing
            return self._transform.pixels(read_picture(path, Modality.SKETCH, self._transform))
        except BadInputError as error:
            return str(error)


@dataclass(frozen=True)
class _Reader:
    """Photos as an encoder sees them, or why not."""

    transform: Transform

    def __call__(self, path: Path) -> Pixels | str:
        try:
            return self.transform.pixels(read_picture(path, Modality.PHOTO, self.transform))
        except BadInputError as error:
            return str(error)


class PairBatches(Batches):
    """Varied batches of an epoch: B sketches, then their B photos.

    Args:
        pictures: The pairs.
        pair: Whose transforms are used.
        amounts: How shapes are varied.
        colours: How colours of photos are varied, and how pairs are cut and mirrored.
        seed: Of all variations.
        threads: That make batches.
    """

    def __init__(
        self,
        pictures: PairPictures,
        pair: EncoderPair,
        amounts: PairsConfig,
        colours: AugmentConfig,
        seed: int,
        threads: int,
    ) -> None:
        self._pairs, self._pair, self._amounts = pictures, pair, amounts
        self._colours, self._seed, self._threads = colours, seed, threads
        self._strokes = StrokeVariation(
            removed=amounts.removed,
            turned=amounts.turned,
            scaled=amounts.scaled,
            stretched=amounts.scaled,
            sheared=amounts.scaled / 2,
            shifted=amounts.shifted * CANVAS,
            bent_drawing=amounts.bent * CANVAS,
            bent_strokes=amounts.bent * CANVAS * OWN_BEND,
            least_share=amounts.least_share,
        )

    def _make(self, epoch: int, step: int, positions: NDArray[np.int64]) -> Batch:
        rng = np.random.default_rng([self._seed, epoch, step])
        size = self._pair.sketch.transform.size
        pixels = np.empty((2 * len(positions), size, size, 3), np.float32)
        for place, position in enumerate(positions.tolist()):
            common = draw(self._colours, rng)
            pixels[place] = self._sketch(position, common, rng)
            pixels[len(positions) + place] = self._photo(position, common, rng)
        return Batch(positions, pixels)

    def _sketch(self, position: int, common: Augmentation, rng: np.random.Generator) -> Pixels:
        drawn, amounts = self._pairs.sketch(position), self._amounts
        transform = self._pair.sketch.transform
        if isinstance(drawn, Drawing):
            drawing = varied(drawn, rng, self._strokes)
            image = picture_of(drawing, transform).resize((transform.size, transform.size))
        else:
            net = rng.standard_normal((2, NET, NET)) * amounts.bent * transform.size
            image = Image.fromarray(_bent(_moved(drawn, amounts, rng), net))
        return np.asarray(_cut(_pen(image, amounts.thickness, rng), common))

    def _photo(
        self, position: int, common: Augmentation, rng: np.random.Generator
    ) -> NDArray[np.float32] | Pixels:
        transform = self._pair.photo.transform
        moved = _moved(self._pairs.photo(position), self._amounts, rng)
        if rng.random() < self._amounts.edges:
            edges = edge_map(Image.fromarray(moved), size=transform.size)
            return np.asarray(_cut(edges, common))
        pixels = np.asarray(_cut(Image.fromarray(moved), common), np.float32)
        matrix, offset = common.colours(pixels.reshape(-1, 3).mean(axis=0))
        varied_pixels: NDArray[np.float32] = np.clip(pixels @ matrix.T + offset, 0, 255)
        return varied_pixels


def _moved(pixels: Pixels, amounts: PairsConfig, rng: np.random.Generator) -> Pixels:
    """Turned, scaled, stretched, sheared and shifted about the middle, on its own background."""
    side = len(pixels)
    angle = math.radians(rng.normal(0, amounts.turned))
    size, stretch, shear = rng.normal(0, amounts.scaled, 3)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.array([[1, shear / 2], [0, 1]])
    matrix = matrix @ np.diag(np.exp([size + stretch / 2, size - stretch / 2]))
    middle = np.full(2, side / 2)
    shift = middle + rng.normal(0, amounts.shifted, 2) * side - matrix @ middle
    (a, b), (c, d) = matrix.tolist()
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = tuple(int(value) for value in np.median(border, axis=0))
    image = Image.fromarray(pixels).transform(
        (side, side),
        Image.Transform.AFFINE,
        (a, b, float(shift[0]), c, d, float(shift[1])),
        Image.Resampling.BICUBIC,
        fillcolor=paper,
    )
    return np.asarray(image)


def _bent(pixels: Pixels, net: NDArray[np.float64]) -> Pixels:
    """Smoothly deformed; only the grey of a sketch is kept.

    Args:
        pixels: (S, S, 3).
        net: (2, n, n) shift down and across at knots that span the picture, in pixels.
    """
    if not net.any():
        return pixels
    side = len(pixels)
    where = np.linspace(0, net.shape[1] - 1, side)
    knots = np.meshgrid(where, where, indexing="ij")
    down, across = (map_coordinates(one, knots, order=3, mode="nearest") for one in net)
    rows, columns = np.mgrid[0:side, 0:side]
    grey = pixels[..., 0].astype(np.float32)
    bent = map_coordinates(grey, [rows + down, columns + across], order=1, cval=255.0)
    return np.repeat(np.rint(bent).astype(np.uint8)[..., None], 3, axis=2)


def _pen(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A thicker or a softer line, with a chance of ``share``."""
    chance = float(rng.random())
    if chance < share / 2:
        return image.filter(ImageFilter.MinFilter(3))
    if chance < share:
        return image.filter(ImageFilter.GaussianBlur(0.7))
    return image


def _cut(image: Image.Image, common: Augmentation) -> Image.Image:
    """The part of a picture, and which way round, that both pictures of a pair show."""
    left, top, width, height = (share * image.width for share in common.box)
    if width < image.width or height < image.height:
        box = (left, top, left + width, top + height)
        image = image.resize(image.size, Image.Resampling.BICUBIC, box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if common.mirrored else image
