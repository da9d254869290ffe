"""Curves and bars as inline SVG: no script, no font, no file from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
"""Colours that people with colour blindness tell apart (Okabe and Ito, slightly darkened)."""

_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 40


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over K, or over percent, with the interval around them.

    Attributes:
        name: What it is called.
        ks: (P,) rising whole numbers from 1, or percent in (0, 100].
        values: (P,) fractions.
        low: (P,) lower ends.
        high: (P,) upper ends.
    """

    name: str
    ks: NDArray[np.int64] | NDArray[np.float64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def colour(place: int) -> str:
    """Colour of the run at a place."""
    return PALETTE[place % len(PALETTE)]


def curves(lines: Sequence[Curve], label: str) -> str:
    """Curves over K on a logarithmic axis, in percent."""
    last = max(int(line.ks[-1]) for line in lines)
    parts = [_grid(last)]
    for place, line in enumerate(lines):
        x = [_x(k, last) for k in line.ks.tolist()]
        shade = colour(place)
        parts += _line(line, x, shade)
        parts += [
            _dot(at, value, shade, f"{line.name}: {100 * value:.1f}% at K = {k}")
            for k, at, value in _marked(line, x)
        ]
    return _svg(parts, label)


def curves_while_drawn(lines: Sequence[Curve], label: str) -> str:
    """Curves over the share of a drawing, in percent on both axes, each value marked."""
    dots = []
    for place, line in enumerate(lines):
        for share, value in zip(line.ks.tolist(), line.values.tolist(), strict=True):
            title = f"{line.name}: {100 * value:.1f}% after {share:.0f}%"
            dots.append(_dot(_share_x(share), value, colour(place), title))
    return _svg([*_over_percent(lines, "drawn"), *dots], label)


def curves_over_percent(lines: Sequence[Curve], label: str, axis: str) -> str:
    """Curves over a share that ``axis`` names, in percent on both axes."""
    return _svg(_over_percent(lines, axis), label)


def columns(counts: Sequence[tuple[str, int]], label: str) -> str:
    """Upright bars with their counts on top, and their share of all below the count."""
    total = max(1, sum(count for _, count in counts))
    most = max(1, max((count for _, count in counts), default=1))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(counts))
    room = _HEIGHT - _TOP - _BOTTOM - 30
    floor = _HEIGHT - _BOTTOM
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/>']
    for place, (name, count) in enumerate(counts):
        height = room * count / most
        left, middle = _LEFT + step * (place + 0.14), _LEFT + step * (place + 0.5)
        parts.append(
            f'<rect x="{left:.1f}" y="{floor - height:.1f}" width="{step * 0.72:.1f}" '
            f'height="{height:.1f}" rx="2" fill="{PALETTE[0]}"/>'
        )
        parts.append(_text(middle, floor - height - 18, f"{count:,}", "value"))
        parts.append(_text(middle, floor - height - 5, f"{100 * count / total:.1f}%", "small"))
        parts.append(_text(middle, floor + 18, name))
    return _svg(parts, label)


def bar(value: float, low: float, high: float) -> str:
    """One flat bar of a fraction, with its interval as a line: HTML, to stand in a table."""
    return (
        f'<div class="bar"><i style="width:{100 * value:.1f}%"></i>'
        f'<b style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></b></div>'
    )


def _over_percent(lines: Sequence[Curve], axis: str) -> list[str]:
    parts = [_levels()]
    for share in range(0, 101, 20):
        parts.append(_text(_share_x(share), _HEIGHT - _BOTTOM + 18, f"{share}%", "tick"))
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, axis, "tick"))
    for place, line in enumerate(lines):
        parts += _line(line, [_share_x(share) for share in line.ks.tolist()], colour(place))
    return parts


def _levels() -> str:
    parts = []
    for share in range(0, 101, 20):
        y = _y(share / 100)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(_LEFT - 8, y + 4, f"{share}%", "tick end"))
    return "".join(parts)


def _grid(last: int) -> str:
    parts = [_levels()]
    k = 1
    while k <= last:
        parts.append(_text(_x(k, last), _HEIGHT - _BOTTOM + 18, str(k), "tick"))
        k *= 2
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, "K", "tick"))
    return "".join(parts)


def _marked(line: Curve, x: Sequence[float]) -> list[tuple[int, float, float]]:
    """Points at the powers of two: those that tables name."""
    whole = zip(line.ks.tolist(), x, line.values.tolist(), strict=True)
    return [(k, at, value) for k, at, value in whole if k & (k - 1) == 0]


def _line(line: Curve, x: Sequence[float], shade: str) -> list[str]:
    """The band of a curve and the curve itself."""
    there = _points(x, line.high)
    back = _points(x[::-1], line.low[::-1])
    return [
        f'<polygon points="{there} {back}" fill="{shade}" opacity="0.16"/>',
        f'<polyline points="{_points(x, line.values)}" fill="none" stroke="{shade}" '
        'stroke-width="2.5" stroke-linejoin="round"/>',
    ]


def _dot(x: float, value: float, shade: str, title: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{_y(value):.1f}" r="3.5" fill="{shade}">'
        f"<title>{escape(title)}</title></circle>"
    )


def _share_x(percent: float) -> float:
    return _LEFT + 10 + percent / 100 * (_WIDTH - _LEFT - _RIGHT - 20)


def _x(k: int, last: int) -> float:
    share = np.log2(k) / np.log2(last) if last > 1 else 0.5
    return float(_LEFT + 10 + share * (_WIDTH - _LEFT - _RIGHT - 20))


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)


def _points(x: Sequence[float], values: NDArray[np.float64]) -> str:
    return " ".join(f"{a:.1f},{_y(b):.1f}" for a, b in zip(x, values.tolist(), strict=True))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
