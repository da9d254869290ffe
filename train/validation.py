"""What is held out of the training part, and how well an encoder or a classifier does on it.

Settings and the best epoch are chosen here, never on the test part. Retrieval is tested on classes
that were not trained, so it is validated on such classes too; recognition is tested on other
pictures of the classes it knows, and validated on such.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.classifier import Classifier
from retrieval.encoder import Encoder
from retrieval.errors import BadInputError
from retrieval.images import decode
from retrieval.metrics import judge, mean_average_precision_at_r
from retrieval.recognition import place_of_right
from retrieval.transforms import Transform

from .network import Learner, Network

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


def split_pictures(
    targets: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and positions to validate on, the same share of every class.

    Of a class with n pictures round(share n) are held out, at least one, but never all: a class
    with a single picture is trained on.

    Raises:
        BadInputError: No class has two pictures.

    Example:
        >>> train, validation = split_pictures(np.repeat(np.arange(3), 5), share=0.2, seed=0)
        >>> len(train), np.repeat(np.arange(3), 5)[validation].tolist()
        (12, [0, 1, 2])
    """
    everything = np.arange(len(targets))
    if share == 0:
        return everything, everything[:0]
    rng = np.random.default_rng([seed, len(targets)])
    held_out = np.zeros(len(targets), bool)
    for target in np.unique(targets):
        members = np.flatnonzero(targets == target)
        if len(members) > 1:
            held_out[rng.permutation(members)[: max(1, round(share * len(members)))]] = True
    if not held_out.any():
        raise BadInputError(
            f"validation_share must hold pictures out of classes with two or more; got {share} of "
            f"{len(targets)} classes with one each. Set validation_share = 0."
        )
    return everything[~held_out], everything[held_out]


@dataclass(frozen=True)
class ValidationScore:
    """Recall@1 over the validation classes; of recognition, top-1 and top-5.

    Attributes:
        hits: Queries whose nearest other picture is of the same class, or whose class is the first
            answer.
        queries: How many there were.
        spread: Root mean squared distance of the vectors from their mean, 0 (all equal) to 1; 1
            where there are no vectors to compare.
        map_at_r: MAP@R, a fraction; it still tells encoders apart where Recall@1 is near its end.
            Of recognition the share of pictures whose class is among the first five answers.
    """

    hits: int
    queries: int
    spread: float
    map_at_r: float = 0.0

    @property
    def recall_at_1(self) -> float:
        """A fraction."""
        return self.hits / self.queries


class HeldOut:
    """Pictures of a validation part, decoded once."""

    def __init__(
        self, paths: Sequence[Path], targets: NDArray[np.int64], transform: Transform
    ) -> None:
        pixels = [transform.pixels(decode(p, draft_size=transform.draft_size)) for p in paths]
        self._pixels = torch.from_numpy(np.stack(pixels))  # (N, S, S, 3) uint8
        self.targets, self._transform = targets, transform
        self._features: list[torch.Tensor] = []

    def keep(self, network: Network) -> None:
        """Run the frozen layers once, for all scores to come."""
        for images in self._images():
            self._features.append(network.features(images))

    def _outputs(self, encoder: Learner, network: Network) -> torch.Tensor:
        """Vectors, or logits, of all pictures, (N, D) on the CPU."""
        was_training = encoder.training
        encoder.eval()
        parts = [network.vectors(encoder, features).cpu() for features in self._all(network)]
        encoder.train(was_training)
        return torch.cat(parts)

    def _all(self, network: Network) -> Iterator[torch.Tensor]:
        if self._features:
            yield from self._features
            return
        for images in self._images():
            yield network.features(images)

    def _images(self) -> Iterator[torch.Tensor]:
        for pixels in torch.split(self._pixels, BATCH_SIZE):
            yield self._transform.normalise(pixels)


class Validation(HeldOut):
    """Pictures of held-out classes: does each find another one of its class?"""

    def score(self, encoder: Encoder, network: Network) -> ValidationScore:
        """How well ``encoder`` finds the class of each picture among all others.

        Args:
            encoder: The one of ``network``, or its running average.
            network: How it is computed.
        """
        vectors = self._outputs(encoder, network)  # (N, D)
        spread = float((vectors - vectors.mean(dim=0)).square().sum(dim=1).mean().sqrt())
        hits = int(_nearest_other_is_right(vectors, torch.from_numpy(self.targets)).sum())
        return ValidationScore(hits, len(vectors), spread, self._map_at_r(vectors))

    def _map_at_r(self, vectors: torch.Tensor) -> float:
        if not vectors.isfinite().all():
            return 0.0
        rows, targets = vectors.numpy(), self.targets
        return mean_average_precision_at_r(judge(rows, rows, targets, targets, same_images=True))


class ClassValidation(HeldOut):
    """Held-out pictures of classes that are trained on: is each one's class the first answer?"""

    def score(self, classifier: Classifier, network: Network) -> ValidationScore:
        """How often the right class comes first, and among the first five.

        Args:
            classifier: The one of ``network``, or its running average.
            network: How it is computed.
        """
        logits = self._outputs(classifier, network).double().numpy()
        places = place_of_right(logits, self.targets)
        return ValidationScore(
            int((places <= 1).sum()), len(places), 1.0, float((places <= 5).mean())
        )

    def logits(self, classifier: Classifier) -> NDArray[np.float64]:
        """As the classifier itself computes them, in eval mode: (N, K)."""
        return np.concatenate([classifier.logits(images) for images in self._images()])


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
