"""Photos that come through the page: kept beside the collection, then added to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.build import BuildResult, build_collection
from indexer.disk import DiskCollection
from indexer.sources import Entry, labelled
from retrieval.errors import StorageError
from retrieval.files import write_atomically
from retrieval.images import ImageError

if TYPE_CHECKING:
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair
    from ui.picture_readers import PictureReaders


@dataclass
class Added:
    """What became of photos.

    Attributes:
        result: Of those that were kept; None where there were none.
        rejected: Reason by name of each that was not taken.
        folder: Where they are kept.
    """

    result: BuildResult | None
    folder: Path
    rejected: dict[str, str] = field(default_factory=dict)


def photos_folder(collection: Path) -> Path:
    """Where photos that come through the page are kept: beside the collection, under its name."""
    return collection.with_name(collection.name + ".photos")


def add_photos(
    folder: Path,
    encoder: "Encoder | EncoderPair",
    photos: Sequence[tuple[str, bytes]],
    label: str,
    *,
    readers: "PictureReaders",
    on_progress: Callable[[int], None],
) -> Added:
    """Add photos to a collection and keep their files beside it.

    A photo is written anew, from its pixels alone: what a stranger made is decoded by ``readers``
    only, and no file tells where it was taken. It is named by what came, never by the name it came
    with, which goes to the payload as ``name``; the same photo twice is one item.

    Args:
        folder: Of the collection.
        encoder: Of the collection.
        photos: Names and contents of files.
        label: Class of all of them; empty where it is not known.
        readers: Decode them.
        on_progress: Called with each count of photos that got done.

    Raises:
        BusyError: Another process writes to the collection. Nothing was written.
        StorageError: The disk is full or read-only.
    """
    added = Added(None, photos_folder(folder))
    with DiskCollection.open(folder, write=True, fingerprint=encoder.fingerprint()) as collection:
        seen: set[str] = set()
        names: dict[str, str] = {}
        for name, data in photos:
            content = sha256(data).hexdigest()[:24]
            if content in seen:
                on_progress(1)
                continue
            try:
                kept, suffix = readers.kept(data, name)
            except ImageError as error:
                added.rejected[name] = str(error)
                on_progress(1)
                continue
            seen.add(content)
            _keep(added.folder / (content + suffix), kept)
            names[content + suffix] = name
        if names:
            listed = [Entry(file, file, "", {"name": name}) for file, name in names.items()]
            added.result = build_collection(
                collection,
                labelled(listed, label) if label.strip() else listed,
                added.folder,
                encoder,
                runtime="eager",
                on_progress=on_progress,
            )
            reasons = added.result.rejected.items()
            added.rejected |= {names[file]: reason for file, reason in reasons}
    return added


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path.parent} must be a folder to keep photos in; got: {error.strerror}."
        ) from error
    if not path.exists():
        write_atomically(path, data)
