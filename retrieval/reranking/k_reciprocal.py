"""Re-ranking with k-reciprocal encoding."""

import numpy as np
from numpy.typing import NDArray

from ..ranking import TIE
from ._reranking import Gallery, Query, Reranking, check_range


class KReciprocal(Reranking):
    r"""Images that share their neighbours are alike, whatever their own distance says.

    With :math:`d = 1 - \cos` and :math:`N(p, k)` the k nearest others of p,

    .. math::
        R(p, k) &= \{g \in N(p, k) : p \in N(g, k)\} \cup \{p\} \\
        R^*(p) &= R(p, k_1) \cup \{R(g, k_1 / 2) : g \in R(p, k_1),\
            |R(p, k_1) \cap R(g, k_1 / 2)| \ge \tfrac23 |R(g, k_1 / 2)|\} \\
        V_p(g) &= e^{-d(p, g)} \text{ for } g \in R^*(p), \text{ else } 0 \\
        \bar V_p &= \text{mean of } V \text{ over } p \text{ and } N(p, k_2 - 1) \\
        d_J(q, g) &= 1 - \frac{\sum_i \min(\bar V_q(i), \bar V_g(i))}
            {\sum_i \max(\bar V_q(i), \bar V_g(i))} \\
        \text{score}(g) &= 1 - (1 - \lambda)\, d_J(q, g) - \lambda\, d(q, g)

    Neighbours are sought among the gallery and this one query. What the query leaves out (itself
    in the gallery, where every image queries all others, and its copies) is taken out of every
    list first, so the answer is that of a gallery without it. Other queries are never looked at;
    the authors' code, which takes all queries into the sets, lets them help each other. It also
    scales d by its maximum and V to sum 1; here are the paper's equations. That a set holds its
    own image is the code's.

    Only lists of neighbours are kept, found where they are needed; equal scores are ordered by
    gallery position in them, the query behind its equals.

    Args:
        k1: Neighbours that can be reciprocal.
        k2: Images in the mean (local query expansion); 1 for none.
        lambda_value: Share of the original distance, 0 to 1.
        candidates: Hits to re-order.

    References:
        Zhong, Zheng, Cao, Li, Re-ranking person re-identification with k-reciprocal encoding,
        CVPR 2017, equations 1-12.
    """

    def __init__(
        self, k1: int = 20, k2: int = 6, lambda_value: float = 0.3, candidates: int = 100
    ) -> None:
        super().__init__(candidates)
        check_range("k1", k1, 1)
        check_range("k2", k2, 1, k1 + 1)
        check_range("lambda_value", lambda_value, 0, 1)
        self.k1, self.k2, self.lambda_value = k1, k2, lambda_value

    @property
    def depth(self) -> int:
        return self.k1

    def scores(self, query: Query, gallery: Gallery) -> NDArray[np.float64]:
        graph = _Graph(query, gallery, self.k1)
        rows = np.append(graph.probe, query.candidates)  # (1 + N,)
        averaged = np.column_stack([rows, graph.lists(rows)[:, : self.k2 - 1]])
        members, places = np.unique(averaged, return_inverse=True)
        weights = graph.weights(members)  # (M, U)
        sums = sum(weights[column] for column in places.reshape(averaged.shape).T)
        smooth = sums / (averaged >= 0).sum(axis=1, keepdims=True)  # (1 + N, U)
        shared = np.minimum(smooth[0], smooth[1:]).sum(axis=1)
        jaccard = 1 - shared / np.maximum(smooth[0], smooth[1:]).sum(axis=1)
        distance = 1 - query.scores[: query.count].astype(np.float64)
        return np.asarray(1 - (1 - self.lambda_value) * jaccard - self.lambda_value * distance)


class _Graph:
    """Who is whose neighbour, for one query. Its number is that of the gallery's size."""

    def __init__(self, query: Query, gallery: Gallery, k1: int) -> None:
        self.probe = len(gallery.vectors)
        self._query, self._gallery, self._k1 = query, gallery, k1
        own = np.full((1, k1), -1, np.int64)
        near = query.nearest[:k1]
        own[0, : len(near)] = near
        self._nodes, self._lists = np.array([self.probe]), own

    def lists(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The k1 nearest others of each node, best first: (...) to (..., k1); -1 for none."""
        new = np.setdiff1d(nodes, self._nodes)
        new = new[new >= 0]
        if len(new):
            every = np.append(self._nodes, new)
            order = np.argsort(every)
            self._nodes = every[order]
            self._lists = np.concatenate([self._lists, self._found(new)])[order]
        found = self._lists[np.searchsorted(self._nodes, np.maximum(nodes, self._nodes[0]))]
        return np.where((nodes >= 0)[..., None], found, -1)

    def weights(self, members: NDArray[np.int64]) -> NDArray[np.float64]:
        """V of each member, (M, U), over the U images that occur in any; nothing of member -1."""
        near = self.lists(members)  # (M, k1)
        row, place = np.nonzero(self._reciprocal(members, self._k1))
        friends, friend = np.unique(near[row, place], return_inverse=True)
        half = round(self._k1 / 2)
        theirs = np.column_stack([friends, self.lists(friends)[:, :half]])  # (F, 1 + k1/2)
        inside = np.column_stack([friends >= 0, self._reciprocal(friends, half)])
        columns = np.unique(np.concatenate([members, theirs[inside]]))
        chosen = np.zeros((len(members), len(columns)), bool)
        chosen[np.arange(len(members)), np.searchsorted(columns, members)] = members >= 0
        chosen[row, np.searchsorted(columns, near[row, place])] = True
        # Each pair of a member and a reciprocal neighbour: does that one's set belong to it?
        at = np.searchsorted(columns, np.where(inside, theirs, columns[-1]))[friend]  # (P, 1+k1/2)
        valid = inside[friend]
        common = (chosen[row[:, None], at] & valid).sum(axis=1)
        taken = (3 * common >= 2 * valid.sum(axis=1))[:, None] & valid
        pair, slot = np.nonzero(taken)
        chosen[row[pair], at[pair, slot]] = True
        used = chosen.any(axis=0)
        chosen = chosen[:, used]
        scores = self._vectors(members) @ self._vectors(columns[used]).T
        weights = np.zeros(chosen.shape)
        weights[chosen] = np.exp(scores[chosen].astype(np.float64) - 1)
        return weights

    def _reciprocal(self, nodes: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
        """Which of the k nearest of each node have it among theirs: (M, k)."""
        near = self.lists(nodes)[:, :k]
        back = self.lists(near)[..., :k]  # (M, k, k)
        return np.asarray((back == nodes[:, None, None]).any(axis=2) & (near >= 0))

    def _found(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lists of gallery images, without what is left out and with the query."""
        indices, scores = self._gallery.neighbours.of(nodes)
        lost = np.isin(indices, self._query.left_out)
        rows = self._gallery.vectors[nodes].astype(np.float64)
        own = np.round(rows @ self._query.vector.astype(np.float64) / TIE) * TIE
        ids = np.column_stack([np.where(lost, -1, indices), np.full(len(nodes), self.probe)])
        keys = np.column_stack([np.where(lost, -np.inf, scores), own.astype(np.float32)])
        order = np.argsort(-keys, axis=1, kind="stable")[:, : self._k1]
        return np.take_along_axis(ids, order, axis=1)

    def _vectors(self, nodes: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = self._gallery.vectors[np.where(nodes == self.probe, 0, nodes)]
        rows[nodes == self.probe] = self._query.vector
        return rows
