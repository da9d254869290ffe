"""A collection with the encoder that made it, as the page searches it. Loads PyTorch."""

import threading
from dataclasses import dataclass, field

from PIL import Image

from indexer.collection import Item, SearchHit, Vectors
from indexer.disk import DiskCollection
from indexer.field_summaries import FieldSummary, field_summaries
from indexer.filters import Condition
from retrieval.data import Modality
from retrieval.encoder import Encoder, unusable
from retrieval.encoder_pair import EncoderPair, door_of
from retrieval.explain import ExplainedPair, explain
from retrieval.images import file_bytes
from retrieval.modalities import input_of, input_of_photo, picture_of
from retrieval.regions import ObjectRegions, object_regions
from retrieval.strokes import Drawing
from retrieval.transforms import Transform


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
    _fields: dict[int, list[FieldSummary]] = field(default_factory=dict, repr=False)
    _fields_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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

    def raster_of(self, drawing: Drawing) -> Image.Image:
        """A drawing as the picture that its encoder is shown, before the transform."""
        return picture_of(drawing, door_of(self.encoder, Modality.SKETCH)[0].transform)

    @property
    def photo_transform(self) -> Transform:
        """How a photo is made ready: how much of its detail is needed, for one."""
        return self._photo_door.transform

    def vector_of_photo(self, photo: Image.Image) -> Vectors | None:
        """The vector of a photo, (1, dim); None where nothing on it can be compared."""
        door = self._photo_door
        with self._one_at_a_time:
            vector: Vectors = door.vectors(input_of_photo(photo, door.transform)[None])
        return None if unusable(vector) else vector

    def regions_of(self, photo: Image.Image) -> ObjectRegions:
        """What of a photo one can click on.

        Raises:
            BadInputError: The encoder does not tell.
        """
        with self._one_at_a_time:
            return object_regions(self._photo_door, photo)

    def explained(
        self, query: Image.Image, hit: Image.Image, modality: Modality = Modality.PHOTO
    ) -> ExplainedPair:
        """Why a query and a hit have the score they have.

        Raises:
            BadInputError: The encoder does not tell.
        """
        with self._one_at_a_time:
            return explain(self.encoder, query, hit, modality=modality)

    def picture_of(self, item: Item) -> bytes:
        """The file of an item's picture.

        Raises:
            ImageError: It is not there any more, or larger than pictures may be.
        """
        return file_bytes(self.collection.folder / item.path, name=item.id)

    def search(self, vector: Vectors, k: int, where: Condition | None = None) -> list[SearchHit]:
        """At most ``k`` hits, best first, of those the condition holds for."""
        fingerprint = self.collection.fingerprint
        return self.collection.search(vector, k, fingerprint=fingerprint, where=where)[0]

    def fields(self) -> list[FieldSummary]:
        """What is known of items, to filter by; read once for each change of the collection."""
        generation = self.collection.generation
        with self._fields_lock:
            if generation not in self._fields:
                self._fields.clear()
                self._fields[generation] = field_summaries(self.collection.items)
            return self._fields[generation]

    @property
    def _photo_door(self) -> Encoder:
        return door_of(self.encoder, Modality.PHOTO)[0]
