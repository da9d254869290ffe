"""The generated catalogue of shoes: photos of models that do not exist.

``fgir`` makes it (:func:`retrieval.catalogue.generate`). Half of the models are for learning; every
photo of the others queries all other test photos, and a photo of the same model is a right answer.

With ``query=sketch`` the sketches of the test models search: with ``gallery=first`` the catalogue
picture of each model, which is the one they show (acc@K); with ``gallery=all`` all photos of the
test models, where any photo of the model drawn is right (Recall@K).

With ``learned_share`` the photos of every model are divided instead, for recognition.

Source: generated.
Licence: that of this project.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalogue.generate import CERTIFICATE
from ..data import Benchmark, Split
from ..errors import BadInputError, DamagedDataError
from ..files import sha256_of_file
from ..plugins import unknown
from . import pairs, table

QUERIES = ("photo", "sketch")
GALLERIES = ("first", "all")
CLASSES = {"models": "label", "families": "superclass"}
"""Columns of the table of photos."""


def read(
    root: Path,
    *,
    query: str = "photo",
    gallery: str | None = None,
    classes: str = "models",
    learned_share: float = 0.0,
) -> Benchmark:
    """Read a generated catalogue.

    Args:
        root: The folder that ``generate`` made.
        query: "photo" or "sketch": what is searched with.
        gallery: What sketches search: "first", the first photo of each model, or "all" photos;
            "first" when left out.
        classes: What photos are of the same class: "models", or "families" of models, which the
            training and the test part have in common: for recognition.
        learned_share: Share of the photos of every model, of both parts, that are for learning, in
            [0, 1); the others are tested, and one at least is on each side.

    Raises:
        BadInputError: ``root`` is no catalogue, or an option is unknown.
        DamagedDataError: A table is not the one that was generated, or a picture is missing.
    """
    root = Path(root)
    _check_options(query, gallery, classes, learned_share)
    certificate = _certificate(root)
    for name, digest in certificate["sha256"].items():
        if not (root / name).is_file():
            raise DamagedDataError(f"{root} must hold {name}; got no such file. {_AGAIN}")
        if sha256_of_file(root / name) != digest:
            raise DamagedDataError(
                f"{root / name} must be the table that was generated; got another. {_AGAIN}"
            )
    found = table.read(root, label=CLASSES[classes])
    photos = [*found.train.paths, *found.query.paths]
    _check_pictures(root, "photo", "photos", photos, certificate["photos"])
    name = f"catalogue (seed {certificate['seed']}, version {certificate['version']})"
    if classes != "models":
        name += f", {classes}"
    if learned_share:
        return _divided(found, learned_share, f"{name}, photos of each divided")
    if query == "photo":
        return dataclasses.replace(found, name=name)
    drawn = pairs.read(root)
    sketches = [*drawn.train_sketches.paths, *drawn.query.paths]
    _check_pictures(root, "sketch", "sketches", sketches, certificate["sketches"])
    if gallery != "all":
        return dataclasses.replace(drawn, name=f"{name}, sketches to first photos")
    return _to_all_photos(found, drawn, f"{name}, sketches to all photos")


def _divided(found: Benchmark, share: float, name: str) -> Benchmark:
    """Every class on both sides, with different photos: always the same ones."""
    paths = [*found.train.paths, *found.query.paths]
    targets = np.concatenate([found.train.targets, found.query.targets])
    groups = np.concatenate([found.train.groups["superclass"], found.query.groups["superclass"]])
    names = {**found.train.names, **found.query.names}
    learned = np.zeros(len(paths), bool)
    for target in np.unique(targets).tolist():
        photos = np.random.default_rng(target).permutation(np.flatnonzero(targets == target))
        learned[photos[: min(max(1, round(share * len(photos))), len(photos) - 1)]] = True

    def part(chosen: NDArray[np.bool_]) -> Split:
        kept = tuple(path for path, wanted in zip(paths, chosen, strict=True) if wanted)
        return Split(kept, targets[chosen], names=names, groups={"superclass": groups[chosen]})

    test = part(~learned)
    return Benchmark(name, test, test, train=part(learned))


def _to_all_photos(photos: Benchmark, drawn: Benchmark, name: str) -> Benchmark:
    """Sketches of a model search all photos of the test models."""
    return Benchmark(
        name=name,
        query=_of_models(drawn.query, drawn.gallery, photos.query),
        gallery=photos.query,
        train=photos.train,
        train_sketches=_of_models(drawn.train_sketches, drawn.train, photos.train),
        class_disjoint=photos.class_disjoint,
    )


def _of_models(sketches: Split, shown: Split, photos: Split) -> Split:
    """Sketches with the model of the photo they show as their target."""
    models = dict(zip(photos.paths, photos.targets.tolist(), strict=True))
    objects = {
        target: models[path]
        for path, target in zip(shown.paths, shown.targets.tolist(), strict=True)
    }
    targets = np.array([objects[target] for target in sketches.targets.tolist()], np.int64)
    names = {target: photos.names[target] for target in targets.tolist()}
    return dataclasses.replace(sketches, targets=targets, names=names)


def _check_options(query: str, gallery: str | None, classes: str, learned_share: float) -> None:
    if query not in QUERIES:
        raise BadInputError(unknown("query", query, QUERIES))
    if gallery is not None and gallery not in GALLERIES:
        raise BadInputError(unknown("gallery", gallery, GALLERIES))
    if classes not in CLASSES:
        raise BadInputError(unknown("classes", classes, CLASSES))
    if not 0 <= learned_share < 1 or (learned_share and query != "photo"):
        raise BadInputError(
            f"learned_share must be in [0, 1), of photos; got {learned_share} with query={query}."
        )
    if query == "sketch" and classes != "models":
        raise BadInputError(
            f"classes must be models with query=sketch; got {classes!r}. Sketches show one model."
        )
    if query == "photo" and gallery is not None:
        raise BadInputError(
            f"gallery must be left out with query=photo; got {gallery!r}. Photos search all others."
        )


_AGAIN = "Generate the catalogue again."


def _certificate(root: Path) -> dict[str, Any]:
    file = root / CERTIFICATE
    if not file.is_file():
        raise BadInputError(
            f"{root} must hold {CERTIFICATE}; got no such file. Generate a catalogue there."
        )
    try:
        certificate: dict[str, Any] = json.loads(file.read_text())
    except ValueError as error:
        raise DamagedDataError(f"{file} must be JSON; got {error}. {_AGAIN}") from error
    if certificate.get("format") != "fgir catalogue":
        raise BadInputError(f"{file} must be of a catalogue; got {certificate.get('format')!r}.")
    return certificate


def _check_pictures(
    root: Path, kind: str, kinds: str, paths: Sequence[Path], expected: int
) -> None:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DamagedDataError(
            f"{root} must hold every {kind} of its table; got {len(missing)} missing, "
            f"such as {missing[0].name} in {missing[0].parent}. {_AGAIN}"
        )
    if len(paths) != expected:
        raise DamagedDataError(f"{root} must have {expected} {kinds}; got {len(paths)}. {_AGAIN}")
