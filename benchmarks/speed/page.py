"""The page in a real browser: from the end of a stroke to new pictures on the screen.

    python -m benchmarks.speed.page --folder DIR

``fgir ui`` serves a gallery of 10,000 items to Chromium on the same machine, where a mouse draws
the generated catalogue's drawings stroke by stroke. The page itself notes when a stroke ended
(``pointerup``) and when the pictures of its answer, decoded, were painted. Three parts:

- ``strokes``: one visitor, who waits for each answer; with a mouse, then with a finger.
- ``starts``: from the start of the process to a canvas on the screen, and to the answer to a stroke
  that is drawn as soon as there is a canvas. Before a cold start the kernel is asked to drop its
  copies of the environment's files. Then a second visitor comes.
- ``sessions``: ten visitors at once, each of whom draws on without waiting for answers. A stroke
  counts as answered when its own or a later drawing's pictures are painted.

DIR keeps the gallery and each part that was measured; a part that is there is not measured again.
The browser's cache is empty at every visit. The browser and whoever moves its mouse take their
share of the same cores. Aims: 250 ms for the middle stroke, 3 s for the canvas.
"""

import argparse
import asyncio
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.page_visits import Drawn, Visit, chromium, forget_files, served
from retrieval.provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "results"
AIM_MS, AIM_S, SOON_MS = 250, 3, 1000
COUNTS = ("gallery", "strokes", "starts", "sessions")
LONGEST = 12
"""Most strokes of a drawing; the last ones of the longest are details."""

PAUSE = 1.0
"""Seconds between two strokes of those who do not wait."""

STAGES = {
    "from the stroke's end to its sending, in the browser": ("up", "sent"),
    "from there to the last message of the answer, in the server": ("sent", "answered"),
    "from there to pictures on the screen, in the browser": ("answered", "painted"),
}

Noted = list[dict[str, float]]
Facts = dict[str, Any]


def main() -> None:
    """Measure the parts that are missing; print and write results/page.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gallery", type=int, default=10_000)
    parser.add_argument("--strokes", type=int, default=100, help="of each kind of pointer")
    parser.add_argument("--starts", type=int, default=5, help="cold ones, and as many warm ones")
    parser.add_argument("--sessions", type=int, default=10, help="at once")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it works")
    parser.add_argument("--folder", type=Path, help="what is kept between runs")
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "page")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.gallery, chosen.strokes, chosen.starts, chosen.sessions = 500, 6, 1, 3
    browser = os.environ.get("FGIR_CHROMIUM") or shutil.which("chromium")
    if not browser:
        parser.error("Chromium must be installed; got none. Install it, or set FGIR_CHROMIUM.")
    with tempfile.TemporaryDirectory() as passing:
        folder: Path = chosen.folder or Path(passing)
        prepare(folder, chosen)
        for part in chosen.parts:
            measure(part, folder, browser, chosen)
        found = {part: read(folder, part) for part in PARTS if kept(folder, part).exists()}
    write(chosen.out, found, chosen)


def prepare(folder: Path, chosen: argparse.Namespace) -> None:
    """Make the gallery in a process of its own, unless it is there.

    This process does not load PyTorch: its files could not be dropped before a cold start.

    Raises:
        SystemExit: The folder is of a run with other counts.
    """
    counts = {name: getattr(chosen, name) for name in COUNTS}
    asked = folder / "counts.json"
    if asked.exists():
        if (there := json.loads(asked.read_text())) != counts:
            raise SystemExit(f"--folder must be of the same counts; got {there}. Name another one.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    words = ["-m", "benchmarks.speed.page_gallery", str(folder), "--count", str(chosen.gallery)]
    subprocess.run([sys.executable, *words], check=True)
    asked.write_text(json.dumps(counts))


def measure(part: str, folder: Path, browser: str, chosen: argparse.Namespace) -> None:
    """Measure a part, unless it is there."""
    if kept(folder, part).exists():
        return
    drawn: list[Drawn] = json.loads((folder / "drawings.json").read_text())
    facts = {"load": os.getloadavg()[0]} | asyncio.run(PARTS[part](folder, browser, drawn, chosen))
    kept(folder, part).write_text(json.dumps(facts))


def kept(folder: Path, part: str) -> Path:
    """Where a part's figures are."""
    return folder / f"{part}.json"


def read(folder: Path, part: str) -> Facts:
    """A part's figures."""
    facts: Facts = json.loads(kept(folder, part).read_text())
    return facts


