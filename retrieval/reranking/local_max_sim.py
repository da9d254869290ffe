"""Re-ranking by the best match of each local descriptor."""

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError
from ..local_descriptors import LocalDescriptors
from ._reranking import Gallery, Query, Reranking, check_range


class LocalMaxSim(Reranking):
    r"""Every part of the query looks for its counterpart anywhere in the hit.

    With :math:`x_i` the unit columns of the query's last map, :math:`y_j` those of the hit's, and
    :math:`s` the cosine similarity of their global vectors,

    .. math::
        m(x, y) = \frac1{|M_x|} \sum_{i \in M_x} \max_j x_i^\top y_j, \qquad
        \text{score} = w\, m(x, y) + (1 - w)\, s

    where :math:`M_x` is the whole map, or with ``mask`` what SCDA selects of it. With ``symmetric``
    :math:`m` is the mean of both directions. Maps are kept as float16.

    Args:
        weight: w, 0 to 1.
        mask: Ask only the positions that SCDA selects; matches are sought everywhere.
        symmetric: The hit's parts look for theirs too.
        candidates: Hits to re-order.

    References:
        Khattab and Zaharia, ColBERT, SIGIR 2020, section 3.3 (late interaction by maximum
        similarity), here over positions of a map in place of words.
    """

    needs_maps = True

    def __init__(
        self,
        weight: float = 0.5,
        mask: bool = False,
        symmetric: bool = False,
        candidates: int = 100,
    ) -> None:
        super().__init__(candidates)
        check_range("weight", weight, 0, 1)
        self.weight, self.mask, self.symmetric = weight, mask, symmetric

    def scores(self, query: Query, gallery: Gallery) -> NDArray[np.float64]:
        asked, mask = _maps(query.maps).of(query.position)  # (P, C), (P,)
        rows, masks, starts = _maps(gallery.maps).together(query.candidates)
        products = rows @ asked.T  # (all positions of all candidates, P)
        best = np.maximum.reduceat(products, starts, axis=0)  # (N, P)
        local = best[:, mask | (not self.mask)].mean(axis=1, dtype=np.float64)
        if self.symmetric:
            used = masks | (not self.mask)
            sums = np.add.reduceat(products.max(axis=1) * used, starts, dtype=np.float64)
            local = (local + sums / np.add.reduceat(used, starts, dtype=np.int64)) / 2
        own = query.scores[: query.count].astype(np.float64)
        return np.asarray(self.weight * local + (1 - self.weight) * own)


def _maps(maps: LocalDescriptors | None) -> LocalDescriptors:
    if maps is None:
        raise BadInputError(
            "local_max_sim needs local descriptors; got none. Evaluate files, not vectors alone."
        )
    return maps
