"""Making, opening and filling a collection from a command of ``fgir``."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import typer

from indexer.build import Entry, build_collection
from indexer.choice import EngineChoice
from indexer.choosing import RECALL, automatic
from indexer.disk import DiskCollection
from retrieval.encoder import Encoder
from retrieval.encoder_folders import keep_encoder, open_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import EXIT_DONE_IN_PART, EXIT_INTERRUPTED, BadInputError
from ui.progress import progress

_SHOWN = 20
"""Rejected pictures that are named; ``fgir collection info`` names them all."""


def create_or_resume(
    folder: Path,
    encoder: Encoder | EncoderPair,
    choice: EngineChoice | None = None,
    recall: float | None = None,
) -> DiskCollection:
    """A new collection that carries its encoder, or the one there when this encoder made it.

    Args:
        folder: Of the collection.
        encoder: Makes its vectors.
        choice: With which engine it is searched; when left out, a new one chooses as it grows and
            one that is there keeps what it has.
        recall: Share of the true ten nearest that a new collection chooses its engine for.

    Raises:
        EncoderMismatchError: The collection there is of another encoder.
    """
    fingerprint = encoder.fingerprint()
    if (folder / "collection.json").exists():
        there = DiskCollection.open(folder, write=True, fingerprint=fingerprint)
        try:
            if choice is not None and not there.choice.satisfies(choice):
                there.choose(choice)
        except BaseException:
            there.close()
            raise
        return there
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = Path(temporary) / "encoder"
        keep_encoder(encoder, checkpoint)
        return DiskCollection.create(
            folder,
            dim=encoder.dim,
            fingerprint=fingerprint,
            choice=choice or automatic(recall=RECALL if recall is None else recall),
            encoder=checkpoint,
        )


def tell(collection: DiskCollection) -> None:
    """Print what a person should know of a collection that was closed."""
    for notice in collection.notices:
        typer.echo(notice, err=True)


def tune_and_tell(folder: Path, target: float) -> int:
    """Measure the engine of a collection and set it to a recall; the value is the exit code."""
    from indexer.tuning import tune

    with DiskCollection.open(folder, write=True) as opened, progress("Measuring", None) as advance:
        measured = tune(opened, target, on_value=lambda value: advance(1))
    tell(opened)
    if measured is None:
        typer.echo(f"{opened.engine} compares every item: recall is 1 and there is nothing to tune")
        return 0
    typer.echo(f"{opened.engine} {measured}")
    return 0 if measured.reached else EXIT_DONE_IN_PART


def encoder_of(collection: DiskCollection) -> Encoder | EncoderPair:
    """The encoder that made a collection, from the copy the collection carries."""
    folder = collection.encoder_folder()
    if folder is None:
        raise BadInputError(
            f"{collection.folder} must carry its encoder; got none in it. "
            "Make the collection with fgir index."
        )
    return open_encoder(folder)


def fill(
    collection: DiskCollection,
    source: tuple[list[Entry], Path],
    encoder: Encoder | EncoderPair,
    *,
    replace: bool,
    runtime: str,
    batch_size: int,
) -> int:
    """Add photos with a progress bar and say what became of them; the value is the exit code.

    Args:
        collection: Open for writing.
        source: What :func:`indexer.build.entries_of` found.
        encoder: Of the collection.
        replace: Items that are there already are overwritten.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Pictures encoded and made durable at once.
    """
    entries, root = source
    with progress("Indexing", len(entries)) as advance:
        result = build_collection(
            collection,
            entries,
            root,
            encoder,
            replace=replace,
            batch_size=batch_size,
            runtime=runtime,
            on_progress=advance,
        )
    typer.echo(f"{result}; {len(collection):,} items in {collection.folder}")
    say_rejected(result.rejected)
    if result.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_DONE_IN_PART if result.rejected else 0


def say_rejected(rejected: Mapping[str, str]) -> None:
    """Name the first of the pictures that were not taken, with reasons."""
    for path, reason in list(rejected.items())[:_SHOWN]:
        typer.echo(f"rejected {path}: {reason}", err=True)
    if len(rejected) > _SHOWN:
        typer.echo(
            f"... and {len(rejected) - _SHOWN} more: fgir collection info names them", err=True
        )
