"""A collection that is served: what is seen of it now, and the one who changes it."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.collection import Item
from indexer.disk import DiskCollection
from indexer.rows import check_fingerprint
from indexer.store import Change
from retrieval.data import Modality
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair, fingerprint_for
from retrieval.errors import BadInputError, DamagedDataError, FgirError
from retrieval.nearest_labels import K, NearestLabels
from retrieval.openset import Openset


@dataclass(frozen=True)
class Classifiers:
    """What tells the labels of one generation.

    Attributes:
        labels: By target.
    """

    labels: list[str]
    nearest: NearestLabels
    openset: Openset


@dataclass
class Generation:
    """One generation of a collection, which never changes.

    Attributes:
        collection: For search alone.
    """

    collection: DiskCollection
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def classifiers(self) -> Classifiers:
        """Made when they are first asked for.

        Raises:
            BadInputError: The items have no labels to choose from.
        """
        with self._lock:
            return self._classifiers

    @cached_property
    def _classifiers(self) -> Classifiers:
        known = [item.label for item in self.collection.items]
        rows = np.array([row for row, label in enumerate(known) if label], np.int64)
        labels, targets = np.unique([known[row] for row in rows], return_inverse=True)
        if len(labels) == len(rows):
            raise BadInputError(
                "a collection must have a label with two items to classify with; got "
                f"{len(rows)} items with a label, each alone in it. Add items with labels."
            )
        vectors = np.ascontiguousarray(self.collection.vectors[rows])
        numbers: NDArray[np.int64] = targets.astype(np.int64)
        return Classifiers(
            labels.tolist(),
            NearestLabels.fit(vectors, numbers, k=min(K, len(rows) - 1)),
            Openset.fit(vectors, numbers),
        )


class Shelf:
    """A collection with its encoder.

    Requests work on a :class:`Generation`, to the end, while the collection goes on.

    Args:
        folder: Of the collection.
        encoder: Of its vectors, or a pair whose photo door made them.
        writable: Be the one writer, as long as the server runs.

    Raises:
        EncoderMismatchError: Another encoder made the collection.
        BusyError: Somebody else writes to it.
    """

    def __init__(self, folder: Path, encoder: Encoder | EncoderPair, *, writable: bool) -> None:
        self.folder = folder.absolute()
        self.name = self.folder.name
        self.encoder, self.writable = encoder, writable
        self.source = DiskCollection.open(folder, write=writable)
        try:
            self.fingerprint = fingerprint_for(encoder, self.source.fingerprint)
            check_fingerprint("the encoder", self.fingerprint, self.source.fingerprint)
            self._now = Generation(self.source.frozen())
        except BaseException:
            self.source.close()
            raise
        self._lock = threading.Lock()

    def takes(self, modality: Modality) -> bool:
        """Whether pictures of this kind have a door of their own."""
        return modality is Modality.PHOTO or isinstance(self.encoder, EncoderPair)

    def now(self) -> Generation:
        """The newest generation; while somebody else is opening it, the one before.

        Raises:
            FgirError: The collection cannot be read.
        """
        if self._lock.acquire(blocking=self.writable):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._now

    def write(self, change: Change) -> DiskCollection:
        """Make a change durable, and visible to requests that begin now.

        Returns:
            The collection after it.

        Raises:
            BadInputError: An id does not fit. Nothing is written.
            StorageError: Nothing is acknowledged.
        """
        with self._lock:
            try:
                self.source.write(change)
            except BadInputError:
                raise
            except FgirError:
                self._open_again()
                raise
            self._look()
            return self._now.collection

    def close(self) -> None:
        """Let go of the collection."""
        self.source.close()

    def _look(self) -> None:
        try:
            changed = self.source.refresh()
        except (DamagedDataError, BadInputError):  # perhaps another collection took its place
            self._open_again()
            changed = True
        if changed or self.source.generation != self._now.collection.generation:
            self._now = Generation(self.source.frozen())

    def _open_again(self) -> None:
        with suppress(FgirError):
            self.source.close()
        try:
            self.source = DiskCollection.open(
                self.folder, write=self.writable, fingerprint=self.fingerprint
            )
        except BadInputError as error:  # it was there: the client has done nothing wrong
            raise DamagedDataError(str(error)) from error


def item_of(collection: DiskCollection, id_: str) -> Item | None:
    """The item of an id; None where there is none."""
    return collection.get(id_) if id_ in collection else None
