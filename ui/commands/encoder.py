"""``fgir encoder``."""

from pathlib import Path
from typing import Annotated

import typer

from ui import options


def encoder(
    out: Annotated[Path, typer.Argument(help="Folder for the encoder; must not exist.")],
    photo_door: Annotated[
        Path | None,
        typer.Option(help="Join a pair: the saved encoder that photos go through, a folder."),
    ] = None,
    sketch_door: Annotated[
        Path | None,
        typer.Option(help="Join a pair: the one for sketches; the photos' when left out."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print what is in the folder; make nothing.")
    ] = False,
    backbone: options.BackboneName = "mobilenet_v2",
    weights: options.Weights = None,
    untrained: options.Untrained = False,
    pooling: options.Pooling = None,
    whiten: options.Whiten = None,
    photos: Annotated[
        Path | None, typer.Option(help="Photos to fit the whitening on: a folder or a table.")
    ] = None,
    size: options.Size = None,
    last_stride: options.LastStride = None,
    fit: options.Fit = "squash",
    flip: options.Flip = False,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
) -> None:
    """Save an encoder, network and pooling and whitening, to use with --encoder.

    With --photo-door, two saved encoders become a pair: photos and sketches in one space.
    """
    if show:
        _show(out)
        return
    if photo_door is not None or sketch_door is not None:
        _join(out, photo_door, sketch_door)
        return
    from retrieval.checkpoints import save_encoder
    from retrieval.errors import BadInputError

    chosen = options.chosen_encoder(
        None, backbone, weights, untrained, pooling, size, fit, flip, last_stride
    )
    if whiten:
        if photos is None:
            raise BadInputError("--whiten must have photos to fit on; got none. Add --photos.")
        from indexer.build import entries_of
        from ui.whitening import whitened

        entries, root = entries_of(photos)
        paths = [root / entry.path for entry in entries]
        chosen = whitened(chosen, whiten, paths, runtime=runtime, batch_size=batch_size)
    save_encoder(options.without_doors(chosen, "fgir encoder"), out)
    typer.echo(f"{out}: {chosen.dim} dimensions, fingerprint {chosen.fingerprint()[:12]}")


def _show(folder: Path) -> None:
    from retrieval.encoder_folders import open_encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.evaluation import encoder_name

    encoder = open_encoder(folder)
    doors = {"encoder": encoder}
    if isinstance(encoder, EncoderPair):
        typer.echo(f"pair: {encoder.dim} dimensions, fingerprint {encoder.fingerprint()}")
        doors = {"photo": encoder.photo, "sketch": encoder.sketch}
        if encoder.siamese:
            doors = {"photo and sketch": encoder.photo}
    for name, one in doors.items():
        described = encoder_name(one.settings())
        typer.echo(f"{name}: {described}, {one.dim} dimensions, fingerprint {one.fingerprint()}")


def _join(out: Path, photo: Path | None, sketch: Path | None) -> None:
    from retrieval.encoder_folders import open_encoder, save_pair
    from retrieval.encoder_pair import EncoderPair
    from retrieval.errors import BadInputError

    if photo is None:
        raise BadInputError("a pair must have an encoder of photos; got none. Add --photo-door.")
    one = options.without_doors(open_encoder(photo), "--photo-door")
    other = one
    if sketch is not None:
        other = options.without_doors(open_encoder(sketch), "--sketch-door")
    pair = EncoderPair(one, other)
    save_pair(pair, out)
    typer.echo(f"{out}: pair, {pair.dim} dimensions, fingerprint {pair.fingerprint()[:12]}")
