"""``fgir demo``."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
) -> None:
    """Show the engine on data it generates: train, index, evaluate, search. No download."""
    from ui.walkthrough import walk_through

    walk_through(out)