async def strokes(
    folder: Path, browser: str, drawn: Sequence[Drawn], chosen: argparse.Namespace
) -> Facts:
    """One visitor who waits for each answer."""
    facts: Facts = {}
    async with chromium(browser) as opened:
        facts["browser"] = opened.version
        with served(folder / "gallery", folder / "strokes.log") as server:
            for pointer in ("mouse", "finger"):
                touch = pointer == "finger"
                async with Visit.of(opened, server.address, touch=touch) as visit:
                    await visit.seen("pictures")
                    await drawings_of(visit, drawn[-1:], 3)  # what the first strokes prepare
                    first = len(await visit.strokes())
                    before = server.processor_seconds()
                    await drawings_of(visit, drawn, chosen.strokes)
                    noted = (await visit.strokes())[first:]
                    computed = (server.processor_seconds() - before) / len(noted)
                    facts[pointer] = {"strokes": noted, "server_processor_s": computed}
    return facts


async def drawings_of(visit: Visit, drawn: Sequence[Drawn], count: int) -> None:
    """So many strokes, each after the answer to the one before."""
    left = count
    for drawing in drawn:
        for stroke in drawing[: min(left, LONGEST)]:
            await visit.draw(stroke)
            await visit.settled()
        left -= min(left, LONGEST, len(drawing))
        await visit.clear()
        if not left:
            return


async def starts(
    folder: Path, browser: str, drawn: Sequence[Drawn], chosen: argparse.Namespace
) -> Facts:
    """Cold and warm starts in turns."""
    facts: Facts = {"cold": [], "warm": []}
    async with chromium(browser) as opened:
        for number in range(2 * chosen.starts):
            kind = "warm" if number % 2 else "cold"
            if kind == "cold":
                for place in (Path(sys.prefix), folder):
                    forget_files(place)
            with served(folder / "gallery", folder / "starts.log") as server:
                seen = {"listening": server.listening - server.started}
                async with Visit.of(opened, server.address) as visit:
                    seen["canvas"] = await visit.seen("canvas") - server.started
                    await visit.draw(drawn[0][0])
                    seen["pictures"] = await visit.seen("pictures") - server.started
                    if await visit.settled():
                        seen["answer"] = time.time() - server.started
                begun = time.time()
                async with Visit.of(opened, server.address) as visit:
                    seen["next canvas"] = await visit.seen("canvas") - begun
                    seen["next pictures"] = await visit.seen("pictures") - begun
            facts[kind].append(seen)
    return facts


async def sessions(
    folder: Path, browser: str, drawn: Sequence[Drawn], chosen: argparse.Namespace
) -> Facts:
    """Visitors who draw at once and do not wait; the server's own memory before and after."""
    facts: Facts = {"memory": {}}
    async with chromium(browser) as opened, AsyncExitStack() as leaving:
        with served(folder / "gallery", folder / "sessions.log") as server:
            async with Visit.of(opened, server.address) as visit:
                await visit.seen("pictures")
                await drawings_of(visit, drawn[-1:], 3)
            facts["memory"]["one visitor has drawn"] = server.private_bytes()
            visits = []
            for _ in range(chosen.sessions):
                visit = await leaving.enter_async_context(Visit.of(opened, server.address))
                await visit.seen("pictures")
                visits.append(visit)
            facts["memory"]["all have opened the page"] = server.private_bytes()
            await asyncio.gather(
                *(
                    draws_on(visit, drawn[number % len(drawn)], number / chosen.sessions)
                    for number, visit in enumerate(visits)
                )
            )
            facts["memory"]["all have drawn"] = server.private_bytes()
            facts["strokes"] = [await visit.strokes() for visit in visits]
            await leaving.aclose()
            await asyncio.sleep(5)
            facts["memory"]["all have left"] = server.private_bytes()
    return facts


async def draws_on(visit: Visit, drawing: Drawn, later: float) -> None:
    """A drawing from its first stroke to its last, and once more from the beginning."""
    await asyncio.sleep(later * PAUSE)
    for stroke in (list(drawing[:LONGEST]) * 2)[:LONGEST]:
        await visit.draw(stroke)
        await asyncio.sleep(PAUSE)
    await visit.settled()


PARTS: dict[
    str, Callable[[Path, str, Sequence[Drawn], argparse.Namespace], Coroutine[Any, Any, Facts]]
] = {
    "strokes": strokes,
    "starts": starts,
    "sessions": sessions,
}


