"""Which label, and whether any."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from retrieval.data import Modality

from ..answers import REFUSALS, ClassifyAnswer, Json
from ..bodies import FORM, JSON, Form, checked, content_type, form_of, json_of
from ..encoding import Vector
from ..queries import scaled
from ..service import Found, Service
from ..shelf import Shelf
from .search import picture_of

router = APIRouter(prefix="/v1", tags=["classify"], responses=REFUSALS)


class VectorToClassify(BaseModel):
    """A photo's vector, where it is at hand already."""

    model_config = ConfigDict(extra="forbid")

    vector: list[float] = Field(description="Made by the collection's encoder; scaled to norm 1.")


class _NoFields(BaseModel):
    model_config = ConfigDict(extra="forbid")


_ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {"photo": {"type": "string", "format": "binary"}},
                }
            },
            JSON: {
                "schema": VectorToClassify.model_json_schema(),
                "example": {"vector": [0.6, 0.8]},
            },
        },
    }
}


@router.post(
    "/collections/{name}/classify",
    responses={200: {"model": ClassifyAnswer}},
    openapi_extra=_ASKED,
)
async def classify(name: str, request: Request, service: Found) -> Json:
    """Labels of the nearest photos with probabilities, and how well the best one fits."""
    shelf = service.shelf(name)
    if content_type(request) == FORM:
        form = await form_of(request, service.limits)
        return await run_in_threadpool(_by_photo, service, shelf, form)
    body = checked(VectorToClassify, await json_of(request, service.limits))
    return await run_in_threadpool(_by_vector, shelf, body.vector)


def _by_photo(service: Service, shelf: Shelf, form: Form) -> Json:
    data, modality = picture_of(form, Modality.PHOTO)
    checked(_NoFields, form.fields)
    return _answer(shelf, service.vector_of_picture(shelf, data, modality))


def _by_vector(shelf: Shelf, vector: list[float]) -> Json:
    return _answer(
        shelf, scaled("vector", np.array(vector, np.float64), shelf.now().collection.dim)
    )


def _answer(shelf: Shelf, vector: Vector) -> Json:
    now = shelf.now()
    known = now.classifiers()
    found = known.nearest.probabilities(vector)
    likely = zip(found.labels[0].tolist(), found.probabilities[0].tolist(), strict=True)
    return Json(
        {
            "generation": now.collection.generation,
            "labels": [
                {"label": known.labels[target], "probability": round(probability, 6)}
                for target, probability in likely
                if target >= 0
            ],
            "none": round(float(found.none[0]), 6),
            "p_value": round(float(known.openset.p_values(vector).p[0]), 6),
        }
    )
