"""``fgir classify``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART, BadInputError
from ui import options
from ui.text import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrieval.classifier import Classifier
    from retrieval.placement import Box

_NOT_KNOWN = "whether it is none of these is not known: give a --collection"


@dataclass(frozen=True)
class _Answer:
    """What one picture was taken for.

    Attributes:
        path: Of the picture.
        labels: Most likely classes with their probabilities, best first.
        above: Likewise of superclasses; empty where none were asked for.
        p: Of the hypothesis that its class is in the collection; None where nothing was given.
        box: Where it was looked at, as fractions; None where nothing was localised.
    """

    path: Path
    labels: list[tuple[str, float]]
    above: list[tuple[str, float]]
    p: float | None
    box: "Box | None"


def classify(
    classifier: Annotated[Path, typer.Argument(help="A classifier, such as RUN/best.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Classes to name for each photo.")] = 5,
    superclass: Annotated[
        Path | None,
        typer.Option(help="A table with the columns label and superclass: name these too."),
    ] = None,
    collection: Annotated[
        Path | None,
        typer.Option(
            help="A labelled collection made with this classifier: say how surprising a photo "
            "would be as one of its classes."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a row for each photo and class.")] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Show photos and their classes in this .html or .png file.")
    ] = None,
    localise: Annotated[
        Path | None,
        typer.Option(
            help="Write a picture of each photo into this folder: where it was looked at."
        ),
    ] = None,
    batch_size: options.BatchSize = 32,
    as_json: options.AsJson = False,
) -> None:
    """Say what photos show: the most likely classes with calibrated probabilities.

    Probabilities are of the classes the classifier knows. A photo of anything else gets some of
    them too; with --collection a small p says that it is probably none of these.
    """
    from retrieval.calibration import probabilities
    from retrieval.classifier_folders import load_classifier
    from retrieval.classifying import classify_files
    from retrieval.superclasses import read_superclasses, rolled_up
    from ui.progress import progress

    if gallery is not None and gallery.suffix.lower() not in (".html", ".png"):
        raise BadInputError(f"--gallery must be an .html or .png file; got {gallery}.")
    if localise is not None and localise.exists() and not localise.is_dir():
        raise BadInputError(f"--localise must be a folder; got the file {localise}.")
    loaded = load_classifier(classifier)
    above = None if superclass is None else read_superclasses(superclass, loaded.classes)
    paths = _photos(photos)
    with progress("Classifying", len(paths)) as advance:
        made = classify_files(loaded, paths, batch_size=batch_size, on_progress=advance)
    for rejection in made.rejected:
        typer.echo(f"rejected {rejection.reason}", err=True)
    if not len(made.kept):
        raise BadInputError("photos must hold at least one readable picture; got none.")
    kept = [paths[position] for position in made.kept]
    shares = probabilities(made.logits, loaded.temperature)
    labels = _best(shares, loaded.classes, k)
    coarse = (
        [[] for _ in kept] if above is None else _best(*rolled_up(shares, loaded.classes, above), k)
    )
    p = [None] * len(kept) if collection is None else _p_values(loaded, collection, kept)
    boxes = [None] * len(kept) if localise is None else _localised(loaded, kept, localise)
    answers = [_Answer(*one) for one in zip(kept, labels, coarse, p, boxes, strict=True)]
    typer.echo(_json(answers) if as_json else _lines(answers))
    if csv is not None:
        _write_csv(csv, answers)
    if gallery is not None:
        _write_gallery(gallery, answers)
    if made.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)


def _photos(given: Sequence[Path]) -> list[Path]:
    """Files as they are, and the pictures below folders."""
    from indexer.sources import entries_of_folder

    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += [path / entry.path for entry in entries_of_folder(path)]
        else:
            found.append(path)
    return found


def _best(
    shares: "NDArray[np.float64]", names: Sequence[str], k: int
) -> list[list[tuple[str, float]]]:
    """The k most likely names of each row; of equal ones the first."""
    orders = (-shares).argsort(axis=1, kind="stable")[:, :k]
    return [
        [(names[place], float(row[place])) for place in order]
        for row, order in zip(shares, orders.tolist(), strict=True)
    ]


def _p_values(classifier: "Classifier", folder: Path, photos: Sequence[Path]) -> list[float | None]:
    """Of photos against a collection that the classifier's encoder made."""
    import numpy as np

    from indexer.disk import DiskCollection
    from indexer.rows import check_fingerprint
    from retrieval.encoding import encode_files
    from retrieval.openset import Openset

    encoder = classifier.encoder().to("cpu")
    with DiskCollection.open(folder) as opened:
        check_fingerprint("the classifier's encoder", encoder.fingerprint(), opened.fingerprint)
        labels = [item.label for item in opened.items]
        labelled = np.flatnonzero([bool(label) for label in labels])
        targets = np.unique([labels[row] for row in labelled], return_inverse=True)[1]
        vectors = np.asarray(opened.vectors, np.float32)[labelled]
    openset = Openset.fit(vectors, targets.astype(np.int64))
    encoded = encode_files(encoder, photos, runtime="eager")
    found: list[float | None] = [None] * len(photos)
    for position, p in zip(encoded.kept, openset.p_values(encoded.vectors).p, strict=True):
        found[position] = float(p)
    return found


