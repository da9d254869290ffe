"""Judgements of people: which reading of the file is right, and how a share is counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import benchmarks
from retrieval.data import Modality, Split
from retrieval.errors import BadInputError
from retrieval.human_triplets import HumanTriplets, agreement, read_triplets
from retrieval.statistics import wilson


def written(folder: Path, **changes: Any) -> Path:
    part: dict[str, Any] = {
        "images": ["7.jpg", "8.jpg", "9.jpg"],
        "sketches": ["7.png", "8.png"],
        "triplets": [[[0, 1], [2, 1]], [[1, 0], [1, 2], [1, 0]]],
    }
    file = folder / "triplets.json"
    file.write_text(json.dumps({"test": part | changes}))
    return file


def unit(*rows: list[float]) -> np.ndarray:
    vectors = np.array(rows, np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_each_row_is_a_sketch_the_nearer_and_the_other_photo(tmp_path: Path) -> None:
    found = read_triplets(written(tmp_path))
    assert found.triplets.tolist() == [[0, 0, 1], [0, 2, 1], [1, 1, 0], [1, 1, 2], [1, 1, 0]]
    assert (found.sketches, found.photos) == (("7.png", "8.png"), ("7.jpg", "8.jpg", "9.jpg"))


def test_agreement_by_hand(tmp_path: Path) -> None:
    found = read_triplets(written(tmp_path))
    photos = unit([1, 0], [0, 1], [1, 1])
    sketches = unit([1, 0], [1, 1])
    # sketch 0: 1 > 0 right, .7 > 0 right; sketch 1: .7 > .7 is a tie, .7 > 1 wrong, tie again
    score = agreement(found, sketches, photos)
    assert (score.hits, score.count, score.value) == (2, 5, 0.4)
    assert score.interval == wilson(2, 5)
    assert score.clustered == (0.0, 1.0)  # two sketches: one wholly right, one wholly wrong
    assert str(score).startswith("human triplets 40.0% (2/5,")


@given(st.integers(0, 10_000))
def test_agreement_is_a_count_over_the_judgements(seed: int) -> None:
    random = np.random.default_rng(seed)
    sketches, photos = unit(*random.normal(size=(3, 4))), unit(*random.normal(size=(5, 4)))
    rows = [
        (int(random.integers(3)), *map(int, random.choice(5, 2, replace=False))) for _ in range(20)
    ]
    triplets = HumanTriplets(("",) * 3, ("",) * 5, np.array(rows))
    hits = 0
    for sketch, nearer, farther in rows:
        scores = [
            sum(float(a) * float(b) for a, b in zip(sketches[sketch], photos[p], strict=True))
            for p in (nearer, farther)
        ]
        hits += round(scores[0], 6) > round(scores[1], 6)
    assert agreement(triplets, sketches, photos).hits == hits
    turned = HumanTriplets(("",) * 3, ("",) * 5, np.array(rows)[:, [0, 2, 1]])
    assert agreement(turned, sketches, photos).hits == len(rows) - hits


def test_nothing_agrees_where_all_is_alike() -> None:
    triplets = HumanTriplets(("a",), ("b", "c"), np.array([[0, 0, 1], [0, 1, 0]]))
    score = agreement(triplets, unit([1, 0]), unit([1, 1], [1, 1]))
    assert (score.hits, score.clustered) == (0, None)


def test_the_majority_of_several_judgements() -> None:
    rows = [[0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 2, 0], [1, 1, 2], [1, 2, 1], [1, 2, 0]]
    found = HumanTriplets(("a", "b"), ("c", "d", "e"), np.array(rows)).majority()
    assert sorted(found.triplets.tolist()) == [[0, 0, 1], [0, 2, 0], [1, 2, 0]]


def split(modality: Modality, *names: str) -> Split:
    paths = tuple(Path(name) for name in names)
    return Split(paths, np.arange(len(names), dtype=np.int64), modality)


def test_places_follow_the_benchmark(tmp_path: Path) -> None:
    found = read_triplets(written(tmp_path))
    query = split(Modality.SKETCH, "s/8.png", "s/7.png")
    gallery = split(Modality.PHOTO, "p/9.jpg", "p/7.jpg", "p/8.jpg")
    moved = found.of(query, gallery)
    assert moved.triplets.tolist() == [[1, 1, 2], [1, 0, 2], [0, 2, 1], [0, 2, 0], [0, 2, 1]]
    names = [(moved.sketches[s], moved.photos[n], moved.photos[f]) for s, n, f in moved.triplets]
    assert names[0] == ("7.png", "7.jpg", "8.jpg")
    more = split(Modality.PHOTO, "9.jpg", "7.jpg", "8.jpg", "6.jpg")
    with pytest.raises(BadInputError, match=r"same photos as the benchmark; got 3 photos for 4"):
        found.of(query, more)
    other = split(Modality.SKETCH, "7.png", "1.png")
    with pytest.raises(BadInputError, match=r"got 2 sketches for 2, 1 of them unknown.*handbags"):
        found.of(other, gallery)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"triplets": [[[0, 3]], []]}, r"places of 2 sketches and 3 photos, from 0; got rows up"),
        ({"triplets": [[[0, -1]], []]}, "places of 2 sketches and 3 photos"),
        ({"triplets": [[[0, 1]], [], [[0, 1]]]}, "places of 2 sketches and 3 photos"),
        ({"triplets": [[[1, 1]], []]}, "must compare two photos; got one with itself"),
        ({"triplets": [[[0, 1, 2]]]}, "triplets.json, test, must have sketches"),
        ({"triplets": [[[0.5, 1]]]}, "got 1 rows of float64"),
        ({"triplets": [[], []]}, "got 0 rows"),
        ({"triplets": 5}, "got TypeError"),
        ({"images": None}, "got TypeError"),
    ],
)
def test_what_is_no_judgement(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        read_triplets(written(tmp_path, **changes))


def test_files_that_hold_no_triplets(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no part of triplets\.json called 'val'; known: test"):
        read_triplets(written(tmp_path), "val")
    file = tmp_path / "triplets.json"
    for text, sentence in (
        ("{", "must be JSON of human triplets"),
        ("[]", "part by name; got a list"),
    ):
        file.write_text(text)
        with pytest.raises(BadInputError, match=sentence):
            read_triplets(file)
    with pytest.raises(BadInputError, match=r"must be JSON of human triplets; got .*No such file"):
        read_triplets(tmp_path / "none.json")


def test_vectors_are_those_of_the_pictures(tmp_path: Path) -> None:
    found = read_triplets(written(tmp_path))
    two, three = unit([1, 0], [0, 1]), unit([1, 0], [0, 1], [1, 1])
    with pytest.raises(BadInputError, match=r"photo_vectors must be \(3, D\); got \(2, 2\)"):
        agreement(found, two, two)
    with pytest.raises(BadInputError, match=r"sketch_vectors must be \(2, D\); got \(3, 2\)"):
        agreement(found, three, three)
    with pytest.raises(BadInputError, match="sketch_vectors must have finite rows of norm 1"):
        agreement(found, 2 * two, three)


REAL = {
    ("qmul-shoe", "test"): (5175, 1010, 25),
    ("qmul-shoe", "train"): (41040, 7668, 540),
    ("qmul-chair", "test"): (4365, 873, 0),
    ("qmul-chair", "train"): (27000, 5333, 67),
}


@pytest.mark.data
@pytest.mark.parametrize(("name", "part"), REAL)
def test_the_photo_that_was_drawn_is_the_nearer_one(
    data_folder: Path, name: str, part: str
) -> None:
    found = read_triplets(data_folder / name / "triplets.json", part)
    sketch, nearer, farther = found.triplets.T
    counts = len(found), int((nearer == sketch).sum()), int((farther == sketch).sum())
    assert counts == REAL[name, part]
    assert [Path(photo).stem for photo in found.photos] == [Path(s).stem for s in found.sketches]
    from_one = int((nearer == sketch + 1).sum()), int((farther == sketch + 1).sum())
    assert max(from_one) < 1.4 * min(from_one)  # the reading that counts from 1 tells nothing
    assert len(found.majority()) == 45 * len(found.sketches)


@pytest.mark.data
def test_triplets_of_shoes_are_not_those_of_chairs(data_folder: Path) -> None:
    found = read_triplets(data_folder / "qmul-shoe" / "triplets.json")
    shoes = benchmarks.read("qmul_shoe", data_folder / "qmul-shoe")
    assert found.of(shoes.query, shoes.gallery).triplets.tolist() == found.triplets.tolist()
    chairs = benchmarks.read("qmul_chair", data_folder / "qmul-chair")
    with pytest.raises(BadInputError, match="got 115 sketches for 97"):
        found.of(chairs.query, chairs.gallery)
