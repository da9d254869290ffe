"""What every request finds: collections, processes that decode, threads that compute."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request
from PIL import Image

from retrieval.data import Modality
from retrieval.encoder import Encoder
from retrieval.encoder_folders import open_encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import BadInputError
from retrieval.images import is_blank
from retrieval.transforms import Transform
from ui.building import encoder_of
from ui.picture_readers import PictureReaders

from .encoding import Encoding, Vector
from .errors import RequestError
from .limits import Limits
from .shelf import Shelf


@dataclass(frozen=True)
class Service:
    """Everything that is open.

    Attributes:
        shelves: Collections by name.
    """

    shelves: dict[str, Shelf]
    readers: PictureReaders
    encoding: Encoding
    limits: Limits

    @classmethod
    def open(
        cls,
        folders: Sequence[Path],
        *,
        encoder: Path | None = None,
        writable: bool = False,
        limits: Limits | None = None,
    ) -> "Service":
        """Open collections and the encoders that they carry.

        Args:
            folders: Of the collections; each has another name.
            encoder: To use in place of theirs.
            writable: Items may be added and removed.
            limits: Of requests.

        Raises:
            BadInputError: Two collections have one name, or one carries no encoder.
            FgirError: A collection cannot be opened.
        """
        limits = limits or Limits()
        readers = PictureReaders(limits.running, limits.decode_seconds, limits.decode_memory)
        service = cls({}, readers, Encoding(limits.running), limits)
        try:
            for folder in folders:
                service._add(folder, encoder, writable=writable)
        except BaseException:
            service.close()
            raise
        readers.start()
        return service

    def shelf(self, name: str) -> Shelf:
        """The collection of that name.

        Raises:
            RequestError: There is none.
        """
        if name not in self.shelves:
            raise RequestError(
                404, f"collection must be one that is served; got {name!r}. See /v1/collections."
            )
        return self.shelves[name]

    def vector_of_picture(self, shelf: Shelf, data: bytes, modality: Modality) -> Vector:
        """Of a picture file, (1, D)."""
        self._check_door(shelf, modality)

        def read(wanted: Transform) -> Image.Image:
            image = self.readers.pixels(data, str(modality), wanted.draft_size)
            if modality is Modality.SKETCH and is_blank(image):
                raise BadInputError(
                    "sketch must be a drawing; got a blank picture. Draw something."
                )
            return image

        return self.encoding.vector(shelf.encoder, modality, read)

    def vector_of_drawing(self, shelf: Shelf, drawing: dict[str, object]) -> Vector:
        """Of strokes, (1, D)."""
        self._check_door(shelf, Modality.SKETCH)
        return self.encoding.vector(
            shelf.encoder, Modality.SKETCH, lambda wanted: self.readers.drawn(drawing, wanted)
        )

    def close(self) -> None:
        """Let go of everything."""
        for shelf in self.shelves.values():
            shelf.close()
        self.readers.close()
        self.encoding.close()

    def _add(self, folder: Path, given: Path | None, *, writable: bool) -> None:
        from indexer.disk import DiskCollection

        name = folder.absolute().name
        if name in self.shelves:
            raise BadInputError(
                f"collections must have different names; got {name!r} twice. Move one."
            )
        if given is None:
            with DiskCollection.open(folder) as opened:
                encoder = encoder_of(opened)
        else:
            encoder = open_encoder(given)
        placed: Encoder | EncoderPair = self.encoding.placed(encoder)
        self.shelves[name] = Shelf(folder, placed, writable=writable)

    @staticmethod
    def _check_door(shelf: Shelf, modality: Modality) -> None:
        if not shelf.takes(modality):
            raise BadInputError(
                f"{shelf.name} must have an encoder with a door for sketches to be searched by "
                "sketch; got one of photos alone. Index the photos with a pair."
            )


def service_of(request: Request) -> Service:
    """What a request finds."""
    return cast(Service, request.app.state.service)


Found = Annotated[Service, Depends(service_of)]
