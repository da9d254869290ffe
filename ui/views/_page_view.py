"""What a view of the page must be able to do."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar


class PageView(ABC):
    """One view; its name in the address is that of its file.

    The frame shows it as a fragment, so that a touch of its widgets runs nothing but it, and turns
    its errors into sentences.

    Attributes:
        title: In the navigation.
        icon: In the navigation, such as ":material/draw:".
        order: Views are listed by it; the first one opens.
    """

    title: ClassVar[str]
    icon: ClassVar[str]
    order: ClassVar[int]

    @abstractmethod
    def show(self, folder: Path) -> None:
        """Put the view on the page.

        Args:
            folder: Of the collection. :func:`ui.resources.opened` opens it.

        Raises:
            FgirError: The page shows its sentence in place of what is missing.
        """
