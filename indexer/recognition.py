"""Which label a new picture has, by the labelled items of a collection, and whether it has any.

Probabilities are of :mod:`retrieval.nearest_labels`, the p-value is of :mod:`retrieval.openset`.
Whatever else gives each label a probability, such as a trained head, fills a :class:`Recognition`
in the same way.
"""

from dataclasses import dataclass

import numpy as np

from retrieval.errors import BadInputError
from retrieval.nearest_labels import UNKNOWN_SHARE, K, NearestLabels
from retrieval.openset import Openset

from .collection import Vectors
from .disk import DiskCollection


@dataclass(frozen=True)
class Likely:
    """A label and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Recognition:
    """What a picture may show; the probabilities and ``none`` sum to 1.

    Attributes:
        labels: Most likely first.
        none: Probability of none of them.
        nearest: Label of the nearest item.
        p: Conformal p-value of "one of the known labels"; None where the items give no scale.
    """

    labels: tuple[Likely, ...]
    none: float
    nearest: str
    p: float | None


class Recogniser:
    """The labelled items of a collection as they are now.

    Attributes:
        names: Labels, in the order of their targets.
        count: Labelled items.
        singles: Those without another one of their label.
        least_p: No p-value is below it; None where the items give no scale.
    """

    def __init__(
        self, names: tuple[str, ...], count: int, votes: NearestLabels, openset: Openset | None
    ) -> None:
        self.names, self.count = names, count
        self.singles = count if openset is None else openset.singles
        self.least_p = None if openset is None else 1 / (openset.count + 1)
        self._votes, self._openset = votes, openset

    @property
    def k(self) -> int:
        """Items that vote."""
        return self._votes.k

    @classmethod
    def fit(
        cls, collection: DiskCollection, *, unknown_share: float = UNKNOWN_SHARE
    ) -> "Recogniser":
        """Make the scales of a collection from its own vectors.

        Args:
            collection: Open.
            unknown_share: Share of pictures of unknown labels that is expected.

        Raises:
            BadInputError: The items have fewer than two labels.
        """
        labels = np.array([item.label for item in collection.items], object)
        rows = np.flatnonzero(labels != "")
        names, targets, sizes = np.unique(labels[rows], return_inverse=True, return_counts=True)
        if len(names) < 2:
            raise BadInputError(
                f"{collection.folder.name} must have items of two labels or more to recognise a "
                f"picture; got {len(names)} in {len(labels)} items. Make it from folders named by "
                "class, from a table with a column 'label', or add photos with --label."
            )
        vectors = collection.vectors[rows]
        known = targets.astype(np.int64)
        votes = NearestLabels.fit(
            vectors, known, k=min(K, len(rows) - 1), unknown_share=unknown_share
        )
        openset = Openset.fit(vectors, known) if sizes.max() > 1 else None
        return cls(tuple(names.tolist()), len(rows), votes, openset)

    def recognise(self, vector: Vectors) -> Recognition:
        """What the picture of a vector (1, D) shows."""
        found = self._votes.probabilities(vector)
        known = found.labels[0] >= 0
        likely = tuple(
            Likely(self.names[target], float(probability))
            for target, probability in zip(
                found.labels[0, known].tolist(), found.probabilities[0, known], strict=True
            )
        )
        none = float(found.none[0])
        if self._openset is None:
            return Recognition(likely, none, likely[0].label, None)
        nearest = self._openset.p_values(vector)
        return Recognition(likely, none, self.names[int(nearest.labels[0])], float(nearest.p[0]))
