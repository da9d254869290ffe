"""Changes to a collection whose result is known at each step: step n makes generation n."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import grown
from indexer.backends import _faiss
from indexer.disk import DiskCollection
from retrieval.errors import FgirError
from tests.indexer.gallery import DIM, FINGERPRINT, item_of, vector_of, vectors_of

_NAMES = [f"item {number}" for number in range(60)]


@dataclass(frozen=True)
class Step:
    """One change: items to add or replace by version, or names to remove."""

    put: dict[str, int]
    removed: tuple[str, ...]


class NotKeptError(AssertionError):
    """A promise that was not kept.

    Attributes:
        kind: lost, phantom, unreadable, mixed (rows or answers of no generation), silent (damage
            that nobody is told of), unnamed (a message without the file) or left over.
    """

    def __init__(self, kind: str, said: str) -> None:
        super().__init__(f"{kind}: {said}")
        self.kind = kind


def must(kind: str, truth: bool, said: str) -> None:
    """Raise unless it is so."""
    if not truth:
        raise NotKeptError(kind, said)


@contextmanager
def few_rows_are_many() -> Iterator[None]:
    """An approximate engine builds its index for a dozen rows, and grows until half are new.

    Else collections of a few dozen items would be plain lists, and no kept engine would grow.
    """
    before = _faiss.SMALLEST, grown.CHANGED_SHARE
    _faiss.SMALLEST, grown.CHANGED_SHARE = 8, 0.5
    try:
        yield
    finally:
        _faiss.SMALLEST, grown.CHANGED_SHARE = before


_models: dict[int, list[dict[str, int]]] = {}


def model_at(seed: int, generation: int) -> dict[str, int]:
    """Version by name after so many steps; each step is worked out once."""
    models = _models.setdefault(seed, [{}])
    while len(models) <= generation:
        step = _step(seed, len(models) - 1, models[-1])
        kept = {name: one for name, one in models[-1].items() if name not in step.removed}
        models.append(kept | step.put)
    return models[generation]


def steps(seed: int, start: int, end: int) -> Iterator[Step]:
    """Steps number ``start`` to ``end`` of a seed's endless sequence."""
    for number in range(start, end):
        yield _step(seed, number, model_at(seed, number))


def _step(seed: int, number: int, model: dict[str, int]) -> Step:
    generator = random.Random(f"{seed} {number}")
    there = sorted(model)
    if len(there) > 40 or (there and generator.random() < 0.3):
        count = generator.randint(1, min(len(there), 12))
        return Step({}, tuple(generator.sample(there, count)))
    chosen = generator.sample(_NAMES, generator.randint(1, 12))
    return Step(dict.fromkeys(chosen, number), ())


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
    try:
        with DiskCollection.open(folder, write=write, engine=engine) as collection:
            collection.verify()
            generation = collection.generation
            must("lost", acknowledged <= generation, f"{generation}, not {acknowledged}")
            must("phantom", generation <= acknowledged + 1, f"{generation} after {acknowledged}")
            check_answers(collection, model_at(seed, generation))
    except FgirError as error:
        raise NotKeptError("unreadable", str(error)) from error
    return generation


def check_answers(collection: DiskCollection, model: dict[str, int]) -> None:
    """Raise unless content and answers are exactly the model's."""
    ids = collection.ids()
    must("lost", set(ids) >= model.keys(), f"{sorted(model.keys() - set(ids))} are gone")
    must("phantom", set(ids) <= model.keys(), f"{sorted(set(ids) - model.keys())} were never there")
    must("phantom", len(ids) == len(collection) == len(model), "an item is there twice")
    items = [item_of(id_, model[id_]) for id_ in ids]
    must("mixed", collection.items == items, "items of another generation")
    vectors = [vector_of(id_, model[id_]) for id_ in ids]
    same = [np.array_equal(*pair) for pair in zip(collection.vectors, vectors, strict=True)]
    must("mixed", all(same), "vectors of another generation")
    hits = collection.search(collection.vectors, 1, fingerprint=FINGERPRINT)
    must("mixed", [found[0].item for found in hits] == items, "an item does not find itself")
    (everything,) = collection.search(vectors_of(["x"]), 99, fingerprint=FINGERPRINT)
    found = {hit.item.id for hit in everything}
    must("mixed", found == set(ids), "a search for everything finds something else")


__all__ = ["DIM", "FINGERPRINT", "NotKeptError", "Step", "check", "check_answers", "do"]
__all__ += ["few_rows_are_many", "item_of", "model_at", "must", "steps", "vectors_of"]
