"""A server at an address, until somebody ends it."""

import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from retrieval.errors import BadInputError, BusyError

from .errors import LOG

CONNECTIONS = 512


def listening(host: str, port: int) -> socket.socket:
    """A socket at that address.

    Raises:
        BusyError: Somebody else listens there.
        BadInputError: It is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadInputError(
            f"--host must be an address of this machine; got {host}: {error.strerror or error}."
        ) from None
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        kind_of = BusyError if error.errno == 98 else BadInputError
        raise kind_of(
            f"--port must be free; got {host}:{port}, {(error.strerror or str(error)).lower()}. "
            "Choose another, or 0 for any."
        ) from None
    return opened


def run(app: FastAPI, opened: socket.socket, stop_seconds: int, ready: Callable[[], None]) -> None:
    """Answer until SIGTERM or Ctrl-C, then finish what runs.

    Args:
        app: What answers.
        opened: From :func:`listening`.
        stop_seconds: How long running requests are waited for.
        ready: Called once requests are answered.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anyone could write them
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=stop_seconds,
    )
    server = _Server(config, ready)
    # uvicorn raises the signal again when it is done, which would look like a crash.
    before = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[opened])
    finally:
        for one, handling in before.items():
            signal.signal(one, handling)
        LOG.removeHandler(handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
