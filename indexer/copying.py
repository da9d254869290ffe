"""A whole copy of a collection while others read it or write to it."""

import os
from pathlib import Path
from shutil import copyfile

from retrieval.errors import BusyError, DamagedDataError
from retrieval.files import sha256_of_file

from .caches import remove_unfit_caches
from .creating import copy_encoder, whole_or_nothing
from .disk import DiskCollection
from .manifest import CACHE, ENCODER, SEAL, STORE, Manifest, Seal
from .store import Store

_ATTEMPTS = 20


def take_snapshot(folder: Path, out: Path) -> int:
    """Copy a collection as it is at one moment; to restore it is to open the copy.

    The copy is one generation of the source, sealed like a collection whose writer has closed it,
    and every byte of it is verified before it appears at ``out``. It has the same name, so items,
    order and answers are the same. Paths of pictures are kept as they are: they start from the
    collection's folder, so they lead to the pictures from a copy beside the source.

    Args:
        folder: The collection. A writer and readers may be at work.
        out: Must not exist, or be empty.

    Returns:
        The number of items.

    Raises:
        BadInputError: No collection, or ``out`` is in use or has an unfit name.
        DamagedDataError: A file of the source is not what was written; it is named.
        StorageError: The disk is full or failing. Nothing is left at ``out``.
        BusyError: Writers opened and closed the source at each attempt.
    """
    folder, out = folder.absolute(), out.absolute()
    with DiskCollection.open(folder) as source:
        encoder, generation = source.encoder_folder(), source.generation
    manifest = Manifest.read(folder)
    with whole_or_nothing(out) as place:
        place.mkdir()
        manifest.write(place)
        _copy_store(folder, place, manifest)
        if encoder is not None:
            copy_encoder(encoder, place / ENCODER)
        _copy_caches(folder, place)
        return _sealed(folder, place, manifest, generation)


def _copy_store(folder: Path, place: Path, manifest: Manifest) -> None:
    for _ in range(_ATTEMPTS):
        seal = Seal.read(folder, manifest)
        # See opening.py: without a log, and without the right to make one, there is no writer.
        unwritten = not (folder / f"{STORE}-wal").exists() and not os.access(folder, os.W_OK)
        (place / STORE).unlink(missing_ok=True)
        unchanging = seal.closed or unwritten
        store = Store.open_for_reading(folder / STORE, manifest, unchanging=unchanging)
        try:
            store.copy_to(place / STORE)
        finally:
            store.close()
        if not unchanging or Seal.read(folder, manifest) == seal:
            return
    raise BusyError(
        f"{folder} must hold still for a moment to be copied; got a new change at each of "
        f"{_ATTEMPTS} attempts. Try again."
    )


def _copy_caches(folder: Path, place: Path) -> None:
    (place / CACHE).mkdir()
    for path in sorted((folder / CACHE).glob("[!.]*.*")):
        copyfile(path, place / CACHE / path.name)


def _sealed(folder: Path, place: Path, manifest: Manifest, generation: int) -> int:
    """Check the copy and seal it; the number of its items."""
    path = place / STORE
    store = Store.open_for_reading(path, manifest, unchanging=True)
    try:
        state = store.state()
    finally:
        store.close()
    if state.generation < generation:
        raise DamagedDataError(
            f"{folder / STORE} must be at generation {generation} or later, which {SEAL} "
            f"acknowledged; got {state.generation}. Put a copy of the whole folder back."
        )
    size, sha256 = path.stat().st_size, sha256_of_file(path)
    Seal(manifest.collection, state, size, sha256).write(place)
    remove_unfit_caches(place, manifest)
    with DiskCollection.open(place, write=True) as copy:
        copy.verify()
        return len(copy)
