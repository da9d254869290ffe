"""``fgir search``."""

from collections.abc import Sequence
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
    rerank: options.Rerank = None,
    engine: Annotated[str | None, typer.Option(help="Search with another engine.")] = None,
    encoder_folder: options.EncoderFolder = None,
    runtime: options.Runtime = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Find the items nearest to each query photo.

    Queries are encoded by the encoder that the collection carries, unless another of the same space
    is given: one that was exported, or the one it was exported from.
    """
    from indexer.disk import DiskCollection
    from indexer.rows import check_fingerprint
    from retrieval.encoder_folders import open_encoder
    from retrieval.encoding import encode_files
    from ui.building import encoder_of

    if gallery is not None and gallery.suffix.lower() not in (".html", ".png"):
        raise BadInputError(f"--gallery must be an .html or .png file; got {gallery}.")
    reranking = options.reranking(rerank)
    with DiskCollection.open(collection, engine=engine) as opened:
        encoder = encoder_of(opened) if encoder_folder is None else open_encoder(encoder_folder)
        check_fingerprint("the encoder", encoder.fingerprint(), opened.fingerprint)
        encoded = encode_files(encoder, queries, runtime=runtime)
        for rejection in encoded.rejected:
            typer.echo(f"rejected {rejection.reason}", err=True)
        if not len(encoded.kept):
            raise BadInputError("queries must hold at least one readable photo; got none.")
        kept = [queries[position] for position in encoded.kept]
        if reranking is None:
            found = opened.search(encoded.vectors, k, fingerprint=encoder.fingerprint())
        else:
            from indexer.reranked import reranked_search

            found = reranked_search(opened, encoder, encoded.vectors, kept, k, reranking)
        for notice in opened.notices:
            typer.echo(notice, err=True)
    typer.echo(_json(kept, found) if as_json else _lines(kept, found))
    if gallery is not None:
        from ui.gallery import gallery_rows, write_gallery

        rows = gallery_rows(collection, kept, found, encoder if mask else None)
        write_gallery(gallery, f"Search in {collection.name}", rows)
        typer.echo(f"pictures: {gallery}", err=True)
    if encoded.rejected:
        raise typer.Exit(EXIT_DONE_IN_PART)


def _json(queries: Sequence[Path], found: "Sequence[Sequence[SearchHit]]") -> str:
    import json

    answers = [
        {"query": str(query), "hits": [_plain(hit) for hit in hits]}
        for query, hits in zip(queries, found, strict=True)
    ]
    return json.dumps(answers, indent=2, ensure_ascii=False)


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


def _lines(queries: Sequence[Path], found: "Sequence[Sequence[SearchHit]]") -> str:
    lines = []
    for query, hits in zip(queries, found, strict=True):
        lines.append(shown(str(query)) + ("" if hits else ": the collection is empty"))
        for hit in hits:
            words = [hit.item.id, hit.item.label] if hit.item.label else [hit.item.id]
            lines.append(f"{hit.rank:>4}  {hit.score:.4f}  {shown('  '.join(words))}")
    return "\n".join(lines)
