"""The rank trace of a drawing as text, JSON, a chart, and pictures. Nothing in it is of today."""

import json
import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import BadInputError
from retrieval.files import write_atomically
from ui.text import shown

if TYPE_CHECKING:
    from indexer.replay import RankTrace, Step

FORMS = (".json", ".svg", ".png", ".html")

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 18, 40, 44


def check_form(out: Path | None) -> None:
    """Raise unless there is a way to write a trace into a file of this name."""
    if out is not None and out.suffix.lower() not in FORMS:
        raise BadInputError(f"--out must be a {', '.join(FORMS)} file; got {out}.")


def lines(trace: "RankTrace", sketch: Path) -> str:
    """A line for each step."""
    kind = "" if trace.kind == "item" else f" ({trace.kind})"
    text = [f"sketch {shown(str(sketch))}, target {shown(trace.target)}{kind}"]
    text.append("drawn  strokes    rank  best hits")
    for step in trace.steps:
        rank = "-" if step.rank is None else str(step.rank)
        hits = "  ".join(f"{shown(hit.item.id)} {hit.score:.4f}" for hit in step.hits)
        text.append(f"{100 * step.share:>4.0f} %  {step.strokes:>7}  {rank:>6}  {hits}".rstrip())
    return "\n".join(text)


def as_dict(trace: "RankTrace", sketch: Path) -> dict[str, Any]:
    """Plain values."""
    return {
        "sketch": str(sketch),
        "target": trace.target,
        "target_is": trace.kind,
        "steps": [_plain(step) for step in trace.steps],
    }


def as_json(trace: "RankTrace", sketch: Path) -> str:
    """The trace for other programs."""
    return json.dumps(as_dict(trace, sketch), indent=2, ensure_ascii=False)


def write_trace(trace: "RankTrace", sketch: Path, collection: Path, out: Path) -> None:
    """Write a trace in the form that the file's name asks for.

    Args:
        trace: The trace.
        sketch: As it was given.
        collection: Folder from which the paths of items start.
        out: .json; .svg, a chart of the rank; .png or .html, the drawing at each step beside what
            it found.

    Raises:
        StorageError: The file cannot be written.
    """
    form = out.suffix.lower()
    if form == ".json":
        write_atomically(out, (as_json(trace, sketch) + "\n").encode("utf-8", "surrogateescape"))
    elif form == ".svg":
        write_atomically(out, chart(trace).encode("utf-8", "replace"))
    else:
        _write_pictures(trace, collection, out)


def chart(trace: "RankTrace") -> str:
    """The rank over the share drawn, as SVG; rank 1 is at the top of a logarithmic axis."""
    ranks = [step.rank for step in trace.steps if step.rank is not None]
    most = max([2, *ranks])
    parts = [_text(_LEFT, 22, f"rank of {trace.target}", "start")]
    rank = 1
    while rank <= most:
        y = _y(rank, most)
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line {ends} stroke="#e5e5ea"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{rank:,}", "end"))
        rank *= 10 if most > 100 else 2
    for percent in range(0, 101, 20):
        parts.append(_text(_x(percent / 100), _HEIGHT - _BOTTOM + 20, f"{percent} %", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "drawn", "middle"))
    known = [(_x(one.share), _y(one.rank, most), one) for one in trace.steps if one.rank]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in known)
    parts.append(f'<polyline points="{way}" fill="none" stroke="#0072b2" stroke-width="2.5"/>')
    for x, y, step in known:
        title = f"<title>rank {step.rank} after {100 * step.share:.0f} %</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#0072b2">{title}</circle>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#1c1c1e">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _write_pictures(trace: "RankTrace", collection: Path, out: Path) -> None:
    from ui.gallery import Row, Tile, hit_tiles, write_gallery

    rows = []
    for step in trace.steps:
        rank = "no rank" if step.rank is None else f"rank {step.rank}"
        tile = Tile(step.drawing.raster(), f"{100 * step.share:.0f} % drawn", rank)
        rows.append(Row(tile, hit_tiles(collection, step.hits)))
    write_gallery(out, f"Rank of {trace.target} while it is drawn", rows)


def _plain(step: "Step") -> dict[str, Any]:
    return {
        "share": round(step.share, 6),
        "strokes": step.strokes,
        "rank": step.rank,
        "hits": [
            {
                "rank": hit.rank,
                "score": round(hit.score, 6),
                "id": hit.item.id,
                "label": hit.item.label,
            }
            for hit in step.hits
        ],
    }


def _x(share: float) -> float:
    return _LEFT + 8 + share * (_WIDTH - _LEFT - _RIGHT - 16)


def _y(rank: int, most: int) -> float:
    return _TOP + math.log(rank) / math.log(most) * (_HEIGHT - _TOP - _BOTTOM)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
