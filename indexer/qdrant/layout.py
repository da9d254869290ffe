"""How a collection lies on the servers, and how it is searched: what one may choose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from indexer.filters import location
from retrieval import plugins
from retrieval.errors import BadInputError

FORMAT = 1
"""Version of the layout this program writes. A larger one is not read."""

METADATA = "fgir"
"""Key in the server's metadata of a collection below which ours is kept."""

PHOTO, SKETCH = "photo", "sketch"
FIELD_TYPES = ("keyword", "number", "bool", "date")
QUANTIZATIONS = ("none", "int8", "binary")


@dataclass(frozen=True, slots=True)
class Layout:
    """Chosen when a collection is made, and kept in its metadata.

    Attributes:
        shard_number: Parts the collection is cut into; each lies on one node.
        replication_factor: Copies of each part, on different nodes.
        write_consistency_factor: Copies that must have a change before it is acknowledged.
        on_disk: Vectors and payloads stay on the disk and are read when needed.
        quantization: none, int8 (a quarter of the memory) or binary (1/32) beside the vectors.
        m: Edges of a node of the graph.
        ef_construction: Candidates looked at for each edge.
        sketch: Whether items may also have a second vector, named sketch.
        fields: Type (keyword, number, bool, date) of each field that is filtered by, beside id and
            label; named as in :mod:`indexer.filters`.
    """

    shard_number: int = 1
    replication_factor: int = 1
    write_consistency_factor: int = 1
    on_disk: bool = False
    quantization: str = "none"
    m: int = 16
    ef_construction: int = 100
    sketch: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what was chosen."""
        for name in ("shard_number", "replication_factor", "write_consistency_factor"):
            _check_at_least(name, getattr(self, name), 1)
        _check_at_least("m", self.m, 2)
        _check_at_least("ef_construction", self.ef_construction, 4)
        if self.write_consistency_factor > self.replication_factor:
            raise BadInputError(
                f"write_consistency_factor must be at most replication_factor "
                f"({self.replication_factor}); got {self.write_consistency_factor}."
            )
        if self.quantization not in QUANTIZATIONS:
            raise BadInputError(plugins.unknown("quantization", self.quantization, QUANTIZATIONS))
        for name, type_ in self.fields.items():
            location(name)
            if type_ not in FIELD_TYPES:
                raise BadInputError(
                    plugins.unknown(f"type of the field {name!r}", type_, FIELD_TYPES)
                )

    def as_json(self) -> dict[str, Any]:
        """Values by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen for each search.

    Attributes:
        ef: Candidates the graph is searched for; more find more.
        oversampling: How many times more candidates are scored again when vectors are quantized.
        exact: Compare with every vector, whatever the size.
    """

    ef: int = 128
    oversampling: float = 3.0
    exact: bool = False

    def __post_init__(self) -> None:
        """Check what was chosen."""
        _check_at_least("ef", self.ef, 1)
        _check_at_least("oversampling", self.oversampling, 1)


@dataclass(frozen=True, slots=True)
class Options:
    """What stood after the question mark of a location.

    Attributes:
        layout: Values by name, only those that were given.
        tuning: How to search.
    """

    layout: Mapping[str, Any]
    tuning: Tuning

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Self:
        """Values of texts such as ``{"shard_number": "6", "fields": "price:number"}``.

        Raises:
            BadInputError: Nobody knows the name, or it cannot have this value.
        """
        known = {one.name: one.default for part in (Layout, Tuning) for one in fields(part)}
        values: dict[str, Any] = {}
        for name, text in texts.items():
            if name not in known:
                raise BadInputError(plugins.unknown("option of a location", name, known))
            values[name] = _fields(text) if name == "fields" else _value(name, text, known[name])
        tuning = {one.name for one in fields(Tuning)}
        layout = {name: value for name, value in values.items() if name not in tuning}
        Layout(**layout)
        return cls(layout, Tuning(**{name: values[name] for name in tuning & values.keys()}))

    def check(self, where: str, stored: Layout) -> None:
        """Raise when a collection that is there was made in another way than is asked for."""
        there = stored.as_json()
        for name, value in self.layout.items():
            if there[name] != value:
                raise BadInputError(
                    f"{where} must have {name} {value}; got {there[name]}, chosen when it was made."
                    " Leave the option out, or make a new collection."
                )


def _value(name: str, text: str, default: object) -> bool | int | float | str:
    kind = type(default)
    if kind is bool:
        if text not in ("true", "false"):
            raise BadInputError(f"{name} must be true or false; got {text!r}.")
        return text == "true"
    if kind is str:
        return text
    try:
        return int(text) if kind is int else float(text)
    except ValueError as error:
        want = "a whole number" if kind is int else "a number"
        raise BadInputError(f"{name} must be {want}; got {text!r}.") from error


def _fields(text: str) -> dict[str, str]:
    pairs = [one.rpartition(":") for one in text.split(",")]
    if not all(name and type_ for name, _, type_ in pairs):
        raise BadInputError(f"fields must be NAME:TYPE,NAME:TYPE; got {text!r}.")
    return {name: type_ for name, _, type_ in pairs}


def _check_at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise BadInputError(f"{name} must be at least {least}; got {value}.")
