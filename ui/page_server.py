"""The page's server: Streamlit's, with limits on what visitors leave behind.

``fgir ui`` lets Streamlit run this file.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.file_util import get_static_dir
from streamlit.starlette import App

from retrieval import plugins
from ui import views
from ui.uploads import FILE_MEGABYTES, UploadLimits, forget_visitors

SWEEP = 15
"""Seconds between looks for visitors who left."""

_HERE = '<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", location).href}</script>'
"""Where the server is. Without it Streamlit first asks below the view's address, in vain."""

MultiPartParser.spool_max_size = (FILE_MEGABYTES + 1) << 20  # uploads never touch the disk


@asynccontextmanager
async def _lifespan(app: App) -> AsyncIterator[None]:
    sweeping = asyncio.create_task(_sweep())
    yield
    sweeping.cancel()


async def _sweep() -> None:
    while True:
        await asyncio.sleep(SWEEP)
        forget_visitors()


def _view(request: Request) -> HTMLResponse:
    document = (Path(get_static_dir()) / "index.html").read_text("utf-8")
    return HTMLResponse(
        document.replace("<head>", f"<head>{_HERE}", 1), headers={"Cache-Control": "no-cache"}
    )


app = App(
    Path(__file__).with_name("app.py"),
    routes=[Route(f"/{name}", _view) for name in plugins.names(views)],
    middleware=[Middleware(UploadLimits)],
    lifespan=_lifespan,
)
