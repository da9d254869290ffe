"""``fgir doctor``."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def doctor() -> None:
    """Print versions, devices and which fast paths this machine has."""
    from retrieval.runtimes import available_runtimes
    from ui.machine import devices, versions

    console = Console(highlight=False)
    for title, rows in (
        ("Versions", versions()),
        ("Devices", devices()),
        ("Encoding runtimes", available_runtimes()),
    ):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        for name, value in rows:
            table.add_row(f"  {escape(name)}", escape(value))
        console.print(table)
