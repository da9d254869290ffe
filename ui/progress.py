"""A bar for the person who waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far ``what`` is; the value is a function to call with each count that got done.

    The bar goes to standard error, so that what a command prints can be piped; where that is no
    terminal, nothing is drawn but one line at the end. Without a total it only counts.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
    if not console.is_terminal:
        seconds = bar.tasks[task].finished_time or bar.tasks[task].elapsed or 0.0
        of = "" if total is None else f" of {total}"
        console.print(f"{what}: {bar.tasks[task].completed:.0f}{of} in {seconds:.1f} s")
