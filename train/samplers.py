"""Which images meet in a batch: P classes with K images each."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInputError


class PKSampler:
    """Batches of P different classes with K images of each, so that every image has a rival.

    An epoch is a function of ``seed`` and its number alone: nothing has to be remembered to go on
    in the middle of one. Without ``steps`` an epoch lasts until every image was shown; classes
    that ran out are drawn again to fill the last batches. A class with fewer than K images
    repeats some in a group (they are augmented differently).

    Args:
        targets: (N,) int64, the class of each image.
        classes: P.
        images: K.
        steps: Batches in an epoch.
        seed: Of all epochs.

    Raises:
        BadInputError: Fewer than P classes.

    Example:
        >>> sampler = PKSampler(np.repeat(np.arange(4), 6), classes=2, images=3, seed=0)
        >>> len(sampler.batches(epoch=0))
        4
    """

    def __init__(
        self,
        targets: NDArray[np.int64],
        classes: int,
        images: int,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        order = np.argsort(targets, kind="stable")
        starts = np.flatnonzero(np.diff(targets[order], prepend=-1))
        self._members = np.split(order, starts[1:])
        if len(self._members) < classes:
            raise BadInputError(
                f"sampler.classes must be at most the number of training classes, "
                f"{len(self._members)}; got {classes}. Lower sampler.classes or validation_share."
            )
        self.classes, self.images, self.steps, self.seed = classes, images, steps, seed

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch: positions in ``targets``, (P x K,) each, classes together."""
        rng = np.random.default_rng([self.seed, epoch])
        made: list[NDArray[np.int64]] = []
        groups: list[list[NDArray[np.int64]]] = [[] for _ in self._members]
        while self.steps is None or len(made) < self.steps:
            if not any(groups):
                if made and self.steps is None:
                    break
                groups = [list(self._groups(members, rng)) for members in self._members]
            made.append(self._batch(groups, rng))
        return made

    def _batch(
        self, groups: list[list[NDArray[np.int64]]], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        # Classes with most left to show go first, so that all of them run out together.
        left = np.array([len(waiting) for waiting in groups]) + rng.random(len(groups))
        chosen = np.argsort(-left)[: self.classes]
        picked = [
            groups[c].pop() if groups[c] else next(self._groups(self._members[c], rng))
            for c in chosen
        ]
        return np.concatenate(picked)

    def _groups(
        self, members: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[NDArray[np.int64]]:
        """All images of a class in random order, K at a time; the last group is filled up."""
        shuffled = rng.permutation(members)
        for start in range(0, len(shuffled), self.images):
            group = shuffled[start : start + self.images]
            lacking = self.images - len(group)
            if lacking:
                others = np.setdiff1d(members, group)
                repeat = len(others) < lacking
                pool = members if repeat else others
                group = np.concatenate([group, rng.choice(pool, lacking, replace=repeat)])
            yield group
