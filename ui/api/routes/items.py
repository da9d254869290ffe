"""Items: a page of them, one, its picture; adding and removing."""

import hashlib
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from indexer.collection import Item
from indexer.filter_records import condition_of
from indexer.rows import rows_of
from indexer.store import Change
from retrieval.data import Modality
from retrieval.errors import StorageError
from retrieval.files import write_atomically

from ..answers import (
    REFUSALS,
    ItemAnswer,
    ItemsAnswer,
    Json,
    WrittenAnswer,
    item_answer,
)
from ..bodies import FORM, Form, checked, form_of, json_object
from ..errors import RequestError
from ..limits import Limits
from ..service import Found, Service
from ..shelf import Shelf, item_of
from .search import picture_of

router = APIRouter(prefix="/v1", tags=["items"], responses=REFUSALS)

LIMITS = Limits()

PICTURES = "pictures"
"""Folder in a collection where pictures lie that were sent."""

_OURS = re.compile(rf"{PICTURES}/[0-9a-f]{{32}}\.(?:jpg|png)")


class NewItem(BaseModel):
    """Fields beside the photo in a form."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=1024, examples=["boots/18.jpg"])
    label: str = Field("", examples=["boot"])
    payload: dict[str, Any] = Field({}, description="JSON.", examples=[{"price": 40}])
    replace: bool = Field(False, description="Take the place of an item with this id.")


def id_of(request: Request) -> str:
    """The id at the end of the address, whatever characters it has."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    parts = raw.decode("ascii", "surrogateescape").split("?")[0].split("/", 5)
    return unquote(parts[5], errors="surrogateescape")


Id = Annotated[str, Depends(id_of)]

_ID: dict[str, Any] = {
    "parameters": [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "Of the item, percent-encoded.",
            "schema": {"type": "string"},
            "example": "boots/17.jpg",
        }
    ]
}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["photo", "id"],
                    "properties": {
                        "photo": {"type": "string", "format": "binary"},
                        **NewItem.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}


