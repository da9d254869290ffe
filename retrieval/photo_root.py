"""Paths that somebody else wrote, kept inside one folder.

A table or a published list of photos is data from outside. Whatever it says, no file outside the
folder it came with is opened: not by climbing, not by an absolute path, not through a link.
"""

import os
import re
import stat
from pathlib import Path

from .errors import BadInputError

_DRIVE = re.compile(r"[A-Za-z]:")
_SEPARATOR = re.compile(r"[/\\]")


class PhotoRoot:
    """The folder that listed photos must lie in.

    Links are followed as long as they stay inside. Folders already judged are remembered, so that
    a list of a hundred thousand photos costs one look at each file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._real = os.path.realpath(folder)
        self._inside: set[Path] = set()

    def locate(self, text: str, where: str) -> tuple[Path, bool]:
        """The photo that ``text`` names, and whether it is there.

        Args:
            text: Relative path with forward slashes, as the list has it.
            where: What the message calls it, such as "images.csv row 3, column path".

        Raises:
            BadInputError: The path is not relative, leaves the folder, or is no regular file.
        """
        fault = _fault(text)
        if fault:
            raise self._refused(where, text, fault)
        path = self.folder / text
        if path.parent not in self._inside:
            self._refuse_outside(path.parent, where, text)
            self._inside.add(path.parent)
        try:
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                self._refuse_outside(path, where, text)
                mode = path.stat().st_mode
        except OSError:  # nothing there, a loop of links, a name too long, a closed folder
            return path, False
        if not stat.S_ISREG(mode):
            raise self._refused(where, text, "is not a regular file")
        return path, True

    def holds(self, path: Path) -> bool:
        """Whether ``path`` lies in the folder once every link is followed."""
        real = os.path.realpath(path)
        return os.path.commonpath([real, self._real]) == self._real

    def _refuse_outside(self, path: Path, where: str, text: str) -> None:
        if not self.holds(path):
            raise self._refused(where, text, "is a link to the outside")

    def _refused(self, where: str, text: str, fault: str) -> BadInputError:
        return BadInputError(
            f"{where} must be a relative path to a file inside {self.folder}; "
            f"got {text!r}, which {fault}."
        )


def _fault(text: str) -> str | None:
    """Why ``text`` is no path inside any folder; None when it may be one."""
    if not text or text.isspace():
        return "is empty"
    if not text.isprintable() and any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        return "has a control character"
    if "://" in text:
        return "is an address"
    if text[0] in "/\\~" or _DRIVE.match(text):
        return "is absolute"
    if ".." in _SEPARATOR.split(text):
        return "climbs out of a folder"
    return None