def _localised(classifier: "Classifier", photos: Sequence[Path], out: Path) -> list["Box | None"]:
    """Boxes of photos, of which pictures are written into a folder."""
    from io import BytesIO

    from retrieval.files import write_atomically
    from retrieval.localisation_pictures import drawn
    from retrieval.localising import localise
    from ui.progress import progress

    out.mkdir(parents=True, exist_ok=True)
    boxes: list[Box | None] = []
    with progress("Localising", len(photos)) as advance:
        for number, photo in enumerate(photos, 1):
            found = localise(classifier, photo)
            boxes.append(found.box)
            written = BytesIO()
            drawn(found).save(written, "PNG")
            write_atomically(out / f"{number:04d}-{photo.stem[:100]}.png", written.getbuffer())
            advance(1)
    typer.echo(f"pictures: {out}", err=True)
    return boxes


def _lines(answers: Sequence[_Answer]) -> str:
    lines = []
    for one in answers:
        lines.append(shown(str(one.path)))
        lines += [f"{100 * share:>7.1f} %  {shown(name)}" for name, share in one.labels]
        lines += [f"{100 * share:>7.1f} %  [{shown(name)}]" for name, share in one.above]
        if one.p is not None:
            lines.append(f"{'p':>4} {one.p:.3f}  of one of the collection's classes")
    if answers[0].p is None:
        lines.append(_NOT_KNOWN)
    return "\n".join(lines)


def _json(answers: Sequence[_Answer]) -> str:
    import json

    plain = [
        {
            "photo": str(one.path),
            "classes": _plain(one.labels),
            "superclasses": _plain(one.above),
            "p_known": one.p,
            "box": None if one.box is None else [round(end, 6) for end in one.box],
        }
        for one in answers
    ]
    return json.dumps(plain, indent=2, ensure_ascii=False)


def _plain(found: Sequence[tuple[str, float]]) -> list[dict[str, object]]:
    return [{"name": name, "probability": round(share, 6)} for name, share in found]


def _write_csv(out: Path, answers: Sequence[_Answer]) -> None:
    import csv
    import io

    from retrieval.files import write_atomically

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["photo", "rank", "label", "probability", "superclass", "p_known"])
    for one in answers:
        coarse = one.above[0][0] if one.above else ""
        p = "" if one.p is None else f"{one.p:.6f}"
        for rank, (name, share) in enumerate(one.labels, 1):
            writer.writerow([one.path, rank, name, f"{share:.6f}", coarse, p])
    write_atomically(out, text.getvalue().encode())


def _write_gallery(out: Path, answers: Sequence[_Answer]) -> None:
    from ui.gallery import Row, Tile, picture_or_none, write_gallery

    rows = []
    for one in answers:
        first, *others = [f"{100 * share:.1f} % {name}" for name, share in one.labels]
        rows.append(Row(Tile(picture_or_none(one.path), first, ", ".join(others)), []))
    write_gallery(out, "Classified photos", rows)
    typer.echo(f"pictures: {out}", err=True)
