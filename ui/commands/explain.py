"""``fgir explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import BadInputError
from ui import options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from indexer.collection import Item
    from retrieval.data import Modality
    from retrieval.explain import ExplainedPair
    from ui.building import Opened


def explain(
    collection: options.Place,
    query: Annotated[Path | None, typer.Argument(help="A photo.", show_default=False)] = None,
    sketch: Annotated[
        Path | None,
        typer.Option("--sketch", help="A sketch in its place, as fgir search takes it."),
    ] = None,
    hit: Annotated[
        str | None, typer.Option(help="The item to explain; that at --rank if left out.")
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Which hit to explain.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Show both pictures in this .png or .html file.")
    ] = None,
    encoder_folder: options.EncoderFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Say why a query found a hit: which places made the score, and which correspond."""
    from indexer.rows import check_fingerprint
    from retrieval.data import Modality
    from retrieval.encoder_pair import door_of, fingerprint_for
    from retrieval.explain import explain as explained
    from retrieval.explanation_page import check_form, write_explanation
    from retrieval.modalities import read_picture
    from ui.building import encoder_of, open_collection
    from ui.commands.search import check_sketch_door
    from ui.text import shown

    if out is not None:
        check_form(out)
    path, modality = _asked(query, sketch)
    with open_collection(collection) as opened:
        encoder = encoder_of(opened, encoder_folder)
        fingerprint = fingerprint_for(encoder, opened.fingerprint)
        check_fingerprint("the encoder", fingerprint, opened.fingerprint)
        if modality is Modality.SKETCH:
            check_sketch_door(encoder, opened.place)
        asked_door, photo_door = (door_of(encoder, one)[0] for one in (modality, Modality.PHOTO))
        asked = read_picture(path, modality, asked_door.transform)
        if hit is None:
            vectors = asked_door.vectors(asked_door.transform(asked)[None])
            item = _at(opened, vectors, rank)
        else:
            item = opened.get(hit)
        found = read_picture(opened.folder / item.path, Modality.PHOTO, photo_door.transform)
        pair = explained(encoder, asked, found, modality=modality)
    typer.echo(_json(pair, item) if as_json else _lines(pair, path, item))
    if out is not None:
        write_explanation(pair, asked, found, out, title=shown(f"{path.name} and {item.id}"))
        typer.echo(f"explanation: {out}", err=True)


def _asked(query: Path | None, sketch: Path | None) -> tuple[Path, "Modality"]:
    from retrieval.data import Modality
    from retrieval.sketches import holds_strokes

    if query is not None and sketch is None:
        if holds_strokes(query):
            raise BadInputError(
                f"{query} must be a photo; got strokes. Give it with --sketch {query}."
            )
        return query, Modality.PHOTO
    if sketch is not None and query is None:
        return sketch, Modality.SKETCH
    given = "both" if query is not None else "neither"
    raise BadInputError(f"explain must have a photo or a --sketch; got {given}. Give one.")


def _at(collection: "Opened", vectors: "NDArray[np.float32]", rank: int) -> "Item":
    """The item at a rank."""
    hits = collection.search(vectors, rank, fingerprint=collection.fingerprint)[0]
    if len(hits) < rank:
        raise BadInputError(
            f"--rank must be in 1..{len(hits)}, the items of the collection; got {rank}."
            if hits
            else f"{collection.place} must have items; got none. Add some with fgir add."
        )
    return hits[rank - 1].item


def _lines(pair: "ExplainedPair", query: Path, item: "Item") -> str:
    from retrieval.explanation_pictures import shown_correspondences, sums
    from ui.text import shown

    lines = [
        shown(f"{query} and {item.id}  {item.label}".rstrip()),
        f"score {pair.score:.6f}",
        f"  {sums('query', pair.query)}",
        f"  {sums('hit', pair.hit)}",
        f"{len(pair.correspondences)} pairs of places are each other's nearest",
    ]
    for number, one in enumerate(shown_correspondences(pair), 1):
        lines.append(
            f"{number:>4}  {one.score:.4f}  query {_place(one.query)}  hit {_place(one.hit)}"
        )
    return "\n".join(lines)


def _place(position: tuple[int, int]) -> str:
    return f"row {position[0] + 1} column {position[1] + 1}"


def _json(pair: "ExplainedPair", item: "Item") -> str:
    import json

    sides = {
        name: {
            "contributions": side.contributions.tolist(),
            "constant": side.constant,
            "remainder": side.remainder,
            "exact": side.exact,
            "mask": side.mask.tolist(),
            "shown": side.placement.shown,
            "filled": side.placement.filled,
        }
        for name, side in (("query", pair.query), ("hit", pair.hit))
    }
    correspondences = [
        {"query": one.query, "hit": one.hit, "score": one.score, "on_objects": one.on_objects}
        for one in pair.correspondences
    ]
    plain = {
        "id": item.id,
        "label": item.label,
        "score": pair.score,
        **sides,
        "correspondences": correspondences,
    }
    return json.dumps(plain, indent=2, ensure_ascii=False)
