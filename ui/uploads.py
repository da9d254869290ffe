"""What visitors upload: so much and no more, and no longer than their page shows it."""

import gc
import re
from collections import Counter
from typing import cast

import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.caching.ttl_cache import TTLCache
from streamlit.runtime.memory_session_storage import MemorySessionStorage as Stored
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager as Files
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager

FILE_MEGABYTES = 20
"""Most of one file, in units of 2^20 bytes; Streamlit refuses larger ones."""

FILES = 60
"""Most files of one visitor: the view Collection takes 50 at once."""

VISITOR_BYTES = 200_000_000
"""Most bytes of one visitor."""

ALL_BYTES = 400_000_000
"""Most bytes of all visitors."""

_SEEN = "uploads.seen"
_ADDRESS = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")


class UploadLimits:
    """Refuses uploads beyond a limit before they are read.

    Args:
        app: What takes uploads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._files: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        found = None
        if scope["type"] == "http" and scope["method"] == "PUT":
            found = _ADDRESS.fullmatch(scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        visitor, size = found[1], _announced(scope)
        if refusal := self._refusal(visitor, size):
            await PlainTextResponse(refusal, 413, {"Connection": "close"})(scope, receive, send)
            return
        self._files[visitor] += 1
        self._bytes[visitor] += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._files -= Counter({visitor: 1})
            self._bytes -= Counter({visitor: size})

    def _refusal(self, visitor: str, size: int) -> str:
        kept = {
            one: [len(file.data) for file in list(files.values())]
            for one, files in list(_manager().file_storage.items())
        }
        own = kept.get(visitor, [])
        everything = sum(map(sum, kept.values())) + self._bytes.total()
        for most, count, what in (
            (FILES, len(own) + self._files[visitor] + 1, "files of one visitor"),
            (VISITOR_BYTES, sum(own) + self._bytes[visitor] + size, "bytes of one visitor"),
            (ALL_BYTES, everything + size, "bytes of all visitors"),
        ):
            if count > most:
                return f"The page must keep at most {most:,} {what}; got more. Please reload it."
        return ""


def uploaded(key: str) -> UploadedFile | None:
    """The file in the uploader of that key; None where there is none, or none any more."""
    found = st.session_state.get(key)
    return found if isinstance(found, UploadedFile) else None


def forget_unshown() -> None:
    """Let go of files that this visitor's page has shown and shows no more.

    Call it when a view stands on the page. What has arrived and was not yet shown stays.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    rendered = context.shared.widget_user_keys_this_run.snapshot()
    shown = {file for key in rendered for file in _files(st.session_state.get(key))}
    seen: set[str] = st.session_state.get(_SEEN, set())
    for file in seen - shown:
        cast(Files, context.uploaded_file_mgr).remove_file(context.session_id, file)
    st.session_state[_SEEN] = shown


def forget_visitors() -> None:
    """Let go of those who left long ago.

    Streamlit does so only when the next one leaves. :data:`server.disconnectedSessionTTL` says how
    long somebody may be away and come back.
    """
    sessions = cast(WebsocketSessionManager, runtime.get_instance()._session_mgr)
    left = cast(TTLCache[str, SessionInfo], cast(Stored, sessions._session_storage)._cache).expire()
    for _, information in left:
        information.session.shutdown()
    if left:
        del left[:]
        gc.collect()  # what a visitor has is tied together in circles


def _files(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one.file_id for one in values if isinstance(one, UploadedFile)]


def _manager() -> Files:
    return cast(Files, runtime.get_instance().uploaded_file_mgr)


def _announced(scope: Scope) -> int:
    """Bytes of the body; of one that does not say, as many as it may have."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else FILE_MEGABYTES << 20
