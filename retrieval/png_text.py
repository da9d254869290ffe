"""A text that a PNG carries beside its pixels, read without decoding them.

References:
    PNG specification, third edition, W3C 2025, section 11.3.3 (tEXt, zTXt, iTXt).
"""

import zlib

from .image_headers import Refusal, damaged, png_chunks, read_header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""How every PNG begins."""


def png_text(data: bytes, keyword: str, *, most: int) -> bytes | None:
    """The text under a keyword, packed or not; None where there is none.

    Args:
        data: Of a PNG.
        keyword: In ASCII. Of several texts under it, the first one counts.
        most: Bytes that the text may have, unpacked: no more are ever unpacked.

    Raises:
        Refusal: The PNG is damaged or beyond a limit of pictures, or the text is larger.
    """
    read_header(data)
    head = keyword.encode("ascii") + b"\0"
    for kind, at in png_chunks(data):
        if kind in _TEXTS and data.startswith(head, at):
            content = data[at + len(head) : at + int.from_bytes(data[at - 8 : at - 4])]
            return _TEXTS[kind](content, most)
    return None


def _plain(text: bytes, most: int) -> bytes:
    if len(text) > most:
        raise Refusal(f"a picture with at most {most:,} bytes of text", "more", "Draw it simpler.")
    return text


def _packed(content: bytes, most: int) -> bytes:
    if content[:1] != b"\0":
        raise damaged("a text packed in an unknown way")
    unpacker = zlib.decompressobj()
    try:
        text = _plain(unpacker.decompress(content[1:], most + 1), most)
    except zlib.error:
        raise damaged("a text that cannot be unpacked") from None
    if not unpacker.eof:
        raise damaged("a text that is cut short")
    return text


def _international(content: bytes, most: int) -> bytes:
    is_packed, method, named = content[:1], content[1:2], content[2:].split(b"\0", 2)
    if len(named) < 3:
        raise damaged("a text without its languages")
    return _packed(method + named[2], most) if is_packed == b"\1" else _plain(named[2], most)


_TEXTS = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}
