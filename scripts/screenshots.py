"""Pictures of the page for the documents, at the widths of a phone and of a desk.

``python scripts/screenshots.py demo`` with the folder that ``make demo`` made. It builds two small
collections from the generated catalogue, opens the page on them, does what a visitor does, and
writes ``docs/images/VIEW_WIDTH.png``. Needs Chromium (``FGIR_CHROMIUM``, or on the path).
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import typer
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, sync_playwright
from playwright.sync_api import Page as Tab

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from indexer.build import build_collection, entries_of  # noqa: E402
from indexer.sources import Entry  # noqa: E402
from retrieval.encoder import Encoder  # noqa: E402
from retrieval.encoder_folders import open_encoder  # noqa: E402
from retrieval.encoder_pair import EncoderPair  # noqa: E402
from retrieval.images import decode  # noqa: E402
from ui.building import create_or_resume_folder  # noqa: E402

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
MOST_BYTES = 150_000
"""Of a written picture; it gets fewer colours until it has no more."""

SKETCH = "sketches/ankle_boot-009_0.png"
DRAWN = 7
"""Strokes of it that are drawn."""

ASKED = "photos/sandal/sandal-003/3.jpg"
"""Photo that is shown; the collection holds others of this shoe."""

KNOWN = "photos/high_top/high_top-010/3.jpg"
"""Photo that is recognised."""

STRANGER = "photos/oxford/oxford-004"
"""Shoe of which the collection holds nothing."""


class Page:
    """A tab of one width, and what one does in it."""

    def __init__(self, tab: Tab, out: Path, width: str) -> None:
        self.tab = tab
        self.out = out
        self.width = width
        tab.set_default_timeout(120_000)

    def go(self, address: str, view: str) -> None:
        self.tab.goto(f"{address}/{view}")
        self.settled()

    def settled(self) -> None:
        """Wait until the page has answered and stands still."""
        self.tab.wait_for_timeout(300)
        self.tab.wait_for_selector('.stApp[data-test-script-state="notRunning"]')
        self.tab.wait_for_load_state("networkidle")
        self.tab.wait_for_timeout(700)

    def press(self, name: str, role: Literal["button", "radio"] = "button") -> None:
        self.tab.get_by_role(role, name=name, exact=True).first.click()
        self.settled()

    def show(self, shown: Locator, above: int = 64) -> None:
        """Scroll until this is at the top, below the bar of the page."""
        shown.first.evaluate(
            "(one, above) => document.querySelector('.stMain')"
            ".scrollBy(0, one.getBoundingClientRect().top - above)",
            above,
        )
        self.tab.wait_for_timeout(300)

    def drag(self, one: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place of an element to another, in shares of its sides."""
        box = place_of(one)
        places = [
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)
        ]
        self.tab.mouse.move(*places[0])
        self.tab.mouse.down()
        self.tab.mouse.move(*places[1], steps=6)
        self.tab.mouse.up()
        self.settled()

    def picture(self, name: str) -> None:
        """Write what is seen as a file of few colours."""
        self.tab.mouse.move(0, 0)
        self.settled()
        taken = decode(self.tab.screenshot(), name=name)
        colours, data = 256, b""
        while not data or (len(data) > MOST_BYTES and colours > 16):
            memory = io.BytesIO()
            of_few_colours(taken, colours).save(memory, "PNG", optimize=True)
            colours, data = colours // 2, memory.getvalue()
        file = self.out / f"{name}_{self.width}.png"
        file.write_bytes(data)
        typer.echo(f"{file}  {len(data):,} bytes")


def place_of(one: Locator) -> FloatRect:
    """Where an element is on the screen, in pixels."""
    found = one.bounding_box()
    if found is None:
        raise SystemExit(f"{one} must be on the page; got nothing to see. Mend the page first.")
    return found


