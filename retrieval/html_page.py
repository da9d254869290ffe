"""The frame of a page that needs nothing but itself: no script, no font, no request."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from .files import write_atomically

_STYLE = Path(__file__).with_name("page.css")

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Tells the browser to load nothing, whatever a file name or label may contain."""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of these parts, which are HTML already."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{style()}</style></head><body><main>",
            *parts,
            "</main></body></html>",
            "",
        ]
    )


def style(*, root: str = ":root", body: str = "body") -> str:
    """The style of a page, for other elements in place of the whole page and its body."""
    text = _STYLE.read_text(encoding="utf-8")
    return text.replace(":root {", f"{root} {{").replace("body {", f"{body} {{")


def write(path: Path, html: str) -> None:
    """Write a page. Bytes of file names that are no text become question marks."""
    write_atomically(path, html.encode("utf-8", "replace"))


def header(kind: str, title: str, line: str) -> str:
    """The top of a page; ``line`` says what it is about."""
    return (
        f'<header><div class="kind">{escape(kind)}</div><h1>{escape(title)}</h1>'
        f'<p class="soft">{escape(line)}</p></header>'
    )


def section(title: str, about: str, *parts: str) -> str:
    """A card with a heading, a sentence, and parts that are HTML already."""
    return (
        f'<section><h2>{escape(title)}</h2><p class="soft">{escape(about)}</p>'
        f"{''.join(parts)}</section>"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; ``head`` is text, the cells of ``rows`` are whole ``<td>`` elements."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def cell(*parts: str, kind: str = "") -> str:
    """A ``<td>`` of parts that are HTML already."""
    return f'<td class="{kind}">{"".join(parts)}</td>'


def small(text: str) -> str:
    """A smaller line of its own."""
    return f"<small>{escape(text)}</small>"


def key(colour: str) -> str:
    """A patch of the colour that something has in a chart."""
    return f'<i class="key" style="background:{colour}"></i>'


def tiles(values: Sequence[tuple[str, str, str]]) -> str:
    """Large figures: what, how much, how sure."""
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><span>{escape(what)}</span><b>{escape(value)}</b>'
            f"<span>{escape(sure)}</span></div>"
            for what, value, sure in values
        )
        + "</div>"
    )


def notes(sentences: Sequence[str]) -> str:
    """Sentences that a reader of the figures must not miss; nothing where there are none."""
    if not sentences:
        return ""
    return f'<ul class="notes">{"".join(f"<li>{escape(one)}</li>" for one in sentences)}</ul>'


def facts(values: Mapping[str, object]) -> str:
    """Names and values; what is None or empty is left out, hashes stand in fixed width."""
    rows = []
    for name, value in values.items():
        if value is None or value == "":
            continue
        text = escape(str(value))
        if len(text) >= 40 and " " not in text:
            text = f"<code>{text}</code>"
        rows.append(f"<dt>{escape(name)}</dt><dd>{text}</dd>")
    return f"<dl>{''.join(rows)}</dl>"