def between(noted: Noted, begin: str = "up", end: str = "painted") -> list[float]:
    """Milliseconds from one moment of each stroke to another, where it came to that.

    Example:
        >>> between([{"up": 10, "painted": 130}, {"up": 200}])
        [120]
    """
    return [one[end] - one[begin] for one in noted if begin in one and end in one]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and 95th percentile.

    Example:
        >>> spread([100, 200, 400])
        '200 / 380'
        >>> spread([])
        'none'
    """
    if not len(values):
        return "none"
    return f"{statistics.median(values):,.{digits}f} / {np.percentile(values, 95):,.{digits}f}"


def within(noted: Noted, limit: float) -> str:
    """How many strokes were answered within so many milliseconds; the others count, too.

    Example:
        >>> within([{"up": 0, "painted": 90}, {"up": 0, "painted": 1200}, {"up": 0}], 1000)
        '1 of 3'
    """
    return f"{sum(took <= limit for took in between(noted))} of {len(noted)}"


def stroke_tables(facts: Facts) -> list[str]:
    """Of one visitor."""
    pointers = [name for name in ("mouse", "finger") if name in facts]
    noted = {name: facts[name]["strokes"] for name in pointers}
    rows = [
        "| one visitor | strokes | ms from the stroke's end to new pictures | within the aim | "
        "the server's processor time, ms a stroke |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {name} | {len(noted[name])} | **{spread(between(noted[name]))}** "
        f"| {within(noted[name], AIM_MS)} | {1000 * facts[name]['server_processor_s']:.0f} |"
        for name in pointers
    ]
    stages = [f"| stage | {' | '.join(f'ms, {one}' for one in pointers)} |"]
    stages.append("|---|" + "---|" * len(pointers))
    for stage, (begin, end) in STAGES.items():
        cells = [spread(between(noted[name], begin, end)) for name in pointers]
        stages.append(f"| {stage} | {' | '.join(cells)} |")
    return ["\n".join(rows), "\n".join(stages)]


def start_tables(facts: Facts) -> list[str]:
    """Of starts, cold and warm."""
    moments = {
        "the server listens": "listening",
        "**the canvas is on the screen**": "canvas",
        "pictures of the gallery, too": "pictures",
        "**the first stroke is answered**": "answer",
        "next visitor: canvas, from the visit's begin": "next canvas",
        "next visitor: pictures": "next pictures",
    }
    rows = ["| s from the start of the process | cold | warm |", "|---|---|---|"]
    for words, moment in moments.items():
        cells = [
            spread([one[moment] for one in facts[kind] if moment in one], 2)
            for kind in ("cold", "warm")
        ]
        rows.append(f"| {words} | {' | '.join(cells)} |")
    return ["\n".join(rows)]


def session_tables(facts: Facts) -> list[str]:
    """Of visitors at once."""
    noted: Noted = [stroke for visitor in facts["strokes"] for stroke in visitor]
    rows = [
        "| visitors at once | strokes | ms from the stroke's end to new pictures | within 1 s |",
        "|---|---|---|---|",
        f"| {len(facts['strokes'])} | {len(noted)} | **{spread(between(noted))}** "
        f"| {within(noted, SOON_MS)} |",
    ]
    memory = ["| the server's own memory | MB |", "|---|---|"]
    memory += [f"| {when} | {size / 1e6:,.0f} |" for when, size in facts["memory"].items()]
    return ["\n".join(rows), "\n".join(memory)]


TABLES: dict[str, Callable[[Facts], list[str]]] = {
    "strokes": stroke_tables,
    "starts": start_tables,
    "sessions": session_tables,
}


def write(out: Path, found: dict[str, Facts], chosen: argparse.Namespace) -> None:
    """The tables, for people and for programs."""
    facts = provenance()
    facts["versions"] |= {name: metadata.version(name) for name in ("streamlit", "playwright")} | {
        "chromium": found.get("strokes", {}).get("browser", "not asked")
    }
    words = ["python", "-m", "benchmarks.speed.page", *sys.argv[1:]]
    words = [
        {"--out": "OUT", "--folder": "DIR"}.get(before, word)
        for before, word in pairwise(["", *words])
    ]
    loads = ", ".join(f"{one['load']:.1f} ({part})" for part, one in found.items())
    parts = [
        "# The page in a real browser",
        *(table for part, one in found.items() for table in TABLES[part](one)),
        f"Median / 95th percentile. A gallery of {chosen.gallery:,}, {chosen.starts} starts of "
        f"each kind. Aims: {AIM_MS} ms for the middle stroke, {AIM_S} s for the canvas. Visitors "
        f"at once draw a stroke, pause for {PAUSE:g} s and draw the next, whether an answer has "
        f"come or not. Load average as each part began: {loads}.",
        *([chosen.note] if chosen.note else []),
        f"Measured {facts['date']} at commit {facts['commit']}: {facts['hardware']}, "
        f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}, {facts['versions']}."
        f"\n\n    {shlex.join(words)}",
    ]
    out.with_suffix(".md").write_text("\n\n".join(parts) + "\n")
    out.with_suffix(".json").write_text(json.dumps(found | facts, indent=1) + "\n")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