def of_few_colours(picture: Image.Image, count: int) -> Image.Image:
    """The picture in the colours that it has most of, and a quarter in those that differ most.

    The first keep photos smooth, the others keep what is small, such as the points of a chart.
    """
    palette: list[int] = []
    methods = {Image.Quantize.MEDIANCUT: count - count // 4, Image.Quantize.MAXCOVERAGE: count // 4}
    for method, share in methods.items():
        palette += picture.quantize(share, method).getpalette() or []
    colours = Image.new("P", (1, 1))
    colours.putpalette(palette)
    return picture.quantize(palette=colours, dither=Image.Dither.NONE)


def draw(page: Page, address: str, catalogue: Path) -> None:
    """A shoe is half drawn; the one that is meant is followed."""
    page.go(address, "")
    page.tab.locator("ol li img").first.wait_for()
    strokes = json.loads((catalogue / "strokes.json").read_text("utf-8"))[SKETCH][:DRAWN]
    paper = place_of(page.tab.locator("canvas"))
    scale = paper["width"] / 256
    for stroke in strokes:
        points = [(paper["x"] + x * scale, paper["y"] + y * scale) for x, y in stroke]
        page.tab.mouse.move(*points[0])
        page.tab.mouse.down()
        for point in points[1:]:
            page.tab.mouse.move(*point)
        page.tab.mouse.up()
    page.tab.wait_for_selector(f'ol[data-number="{DRAWN}"]')
    page.settled()
    page.tab.locator(f'ol li button[title*="{_shoe(SKETCH)}/"]').first.click()
    page.tab.wait_for_selector("figure svg circle")
    page.show(page.tab.locator(".stMainBlockContainer"), 0)
    page.picture("draw")
    if page.width == "phone":
        page.show(page.tab.get_by_role("heading", name="Nearest to your drawing"), 80)
        page.picture("draw_hits")


def photo(page: Page, address: str, catalogue: Path) -> None:
    """Part of a photo is searched with; then one asks why."""
    page.go(address, "photo")
    page.tab.set_input_files(".st-key-photo_file input", catalogue / ASKED)
    page.tab.get_by_role("heading", name="Nearest to your photo").wait_for()
    page.settled()
    page.press("Box")
    page.drag(page.tab.locator(".photo"), (0.04, 0.2), (0.96, 0.8))
    if page.width == "phone":
        page.show(page.tab.locator(".view"))
    page.picture("photo")
    page.tab.locator("ol li > button").first.click()
    page.tab.get_by_role("dialog").locator("img").nth(2).wait_for()
    page.picture("photo_why")


def recognise(page: Page, address: str, catalogue: Path) -> None:
    """A shoe that is known, and one that is not."""
    for name, asked in (("recognise", KNOWN), ("recognise_none", f"{STRANGER}/2.jpg")):
        page.go(address, "recognise")
        page.tab.set_input_files('[data-testid="stFileUploader"] input', catalogue / asked)
        page.tab.wait_for_selector(".note >> nth=0")
        page.settled()
        if page.width == "phone":
            page.show(page.tab.locator("h3"), 80)
        page.picture(name)


def benchmarks(page: Page, address: str, catalogue: Path) -> None:
    """Two evaluations are compared; the curves of one; a training run; the map."""
    page.go(address, "benchmarks")
    page.tab.get_by_role("combobox", name="Evaluation").click()
    page.tab.get_by_role("option", name="evaluation/trained").click()
    page.tab.wait_for_selector("svg[aria-label='Recall@K'] polyline")
    page.picture("benchmarks")
    page.tab.get_by_role("combobox", name="Compare with").click()
    page.tab.get_by_role("option").first.click()
    page.tab.wait_for_selector("text=exact McNemar")
    page.picture("benchmarks_compared")
    page.press("Training", "radio")
    page.tab.wait_for_selector("canvas, svg.marks")
    page.picture("benchmarks_training")
    page.press("Map", "radio")
    page.tab.wait_for_selector("circle >> nth=15", state="attached")
    page.tab.locator(".map svg").focus()
    for _ in range(5):
        page.tab.keyboard.press("ArrowRight")
    page.tab.wait_for_selector(".map .card img[src^='data:image/jpeg']")
    page.picture("benchmarks_map")


def collection(page: Page, address: str, catalogue: Path) -> None:
    """Looked through, and checked."""
    page.go(address, "collection")
    page.tab.wait_for_selector("ol button img")
    page.tab.locator("ol button").nth(1).click()
    page.settled()
    page.picture("collection")
    page.press("Check", "radio")
    page.press("Verify")
    page.tab.wait_for_selector("text=as they were written")
    page.show(page.tab.locator("h2", has_text="Rejected"), 100)
    page.picture("collection_check")


VIEWS: dict[str, tuple[Callable[[Page, str, Path], None], ...]] = {
    "by_sketch": (draw,),
    "by_photo": (photo, recognise, benchmarks, collection),
}
"""What is done on the page of each collection."""


def indexed(folder: Path, encoder: Encoder | EncoderPair, entries: list[Entry]) -> Path:
    """A collection of photos of the catalogue beside it."""
    with create_or_resume_folder(folder, encoder) as made:
        build_collection(made, entries, folder.parent / "catalogue", encoder)
    return folder


def made_collections(demo: Path, work: Path) -> dict[str, Path]:
    """One to draw at, one for photos, from the shoes that no encoder was trained with."""
    shutil.copytree(demo / "catalogue", work / "catalogue")
    whole = (work / "catalogue" / ASKED).read_bytes()
    (work / "catalogue" / "photos" / "half_a_photo.jpg").write_bytes(whole[: len(whole) // 2])
    entries, _ = entries_of(work / "catalogue" / "images.csv")
    tested = [
        entry
        for entry in entries
        if entry.payload["split"] == "test" and entry.path.startswith("photos/")
    ]
    first = [entry for entry in tested if entry.path.endswith("/0.jpg")]
    kept = [
        Entry(entry.id, entry.path, entry.label, {"superclass": entry.payload["superclass"]})
        for entry in tested
        if not entry.path.startswith(STRANGER) and not entry.path.endswith("/3.jpg")
    ]
    broken = Entry("photos/half_a_photo.jpg", "photos/half_a_photo.jpg")
    by_sketch, by_photo = open_encoder(demo / "sketch_encoder"), open_encoder(demo / "run" / "best")
    return {
        "by_sketch": indexed(work / "shoes", by_sketch, first),
        "by_photo": indexed(work / "shoe_photos", by_photo, [*kept, broken]),
    }


@contextmanager
def served(folder: Path, runs: Path) -> Iterator[str]:
    """Address of the page on a collection."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["ui", str(folder), "--runs", str(runs), "--port", str(port), "--no-browser"]
    server = subprocess.Popen(
        [sys.executable, "-m", "ui", *words], cwd=ROOT, start_new_session=True
    )
    try:
        wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def wait_until_served(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the page answers."""
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the page did not start; its words stand above.")


def pages(browser: Browser, out: Path) -> Iterator[Page]:
    """A tab of each width."""
    for name, (width, height) in WIDTHS.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            is_mobile=name == "phone",
            has_touch=name == "phone",
            color_scheme="light",
            reduced_motion="reduce",
        )
        yield Page(context.new_page(), out, name)
        context.close()


def _shoe(path: str) -> str:
    """Name of the shoe of a sketch, such as ``pump-003``."""
    return Path(path).stem.rpartition("_")[0]


def main(demo: Path, out: Path = ROOT / "docs" / "images") -> None:
    """Take pictures of every view.

    Args:
        demo: What ``make demo`` made.
        out: Folder for the pictures.
    """
    path = os.environ.get("FGIR_CHROMIUM") or shutil.which("chromium")
    if not path:
        raise SystemExit("needs Chromium: install it, or set FGIR_CHROMIUM to it.")
    if not (demo / "run" / "best").is_dir():
        raise SystemExit(f"DEMO must be what make demo made; got {demo}. Run make demo first.")
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work, sync_playwright() as started:
        collections = made_collections(demo, Path(work))
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        for name, views in VIEWS.items():
            with served(collections[name], demo) as address:
                for page in pages(browser, out):
                    for view in views:
                        view(page, address, demo / "catalogue")
        browser.close()


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
