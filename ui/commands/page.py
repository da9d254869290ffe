"""``fgir ui``."""

from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import typer

from retrieval.errors import BadInputError, BusyError

_LIGHT = {
    "primaryColor": "#0b6e99",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f1f4f6",
    "textColor": "#1b2127",
    "borderColor": "#dbe1e6",
    "linkColor": "#0b6e99",
}
_DARK = {
    "primaryColor": "#3fb0dd",
    "backgroundColor": "#14181c",
    "secondaryBackgroundColor": "#1f252b",
    "textColor": "#e8ecef",
    "borderColor": "#353d45",
    "linkColor": "#6cc5ea",
}

OPTIONS: dict[str, object] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "global.disableWidgetStateDuplicationWarning": True,
    # Runs that a browser keeps an answer for. Where an answer returns in the very run in which it
    # expires, Streamlit points at what the browser has just dropped, and the page stands still.
    "global.maxCachedMessageAge": 50,
    "logger.hideWelcomeMessage": True,
    "runner.magicEnabled": False,
    "runner.postScriptGC": False,  # else every answer ends with a look at all objects there are
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 20,  # as ui.uploads has it
    "server.runOnSave": False,
    "server.showEmailPrompt": False,
    "theme.baseRadius": "0.6rem",
    **{f"theme.light.{name}": colour for name, colour in _LIGHT.items()},
    **{f"theme.dark.{name}": colour for name, colour in _DARK.items()},
}
"""Of Streamlit, whatever its configuration files say."""

LOOPBACK = ["127.0.0.1", "localhost", "::1"]
"""Names of this machine for itself. Another name that leads here is a trick of another site."""


def ui(
    collection: Annotated[Path, typer.Argument(help="The collection, a folder.")],
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder below which evaluations and training runs are, to look at."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page's address.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen at; another one opens the page to others.")
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser.")
    ] = False,
) -> None:
    """Open the page: draw, recognise a photo, look at the collection and at evaluations."""
    from indexer.disk import DiskCollection

    if runs is not None and not runs.is_dir():
        raise BadInputError(
            f"--runs must be a folder; got {runs}. Give the one below which fgir evaluate --out "
            "and fgir train --out wrote."
        )

    with DiskCollection.open(collection) as opened:
        typer.echo(f"{len(opened):,} pictures in {collection}", err=True)
    options: dict[str, object] = {
        "server.port": port,
        "server.address": host,
        "server.headless": no_browser,
    }
    if host in LOOPBACK:
        options["server.allowedHosts"] = LOOPBACK
    else:
        typer.echo(
            f"{host} can be reached by others, and whoever reaches it sees every picture of "
            "this collection: there is no password.",
            err=True,
        )
    check_port(host, port)
    typer.echo(f"http://{_address(host)}:{port}    Ctrl-C ends it", err=True)
    run(collection, options, runs)


def run(collection: Path, options: dict[str, object], runs: Path | None = None) -> None:
    """Serve the page until it is ended.

    Raises:
        BadInputError: Streamlit is not installed.
    """
    try:
        from click import Abort
        from streamlit.web.cli import main_run
    except ImportError:
        raise BadInputError(
            "the page must have Streamlit; got none. Install the extra: "
            "pip install 'fine-grained-image-retrieval[ui]'."
        ) from None
    import ui.app  # noqa: F401  what the page needs is loaded before its first visitor comes
    from ui.readiness import make_ready

    words = [
        f"--{name}={_word(value)}"
        for name, values in (OPTIONS | options).items()
        for value in (values if isinstance(values, list) else [values])
    ]
    server = Path(__file__).parents[1] / "page_server.py"
    shown = [str(one.absolute()) for one in (collection, runs) if one is not None]
    ended = Event()
    ready = Thread(target=make_ready, args=(collection.absolute(), ended))  # as the page names it
    ready.start()
    try:
        with suppress(Abort):  # Ctrl-C
            main_run.main([*words, str(server), "--", *shown], standalone_mode=False)
    finally:
        ended.set()
        ready.join()


def check_port(host: str, port: int) -> None:
    """Raise unless one can listen there."""
    import socket

    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise BadInputError(
            f"--host must be an address of this machine; got {host}: {error.strerror}."
        ) from None
    with socket.socket(family, kind, number) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            raise BusyError(
                f"port {port} at {host} must be free; got: {(error.strerror or '').lower()}. "
                "Choose another with --port, or end the page that runs there."
            ) from None


def _address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
