"""``fgir search``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART, BadInputError
from ui import options
from ui.text import shown

if TYPE_CHECKING:
    from indexer.collection import SearchHit


def search(
    collection: Annotated[Path, typer.Argument(help="The collection, a folder.")],
    queries: Annotated[list[Path], typer.Argument(help="Photos to search with.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Hits for each query.")] = 10,
    gallery: Annotated[
        Path | None, typer.Option(help="Show queries and hits in this .html or .png file.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Show what SCDA selects of each query.")
    ] = False,
    engine: Annotated[str | None, typer.Option(help="Search with another engine.")] = None,
    runtime: options.Runtime = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Find the items nearest to each query photo."""
    import json

    from indexer.disk import DiskCollection
    from retrieval.encoding import encode_files
    from ui.building import encoder_of

    if gallery is not None and gallery.suffix.lower() not in (".html", ".png"):
        raise BadInputError(f"--gallery must be an .html or .png file; got {gallery}.")
    with DiskCollection.open(collection, engine=engine) as opened:
        encoder = encoder_of(opened)
        encoded = encode_files(encoder, queries, runtime=runtime)
        for rejection in encoded.rejected:
            typer.echo(f"rejected {rejection.reason}", err=True)
        if not len(encoded.kept):
            raise BadInputError("queries must hold at least one readable photo; got none.")
        found = opened.search(encoded.vectors, k, fingerprint=encoder.fingerprint())
        for notice in opened.notices:
            typer.echo(notice, err=True)
    kept = [queries[position] for position in encoded.kept]
    if as_json:
        answers = [
            {"query": str(query), "hits": [_plain(hit) for hit in hits]}
            for query, hits in zip(kept, found, strict=True)
        ]
        typer.echo(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        for query, hits in zip(kept, found, strict=True):
            _print(query, hits)
    if gallery is not None:
        from ui.gallery import gallery_rows, write_gallery

        rows = gallery_rows(collection, kept, found, encoder if mask else None)
        write_gallery(gallery, f"Search in {collection.name}", rows)
        typer.echo(f"pictures: {gallery}", err=True)
    if encoded.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)


def _plain(hit: "SearchHit") -> dict[str, object]:
    item = hit.item
    return {
        "rank": hit.rank,
        "score": round(hit.score, 6),
        "id": item.id,
        "path": item.path,
        "label": item.label,
        "payload": dict(item.payload),
    }


def _print(query: Path, hits: "list[SearchHit]") -> None:
    typer.echo(shown(str(query)))
    if not hits:
        typer.echo("  the collection is empty")
    for hit in hits:
        label = f"  {hit.item.label}" if hit.item.label else ""
        typer.echo(f"{hit.rank:>4}  {hit.score:.4f}  {shown(hit.item.id + label)}")
