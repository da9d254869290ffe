"""The application: routes, and who stands before them."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi

from .admission import Admission
from .errors import add_handlers
from .guard import LOOPBACK, Guard
from .log import Log
from .routes import classify, items, search, service
from .service import Service

VERSION = "1"


def make_app(
    opened: Service,
    *,
    hosts: Collection[str] | None = LOOPBACK,
    origins: Sequence[str] = (),
    key: str | None = None,
) -> FastAPI:
    """An application that serves what is open, and closes it at the end.

    Args:
        opened: What is served.
        hosts: Names that it may be called by; any where it is None.
        origins: Of web pages that may ask.
        key: That has to be shown, if any.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        opened.close()

    app = _Api(
        title="Fine-grained image retrieval",
        version=VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service, app.state.has_key = opened, key is not None
    for part in (service, search, items, classify):
        app.include_router(part.router)
    add_handlers(app)
    app.add_middleware(Admission, limits=opened.limits)
    app.add_middleware(Guard, hosts=hosts, origins=origins, key=key)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["retry-after"],
        )
    app.add_middleware(Log)
    return app


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Without the 422 that nothing here answers; with the key where there is one."""
        if self.openapi_schema is None:
            schema = get_openapi(title=self.title, version=self.version, routes=self.routes)
            for methods in schema["paths"].values():
                for operation in methods.values():
                    operation["responses"].pop("422", None)
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
            if self.state.has_key:
                bearer = {"key": {"type": "http", "scheme": "bearer"}}
                schema["components"]["securitySchemes"] = bearer
                schema["security"] = [{"key": []}]
            self.openapi_schema = schema
        return self.openapi_schema
