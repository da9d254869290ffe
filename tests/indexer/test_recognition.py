"""A collection's labelled items as the scales of a new picture."""

from pathlib import Path

import numpy as np
import pytest

from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.recognition import Recogniser
from retrieval.nearest_labels import NearestLabels
from retrieval.openset import Openset

FINGERPRINT = "a" * 64


def made(folder: Path, labels: list[str]) -> DiskCollection:
    rng = np.random.default_rng(0)
    kinds = sorted(set(labels))
    rows = np.eye(8)[[kinds.index(one) for one in labels]] + rng.normal(0, 0.2, (len(labels), 8))
    vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    collection = DiskCollection.create(folder, dim=8, fingerprint=FINGERPRINT)
    items = [Item(str(number), label=label) for number, label in enumerate(labels)]
    collection.add(vectors, items, fingerprint=FINGERPRINT)
    return collection


def test_labelled_items_vote_and_others_do_not(tmp_path: Path):
    labels = ["b", "", "a", "c", ""] * 6
    with made(tmp_path / "shop", labels) as collection:
        known = Recogniser.fit(collection)
        rows = [row for row, label in enumerate(labels) if label]
        vectors = collection.vectors[rows]
        targets = np.array(["abc".index(labels[row]) for row in rows])
        asked = collection.vectors[1:2]
        found = known.recognise(asked)
    assert known.names == ("a", "b", "c")
    assert (known.count, known.singles, known.least_p) == (18, 0, 1 / 19)
    likely = NearestLabels.fit(vectors, targets, k=10).probabilities(asked)
    p = Openset.fit(vectors, targets).p_values(asked)
    kept = likely.labels[0] >= 0
    assert [one.label for one in found.labels] == ["abc"[i] for i in likely.labels[0][kept]]
    assert [one.probability for one in found.labels] == likely.probabilities[0][kept].tolist()
    assert sum(one.probability for one in found.labels) + found.none == pytest.approx(1)
    assert (found.nearest, found.p) == ("abc"[p.labels[0]], p.p[0])


def test_labels_that_are_alone_give_no_p_value(tmp_path: Path):
    with made(tmp_path / "shop", ["a", "b", "c"]) as collection:
        known = Recogniser.fit(collection)
        assert (known.singles, known.least_p) == (3, None)
        found = known.recognise(collection.vectors[1:2])
    assert (found.p, found.nearest) == (None, "b")


@pytest.mark.parametrize("labels", [["", ""], ["a", "a", ""]])
def test_fewer_than_two_labels_are_a_sentence(tmp_path: Path, labels: list[str]):
    with (
        made(tmp_path / "shop", labels) as collection,
        pytest.raises(ValueError, match=r"^shop must have items of two labels or more"),
    ):
        Recogniser.fit(collection)
