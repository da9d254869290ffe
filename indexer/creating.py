"""A new collection: there as a whole, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from retrieval import plugins
from retrieval.errors import BadInputError, BusyError, FgirError, StorageError
from retrieval.files import sha256_of_file, sync_folder

from . import backends
from .locks import WriteLock
from .manifest import CACHE, ENCODER, LOCK, MANIFEST, SEAL, STORE, Manifest, Seal
from .rows import as_stored
from .store import Store

MAX_DIM = 65_536
MAX_NAME_BYTES = 100

_PROGRAM = "fine-grained-image-retrieval"
_PORTS = {f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10)}
_RESERVED = {"CON", "PRN", "AUX", "NUL", *_PORTS}


def make_collection(
    folder: Path, *, dim: int, fingerprint: str, engine: str, encoder: Path | None
) -> None:
    """Make an empty, closed collection at ``folder``.

    It is made under another name beside it and renamed at the end: a kill leaves nothing there, or
    a whole collection. What an earlier kill has left under such a name is cleared away.

    Raises:
        BadInputError: The folder is in use or has an unfit name, or an option is not usable.
        StorageError: The disk is full or read-only. Nothing is left behind.
    """
    _check_name(folder)
    if type(dim) is not int or not 1 <= dim <= MAX_DIM:
        raise BadInputError(f"dim must be an integer from 1 to {MAX_DIM:,}; got {dim!r}.")
    if not as_stored("fingerprint", fingerprint):
        raise BadInputError("fingerprint must name an encoder; got ''.")
    plugins.find(backends, engine)
    with _in_words(folder):
        with _partial(folder) as partial:
            copied = {} if encoder is None else copy_encoder(encoder, partial / ENCODER)
            _write_parts(partial, _manifest(dim, fingerprint, engine, copied))
            partial.replace(folder)
        sync_folder(folder.parent)


@contextmanager
def whole_or_nothing(folder: Path) -> Iterator[Path]:
    """A place where to make a collection, which becomes ``folder`` when the block ends.

    After an error nothing does. What a kill leaves is cleared away when the next collection is made
    at ``folder``.

    Raises:
        BadInputError: The folder is in use or has an unfit name.
        StorageError: The disk is full or read-only. Nothing is left behind.
    """
    _check_name(folder)
    with _in_words(folder):
        with _partial(folder) as partial:
            place = partial / "whole"
            yield place
            place.replace(folder)
        sync_folder(folder.parent)


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A locked folder beside ``folder``; what of it was not moved is removed."""
    _check_free(folder)
    _clear_leftovers(folder)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, partial, ignore_errors=True)
        _make_folder(partial)
        undo.callback(WriteLock(partial / LOCK).release)
        yield partial


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FgirError):
            raise
        raise StorageError(
            f"{folder} must be a folder that can be made; got: {error.strerror}. "
            "Check free space and permissions, or give another place."
        ) from error


def _check_name(folder: Path) -> None:
    name = folder.name
    if name in ("", "..") or not name.isprintable() or name.split(".")[0].upper() in _RESERVED:
        raise BadInputError(
            f"a collection must have a printable name that no system reserves; got {name!r}. "
            "Give it a plain one, such as 'birds'."
        )
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise BadInputError(
            f"a collection's name must have at most {MAX_NAME_BYTES} bytes; "
            f"got {len(os.fsencode(name))}. Give it a shorter one."
        )


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} must be a new folder; got a file. Give another place.")
    if folder.is_dir() and any(folder.iterdir()):
        raise BadInputError(
            f"{folder} must be a new or empty folder; got one that is in use. "
            "Give another place, or remove it first."
        )


def _make_folder(folder: Path) -> None:
    """Make a folder and those it is to lie in; their names survive a power loss."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True)
    for one in reversed(new):
        sync_folder(one.parent)


def _clear_leftovers(folder: Path) -> None:
    for leftover in folder.parent.glob(f".{_escaped(folder.name)}.????????.partial"):
        try:
            lock = WriteLock(leftover / LOCK)
        except (BusyError, StorageError):
            continue  # being made now, or not ours to remove
        shutil.rmtree(leftover, ignore_errors=True)
        lock.release()


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def copy_encoder(encoder: Path, target: Path) -> dict[str, str]:
    """Copy what is in a folder and in those below it; SHA-256 of each file by its path there.

    Raises:
        BadInputError: A link leads out of the folder.
    """
    target.mkdir()
    digests: dict[str, str] = {}
    for source in sorted(encoder.iterdir()):
        _check_inside(source, encoder)
        copy = target / source.name
        if source.is_dir():
            below = copy_encoder(source, copy)
            digests |= {f"{source.name}/{name}": digest for name, digest in below.items()}
        elif source.is_file():
            shutil.copyfile(source, copy)
            with copy.open("rb") as file:
                os.fsync(file.fileno())
            digests[source.name] = sha256_of_file(copy)
    sync_folder(target)
    return digests


def _check_inside(source: Path, folder: Path) -> None:
    """Raise unless what a link points to lies in its own folder: no strange file is copied."""
    if source.is_symlink() and source.resolve().parent != folder.resolve():
        raise BadInputError(
            f"{source} must be a file of the encoder; got a link to another place. "
            "Copy the file itself there."
        )


def _manifest(dim: int, fingerprint: str, engine: str, encoder: dict[str, str]) -> Manifest:
    try:
        program = f"{_PROGRAM} {version(_PROGRAM)}"
    except PackageNotFoundError:
        program = _PROGRAM
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(secrets.token_hex(16), engine, dim, fingerprint, created, program, encoder)


def _write_parts(folder: Path, manifest: Manifest) -> None:
    (folder / CACHE).mkdir()
    store = Store.create(folder / STORE, manifest)
    state = store.state()
    store.empty_log()
    store.close()
    path = folder / STORE
    seal = Seal(manifest.collection, state, path.stat().st_size, sha256_of_file(path))
    manifest.write(folder)
    seal.write(folder)


def check_there(folder: Path) -> None:
    """Raise unless ``folder`` looks like a collection."""
    try:
        names = {path.name for path in folder.iterdir()}
        got = None if names & {MANIFEST, SEAL, STORE} else f"a folder without {MANIFEST}"
    except FileNotFoundError:
        got = "nothing there"
    except (OSError, ValueError) as error:
        got = str(getattr(error, "strerror", None) or error)
    if got is not None:
        raise BadInputError(
            f"{folder} must be a collection; got: {got}. Make one with `fgir index`."
        )
