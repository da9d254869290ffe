"""``fgir export``."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import BadInputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.exports import Training

_MODELS, _PHOTOS = 6, 4
"""Of the generated catalogue."""


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN", help="A training run, or a saved encoder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model; must be new.")],
    format_: Annotated[
        str, typer.Option("--format", help="onnx, openvino, openvino_fp16 or torch.")
    ] = "onnx",
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Photos to compare the two on, a folder or a table; made-up ones when left out."
        ),
    ] = None,
) -> None:
    """Write an encoder for other programs, with a model card, and check its vectors.

    --encoder of the other commands takes the folder, too. Of a pair each door is written, as one
    model in a folder of its own.
    """
    from retrieval.encoder_folders import write_pair
    from retrieval.encoder_pair import EncoderPair
    from retrieval.exports import load_export

    encoder, training = _encoder(source)
    if not isinstance(encoder, EncoderPair):
        _export(encoder, out, format_, pictures, training)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(
            f"{out} must be a new or empty folder; got one that is in use. "
            "Give another place, or remove it first."
        )
    parts = {"photo": encoder.photo, "sketch": encoder.sketch}
    if encoder.siamese:
        parts = {"both": encoder.photo}
    for name, door in parts.items():
        _export(door, out / name, format_, pictures, training)
    names = {door: "both" if encoder.siamese else door for door in ("photo", "sketch")}
    photo, sketch = (load_export(out / name) for name in names.values())
    write_pair(out, EncoderPair(photo, sketch).fingerprint(), names)
    typer.echo(f"{out}: pair, {encoder.dim} dimensions")


def _export(
    encoder: "Encoder",
    out: Path,
    format_: str,
    pictures: Path | None,
    training: "Training | None",
) -> None:
    import tempfile

    from retrieval.checkpoints import probe_pictures
    from retrieval.exports import export_encoder
    from ui.progress import progress

    with tempfile.TemporaryDirectory() as folder:
        if pictures is None:
            paths = _made_photos(Path(folder) / "catalogue")
            described = "probe pictures and photos of a generated catalogue"
        else:
            paths, described = _listed(pictures), f"photos of {pictures.resolve().name}"
        probes = probe_pictures() if pictures is None else []
        images = chain(probes, _readable(paths, encoder.transform.draft_size))
        with progress("Comparing", len(probes) + len(paths)) as advance:
            parity = export_encoder(
                encoder, out, format_, images, described, training=training, on_progress=advance
            )
    typer.echo(f"{out}: {format_}, {encoder.dim} dimensions\n{parity}")


def _made_photos(folder: Path) -> list[Path]:
    from retrieval.catalogue import generate

    generate(folder, models=_MODELS, photos_per_model=_PHOTOS, sketches_per_model=0, workers=1)
    return sorted((folder / "photos").rglob("*.jpg"))


def _listed(photos: Path) -> list[Path]:
    from indexer.build import entries_of

    entries, root = entries_of(photos)
    return [root / entry.path for entry in entries]


def _readable(paths: list[Path], draft_size: int) -> "Iterator[Image]":
    """The pictures that can be read; the others are named."""
    from retrieval.images import ImageError, decode

    for path in paths:
        try:
            yield decode(path, draft_size=draft_size)
        except ImageError as error:
            typer.echo(f"rejected {error}", err=True)


def _encoder(source: Path) -> "tuple[Encoder | EncoderPair, Training | None]":
    from retrieval.encoder_folders import open_encoder
    from train.run_folder import RunFolder

    run = RunFolder(source)
    if not (source / "config.json").exists():
        return open_encoder(source), None
    if not run.best.exists():
        raise BadInputError(
            f"{source} must hold the encoder of an epoch; got none yet. Train it further with "
            f"fgir train --resume --out {source}."
        )
    return open_encoder(run.best), run.training()
