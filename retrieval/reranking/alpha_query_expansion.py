"""Alpha-weighted query expansion, and database-side augmentation."""

import numpy as np
from numpy.typing import NDArray

from ._reranking import Gallery, Query, Reranking, check_range


class AlphaQueryExpansion(Reranking):
    r"""The query becomes a mean of itself and its nearest hits, near ones more.

    .. math::
        q' = q + \sum_{i=1}^{n} \max(s_i, 0)^\alpha\, v_i, \qquad
        \text{score}(g) = \cos(q', v_g)

    with :math:`v_i` the n nearest gallery vectors of the query and :math:`s_i` their cosine
    similarity. With ``database`` each candidate is replaced in the same way by a mean of itself and
    its own n nearest in the gallery before it is compared.

    The candidates alone are scored with the new vector; with as many candidates as gallery images
    it is the second search of the paper. What the query leaves out, itself above all, is in no
    mean.

    Args:
        n: Neighbours in a mean; fewer where the gallery has no more.
        alpha: 0 for equal weights (average query expansion); larger ones trust near hits only.
        database: Augment the candidates too.
        candidates: Hits to re-order.

    References:
        Radenovic et al., Fine-tuning CNN image retrieval with no human annotation, TPAMI 2019,
        section 4.3. Arandjelovic and Zisserman, Three things everyone should know to improve object
        retrieval, CVPR 2012 (database-side augmentation).
    """

    def __init__(
        self, n: int = 10, alpha: float = 3.0, database: bool = False, candidates: int = 100
    ) -> None:
        super().__init__(candidates)
        check_range("n", n, 1)
        check_range("alpha", alpha, 0)
        self.n, self.alpha, self.database = n, alpha, database

    @property
    def depth(self) -> int:
        return self.n

    def scores(self, query: Query, gallery: Gallery) -> NDArray[np.float64]:
        near = gallery.vectors[query.nearest[: self.n]].astype(np.float64)
        expanded = _unit(query.vector + self._weights(query.scores[: self.n]) @ near)
        rows = gallery.vectors[query.candidates].astype(np.float64)  # (N, D)
        if self.database:
            rows = _unit(rows + self._neighbours_sum(query, gallery))
        return rows @ expanded

    def _neighbours_sum(self, query: Query, gallery: Gallery) -> NDArray[np.float64]:
        """(N, D) weighted sums of the n nearest of each candidate."""
        indices, scores = gallery.neighbours.of(query.candidates)
        scores = np.where(np.isin(indices, query.left_out), -np.inf, scores)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.n]
        weights = self._weights(np.take_along_axis(scores, order, axis=1))
        chosen = gallery.vectors[np.take_along_axis(indices, order, axis=1)]  # (N, n, D)
        sums: NDArray[np.float64] = np.einsum("cn,cnd->cd", weights, chosen.astype(np.float64))
        return sums

    def _weights(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Zero where there is no neighbour, whose score is minus infinity."""
        near = scores.astype(np.float64)
        return np.where(np.isfinite(near), near.clip(0, 1), 0) ** self.alpha * np.isfinite(near)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))
