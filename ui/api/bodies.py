"""Bodies of requests, read no further than the limits go."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from retrieval.errors import BadInputError

from .errors import RequestError, sentence_of
from .limits import Limits

JSON, FORM = "application/json", "multipart/form-data"

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class Form:
    """A form with one file.

    Attributes:
        fields: Texts by name.
        files: Bytes by name.
    """

    fields: dict[str, str]
    files: dict[str, bytes]


class _InMemory(MultiPartParser):
    """Uploads never touch the disk: they are bounded, and nobody's business afterwards."""

    spool_max_size = 1 << 40


def content_type(request: Request) -> str:
    """What the body says it is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form_of(request: Request, limits: Limits) -> Form:
    """The form that the body holds.

    Raises:
        RequestError: It is another thing, too large, too slow, or damaged.
    """
    _check_type(request, FORM)
    chunks = _chunks(request, limits.upload_bytes, limits.upload_seconds)
    parser = _InMemory(
        request.headers, chunks, max_files=1, max_fields=16, max_part_size=limits.json_bytes
    )
    try:
        async with asyncio.timeout(limits.upload_seconds):
            parsed = await parser.parse()
    except TimeoutError:
        raise _too_slow(limits.upload_seconds) from None
    except (MultiPartException, KeyError, ValueError) as error:
        got = getattr(error, "message", None) or type(error).__name__
        raise BadInputError(
            f"the form must be whole; got {got!r}. Send it as multipart/form-data with a boundary."
        ) from None
    try:
        fields: dict[str, str] = {}
        files: dict[str, bytes] = {}
        for name, value in parsed.multi_items():
            if name in fields or name in files:
                raise BadInputError(f"{name} must be given once; got it twice. Leave one out.")
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                fields[name] = value
        return Form(fields, files)
    finally:
        await parsed.close()


async def json_of(request: Request, limits: Limits) -> dict[str, Any]:
    """The JSON object that the body is.

    Raises:
        RequestError: It is another thing, too large, too slow, or no JSON.
    """
    _check_type(request, JSON)
    data = bytearray()
    try:
        async with asyncio.timeout(limits.upload_seconds):
            async for chunk in _chunks(request, limits.json_bytes, limits.upload_seconds):
                data += chunk
    except TimeoutError:
        raise _too_slow(limits.upload_seconds) from None
    return json_object("the body", data, limits)


def json_object(name: str, data: bytes | bytearray | str, limits: Limits) -> dict[str, Any]:
    """An object of bounded depth, without NaN and infinities.

    Raises:
        BadInputError: It is something else.
    """
    try:
        value = json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise _too_deep(name, limits) from None
    except ValueError as error:
        raise BadInputError(
            f"{name} must be whole JSON; got an error: {error}. Write it with a JSON library."
        ) from None
    if not isinstance(value, dict):
        raise BadInputError(f"{name} must be a JSON object; got {type(value).__name__}.")
    level: list[Any] = [value]
    for _ in range(limits.json_depth):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return value
    raise _too_deep(name, limits)


def checked(model: type[Body], value: Mapping[str, Any]) -> Body:
    """The body as the model has it.

    Raises:
        BadInputError: A field is not what it must be; it is named.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise BadInputError(sentence_of(errors, sorted(model.model_fields))) from None


def _check_type(request: Request, want: str) -> None:
    got = content_type(request)
    if got != want:
        raise RequestError(
            415, f"content-type must be {want}; got {got[:80] or 'none'!r}. See /v1/openapi.json."
        )


async def _chunks(request: Request, most: int, seconds: float) -> AsyncGenerator[bytes]:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:  # whatever was announced
            raise _too_large(most)
        yield chunk


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant}, which is no number")


def _too_large(most: int) -> RequestError:
    return RequestError(
        413,
        f"the body must have at most {most:,} bytes; got more. Scale the picture down.",
        {"Connection": "close"},
    )


def _too_slow(seconds: float) -> RequestError:
    return RequestError(
        408,
        f"the body must arrive within {seconds:g} s; got only a part. Send a smaller one.",
        {"Connection": "close"},
    )


def _too_deep(name: str, limits: Limits) -> BadInputError:
    return BadInputError(
        f"{name} must be nested at most {limits.json_depth} levels deep; got more. Flatten it."
    )
