"""One line for each request, which says nothing of who asked or what for."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import LOG, answer_to


class Log:
    """Writes method, address without ids, status, milliseconds; makes answers of what went wrong.

    Args:
        app: What is asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        begun = time.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            answer = answer_to(error)
            if status:  # it has begun to answer: the connection must end
                raise
            await answer(scope, receive, noted)
        finally:
            took = 1000 * (time.monotonic() - begun)
            address = getattr(scope.get("route"), "path", "-")
            LOG.info("%s %s %d %.0f ms", scope["method"], address, status, took)
