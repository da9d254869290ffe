"""The page as a visitor meets it: ``fgir ui`` in a process of its own, Chromium, and a hand.

What the visitor waits for is noted in the page itself, by ``page_marks.js``.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[2]
MARKS = Path(__file__).with_name("page_marks.js")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 60
"""Seconds after which something has failed."""

SIDE = 256
"""Of the canvas, in the units of drawings."""

POINTS = 24
"""Most places of a stroke at which the pointer is seen."""

Stroke = Sequence[Sequence[float]]
Drawn = Sequence[Stroke]


class Server:
    """``fgir ui``, which listens when this has been made.

    Attributes:
        started: Time of day at which its process began.
        listening: At which it answered.
        address: Of the page.
    """

    def __init__(self, gallery: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self._log = log
        words = [sys.executable, "-m", "ui", "ui", str(gallery), "--port", str(port)]
        self.started = time.time()
        with log.open("w") as out:
            self._process = subprocess.Popen(
                [*words, "--no-browser"], cwd=ROOT, stdout=out, stderr=out, start_new_session=True
            )
        self.listening = self._heard()

    def end(self) -> None:
        """Ctrl-C, as a person does it."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def private_bytes(self) -> int:
        """Memory that is its own."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return 1024 * int(text.partition("RssAnon:")[2].split()[0])

    def processor_seconds(self) -> float:
        """What it has computed so far, all threads."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _heard(self) -> float:
        while time.time() < self.started + PATIENCE and self._process.poll() is None:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5).close()
                return time.time()
            time.sleep(0.02)
        self.end()
        raise SystemExit(f"fgir ui must start; got: {self._log.read_text()}")


@contextmanager
def served(gallery: Path, log: Path) -> Iterator[Server]:
    """The page, until the block ends."""
    server = Server(gallery, log)
    try:
        yield server
    finally:
        server.end()


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """A browser without windows."""
    async with async_playwright() as started:
        opened = await started.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        await opened.close()


class Visit:
    """A tab of its own session, with a mouse or a finger."""

    def __init__(self, page: Page, *, touch: bool) -> None:
        self._page, self._touch = page, touch
        self._finger: Any = None

    @classmethod
    @asynccontextmanager
    async def of(
        cls, browser: Browser, address: str, *, touch: bool = False
    ) -> AsyncIterator["Visit"]:
        """A visit that has just begun: nothing is on the screen yet; nothing is in the cache."""
        context = await browser.new_context(
            viewport={"width": 1280, "height": 900}, has_touch=touch
        )
        await context.add_init_script(path=MARKS)
        page = await context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        visit = cls(page, touch=touch)
        if touch:
            visit._finger = await context.new_cdp_session(page)
        await page.goto(address, wait_until="commit")
        yield visit
        await context.close()

    async def seen(self, what: str) -> float:
        """Time of day, in seconds, at which the canvas or the first pictures were painted."""
        day: float = await asyncio.wait_for(
            self._page.evaluate("(what) => marks.day(what)", what), PATIENCE
        )
        return day / 1000

    async def draw(self, stroke: Stroke) -> None:
        """Draw one stroke; do not wait for the answer."""
        box = await self._page.locator("canvas").bounding_box()
        if box is None:
            raise SystemExit("the page must show its canvas; got none")
        scale = box["width"] / SIDE
        step = -(-len(stroke) // POINTS)
        places = [*stroke[:-1:step], stroke[-1]]
        way = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in (one[:2] for one in places)]
        await (self._with_finger(way) if self._touch else self._with_mouse(way))

    async def settled(self) -> bool:
        """Wait until the answer to the newest drawing is painted; False where it never is."""
        return bool(await self._page.evaluate("(most) => marks.settled(most)", 1000 * PATIENCE))

    async def clear(self) -> None:
        """Begin a new drawing."""
        await self._page.get_by_role("button", name="Clear", exact=True).click()
        await self.settled()

    async def strokes(self) -> list[dict[str, float]]:
        """What the page noted of each stroke, as far as it came.

        ``number`` of the drawing, and milliseconds of ``up``, ``sent``, ``answered``, ``painted``.
        """
        noted: list[dict[str, float]] = await self._page.evaluate("marks.strokes")
        return noted

    async def _with_mouse(self, way: Sequence[tuple[float, float]]) -> None:
        mouse = self._page.mouse
        await mouse.move(*way[0])
        await mouse.down()
        for place in way[1:]:
            await mouse.move(*place)
        await mouse.up()

    async def _with_finger(self, way: Sequence[tuple[float, float]]) -> None:
        async def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y} for x, y in places]
            await self._finger.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )

        await touch("touchStart", way[0])
        for place in way[1:]:
            await touch("touchMove", place)
        await touch("touchEnd")


def forget_files(folder: Path) -> None:
    """Ask the kernel to drop its copies of files, as after a start of the machine.

    Files that another process uses stay.
    """
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(handle)
