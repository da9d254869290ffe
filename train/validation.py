"""Classes held out of the training part, and how well an encoder tells them apart.

Settings and the best epoch are chosen here, never on the test part: retrieval is tested on classes
that were not trained, so it is validated on such classes too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.encoder import Encoder
from retrieval.errors import BadInputError
from retrieval.images import decode
from retrieval.metrics import judge, mean_average_precision_at_r
from retrieval.transforms import Transform

from .network import Network

BATCH_SIZE = 64
NEIGHBOURS = 4
"""Classes that are held out together."""


def split_classes(
    targets: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and positions to validate on, without a common class.

    Only classes with two images or more are held out, two classes at least: a query needs a right
    answer and a wrong one. They are held out in runs of four neighbours, because relatives stand
    side by side in most published orders of classes (species of one genus, models of one maker)
    and it is relatives that are hard to tell apart: classes picked one by one look far easier than
    the test part is.

    Raises:
        BadInputError: Too few classes to hold out any.

    Example:
        >>> train, validation = split_classes(np.repeat(np.arange(10), 3), share=0.2, seed=0)
        >>> len(train), len(validation)
        (24, 6)
    """
    everything = np.arange(len(targets))
    if share == 0:
        return everything, everything[:0]
    classes, counts = np.unique(targets, return_counts=True)
    wanted = max(2, round(share * len(classes)))
    eligible = classes[counts >= 2]
    if len(eligible) < wanted or len(classes) < wanted + 2:
        raise BadInputError(
            f"validation_share must leave 2 classes on both sides; got {share} of {len(classes)} "
            f"classes, {len(eligible)} of them with 2 images. Set validation_share = 0."
        )
    starts = np.random.default_rng([seed, len(classes)]).permutation(
        -(-len(eligible) // NEIGHBOURS)
    )
    runs = [eligible[start * NEIGHBOURS :][:NEIGHBOURS] for start in starts]
    validated = np.isin(targets, np.concatenate(runs)[:wanted])
    return everything[~validated], everything[validated]


@dataclass(frozen=True)
class ValidationScore:
    """Recall@1 over the validation classes.

    Attributes:
        hits: Queries whose nearest other picture is of the same class.
        queries: How many there were.
        spread: Root mean squared distance of the vectors from their mean, 0 (all equal) to 1.
        map_at_r: MAP@R, a fraction; it still tells encoders apart where Recall@1 is near its end.
    """

    hits: int
    queries: int
    spread: float
    map_at_r: float = 0.0

    @property
    def recall_at_1(self) -> float:
        """A fraction."""
        return self.hits / self.queries


class Validation:
    """Pictures of the held-out classes, decoded once."""

    def __init__(
        self, paths: Sequence[Path], targets: NDArray[np.int64], transform: Transform
    ) -> None:
        pixels = [transform.pixels(decode(p, draft_size=transform.draft_size)) for p in paths]
        self._pixels = torch.from_numpy(np.stack(pixels))  # (N, S, S, 3) uint8
        self._targets = torch.from_numpy(targets)
        self._transform = transform
        self._features: list[torch.Tensor] = []

    def keep(self, network: Network) -> None:
        """Run the frozen layers once, for all scores to come."""
        for pixels in torch.split(self._pixels, BATCH_SIZE):
            self._features.append(network.features(self._transform.normalise(pixels)))

    def score(self, encoder: Encoder, network: Network) -> ValidationScore:
        """How well ``encoder`` finds the class of each picture among all others.

        Args:
            encoder: The one of ``network``, or its running average.
            network: How it is computed.
        """
        was_training = encoder.training
        encoder.eval()
        parts = [network.vectors(encoder, features).cpu() for features in self._all(network)]
        encoder.train(was_training)
        vectors = torch.cat(parts)  # (N, D)
        spread = float((vectors - vectors.mean(dim=0)).square().sum(dim=1).mean().sqrt())
        hits = int(_nearest_other_is_right(vectors, self._targets).sum())
        return ValidationScore(hits, len(vectors), spread, self._map_at_r(vectors))

    def _map_at_r(self, vectors: torch.Tensor) -> float:
        if not vectors.isfinite().all():
            return 0.0
        rows, targets = vectors.numpy(), self._targets.numpy()
        return mean_average_precision_at_r(judge(rows, rows, targets, targets, same_images=True))

    def _all(self, network: Network) -> Iterator[torch.Tensor]:
        if self._features:
            yield from self._features
            return
        for pixels in torch.split(self._pixels, BATCH_SIZE):
            yield network.features(self._transform.normalise(pixels))


def _nearest_other_is_right(vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N,) bool. A wrong picture that scores the same counts as nearer."""
    right = []
    for start in range(0, len(vectors), 1024):
        scores = vectors[start : start + 1024] @ vectors.T  # (rows, N)
        rows = torch.arange(len(scores))
        scores[rows, start + rows] = -torch.inf
        same = targets[start + rows][:, None] == targets
        best_right = scores.where(same, -torch.inf).amax(dim=1)
        best_wrong = scores.where(~same, -torch.inf).amax(dim=1)
        right.append(best_right > best_wrong)
    return torch.cat(right)
