"""How many requests run, how many wait, and how many of one client."""

import asyncio
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import RequestError, answer_to
from .guard import OPEN
from .limits import Limits

RETRY_AFTER = {"Retry-After": "1"}


class Admission:
    """Lets so many requests work at once; some more wait, unread; others are told to come back.

    Args:
        app: What is asked.
        limits: How many.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._running = asyncio.Semaphore(limits.running)
        self._clients: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when it is its turn, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        try:
            self._check(client)
        except RequestError as refused:
            await answer_to(refused)(scope, receive, send)
            return
        self._clients[client] += 1
        try:
            async with self._running:
                await self._app(scope, receive, send)
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def _check(self, client: str) -> None:
        if self._clients[client] >= self._limits.per_client:
            raise RequestError(
                429,
                f"a client must have at most {self._limits.per_client} requests at once; got one "
                "more. Wait for answers.",
                RETRY_AFTER,
            )
        if self._clients.total() >= self._limits.running + self._limits.waiting:
            raise RequestError(
                429,
                f"at most {self._limits.waiting} requests must wait; got one more. Come back soon.",
                RETRY_AFTER,
            )
