"""Search by photo, sketch, strokes, item or vector."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from indexer.disk import DiskCollection
from retrieval.data import Modality
from retrieval.errors import BadInputError

from ..answers import REFUSALS, Json, SearchAnswer, hit_answer
from ..bodies import FORM, JSON, Form, checked, content_type, form_of, json_object, json_of
from ..limits import Limits
from ..queries import DRAWING, Answered, Asked, PhotoQuery, Query, asked_by, hits_of
from ..service import Found, Service
from ..shelf import Shelf

router = APIRouter(prefix="/v1", tags=["search"], responses=REFUSALS)

_NUMBERS = ("k", "offset")

_ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "description": "One picture, as `photo` or as `sketch`. `where` is JSON.",
                    "properties": {
                        "photo": {"type": "string", "format": "binary"},
                        "sketch": {"type": "string", "format": "binary"},
                        **PhotoQuery.model_json_schema()["properties"],
                    },
                }
            },
            JSON: {
                "schema": Query.model_json_schema(),
                "examples": {
                    "strokes": {"value": {"drawing": DRAWING, "k": 5}},
                    "more like this": {"value": {"id": "boots/17.jpg"}},
                    "more like these": {"value": {"positive": ["a", "b"], "negative": ["c"]}},
                    "vector": {
                        "value": {
                            "vector": [0.6, 0.8],
                            "where": {"not": {"field": "label", "equal": "boot"}},
                        }
                    },
                },
            },
        },
    }
}


@router.post(
    "/collections/{name}/search", responses={200: {"model": SearchAnswer}}, openapi_extra=_ASKED
)
async def search(name: str, request: Request, service: Found) -> Json:
    """Find the items nearest to a photo, a sketch, strokes, an item, items or a vector."""
    service.shelf(name)
    if content_type(request) == FORM:
        form = await form_of(request, service.limits)
        return await run_in_threadpool(_by_picture, service, name, form)
    query = checked(Query, await json_of(request, service.limits))
    return await run_in_threadpool(_by_query, service, name, query)


def picture_of(form: Form, *kinds: Modality) -> tuple[bytes, Modality]:
    """The one file of a form, and what it shows.

    Raises:
        BadInputError: There is none, or it is called something else.
    """
    for name, data in form.files.items():
        if name in kinds:
            return data, Modality(name)
    got = ", ".join(form.files) or "no file"
    raise BadInputError(
        f"the form must have a file called {' or '.join(kinds)}; got {got!r}. "
        "Send it as multipart/form-data."
    )


def fields_of(form: Form, limits: Limits) -> dict[str, Any]:
    """Fields of a form as JSON would have them."""
    fields: dict[str, Any] = dict(form.fields)
    for name in _NUMBERS:
        if name in fields and fields[name].isdecimal():
            fields[name] = int(fields[name])
    if "where" in fields:
        fields["where"] = json_object("where", fields["where"], limits)
    return fields


def _by_picture(service: Service, name: str, form: Form) -> Json:
    shelf = service.shelf(name)
    data, modality = picture_of(form, Modality.PHOTO, Modality.SKETCH)
    query = checked(PhotoQuery, fields_of(form, service.limits))
    query.check()  # before the work
    asked = Asked(service.vector_of_picture(shelf, data, modality))
    return _answer(shelf, shelf.now().collection, query, asked)


def _by_query(service: Service, name: str, query: Query) -> Json:
    shelf = service.shelf(name)
    query.check()
    collection = shelf.now().collection
    return _answer(shelf, collection, query, asked_by(query, service, shelf, collection))


def _answer(shelf: Shelf, collection: DiskCollection, query: Answered, asked: Asked) -> Json:
    ranked = enumerate(hits_of(query, asked, shelf, collection), query.offset + 1)
    return Json(
        {
            "generation": collection.generation,
            "hits": [hit_answer(shelf.name, hit, rank) for rank, hit in ranked],
        }
    )
