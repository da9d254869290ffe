"""What every format offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ..encoder import Encoder
from ._description import Description


class Format(ABC):
    """Writes an encoder's model into a folder and opens it again.

    Attributes:
        summary: What it is, for people.
        reduced: Whether numbers are rounded more than float32 rounds them. Its vectors are then a
            space of their own, and parity is measured but not asked for.
        to_write: Packages that writing needs.
        to_read: Packages that using needs.
        extra: Of this program, under which they are installed.
    """

    summary: ClassVar[str]
    reduced: ClassVar[bool] = False
    to_write: ClassVar[tuple[str, ...]] = ()
    to_read: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "export"

    @abstractmethod
    def write(self, encoder: Encoder, folder: Path) -> None:
        """Write the model's files into an existing folder."""

    @abstractmethod
    def load(self, folder: Path, files: Mapping[str, bytes], description: Description) -> Encoder:
        """The encoder that :meth:`write` wrote.

        Args:
            folder: Where it lies.
            files: Contents of its files by name, checked.
            description: Of the folder.
        """

    @abstractmethod
    def usage(self, encoder: Encoder) -> str:
        """How to use the model without this program, as Markdown for the model card."""
