"""``fgir encoder``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui import options

if TYPE_CHECKING:
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair


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
    join: Annotated[
        list[Path] | None,
        typer.Option(help="Join encoders, or pairs door by door, into one; give two or more."),
    ] = None,
    share: Annotated[
        list[float] | None,
        typer.Option(help="Of the score, 0..1, for each --join but the last, which has the rest."),
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
    centred: options.Centred = False,
    pairs: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            help="For --centred and --whiten paired: a benchmark with training pairs, and where it "
            "lies. Its test part is not read.",
            metavar="BENCHMARK ROOT",
        ),
    ] = None,
    size: options.Size = None,
    last_stride: options.LastStride = None,
    keep_layers: options.KeepLayers = None,
    fit: options.Fit = "squash",
    flip: options.Flip = False,
    runtime: options.Runtime = "auto",
    batch_size: options.BatchSize = 32,
) -> None:
    """Save an encoder, network and pooling and whitening, to use with --encoder.

    With --centred or --whiten paired, it becomes a pair that learned from --pairs what photos and
    what sketches have in common. With --photo-door, two saved encoders become a pair: photos and
    sketches in one space. With --join A --join B --share 0.6, two of them become one whose scores
    are the mean of theirs, A's counting for 0.6.
    """
    if show:
        _show(out)
        return
    if photo_door is not None or sketch_door is not None:
        _pair(out, photo_door, sketch_door)
        return
    if join or share:
        _join(out, join or [], share or [])
        return
    from retrieval.encoder_folders import keep_encoder
    from retrieval.encoder_pair import EncoderPair

    chosen = options.chosen_encoder(
        None, backbone, weights, untrained, pooling, size, fit, flip, last_stride, keep_layers
    )
    if whiten or centred or pairs:
        chosen = _fitted(chosen, whiten, centred, photos, pairs, runtime, batch_size)
    keep_encoder(chosen, out)
    kind = "pair, " if isinstance(chosen, EncoderPair) else ""
    typer.echo(f"{out}: {kind}{chosen.dim} dimensions, fingerprint {chosen.fingerprint()[:12]}")


def _fitted(
    chosen: "Encoder | EncoderPair",
    whiten: str | None,
    centred: bool,
    photos: Path | None,
    pairs: tuple[str, Path] | None,
    runtime: str,
    batch_size: int,
) -> "Encoder | EncoderPair":
    from retrieval import benchmarks
    from retrieval.errors import BadInputError
    from ui.whitening import fitted_pair, needs_pairs, whitened

    if needs_pairs(whiten, centred):
        if pairs is None:
            raise BadInputError(
                "--centred and --whiten paired must have pairs to learn from; got none. "
                "Add --pairs BENCHMARK ROOT."
            )
        return fitted_pair(chosen, whiten, benchmarks.read(*pairs, {}))
    if pairs is not None or whiten is None:
        raise BadInputError(
            f"--pairs must come with --centred or --whiten paired; got --whiten {whiten}. "
            "Say what to learn from them."
        )
    if photos is None:
        raise BadInputError("--whiten must have photos to fit on; got none. Add --photos.")
    from indexer.build import entries_of

    entries, root = entries_of(photos)
    paths = [root / entry.path for entry in entries]
    return whitened(chosen, whiten, paths, runtime=runtime, batch_size=batch_size)


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


def _pair(out: Path, photo: Path | None, sketch: Path | None) -> None:
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


def _join(out: Path, folders: list[Path], shares: list[float]) -> None:
    from retrieval.encoder_folders import keep_encoder, open_encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.errors import BadInputError
    from retrieval.joined import join

    if len(folders) < 2:
        raise BadInputError(
            f"--join must name two encoders or more; got {len(folders)}. Add --join FOLDER."
        )
    if len(shares) != len(folders) - 1:
        raise BadInputError(
            f"--share must be given for each --join but the last, {len(folders) - 1} in all; got "
            f"{len(shares)}. --share 0.5 joins two alike."
        )
    if not (all(0 <= share <= 1 for share in shares) and sum(shares) <= 1):
        given = ", ".join(f"{share:g}" for share in shares)
        raise BadInputError(f"--share must be in 0..1, together at most 1; got {given}.")
    joined = join([open_encoder(folder) for folder in folders], [*shares, 1 - sum(shares)])
    keep_encoder(joined, out)
    kind = "joined pair" if isinstance(joined, EncoderPair) else "joined"
    typer.echo(f"{out}: {kind}, {joined.dim} dimensions, fingerprint {joined.fingerprint()[:12]}")
