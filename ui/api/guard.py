"""Who may ask: the right host, a known origin, a key."""

import hashlib
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import RequestError, answer_to

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN = frozenset({"/v1/health"})
"""What needs no key: whether the server is ready."""


class Guard:
    """Refuses what must not come in, before anything of it is read.

    A page of another site can make a browser send requests to this machine. It cannot choose their
    ``Origin``, and a name that it makes lead here is not among ``hosts``.

    Args:
        app: What is guarded.
        hosts: Names that the server may be called by; any where it is None.
        origins: Of pages that may ask, besides those of this server.
        key: That has to be shown, if any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str] | None,
        origins: Collection[str],
        key: str | None,
    ) -> None:
        self._app, self._hosts, self._origins = app, hosts, origins
        self._key = None if key is None else _digest(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(Headers(scope=scope), scope["path"])
        except RequestError as refused:
            await answer_to(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise RequestError(
                403, "host must be one of this server; got another. Ask 127.0.0.1 or localhost."
            )
        origin = headers.get("origin")
        known = (None, f"http://{host}", f"https://{host}", *self._origins)
        if origin not in known:
            raise RequestError(
                403,
                "origin must be one that is allowed; got another. "
                "Start the server with --allow-origin for this page.",
            )
        if self._key is not None and path not in OPEN and not self._is_key(headers):
            raise RequestError(
                401,
                "the API key must be shown; got none, or another. "
                "Send it as Authorization: Bearer KEY.",
                {"WWW-Authenticate": "Bearer"},
            )

    def _is_key(self, headers: Headers) -> bool:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(_digest(shown.strip()), self._key or b"")
        return same and scheme.lower() == "bearer"


def _digest(key: str) -> bytes:
    """Of one length, so that comparing tells nothing of how much was right."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _name(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
