"""``fgir collection duplicates``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import BadInputError
from ui import options
from ui.text import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from indexer.duplicates import Duplicate

_PICTURED = 200
"""Groups that a page of pictures shows, and a terminal lists."""


def duplicates(
    collection: options.Place,
    likeness: Annotated[
        float, typer.Option(help="Least cosine similarity of two pictures of a group.")
    ] = 0.98,
    csv: Annotated[
        Path | None, typer.Option(help="Write all groups as a table to this file.")
    ] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Show the groups in this .html or .png file.")
    ] = None,
) -> None:
    """List pictures that the collection's encoder cannot tell apart, and byte-identical ones.

    Each further picture of a group has its similarity to the first one, and = where another picture
    of the group has the same bytes.
    """
    from indexer.disk import DiskCollection
    from indexer.duplicates import duplicate_groups
    from ui.building import folder_of
    from ui.progress import progress

    if gallery is not None and gallery.suffix.lower() not in (".html", ".png"):
        raise BadInputError(f"--gallery must be an .html or .png file; got {gallery}.")
    folder = folder_of(collection)
    with DiskCollection.open(folder) as opened:
        with progress("Comparing", len(opened)) as advance:
            groups = duplicate_groups(opened, likeness, on_progress=advance)
        count = len(opened)
    for number, group in enumerate(groups[:_PICTURED], 1):
        typer.echo(f"group {number}: {len(group):,} items")
        for one in group:
            same = "=" if one.identical else " "
            typer.echo(f"  {one.likeness:.6f} {same} {shown(one.item.id)}  {shown(one.item.label)}")
    if len(groups) > _PICTURED:
        typer.echo(f"... and {len(groups) - _PICTURED:,} groups more: --csv has them all", err=True)
    further = sum(map(len, groups)) - len(groups)
    typer.echo(f"{len(groups):,} groups; {further:,} of {count:,} items repeat another one")
    if csv is not None:
        _write_table(csv, groups)
    if gallery is not None:
        _write_pictures(gallery, folder, groups)


def _write_table(path: Path, groups: "Sequence[Sequence[Duplicate]]") -> None:
    import csv
    import io

    from retrieval.files import write_atomically

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["group", "id", "path", "label", "likeness", "identical"])
    for number, group in enumerate(groups, 1):
        for one in group:
            facts = (one.item.id, one.item.path, one.item.label)
            likeness, same = f"{one.likeness:.6f}", str(one.identical).lower()
            writer.writerow([number, *facts, likeness, same])
    write_atomically(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _write_pictures(path: Path, collection: Path, groups: "Sequence[Sequence[Duplicate]]") -> None:
    from indexer.collection import SearchHit
    from ui.gallery import Row, hit_tiles, write_gallery

    rows = []
    for group in groups[:_PICTURED]:
        hits = [SearchHit(one.item, one.likeness, rank) for rank, one in enumerate(group, 1)]
        first, *others = hit_tiles(collection, hits)
        rows.append(Row(first, others))
    write_gallery(path, f"Duplicates in {collection.name}", rows)
