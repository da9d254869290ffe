"""``fgir search``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import EXIT_DONE_IN_PART, BadInputError
from ui import options
from ui.text import shown

if TYPE_CHECKING:
    from indexer.collection import SearchHit
    from indexer.filters import Condition
    from retrieval.data import Modality
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.reranking import Reranking
    from ui.building import Opened


@dataclass(frozen=True)
class _Answer:
    """What one picture found."""

    query: Path
    modality: "Modality"
    hits: "Sequence[SearchHit]"


def search(
    collection: options.Place,
    queries: Annotated[
        list[Path] | None, typer.Argument(help="Photos to search with.", show_default=False)
    ] = None,
    sketch: Annotated[
        list[Path] | None,
        typer.Option(
            "--sketch",
            help="A sketch to search with, a picture or strokes (.json, .svg, .ndjson, or "
            "strokes.json/KEY for one of many); may be given several times.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Hits for each query.")] = 10,
    where: options.Where = None,
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
    """Find the items nearest to each query, a photo or a sketch.

    Queries are encoded by the encoder that the collection carries, unless another of the same space
    is given: one that was exported, the one it was exported from, or a pair whose photo door made
    the collection.
    """
    from indexer.rows import check_fingerprint
    from retrieval.data import Modality
    from retrieval.encoder_pair import fingerprint_for
    from ui.building import encoder_of, open_collection

    if gallery is not None and gallery.suffix.lower() not in (".html", ".png"):
        raise BadInputError(f"--gallery must be an .html or .png file; got {gallery}.")
    asked = {Modality.PHOTO: queries or [], Modality.SKETCH: sketch or []}
    _check_queries(asked[Modality.PHOTO], asked[Modality.SKETCH])
    reranking = options.reranking(rerank)
    condition = options.condition(where)
    with open_collection(collection, engine=engine) as opened:
        encoder = encoder_of(opened, encoder_folder)
        fingerprint = fingerprint_for(encoder, opened.fingerprint)
        check_fingerprint("the encoder", fingerprint, opened.fingerprint)
        if asked[Modality.SKETCH]:
            check_sketch_door(encoder, opened.place)
        searching = _Searching(opened, encoder, k, runtime, reranking, condition)
        answers = [one for kind, paths in asked.items() for one in searching.answers(paths, kind)]
        if not answers:
            raise BadInputError("queries must hold at least one readable picture; got none.")
        for notice in opened.notices:
            typer.echo(notice, err=True)
        nothing = "no item matches --where" if len(opened) else "the collection is empty"
    typer.echo(_json(answers) if as_json else _lines(answers, nothing))
    if gallery is not None:
        from ui.gallery import gallery_rows, write_gallery

        rows = gallery_rows(
            opened.folder,
            [one.query for one in answers],
            [one.hits for one in answers],
            encoder if mask else None,
            [one.modality for one in answers],
        )
        write_gallery(gallery, f"Search in {Path(opened.place).name}", rows)
        typer.echo(f"pictures: {gallery}", err=True)
    if len(answers) < sum(map(len, asked.values())):
        raise typer.Exit(EXIT_DONE_IN_PART)


def check_sketch_door(encoder: "Encoder | EncoderPair", collection: object) -> None:
    """Raise unless sketches have a door of their own: another network's scores would be noise."""
    from retrieval.encoder_pair import EncoderPair

    if not isinstance(encoder, EncoderPair):
        raise BadInputError(
            f"{collection} must have an encoder with a door for sketches to be searched by sketch; "
            "got one of photos alone. Index the photos with a pair (fgir index --encoder PAIR), or "
            "search with --encoder PAIR if its photo door made the collection."
        )


def _check_queries(photos: Sequence[Path], sketches: Sequence[Path]) -> None:
    from retrieval.sketches import holds_strokes

    if not photos and not sketches:
        raise BadInputError("search must have a photo or a --sketch to search with; got neither.")
    for photo in photos:
        if holds_strokes(photo):
            raise BadInputError(
                f"{photo} must be a photo; got strokes. Give it with --sketch {photo}."
            )


@dataclass(frozen=True)
class _Searching:
    """Where and how is searched."""

    collection: "Opened"
    encoder: "Encoder | EncoderPair"
    k: int
    runtime: str
    reranking: "Reranking | None"
    where: "Condition | None"

    def answers(self, queries: Sequence[Path], modality: "Modality") -> list[_Answer]:
        """Of the queries that can be read; the others are named."""
        from retrieval.encoding import encode_files

        if not queries:
            return []
        encoded = encode_files(self.encoder, queries, modality=modality, runtime=self.runtime)
        for rejection in encoded.rejected:
            typer.echo(f"rejected {rejection.reason}", err=True)
        kept = [queries[position] for position in encoded.kept]
        if not kept:
            return []
        if self.reranking is None:
            fingerprint = self.collection.fingerprint
            found = self.collection.search(
                encoded.vectors, self.k, fingerprint=fingerprint, where=self.where
            )
        else:
            from indexer.disk import DiskCollection
            from indexer.reranked import reranked_search

            if not isinstance(self.collection, DiskCollection):
                raise BadInputError(
                    f"--rerank must have a collection in a folder; got {self.collection.place}. "
                    "Copy it with fgir collection copy."
                )
            found = reranked_search(
                self.collection,
                self.encoder,
                encoded.vectors,
                kept,
                self.k,
                self.reranking,
                modality=modality,
                where=self.where,
            )
        return [_Answer(query, modality, hits) for query, hits in zip(kept, found, strict=True)]


def _json(answers: Sequence[_Answer]) -> str:
    import json

    plain = [
        {
            "query": str(one.query),
            "modality": str(one.modality),
            "hits": [_plain(hit) for hit in one.hits],
        }
        for one in answers
    ]
    return json.dumps(plain, indent=2, ensure_ascii=False)


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


def _lines(answers: Sequence[_Answer], nothing: str) -> str:
    lines = []
    for one in answers:
        name = f"{one.modality} {shown(str(one.query))}"
        lines.append(name + ("" if one.hits else f": {nothing}"))
        for hit in one.hits:
            words = [hit.item.id, hit.item.label] if hit.item.label else [hit.item.id]
            lines.append(f"{hit.rank:>4}  {hit.score:.4f}  {shown('  '.join(words))}")
    return "\n".join(lines)
