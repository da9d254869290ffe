"""A visitor of the page without a browser, and the server it visits as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

from tests.ui.conftest import ROOT
from tests.ui.process import Process

_COUNTED = """
import os, sys
import ui.building
from retrieval.encoder import Encoder

def counted(what, work):
    def done(*given, **named):
        with open(os.environ["COUNTS"], "a") as file:
            file.write(what + "\\n")
        return work(*given, **named)
    return done

ui.building.encoder_of = counted("loaded", ui.building.encoder_of)
Encoder.vectors = counted("encoded", Encoder.vectors)
from ui.cli import main
main()
"""


@dataclass(frozen=True)
class Served(Process):
    """A page that is served.

    Attributes:
        address: Without a slash at its end.
        counts: File with a line for each time the encoder was loaded, or has encoded.
        temporary: Folder for temporary files.
    """

    address: str
    counts: Path
    temporary: Path

    def count(self, what: str) -> int:
        """How many times the encoder was ``loaded``, or has ``encoded``."""
        return self.counts.read_text().split().count(what)

    @property
    def listening(self) -> list[str]:
        """Addresses at which the process listens, as the system writes them."""
        return [one[1] for one in self._connections() if one[3] == "0A"]

    @property
    def strangers(self) -> list[str]:
        """Addresses of other machines that the process is connected to."""
        return [
            one[2] for one in self._connections() if one[3] != "0A" and one[2][:8] != "0100007F"
        ]

    def _connections(self) -> list[list[str]]:
        sockets = set()
        for one in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(one.readlink()))
        lines = [line.split() for name in ("tcp", "tcp6", "udp", "udp6") for line in _table(name)]
        return [one for one in lines if f"socket:[{one[9]}]" in sockets]


def _table(name: str) -> list[str]:
    path = Path(f"/proc/net/{name}")
    return path.read_text().splitlines()[1:] if path.exists() else []


@contextmanager
def served(folder: Path, work: Path, **environment: str) -> Iterator[Served]:
    """``fgir ui`` of a collection, ended with Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    counts, log, temporary = (work / name for name in ("counts.txt", "server.txt", "temporary"))
    counts.touch()
    temporary.mkdir()
    words = ["ui", str(folder), "--port", str(port), "--no-browser"]
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", _COUNTED, *words],
            cwd=ROOT,
            env={**os.environ, "COUNTS": str(counts), "TMPDIR": str(temporary), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 120
            while not _answers(address):
                if server.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"the server did not start: {log.read_text()}")
                time.sleep(0.2)
            yield Served(server.pid, address, counts, temporary)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    assert "Traceback" not in log.read_text(), log.read_text()


def _answers(address: str) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
        return True
    return False


@dataclass
class Visitor:
    """One who has the page open.

    Attributes:
        page: What the last run put on it: elements in the order they came.
        session: By which the server knows the visitor.
    """

    served: Served
    view: str = ""
    page: list[Element] = field(default_factory=list)
    session: str = ""
    states: dict[str, WidgetState] = field(default_factory=dict)

    def __enter__(self) -> "Visitor":
        answer = httpx.get(f"{self.served.address}/_stcore/health")
        self._token = answer.cookies["_streamlit_xsrf"]
        self._socket = connect(
            self.served.address.replace("http", "ws") + "/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Origin": self.served.address},
            max_size=None,
            open_timeout=60,
            proxy=None,
        )
        self.run()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        self._socket.close()

    def ask(self) -> None:
        """Ask for a run; do not wait for it."""
        message = BackMsg()
        message.rerun_script.page_name = self.view
        message.rerun_script.widget_states.widgets.extend(self.states.values())
        self._socket.send(message.SerializeToString())

    def wait(self) -> "Visitor":
        """Take in what the server sends, until a run is done."""
        self.page = []
        while True:
            message = ForwardMsg()
            message.ParseFromString(bytes(self._socket.recv(120)))  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
                self.page = []
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self.page.append(message.delta.new_element)
            elif kind == "script_finished" and message.script_finished == 0:
                return self

    def run(self) -> "Visitor":
        self.ask()
        return self.wait()

    def state(self, key: str) -> WidgetState:
        """The state of a widget that the page has, to be changed; it is sent with the next run."""
        found = next(
            getattr(one, kind).id
            for one in self.page
            if (kind := one.WhichOneof("type")) and _is(getattr(one, kind), key)
        )
        return self.states.setdefault(found, WidgetState(id=found))

    def draw(self, number: int, points: list[tuple[float, float]]) -> None:
        """Put one stroke on the paper."""
        strokes = [{"w": 2.5, "erase": False, "p": [[*point, 0, 0.5] for point in points]}]
        canvas = json.dumps({"width": 256, "height": 256, "strokes": strokes})
        drawing = {"number": number, "canvas": canvas, "loaded": ""}
        self.send("draw_canvas", {"drawing": drawing})

    def send(self, key: str, value: object) -> None:
        """What the browser's part of a component of ours would send."""
        self.state(key).json_value = json.dumps(value)

    def put(
        self, data: bytes, name: str = "a.png", file: str = "1", **headers: str
    ) -> httpx.Response:
        """Send a file to where an uploader sends it."""
        return httpx.put(
            f"{self.served.address}/_stcore/upload_file/{self.session}/{file}",
            files={"file": (name, data)},
            headers={
                "X-Xsrftoken": self._token,
                "Cookie": f"_streamlit_xsrf={self._token}",
                **headers,
            },
            timeout=120,
        )

    def upload(self, key: str, data: bytes, name: str = "a.png", file: str = "1") -> "Visitor":
        """Send a file, and show it in the uploader of that key."""
        assert self.put(data, name, file).status_code == 204
        given = self.state(key).file_uploader_state_value
        del given.uploaded_file_info[:]
        given.uploaded_file_info.add(name=name, size=len(data), file_id=file)
        return self.run()

    def data(self, component: str) -> list[dict[str, Any]]:
        """What each of our components of a name was given."""
        return [
            json.loads(one.bidi_component.json)
            for one in self.page
            if one.WhichOneof("type") == "bidi_component"
            and one.bidi_component.component_name == component
        ]

    @property
    def said(self) -> str:
        """All words and data of the page, without the marks that keep Markdown from reading it."""
        return "\n".join(str(one) for one in self.page).replace("\\", "")

    @property
    def raw(self) -> bytes:
        return b"".join(one.SerializeToString() for one in self.page)


def _is(widget: Any, key: str) -> bool:
    return re.search(rf"-{re.escape(key)}$", getattr(widget, "id", "")) is not None
