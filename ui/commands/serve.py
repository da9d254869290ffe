"""``fgir serve``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import BadInputError
from ui import options

KEY = "FGIR_API_KEY"
SHORTEST_KEY = 16


def serve(
    collections: Annotated[list[Path], typer.Argument(help="The collections, folders.")],
    host: Annotated[
        str, typer.Option(help="Address to listen at; another than this machine's needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with the key that clients must show; or set {KEY}.", show_default=False
        ),
    ] = None,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let clients add and remove items.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Web pages of this origin may ask, such as https://shop.example; may be repeated.",
            show_default=False,
        ),
    ] = None,
    encoder: options.EncoderFolder = None,
) -> None:
    """Answer searches over HTTP, for programs; see docs/http.md.

    Listens on this machine only unless told otherwise. Ends with Ctrl-C or SIGTERM, after the
    requests that run.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise BadInputError(
            f"fgir serve must have its packages; got no {error.name}. "
            "Install the extra: fine-grained-image-retrieval[serve]."
        ) from None
    from ui.api.app import make_app
    from ui.api.guard import LOOPBACK
    from ui.api.server import listening, run
    from ui.api.service import Service

    key = _key(api_key_file)
    origins = [_origin(one) for one in allow_origin or []]
    if host not in LOOPBACK and key is None:
        raise BadInputError(
            f"--host must be 127.0.0.1 where there is no API key; got {host}. "
            f"Give --api-key-file, or set {KEY}."
        )
    with listening(host, port) as opened:
        service = Service.open(collections, encoder=encoder, writable=writable)
        hosts = LOOPBACK if host in LOOPBACK else None
        app = make_app(service, hosts=hosts, origins=origins, key=key)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{opened.getsockname()[1]}/v1"
        names = ", ".join(service.shelves)
        run(
            app,
            opened,
            service.limits.stop_seconds,
            lambda: typer.echo(f"serving {names} at {address}"),
        )
    typer.echo("stopped")


def _key(file: Path | None) -> str | None:
    """The key, never from the command line, which every user of the machine can read."""
    if file is None:
        key, name = os.environ.get(KEY), KEY
    else:
        name = str(file)
        try:
            key = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--api-key-file must be readable text; got {error}.") from None
    if key is not None and (len(key) < SHORTEST_KEY or not key.isascii() or " " in key):
        raise BadInputError(
            f"{name} must have {SHORTEST_KEY} characters of ASCII or more, without spaces; got "
            f"{len(key)} characters. Make one with: openssl rand -hex 32."
        )
    return key


def _origin(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if scheme not in ("http", "https") or not found or not rest or "/" in rest or "*" in rest:
        raise BadInputError(
            f"--allow-origin must be like https://shop.example; got {text!r}. "
            "Leave out what follows the host and port."
        )
    return text.lower()
