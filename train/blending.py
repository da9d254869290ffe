"""Pictures blended with one another, and their labels alike."""

from collections.abc import Generator, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from .pictures import Batch, Batches


class Blended:
    r"""Batches of which each picture is blended with another one of the batch (mixup).

    .. math:: \tilde x_i = \lambda x_i + (1 - \lambda) x_{\pi(i)}, \qquad
        \lambda \sim \operatorname{Beta}(a, a)

    one :math:`\lambda` and one order :math:`\pi` for a batch, functions of seed, epoch and step.

    Args:
        batches: To blend.
        amount: a.
        seed: Of the run.

    References:
        Zhang, Cisse, Dauphin, Lopez-Paz, mixup: Beyond empirical risk minimization, ICLR 2018.
    """

    def __init__(self, batches: Batches, amount: float, seed: int) -> None:
        self._batches, self._amount, self._seed = batches, amount, seed

    def epoch(
        self, epoch: int, batches: Sequence[NDArray[np.int64]], start: int = 0
    ) -> Generator[Batch, None, None]:
        """See :meth:`train.pictures.Batches.epoch`."""
        made = self._batches.epoch(epoch, batches, start)
        try:
            for step, batch in enumerate(made, start):
                rng = np.random.default_rng([self._seed, epoch, step, 1])
                share = float(rng.beta(self._amount, self._amount))
                order = rng.permutation(len(batch.positions))
                pixels = cast(NDArray[np.float32], batch.inputs)
                blend = np.float32(share) * pixels + np.float32(1 - share) * pixels[order]
                yield Batch(batch.positions, blend, batch.positions[order], share)
        finally:
            made.close()
