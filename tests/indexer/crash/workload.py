"""Changes to a collection whose result is known at each step: step n makes generation n."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.disk import DiskCollection
from tests.indexer.gallery import DIM, FINGERPRINT, item_of, vector_of, vectors_of

_NAMES = [f"item {number}" for number in range(60)]


@dataclass(frozen=True)
class Step:
    """One change: items to add or replace by version, or names to remove."""

    put: dict[str, int]
    removed: tuple[str, ...]


def steps(seed: int, start: int, end: int) -> Iterator[Step]:
    """Steps number ``start`` to ``end`` of a seed's endless sequence."""
    model: dict[str, int] = {}
    for number in range(end):
        generator = random.Random(f"{seed} {number}")
        there = sorted(model)
        if len(there) > 40 or (there and generator.random() < 0.3):
            count = generator.randint(1, min(len(there), 12))
            step = Step({}, tuple(generator.sample(there, count)))
        else:
            chosen = generator.sample(_NAMES, generator.randint(1, 12))
            step = Step({name: number for name in chosen}, ())
        _apply(model, step)
        if number >= start:
            yield step


def model_at(seed: int, generation: int) -> dict[str, int]:
    """Version by name after so many steps."""
    model: dict[str, int] = {}
    for step in steps(seed, 0, generation):
        _apply(model, step)
    return model


def do(collection: DiskCollection, step: Step) -> None:
    if step.removed:
        collection.remove(step.removed)
        return
    vectors = np.stack([vector_of(*one) for one in step.put.items()])
    items = [item_of(*one) for one in step.put.items()]
    collection.add(vectors, items, fingerprint=FINGERPRINT, replace=True)


def check(folder: Path, seed: int, acknowledged: int, engine: str, *, write: bool = False) -> int:
    """Compare a collection with its sequence; the generation it is at.

    Nothing acknowledged is lost (the generation is not behind), nothing that was never begun is
    there (it is at most one ahead), and the content is exactly that generation's: no phantom, no
    item twice, no zeroed or mixed vector, right payloads, search agreeing with the scan.
    """
    with DiskCollection.open(folder, write=write, engine=engine) as collection:
        collection.verify()
        generation = collection.generation
        assert acknowledged <= generation <= acknowledged + 1
        check_answers(collection, model_at(seed, generation))
    return generation


def check_answers(collection: DiskCollection, model: dict[str, int]) -> None:
    """Raise unless content and answers are exactly the model's."""
    ids = collection.ids()
    assert len(ids) == len(collection) == len(set(ids)) == len(model)
    for item, row in zip(collection.items, collection.vectors, strict=True):
        assert item == item_of(item.id, model[item.id])
        np.testing.assert_array_equal(row, vector_of(item.id, model[item.id]))
    hits = collection.search(collection.vectors, 1, fingerprint=FINGERPRINT)
    assert [found[0].item.id for found in hits] == ids
    (everything,) = collection.search(vectors_of(["x"]), 99, fingerprint=FINGERPRINT)
    assert {hit.item.id for hit in everything} == set(ids)


def _apply(model: dict[str, int], step: Step) -> None:
    for name in step.removed:
        del model[name]
    model |= step.put


__all__ = ["DIM", "FINGERPRINT", "check", "check_answers", "do", "item_of", "model_at", "steps"]
__all__ += ["vectors_of"]
