"""Why a query found a hit, as a picture or as one HTML file."""

import base64
import io
from pathlib import Path

from PIL import Image

from .errors import BadInputError
from .explain import ExplainedPair
from .explanation_pictures import panels, sheet, shown_correspondences, signed
from .files import write_atomically
from .html_page import cell, header, notes, page, section, table, tiles, write

FORMS = (".png", ".html")
"""What an explanation can be written as."""

_CAPTIONS = (
    "What SCDA takes for the object; the rest is faded.",
    "Regions that are each other's nearest, with one number in both pictures.",
    "What each place adds to the score: orange for it, blue against it, on one scale.",
)
_APPROXIMATE = (
    "The contributions are approximate: this encoder's pooling or last step is not a plain sum "
    "over places."
)


def check_form(path: Path) -> None:
    """Raise unless an explanation can be written to a file of this name."""
    if path.suffix.lower() not in FORMS:
        raise BadInputError(f"--out must be a .png or .html file; got {path}.")


def write_explanation(
    explained: ExplainedPair,
    query: Image.Image,
    hit: Image.Image,
    path: Path,
    *,
    title: str = "Why this hit",
) -> None:
    """Write an explanation.

    Args:
        explained: What was found.
        query: RGB, any copy of the query.
        hit: RGB, any copy of the hit.
        path: A .png or .html file; overwritten.
        title: Above the page, such as the names of the two.

    Raises:
        BadInputError: Another kind of file.
        StorageError: The file cannot be written.
    """
    check_form(path)
    if path.suffix.lower() == ".png":
        write_atomically(path, _png(sheet(explained, query, hit)))
        return
    sides = (explained.query, explained.hit)
    rows = panels(explained, query, hit)
    parts = [
        header("Why this hit", title, f"score {explained.score:.4f}"),
        tiles(
            [
                (
                    f"places of the {name}",
                    signed(float(side.contributions.sum())),
                    f"constant {signed(side.constant)}, not credited {signed(side.remainder)}",
                )
                for name, side in zip(("query", "hit"), sides, strict=True)
            ]
        ),
        notes([] if all(side.exact for side in sides) else [_APPROXIMATE]),
        *(
            section(name, _CAPTIONS[column], *(_figure(row[column]) for row in rows))
            for column, name in enumerate(("Object", "Regions", "Contributions"))
        ),
        _regions(explained),
    ]
    write(path, page(title, parts))


def _regions(explained: ExplainedPair) -> str:
    rows = [
        [
            cell(str(number), kind="figure"),
            cell(f"row {one.query[0] + 1}, column {one.query[1] + 1}"),
            cell(f"row {one.hit[0] + 1}, column {one.hit[1] + 1}"),
            cell(f"{one.score:.3f}", kind="figure"),
            cell("yes" if one.on_objects else "no"),
        ]
        for number, one in enumerate(shown_correspondences(explained), 1)
    ]
    count = len(explained.correspondences)
    explained_how = f"{len(rows)} of {count} pairs of places that are each other's nearest."
    return section(
        "Corresponding regions",
        explained_how,
        table(["", "query", "hit", "cosine", "on both objects"], rows),
    )


def _figure(picture: Image.Image) -> str:
    data = base64.b64encode(_png(picture)).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" width="{picture.width}" '
        f'height="{picture.height}" alt="" style="margin-right:14px;max-width:46%;height:auto">'
    )


def _png(picture: Image.Image) -> bytes:
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()
