"""What the page was started with."""

import sys
from pathlib import Path


def runs_folder() -> Path | None:
    """Folder below which evaluations and training runs are, if one was given."""
    return Path(sys.argv[2]) if len(sys.argv) > 2 else None
