"""Queries and their hits as one picture, for people who would rather look than read."""

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from indexer.collection import SearchHit
from retrieval.data import Modality
from retrieval.files import write_atomically
from retrieval.images import ImageError, decode
from retrieval.sketches import read_sketch

if TYPE_CHECKING:
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair

_TILE = 168
_GAP = 12
_TEXT = 36
_WIDEST = 6  # hits in a line
_INK, _PALE, _ACCENT = "#1c1c1e", "#6e6e73", "#0a64d6"


@dataclass(frozen=True)
class Tile:
    """A picture with two lines under it.

    Attributes:
        picture: What to show; a grey field where the file is gone.
        title: First line, such as "1   0.931".
        text: Second line, such as the label.
    """

    picture: Image.Image | None
    title: str
    text: str = ""


@dataclass(frozen=True)
class Row:
    """A query and its hits, best first."""

    query: Tile
    hits: Sequence[Tile]


def gallery_rows(
    collection: Path,
    queries: Sequence[Path],
    found: Sequence[Sequence[SearchHit]],
    encoder: "Encoder | EncoderPair | None" = None,
    modalities: Sequence[Modality] | None = None,
) -> list[Row]:
    """Queries and hits with their pictures; with an encoder, what its pooling selects is marked.

    Args:
        collection: Folder of the collection, from which the paths of items start.
        queries: Q pictures.
        found: Hits of each.
        encoder: Its pooling must select descriptors, as SCDA does.
        modalities: What each query is; photos when left out.
    """
    rows = []
    kinds = modalities or [Modality.PHOTO] * len(queries)
    for query, hits, kind in zip(queries, found, kinds, strict=True):
        picture = _shown(query, kind) if encoder is None else _selection(encoder, query, kind)
        tiles = hit_tiles(collection, hits)
        title = "sketch" if kind == Modality.SKETCH else "query"
        rows.append(Row(Tile(picture, title, f"{query.parent.name}/{query.name}"), tiles))
    return rows


def hit_tiles(collection: Path, hits: Sequence[SearchHit]) -> list[Tile]:
    """Hits with their pictures; the paths of items start from the collection's folder."""
    return [
        Tile(
            picture_or_none(collection / hit.item.path),
            f"{hit.rank}   {hit.score:.3f}",
            hit.item.label or hit.item.id,
        )
        for hit in hits
    ]


def write_gallery(out: Path, title: str, rows: Sequence[Row]) -> None:
    """Write rows as a picture (.png) or as a page that needs no other file (.html)."""
    if out.suffix.lower() == ".png":
        buffer = io.BytesIO()
        sheet(rows).save(buffer, "PNG")
        write_atomically(out, buffer.getvalue())
    else:
        write_atomically(out, page(title, rows).encode())


def page(title: str, rows: Sequence[Row]) -> str:
    """All rows as one page of HTML with its pictures inside."""
    body = "".join(
        f'<section>{_figure(row.query, "query")}<div class="hits">'
        f"{''.join(_figure(tile, 'hit') for tile in row.hits)}</div></section>"
        for row in rows
    )
    return _PAGE.format(title=html.escape(title), body=body)


