"""Search in a collection whose first hits are put into another order."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.data import Modality
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair, fingerprint_for
from retrieval.local_descriptors import local_descriptors
from retrieval.reranker import Reranker
from retrieval.reranking import Reranking

from .collection import SearchHit, Vectors
from .disk import DiskCollection
from .filters import Condition


def reranked_search(
    collection: DiskCollection,
    encoder: Encoder | EncoderPair,
    queries: Vectors,
    paths: Sequence[Path],
    k: int,
    reranking: Reranking,
    *,
    modality: Modality = Modality.PHOTO,
    where: Condition | None = None,
) -> list[list[SearchHit]]:
    """As :meth:`indexer.collection.Collection.search`, then the first hits of each in a new order.

    A hit's score stays its cosine similarity; its rank is the re-ranking's.

    Args:
        collection: Where to search.
        encoder: That of the collection, or a pair that it is the photo door of.
        queries: (Q, dim) vectors of the pictures.
        paths: The Q pictures; read again, as candidates are, where local descriptors are compared.
        k: Hits for each.
        reranking: The method.
        modality: What the pictures are.
        where: Leaves out items, as if they were not there: neither hits nor anybody's neighbours.

    Raises:
        ImageError: The photo of a candidate cannot be read.
    """
    fetched = max(k, reranking.candidates + 1, reranking.depth)
    fingerprint = fingerprint_for(encoder, collection.fingerprint)
    found = collection.search(queries, fetched, fingerprint=fingerprint, where=where)
    if not any(found):
        return found
    ids = collection.ids()
    rows = np.arange(len(ids))
    if where is not None:
        kept = set(collection.items_where(where))
        rows = np.array([row for row in rows.tolist() if ids[row] in kept], np.int64)
    place = {ids[row]: position for position, row in enumerate(rows.tolist())}
    nearest = [np.array([place[hit.item.id] for hit in hits], np.int64) for hits in found]
    maps = None
    if reranking.needs_maps:
        chosen = np.unique(np.concatenate([near[: reranking.candidates] for near in nearest]))
        items = collection.items
        files = [collection.folder / items[row].path for row in rows[chosen]]
        maps = (
            local_descriptors(encoder, paths, modality=modality),
            local_descriptors(encoder, files, modality=Modality.PHOTO, positions=chosen),
        )
    gallery = collection.vectors if where is None else collection.vectors[rows]
    reranker = Reranker(reranking, queries, gallery, maps=maps)
    nobody = np.empty(0, np.int64)
    answers = []
    for row, hits in enumerate(found):
        scores = np.array([hit.score for hit in hits], np.float32)
        new = reranker(row, nearest[row], scores, nobody)
        order = [*np.argsort(-new, kind="stable").tolist(), *range(len(new), len(hits))]
        answers.append(
            [
                SearchHit(hits[old].item, hits[old].score, rank)
                for rank, old in enumerate(order[:k], 1)
            ]
        )
    return answers
