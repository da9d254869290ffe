"""Making, opening and filling a collection from a command of ``fgir``."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from indexer.build import Entry, build_collection
from indexer.choice import EngineChoice
from indexer.choosing import RECALL, automatic
from indexer.disk import DiskCollection
from indexer.manifest import MANIFEST
from indexer.qdrant.location import is_location
from retrieval.encoder import Encoder
from retrieval.encoder_folders import keep_encoder, open_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import EXIT_DONE_IN_PART, EXIT_INTERRUPTED, BadInputError
from ui.progress import progress

if TYPE_CHECKING:
    from indexer.qdrant.server import Server
    from indexer.qdrant.server_collection import QdrantCollection

    Opened = DiskCollection | QdrantCollection

_SHOWN = 20
"""Rejected pictures that are named; ``fgir collection info`` names them all."""


def open_collection(place: str, *, write: bool = False, engine: str | None = None) -> "Opened":
    """The collection in a folder, or on the server that a text such as qdrant:shoes names.

    Args:
        place: Folder or location.
        write: Open a folder's collection as the one writer.
        engine: Search a folder's collection with another engine than its own.
    """
    if not is_location(place):
        return DiskCollection.open(Path(place), write=write, engine=engine)
    _check_no_engine("--engine", engine)
    return _on_server(place)


def server_target(place: str, engine: str | None) -> "Callable[[int, str], QdrantCollection]":
    """Opens or makes a collection on a server for a length of vectors and a fingerprint."""
    _check_no_engine("--engine", engine)
    return lambda dim, fingerprint: _on_server(place, fingerprint=fingerprint, new_dim=dim)


def copy_target(place: str, source: "Opened", engine: str | None) -> "Opened":
    """Where a collection is copied to: a new collection of the same encoder, or one that is there.

    Args:
        place: Folder or location.
        source: What is copied; a folder takes its encoder along.
        engine: Of a new folder, which chooses one as it grows when this is left out.
    """
    if is_location(place):
        return _on_server(place, fingerprint=source.fingerprint, new_dim=source.dim)
    folder = Path(place)
    if (folder / MANIFEST).exists():
        return DiskCollection.open(folder, write=True, fingerprint=source.fingerprint)
    return DiskCollection.create(
        folder,
        dim=source.dim,
        fingerprint=source.fingerprint,
        choice=automatic() if engine is None else EngineChoice(engine),
        encoder=source.encoder_folder(),
    )


def folder_of(place: str) -> Path:
    """The folder of a collection, for what only folders can do."""
    if is_location(place):
        raise BadInputError(
            f"the collection must be in a folder for this; got {place}. "
            "Copy it into one with fgir collection copy."
        )
    return Path(place)


@contextmanager
def server_of(place: str) -> "Iterator[Server]":
    """The server of a location, for what only servers can do."""
    if not is_location(place):
        raise BadInputError(
            f"the collection must be on a server, such as qdrant://127.0.0.1:6333/shoes; "
            f"got {place}. Copy a folder as a whole to back it up."
        )
    with _on_server(place) as opened:
        yield opened.server


def _check_no_engine(option: str, value: object) -> None:
    if value is not None:
        raise BadInputError(
            f"{option} must be left out for a collection on a server; got {value}. "
            "The server searches; its options stand after the name, as in qdrant:shoes?ef=256."
        )


def _on_server(
    place: str, *, fingerprint: str | None = None, new_dim: int | None = None
) -> "QdrantCollection":
    if find_spec("qdrant_client") is None:
        raise BadInputError(
            f"{place} needs qdrant-client to be installed; got none. "
            "Run pip install 'fine-grained-image-retrieval[qdrant]'."
        )
    from indexer.qdrant.server_collection import QdrantCollection  # its client takes a second

    return QdrantCollection.at(place, os.environ, fingerprint=fingerprint, new_dim=new_dim)


def create_or_resume(
    place: str,
    encoder: Encoder | EncoderPair,
    choice: EngineChoice | None = None,
    recall: float | None = None,
) -> "Opened":
    """A new collection, or the one there when this encoder made it.

    A folder also carries its encoder; a server does not.

    Args:
        place: Folder or location.
        encoder: Makes its vectors.
        choice: With which engine it is searched; when left out, a new one chooses as it grows and
            one that is there keeps what it has.
        recall: Share of the true ten nearest that a new collection chooses its engine for.

    Raises:
        EncoderMismatchError: The collection there is of another encoder.
    """
    if is_location(place):
        _check_no_engine("--engine", None if choice is None else choice.engine)
        _check_no_engine("--target-recall", recall)
        return _on_server(place, fingerprint=encoder.fingerprint(), new_dim=encoder.dim)
    return create_or_resume_folder(Path(place), encoder, choice, recall)


def create_or_resume_folder(
    folder: Path,
    encoder: Encoder | EncoderPair,
    choice: EngineChoice | None = None,
    recall: float | None = None,
) -> DiskCollection:
    """As :func:`create_or_resume`, of a folder."""
    fingerprint = encoder.fingerprint()
    if (folder / MANIFEST).exists():
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


def tell(collection: "Opened") -> None:
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


def encoder_of(collection: "Opened", given: Path | None = None) -> Encoder | EncoderPair:
    """The encoder in the folder that was given, or else the copy that the collection carries."""
    if given is not None:
        return open_encoder(given)
    folder = collection.encoder_folder()
    if folder is None:
        raise BadInputError(
            f"{collection.place} must carry its encoder; got none in it. "
            "Give the encoder that made it with --encoder FOLDER."
        )
    return open_encoder(folder)


def fill(
    collection: "Opened",
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
    typer.echo(f"{result}; {len(collection):,} items in {collection.place}")
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
            f"... and {len(rejected) - _SHOWN} more: fgir collection info names those of a folder",
            err=True,
        )
