"""What can go wrong, in a form a person can act on and a script can tell apart.

Every message reads ``<thing> must be <want>; got <got>. <What to do.>`` and names the file, row or
id it is about. ``fgir`` prints the message, never a traceback, and ends with ``exit_code``.
"""

from typing import ClassVar


class FgirError(Exception):
    """Any error this program raises on purpose.

    Attributes:
        identifier: A stable name for scripts and tests, such as "damaged-data".
        exit_code: What the command line ends with.
    """

    identifier: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1


class BadInputError(FgirError, ValueError):
    """A file, row, option or vector is not what it must be."""

    identifier = "bad-input"
    exit_code = 3


class EncoderMismatchError(FgirError, ValueError):
    """Vectors of two encoders would meet; their spaces have nothing in common."""

    identifier = "encoder-mismatch"
    exit_code = 4


class DamagedDataError(FgirError):
    """A stored file is not what was written. Nothing is answered from it."""

    identifier = "damaged-data"
    exit_code = 5


class BusyError(FgirError):
    """Somebody else writes to the collection now."""

    identifier = "busy"
    exit_code = 6


class StorageError(FgirError, OSError):
    """The disk is full, read-only or failing. What was stored before is still there."""

    identifier = "storage"
    exit_code = 7


class UnavailableError(FgirError, OSError):
    """A server cannot be reached, is overloaded or does not finish. Try again later."""

    identifier = "unavailable"
    exit_code = 8


EXIT_DONE_IN_PART = 9
"""Exit code of a run that finished but had to reject some items; it names each of them."""

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM. What was acknowledged is kept."""