@router.get("/collections/{name}/items", responses={200: {"model": ItemsAnswer}})
def items(
    name: str,
    service: Found,
    limit: Annotated[int, Query(ge=1, le=LIMITS.hits)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    where: Annotated[
        str | None,
        Query(
            description="A condition in JSON; see docs/filters.md.",
            examples=['{"field": "label", "equal": "boot"}'],
        ),
    ] = None,
) -> Json:
    """A page of items, in an order that stays while the generation does."""
    collection = service.shelf(name).now().collection
    if where is None:
        ids = collection.ids()
    else:
        ids = collection.items_where(condition_of(json_object("where", where, service.limits)))
    page = [collection.get(one) for one in ids[offset : offset + limit]]
    return Json(
        {
            "generation": collection.generation,
            "total": len(ids),
            "items": [item_answer(name, one) for one in page],
        }
    )


@router.get(
    "/collections/{name}/items/{id:path}",
    responses={200: {"model": ItemAnswer}},
    openapi_extra=_ID,
)
def item(name: str, service: Found, wanted: Id) -> Json:
    """One item."""
    return Json(item_answer(name, _there(service.shelf(name), wanted)))


@router.get(
    "/collections/{name}/pictures/{id:path}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "Pixels, no metadata"}},
    openapi_extra=_ID,
)
def picture(
    name: str,
    service: Found,
    wanted: Id,
    side: Annotated[
        int, Query(ge=16, le=LIMITS.picture_side, description="Longest side in pixels.")
    ] = 512,
) -> Response:
    """The picture of an item, decoded and encoded again: nothing of its file but its pixels."""
    shelf = service.shelf(name)
    found = _there(shelf, wanted)
    path = shelf.folder / found.path
    if not found.path or not path.is_file():
        raise RequestError(
            404,
            f"the picture of {wanted!r} must be there; got none. Its file was moved.",
        )
    data = service.readers.shown(path, f"the picture of {wanted!r}", side)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-cache"})


@router.post(
    "/collections/{name}/items",
    status_code=201,
    responses={
        201: {"model": WrittenAnswer},
        409: REFUSALS[400] | {"description": "The id is taken"},
    },
    openapi_extra=_FORM,
)
async def add(name: str, request: Request, service: Found) -> Json:
    """Add a photo; durable and found when this answers. Needs --writable.

    The photo is written anew as a JPEG or PNG beside the collection, without its metadata.
    """
    _writable(service.shelf(name))
    form = await form_of(request, service.limits)
    return await run_in_threadpool(_added, service, name, form)


@router.delete(
    "/collections/{name}/items/{id:path}",
    responses={200: {"model": WrittenAnswer}},
    openapi_extra=_ID,
)
def remove(name: str, service: Found, wanted: Id) -> Json:
    """Remove an item, and its picture if it was sent to this server. Needs --writable."""
    return _removed(_writable(service.shelf(name)), [wanted])


@router.delete("/collections/{name}/items", responses={200: {"model": WrittenAnswer}})
def remove_all(
    name: str,
    service: Found,
    id: Annotated[list[str], Query(min_length=1, max_length=LIMITS.hits)],
) -> Json:
    """Remove items at once, all or none. Needs --writable."""
    return _removed(_writable(service.shelf(name)), id)


def _added(service: Service, name: str, form: Form) -> Json:
    shelf = service.shelf(name)
    data, _ = picture_of(form, Modality.PHOTO)
    fields: dict[str, Any] = dict(form.fields)
    if "payload" in fields:
        fields["payload"] = json_object("payload", fields["payload"], service.limits)
    new = checked(NewItem, fields)
    before = item_of(shelf.now().collection, new.id)
    if before is not None and not new.replace:
        raise RequestError(
            409, f"id must be a new one; got {new.id!r}, which is there. Send replace=true as well."
        )
    kept, suffix = service.readers.kept(data, "photo")
    vector = service.vector_of_picture(shelf, kept, Modality.PHOTO)
    path = f"{PICTURES}/{secrets.token_hex(16)}{suffix}"
    made = Item(new.id, path, new.label, new.payload)
    rows = rows_of([made], [hashlib.sha256(kept).digest()])
    try:
        (shelf.folder / PICTURES).mkdir(exist_ok=True)
        write_atomically(shelf.folder / path, kept)
    except OSError as error:
        raise StorageError(f"{shelf.folder / path} must be writable; got: {error}") from error
    try:
        after = shelf.write(Change(vector, rows, replace=new.replace))
    except BaseException:
        _forget(shelf, [made])
        raise
    _forget(shelf, [before])
    return Json({"generation": after.generation, "items": len(after)}, 201)


def _removed(shelf: Shelf, ids: list[str]) -> Json:
    gone = [_there(shelf, one) for one in dict.fromkeys(ids)]
    rows = rows_of(gone)
    none = shelf.now().collection.vectors[:0]
    after = shelf.write(Change(none, (), removed=[row.id for row in rows]))
    _forget(shelf, gone)
    return Json({"generation": after.generation, "items": len(after)})


def _forget(shelf: Shelf, items: "list[Item] | list[Item | None]") -> None:
    """Remove the pictures that were sent to this server; others belong to somebody else."""
    for one in items:
        if one is not None and _OURS.fullmatch(one.path):
            with suppress(OSError):  # the item is gone; a file that stays harms nobody
                (Path(shelf.folder) / one.path).unlink()


def _there(shelf: Shelf, id_: str) -> Item:
    found = item_of(shelf.now().collection, id_)
    if found is None:
        raise RequestError(
            404, f"id must be that of an item; got {id_!r}, which is not in the collection."
        )
    return found


def _writable(shelf: Shelf) -> Shelf:
    if not shelf.writable:
        raise RequestError(
            403,
            f"{shelf.name} must be served for writing; got it for search only. "
            "Start the server with --writable.",
        )
    return shelf
