"""Snapshots of a collection, one node's share each, and names that point at collections.

A snapshot is made by the node that is asked and holds the shards on that node: a cluster is backed
up by asking each of its nodes. Aliases are in no snapshot.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from qdrant_client import models

from retrieval.errors import BadInputError, DamagedDataError, StorageError, UnavailableError
from retrieval.files import sync_folder

from .location import Location
from .server import Patience, Server

_HOURS = Patience(request_seconds=4 * 3600, total_seconds=0)
"""A snapshot takes as long as copying the shards, and a second attempt would make a second one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One on a node's disk.

    Attributes:
        name: Of its file.
        bytes: Of its file.
        created: As the server says it.
        sha256: Of its bytes, empty where the server does not say.
    """

    name: str
    bytes: int
    created: str
    sha256: str


def make_snapshot(location: Location, transport: httpx.BaseTransport | None = None) -> Snapshot:
    """Make the node at ``location`` write its shards of the collection into one file."""
    with_patience = Server(location, _HOURS, transport)
    try:
        made = with_patience.ask(
            "make a snapshot", lambda client: client.create_snapshot(location.name, wait=True)
        )
    finally:
        with_patience.close()
    if made is None:
        raise UnavailableError(
            f"{location} must have a snapshot after it was made; got none. Run the command again."
        )
    return _snapshot(made)


def list_snapshots(server: Server) -> list[Snapshot]:
    """Those on the node, oldest first."""
    name = server.location.name
    found = server.ask("list its snapshots", lambda client: client.list_snapshots(name))
    return sorted((_snapshot(one) for one in found), key=lambda one: (one.created, one.name))


def download_snapshot(server: Server, snapshot: Snapshot, out: Path) -> None:
    """Copy a snapshot from the node into a file, whole or not at all.

    Raises:
        BadInputError: ``out`` is in use, or the server does not hand the file out.
        DamagedDataError: Other bytes arrived than the server counted.
        StorageError: The disk is full or read-only.
        UnavailableError: The connection broke.
    """
    if out.exists():
        raise BadInputError(f"{out} must be a new file; got one that is there. Give another name.")
    partial = out.with_name(f".{out.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        try:
            got = _download(server, snapshot, partial)
            want = (snapshot.bytes, snapshot.sha256 or got[1])
            if got != want:
                raise DamagedDataError(
                    f"{out} must be the snapshot of {want[0]:,} bytes; got {got[0]:,} bytes, or "
                    "others. Run the command again."
                )
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(out.parent)
    except OSError as error:
        if isinstance(error, StorageError | UnavailableError):
            raise
        raise StorageError(
            f"{out} must be written whole; got: {error.strerror or error}. "
            "Check free space and permissions, then run the command again."
        ) from error


def point_alias(server: Server, alias: str) -> None:
    """Make ``alias`` a name of the server's collection, in one step with taking it from another.

    Whoever searches the alias searches the old collection until this moment and the new one from
    it on: index again under a new name, then move the alias.
    """
    name = server.location.name
    held = server.ask("list its aliases", lambda client: client.get_aliases().aliases)
    changes: list[models.AliasOperations] = []
    if any(one.alias_name == alias for one in held):
        delete = models.DeleteAlias(alias_name=alias)
        changes.append(models.DeleteAliasOperation(delete_alias=delete))
    create = models.CreateAlias(collection_name=name, alias_name=alias)
    changes.append(models.CreateAliasOperation(create_alias=create))
    server.ask(f"point {alias} at {name}", lambda client: client.update_collection_aliases(changes))


def _download(server: Server, snapshot: Snapshot, partial: Path) -> tuple[int, str]:
    """Size and SHA-256 of what arrived."""
    path = f"/collections/{quote(server.location.name)}/snapshots/{quote(snapshot.name, safe='')}"
    digest, size = hashlib.sha256(), 0
    try:
        with (
            server.plain_client() as client,
            client.stream("GET", path) as response,
            partial.open("xb") as file,
        ):
            if response.status_code != httpx.codes.OK:
                raise BadInputError(
                    f"{server.url} must hand out the snapshot {snapshot.name}; "
                    f"got {response.status_code}. Check the key and fgir collection snapshots."
                )
            for block in response.iter_bytes():
                file.write(block)
                digest.update(block)
                size += len(block)
    except httpx.TransportError as error:
        raise UnavailableError(
            f"{server.url} must hand out the snapshot {snapshot.name}; got a connection that broke "
            f"({type(error).__name__}). Run the command again."
        ) from error
    return size, digest.hexdigest()


def _snapshot(described: models.SnapshotDescription) -> Snapshot:
    return Snapshot(
        described.name, described.size, described.creation_time or "", described.checksum or ""
    )
