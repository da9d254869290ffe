"""What all sessions of the page share: the collection and its encoder, opened once."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from indexer.collection import SearchHit, Vectors
from indexer.disk import DiskCollection
from indexer.filters import Condition
from indexer.recognition import Recogniser
from retrieval.data import Modality
from retrieval.encoder import Encoder, unusable
from retrieval.encoder_pair import EncoderPair, door_of
from retrieval.modalities import input_of, photo_input
from retrieval.strokes import Drawing
from ui.building import encoder_of


@dataclass(frozen=True)
class Opened:
    """A collection and the encoder that made it.

    Attributes:
        collection: Open for search; threads may share it.
        encoder: Through which queries enter.
    """

    collection: DiskCollection
    encoder: Encoder | EncoderPair
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def has_sketch_door(self) -> bool:
        """Whether drawings can be searched with: another network's scores would be noise."""
        return isinstance(self.encoder, EncoderPair)

    def vector_of(self, drawing: Drawing) -> Vectors | None:
        """The vector of a drawing, (1, dim); None where nothing on it can be compared.

        One drawing at a time: an exported graph is not made for several threads, and others gain
        nothing on a processor whose cores one of them fills.
        """
        door, _ = door_of(self.encoder, Modality.SKETCH)
        with self._one_at_a_time:
            vector: Vectors = door.vectors(input_of(drawing, door.transform)[None])
        return None if unusable(vector) else vector

    def photo_vector(self, data: bytes, name: str) -> Vectors | None:
        """The vector of a photo's file, (1, dim); None where nothing on it can be compared.

        Raises:
            ImageError: It cannot be read.
        """
        door, _ = door_of(self.encoder, Modality.PHOTO)
        wanted = photo_input(data, door.transform, name=name)
        with self._one_at_a_time:
            vector: Vectors = door.vectors(wanted[None])
        return None if unusable(vector) else vector

    def search(self, vector: Vectors, k: int, where: Condition | None = None) -> list[SearchHit]:
        """At most ``k`` hits that the condition holds for, best first."""
        fingerprint = self.collection.fingerprint
        return self.collection.search(vector, k, fingerprint=fingerprint, where=where)[0]


def opened(folder: Path) -> Opened:
    """The collection as it is now: changes that a writer has made since are seen.

    Raises:
        FgirError: It is missing, damaged, or carries no encoder.
    """
    one = _opened(folder, _stamp(folder))
    one.collection.refresh()
    return one


def recogniser(folder: Path, this: Opened) -> Recogniser:
    """The scales of the collection as it is now.

    Raises:
        BadInputError: It has fewer than two labels.
    """
    return _recogniser(folder, _stamp(folder), this.collection.generation, this.collection)


@st.cache_resource(max_entries=1, show_spinner="Comparing the collection with itself …")
def _recogniser(
    folder: Path, made: tuple[int, int], generation: int, _collection: DiskCollection
) -> Recogniser:
    return Recogniser.fit(_collection)


@st.cache_resource(max_entries=1, show_spinner="Opening the collection …")
def _opened(folder: Path, made: tuple[int, int]) -> Opened:
    collection = DiskCollection.open(folder)
    return Opened(collection, encoder_of(collection))


def _stamp(folder: Path) -> tuple[int, int]:
    """Tells a collection from another one that takes its place."""
    try:
        status = (folder / "collection.json").stat()
    except OSError:  # opening says what is wrong
        return 0, 0
    return status.st_ino, status.st_mtime_ns
