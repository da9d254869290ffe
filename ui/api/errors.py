"""What a client is told when something is wrong: ``{"error": sentence}`` and a status."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from reprlib import repr as shown
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from retrieval.errors import BadInputError, FgirError
from retrieval.plugins import unknown

from .answers import Json

LOG = logging.getLogger("fgir.serve")


class RequestError(FgirError):
    """A request that is refused.

    Attributes:
        status: Of the answer.
        headers: Of the answer.
    """

    identifier = "refused"

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, dict(headers or {})


def answer_to(error: Exception) -> Json:
    """The answer that an error becomes.

    Bad input is explained. Of what is wrong with the server, such as a full disk, the client gets a
    number and the log the rest: it names folders.
    """
    if isinstance(error, RequestError):
        return Json({"error": str(error)}, error.status, error.headers)
    if isinstance(error, BadInputError):
        return Json({"error": str(error)}, 400)
    incident = secrets.token_hex(4)
    LOG.error("incident %s: %s: %s", incident, type(error).__name__, error)
    if isinstance(error, FgirError):
        sentence = (
            f"the collection must be in order; got {error.identifier}. "
            f"Ask whoever runs the server to look for {incident} in its log."
        )
        return Json({"error": sentence}, 503)
    sentence = f"this is a bug. Whoever runs the server finds {incident} in its log."
    return Json({"error": sentence}, 500)


def add_handlers(app: FastAPI) -> None:
    """Let an app answer errors that way."""

    async def fgir(request: Request, error: Exception) -> Json:
        return answer_to(error)

    async def invalid(request: Request, error: Exception) -> Json:
        errors = cast(RequestValidationError, error).errors()
        return Json({"error": sentence_of(errors, ())}, 400)

    async def http(request: Request, error: Exception) -> Json:
        refused = cast(HTTPException, error)
        sentence = _HTTP.get(refused.status_code, str(refused.detail))
        return Json({"error": sentence}, refused.status_code, refused.headers)

    app.add_exception_handler(FgirError, fgir)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


_HTTP = {
    404: "the address must be one of /v1/openapi.json; got another one. Look there.",
    405: "the method must be one that the address has; got another one. See /v1/openapi.json.",
}


def sentence_of(errors: Sequence[Any], known: Sequence[str]) -> str:
    """What a validation found first, in our words.

    Args:
        errors: As pydantic lists them.
        known: Fields that there are.
    """
    first = errors[0]
    name = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    if first["type"] == "extra_forbidden":
        return unknown("field", name, known)
    want = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    got = "nothing" if first["type"] == "missing" else shown(first["input"])
    return f"{name or 'the body'} must be {want}; got {got}. See /v1/openapi.json."
