"""Whether the server is ready, and what it serves."""

from typing import Any

from fastapi import APIRouter

from retrieval.data import Modality
from retrieval.errors import FgirError

from ..answers import (
    REFUSALS,
    CollectionAnswer,
    CollectionsAnswer,
    HealthAnswer,
    Json,
)
from ..errors import LOG, RequestError
from ..service import Found
from ..shelf import Shelf

router = APIRouter(prefix="/v1", tags=["service"], responses=REFUSALS)


@router.get("/health", responses={200: {"model": HealthAnswer}})
def health(service: Found) -> Json:
    """Ready only when every collection and its encoder are open. Needs no key."""
    for shelf in service.shelves.values():
        try:
            shelf.now()
        except FgirError as error:
            LOG.error("%s: %s", shelf.name, error)
            raise RequestError(
                503, f"collections must be in order; got {error.identifier}. See the server's log."
            ) from None
    return Json({"status": "ready", "collections": len(service.shelves)})


@router.get("/collections", responses={200: {"model": CollectionsAnswer}})
def collections(service: Found) -> Json:
    """What is served."""
    return Json({"collections": [_facts(shelf) for shelf in service.shelves.values()]})


@router.get("/collections/{name}", responses={200: {"model": CollectionAnswer}})
def collection(name: str, service: Found) -> Json:
    """Facts of one collection."""
    return Json(_facts(service.shelf(name)))


def _facts(shelf: Shelf) -> dict[str, Any]:
    found = shelf.now().collection
    return {
        "name": shelf.name,
        "items": len(found),
        "dim": found.dim,
        "engine": found.engine,
        "encoder": found.fingerprint,
        "generation": found.generation,
        "sketches": shelf.takes(Modality.SKETCH),
        "writable": shelf.writable,
    }
