"""What a format of drawings must be able to do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ..image_headers import Refusal
from ..strokes import Drawing
from ._content import Content


class NoStrokes(Refusal):
    """Why no drawing is read from a picture that is only one."""


class DrawingFormat(ABC):
    """One way to keep drawings in a file.

    A file may hold one drawing or many. :meth:`entries` finds them without making them, so that one
    of a million costs no more than itself.

    Attributes:
        suffixes: Names that such files have, in lower case.
        written_as: The suffix that chooses this format for writing, if any does.
        shape: What such a file is, for the sentence about one that is not.
        is_picture: Whether it holds pixels.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    written_as: ClassVar[str] = ""
    shape: ClassVar[str]
    is_picture: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Of the file that defines the format."""
        return type(self).__module__.rsplit(".", 1)[-1]

    @abstractmethod
    def recognises(self, content: Content) -> bool:
        """Whether this is how the content is kept; quick, and true of one format only."""

    @abstractmethod
    def entries(self, content: Content) -> Mapping[str, Any]:
        """What is kept of each drawing, by its key; the key of a file's only drawing is "".

        Raises:
            Refusal: It cannot be told apart.
        """

    @abstractmethod
    def drawing(self, entry: Any) -> Drawing:  # noqa: ANN401
        """The drawing that an entry describes.

        Raises:
            Refusal: It describes none.
            BadInputError: A number is not what it must be.
        """

    @abstractmethod
    def write(self, drawing: Drawing) -> bytes:
        """A file that holds this drawing only."""
