"""``fgir replay``."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options


def replay(
    sketch: Annotated[
        Path,
        typer.Argument(help="A drawing with strokes (.json, .svg, .ndjson, strokes.json/KEY)."),
    ],
    collection: options.Place,
    target: Annotated[
        str | None,
        typer.Option(help="Whose rank: an item's id or a label; the final best hit if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write it, too: .json, a chart (.svg), or pictures (.png, .html)."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Equal shares of the pen's way; stroke by stroke if left out."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Best hits shown of each step.")] = 5,
    encoder_folder: options.EncoderFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw a sketch again, stroke by stroke, and print the rank of what it looks for.

    The same drawing in the same collection gives the same bytes every time.
    """
    from indexer.disk import DiskCollection
    from indexer.replay import replay as traced
    from indexer.rows import check_fingerprint
    from retrieval.encoder_folders import open_encoder
    from retrieval.encoder_pair import fingerprint_for
    from retrieval.sketches import read_drawing
    from ui import rank_trace
    from ui.building import encoder_of, folder_of
    from ui.commands.search import check_sketch_door
    from ui.progress import progress

    rank_trace.check_form(out)
    folder = folder_of(collection)
    drawing = read_drawing(sketch)
    with DiskCollection.open(folder) as opened:
        encoder = encoder_of(opened) if encoder_folder is None else open_encoder(encoder_folder)
        fingerprint = fingerprint_for(encoder, opened.fingerprint)
        check_fingerprint("the encoder", fingerprint, opened.fingerprint)
        check_sketch_door(encoder, collection)
        with progress("Drawing", steps or len(drawing.strokes)) as advance:
            trace = traced(
                opened, encoder, drawing, target=target, steps=steps, k=k, on_progress=advance
            )
    write = rank_trace.as_json if as_json else rank_trace.lines
    typer.echo(write(trace, sketch))
    if out is not None:
        rank_trace.write_trace(trace, sketch, folder, out)
        typer.echo(f"trace: {out}", err=True)