def sheet(rows: Sequence[Row]) -> Image.Image:
    """All rows below one another: the query at the left, its hits in lines of equal length."""
    step_x, step_y = _TILE + _GAP, _TILE + _TEXT + _GAP
    most = max((len(row.hits) for row in rows), default=0)
    columns = math.ceil(most / math.ceil(most / _WIDEST)) if most else 1
    lines = [max(1, math.ceil(len(row.hits) / columns)) for row in rows]
    size = (_GAP * 3 + step_x * (1 + columns), _GAP + step_y * sum(lines))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    top = _GAP
    for row, height in zip(rows, lines, strict=True):
        _draw(canvas, draw, row.query, (_GAP, top), _ACCENT)
        for number, tile in enumerate(row.hits):
            left = _GAP * 3 + step_x * (1 + number % columns)
            _draw(canvas, draw, tile, (left, top + step_y * (number // columns)), None)
        top += step_y * height
    return canvas


def marked(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with what ``mask`` (any size, mode "L", 255 = selected) leaves out faded."""
    mask = mask.resize(picture.size, Image.Resampling.NEAREST)
    faded = Image.blend(picture, Image.new("RGB", picture.size, "white"), 0.72)
    return Image.composite(picture, faded, mask)


def _shown(query: Path, kind: Modality) -> Image.Image:
    if kind == Modality.SKETCH:
        return read_sketch(query, draft_size=_TILE, size=2 * _TILE)
    return decode(query, draft_size=_TILE)


def _selection(chosen: "Encoder | EncoderPair", query: Path, kind: Modality) -> Image.Image:
    import torch

    from retrieval.encoder_pair import door_of
    from retrieval.modalities import read_picture

    encoder, kind = door_of(chosen, kind)
    pixels = encoder.transform.pixels(read_picture(query, kind, encoder.transform))
    with torch.inference_mode():
        mask = encoder.mask(encoder.transform.normalise(torch.from_numpy(pixels)[None]))[0]
    selected = Image.fromarray(mask.numpy().astype("uint8") * 255)
    return marked(Image.fromarray(pixels), selected)


def picture_or_none(path: Path) -> Image.Image | None:
    """A small copy of a photo; None where it cannot be read."""
    try:
        return decode(path, draft_size=_TILE)
    except ImageError:
        return None


def _figure(tile: Tile, kind: str) -> str:
    if tile.picture is None:
        shown = '<div class="gone">picture not found</div>'
    else:
        small = tile.picture.copy()
        small.thumbnail((2 * _TILE, 2 * _TILE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=85)
        data = base64.b64encode(buffer.getvalue()).decode()
        shown = f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(tile.text)}">'
    return (
        f'<figure class="{kind}">{shown}<figcaption><b>{html.escape(tile.title)}</b><br>'
        f"{html.escape(tile.text)}</figcaption></figure>"
    )


def _draw(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    tile: Tile,
    place: tuple[int, int],
    frame: str | None,
) -> None:
    left, top = place
    box = (left, top, left + _TILE - 1, top + _TILE - 1)
    draw.rectangle(box, fill="#f2f2f4")
    if tile.picture is None:
        draw.text((left + 10, top + 10), "picture not found", fill=_PALE, font=_font(13))
    else:
        small = tile.picture.copy()
        small.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
        shift = ((_TILE - small.width) // 2, (_TILE - small.height) // 2)
        canvas.paste(small, (left + shift[0], top + shift[1]))
    if frame is not None:
        draw.rectangle(box, outline=frame, width=3)
    draw.text((left, top + _TILE + 3), _cut(tile.title, 14), fill=_INK, font=_font(14))
    draw.text((left, top + _TILE + 19), _cut(tile.text, 12), fill=_PALE, font=_font(12))


def _cut(text: str, size: int) -> str:
    """The text, shortened in its middle until it fits under a tile."""
    font = _font(size)
    cut = text
    while font.getlength(cut) > _TILE and len(text) > 4:
        text = text[: len(text) // 2 - 1] + text[len(text) // 2 + 1 :]
        cut = f"{text[: len(text) // 2]}…{text[len(text) // 2 :]}"
    return cut


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; color: #1c1c1e; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem }}
section {{ display: flex; gap: 1.5rem; padding: 1rem 0; border-top: 1px solid #e5e5ea }}
.hits {{ display: flex; flex-wrap: wrap; gap: .75rem }}
figure {{ margin: 0; width: 10.5rem }}
figure.query {{ flex: none }}
img, .gone {{ width: 100%; height: 10.5rem; object-fit: contain; background: #f2f2f4;
  border-radius: .4rem; box-sizing: border-box }}
.query img {{ border: 3px solid #0a64d6 }}
.gone {{ color: #6e6e73; padding: .6rem }}
figcaption {{ font-size: .85rem; color: #6e6e73; overflow-wrap: anywhere }}
b {{ color: #1c1c1e }}
@media (max-width: 40rem) {{ section {{ flex-direction: column }} }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
