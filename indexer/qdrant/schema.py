"""Making a collection on a server, and finding out whether one that is there is ours."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from indexer.rows import check_fingerprint
from retrieval.errors import BadInputError, UnavailableError

from .conditions import json_path
from .layout import FORMAT, METADATA, PHOTO, SKETCH, Layout
from .server import Server

_CONFLICT, _MISSING = 409, 404
_INDEX_TYPES = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "number": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
    "date": models.PayloadSchemaType.DATETIME,
}


@dataclass(frozen=True, slots=True)
class Description:
    """What a collection is, kept in the server's metadata of it.

    Attributes:
        dim: Length of a vector.
        fingerprint: Of the encoder that made every vector.
        layout: How it was made.
        created: UTC, ISO 8601.
        created_by: Program and version.
    """

    dim: int
    fingerprint: str
    layout: Layout
    created: str
    created_by: str

    @classmethod
    def new(cls, dim: int, fingerprint: str, layout: Layout) -> Self:
        """Of a collection that is made now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        program = f"fgir {version('fine-grained-image-retrieval')}"
        return cls(dim, fingerprint, layout, now, program)

    def as_metadata(self) -> dict[str, Any]:
        """As the server keeps it."""
        return {METADATA: {"format": FORMAT, **asdict(self)}}

    @classmethod
    def of(cls, where: str, metadata: Mapping[str, Any] | None) -> Self:
        """From the server's metadata.

        Raises:
            BadInputError: Another program made the collection, or a newer version of this one.
        """
        try:
            fields = dict((metadata or {})[METADATA])
            format_ = fields.pop("format")
            if format_ != FORMAT:
                raise BadInputError(
                    f"{where} must be of format {FORMAT} or older; got {format_!r}. "
                    "Update this program; nothing was touched."
                )
            fields["layout"] = Layout(**fields["layout"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise BadInputError(
                f"{where} must be made by this program; got a collection without its metadata. "
                "Give another name; nothing was touched."
            ) from error


def read_description(server: Server, name: str) -> Description | None:
    """What the collection ``name`` is; None when there is none.

    Raises:
        BadInputError: Not ours, or its vectors are not what its metadata says.
    """
    where = f"{server.url}/collections/{name}"
    info = server.ask("describe the collection", lambda client: _info(client, name))
    if info is None:
        return None
    described = Description.of(where, info.config.metadata)
    vectors = info.config.params.vectors
    photo = vectors.get(PHOTO) if isinstance(vectors, dict) else None
    got = None if photo is None else (photo.size, photo.distance)
    if got != (described.dim, models.Distance.DOT):
        raise BadInputError(
            f"{where} must have vectors 'photo' of {described.dim} dimensions and Dot distance;"
            f" got {got}. Give another name; nothing was touched."
        )
    return described


def make_collection(server: Server, name: str, description: Description) -> None:
    """A new collection with its indexes; one that is there is never changed.

    Raises:
        BadInputError: The name is in use.
        UnavailableError: The server did not keep its metadata.
    """
    where = f"{server.url}/collections/{name}"

    def create(client: QdrantClient) -> bool:
        try:
            return client.create_collection(name, **_settings(description))
        except UnexpectedResponse as error:
            if error.status_code != _CONFLICT:
                raise
            return False  # by an attempt whose answer was lost, or by somebody else

    server.ask("make the collection", create)
    there = read_description(server, name)
    if there is None:
        raise UnavailableError(
            f"{where} must be there after it was made; got none. Run the command again."
        )
    check_fingerprint(f"a new collection {name!r}", description.fingerprint, there.fingerprint)
    if there != description:
        raise BadInputError(
            f"{where} must be a new name; got one that was made meanwhile. Open it instead."
        )
    make_indexes(server, name, description.layout)


def make_indexes(server: Server, name: str, layout: Layout) -> None:
    """Indexes for ids, labels and the fields that are filtered by.

    Without them a filter reads every payload and a graph search under it loses most of its hits.
    Making one that is there changes nothing.
    """
    fields = {"id": "keyword", "label": "keyword"}
    fields |= {json_path(field): type_ for field, type_ in layout.fields.items()}
    for key, type_ in fields.items():
        server.change(
            f"index the field {key}",
            lambda client, key=key, type_=type_: client.create_payload_index(  # type: ignore[misc]
                name, key, field_schema=_INDEX_TYPES[type_], wait=True
            ),
        )


def _info(client: QdrantClient, name: str) -> models.CollectionInfo | None:
    try:
        return client.get_collection(name)
    except UnexpectedResponse as error:
        if error.status_code == _MISSING and b"status" in error.content:
            return None
        raise


def _settings(description: Description) -> dict[str, Any]:
    # Of rows of norm 1 the inner product is the cosine; asked for Cosine, the server would scale
    # each row again and give back other bits than it was given.
    layout = description.layout
    names = [PHOTO, SKETCH] if layout.sketch else [PHOTO]
    vector = models.VectorParams(
        size=description.dim, distance=models.Distance.DOT, on_disk=layout.on_disk
    )
    return {
        "vectors_config": dict.fromkeys(names, vector),
        "shard_number": layout.shard_number,
        "replication_factor": layout.replication_factor,
        "write_consistency_factor": layout.write_consistency_factor,
        "on_disk_payload": layout.on_disk,
        "hnsw_config": models.HnswConfigDiff(m=layout.m, ef_construct=layout.ef_construction),
        "quantization_config": _quantization(layout.quantization),
        "metadata": description.as_metadata(),
    }


def _quantization(name: str) -> models.ScalarQuantization | models.BinaryQuantization | None:
    if name == "int8":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        return models.ScalarQuantization(scalar=scalar)
    if name == "binary":
        binary = models.BinaryQuantizationConfig(always_ram=True)
        return models.BinaryQuantization(binary=binary)
    return None
