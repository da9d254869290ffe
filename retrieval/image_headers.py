"""What an image file says of itself, read and checked before any pixel is decoded.

A decoder trusts the file: it allocates what the header asks for, walks every segment and, in some
formats, copies what it has read so far again and again. A few kilobytes can so cost gigabytes or
hours. These walks are linear in the file, allocate nothing, and refuse such files first. They also
see what decoders pass over: a PNG whose checksum is wrong, a file that ends too early.

References:
    ITU-T T.81 (JPEG), annex B. PNG specification, third edition, W3C 2025, section 5. RFC 9649
    (WebP), section 2. GIF89a specification, CompuServe 1990, sections 15 to 24.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_PIXELS = 25_000_000
"""Most pixels of a PNG, WebP, BMP or GIF, and of any decoded picture: 100 MB in memory."""
MAX_JPEG_PIXELS = 100_000_000
"""Most pixels of a JPEG that is decoded a few rows at a time; it is decoded at a smaller scale."""
MAX_BUFFERED_JPEG_PIXELS = 50_000_000
"""Most pixels of a JPEG in several scans: its decoder keeps all coefficients at full scale."""
MIN_SIDE = 16
"""Least width and height in pixels."""
MAX_ASPECT_RATIO = 20
"""Most times that the longer side may be the shorter one."""
MAX_SEGMENTS = 1_000
"""Most segments of a JPEG header; a whole file by a camera has about twenty."""
MAX_EXIF_SEGMENTS = 16
"""Pillow joins them one by one, copying what it has each time."""
MAX_SCANNED_PIXELS = 1_000_000_000
"""Most pixels times scans of a progressive JPEG: two seconds. Encoders write about ten scans."""
MAX_CHUNKS = 50_000
"""Most chunks of a PNG: 25 MP in one chunk a row are 25,000."""
MAX_JUNK = 65_536
"""Most bytes of a JPEG header outside of segments, and of a GIF before its first picture."""

READ_FORMATS = "JPEG, PNG, WebP, BMP or GIF"


class Refusal(Exception):  # noqa: N818 - it is the end of a sentence, named by `images.decode`
    """Why a file is not decoded: ``must be <want>; got <got>. <What to do.>``, without the name."""

    def __init__(self, want: str, got: str, what_to_do: str) -> None:
        super().__init__(f"must be {want}; got {got}. {what_to_do}")


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded.

    Attributes:
        format: Pillow's name of the file format, told by content and not by the file's name.
        width: In pixels, as stored: before any EXIF rotation.
        height: In pixels, as stored.
        by_rows: Whether the decoder needs memory for a few rows only, not for the whole picture.
    """

    format: str
    width: int
    height: int
    by_rows: bool = False


def read_header(data: bytes) -> Header:
    """The header of an image file that is safe to decode.

    Raises:
        Refusal: The bytes are no image that we read, are cut short or damaged, or ask for more
            pixels, segments or passes than the limits of this module.
    """
    for magic, read in _READERS:
        if magic.match(data):
            try:
                header = read(data)
            except (struct.error, IndexError):  # the header ends in the middle of a field
                raise cut_short(data) from None
            _check_size(header)
            return header
    raise _no_image(data)


def cut_short(data: bytes, total: int | None = None) -> Refusal:
    """The refusal of a file that ends too early; ``total`` is its whole length, where known."""
    where = f"{len(data):,} bytes" if total is None else f"{len(data):,} of {total:,} bytes"
    return Refusal("a whole image", f"one cut short at {where}", "Copy or download it again.")


def damaged(detail: str) -> Refusal:
    """The refusal of a file that is not what its writer wrote."""
    return Refusal("an intact image", detail, "Copy or download it again.")


def _no_image(data: bytes) -> Refusal:
    want = f"a {READ_FORMATS} image"
    if not data:
        return Refusal(want, "0 bytes", "Copy or download it again.")
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return Refusal(want, "HEIC, which is not read", "Save it as JPEG or PNG.")
    if brand in (b"avif", b"avis"):
        return Refusal(want, "AVIF, which is not read", "Save it as JPEG or PNG.")
    return Refusal(want, f"{len(data):,} bytes of something else", "Save it as JPEG or PNG.")


def _check_size(header: Header) -> None:
    size, pixels = f"{header.width}x{header.height}", header.width * header.height
    most = MAX_PIXELS
    if header.format == "JPEG":
        most = MAX_JPEG_PIXELS if header.by_rows else MAX_BUFFERED_JPEG_PIXELS
    if pixels > most:
        raise Refusal(
            f"at most {most / 1e6:.0f} MP", f"{size} = {pixels / 1e6:.0f} MP", "Scale it down."
        )
    shorter, longer = sorted((header.width, header.height))
    if shorter < MIN_SIDE:
        raise Refusal(f"at least {MIN_SIDE} pixels wide and high", size, "Use a larger picture.")
    if longer > MAX_ASPECT_RATIO * shorter:
        raise Refusal(
            f"at most {MAX_ASPECT_RATIO} times as long as wide", size, "Cut out the part you need."
        )


_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # not a fill byte, stuffed byte or restart
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_FILL = b"\xff" * 32_768
_WITHOUT_LENGTH = frozenset({0x01, 0xD8, _END_OF_IMAGE})


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, place of the length field and bytes passed over, of each segment in file order."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker = found[1][0]
        yield marker, found.end(), found.start() - at
        at = found.end()
        if marker not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2])
    raise damaged(f"more than {MAX_SEGMENTS:,} segments")


def _jpeg(data: bytes) -> Header:
    frame = None
    junk = exif = 0
    segments = _segments(data)
    for marker, at, passed_over in segments:
        junk += passed_over
        exif += marker == _APP1 and data.startswith(b"Exif\0\0", at + 2)
        if junk > MAX_JUNK or exif > MAX_EXIF_SEGMENTS:
            raise damaged("a header full of junk")
        if marker in (_BASELINE, _EXTENDED, _PROGRESSIVE):
            frame = marker, *struct.unpack_from(">HHB", data, at + 3)
        elif marker in _OTHER_FRAMES:
            raise Refusal(
                "a baseline or progressive JPEG", f"kind {marker:#x}", "Save it as JPEG or PNG."
            )
        elif marker == _START_OF_SCAN:
            break
    else:
        raise cut_short(data)
    if frame is None:
        raise damaged("a scan before its frame")
    kind, height, width, components = frame
    by_rows = kind != _PROGRESSIVE and data[at + 2] == components
    _check_fill(data)
    if not by_rows:
        _check_scans(segments, width * height)
    return Header("JPEG", width, height, by_rows)


def _check_fill(data: bytes) -> None:
    """Raise at a run of 64 kB of fill bytes: decoders start over at its beginning for each block.

    Such a run covers at least one whole block that begins at a multiple of its length.
    """
    for start in range(0, len(data), len(_FILL)):
        if data.startswith(_FILL, start):
            raise damaged(f"nothing but fill bytes at byte {start:,}")


def _check_scans(segments: Iterator[tuple[int, int, int]], pixels: int) -> None:
    """Raise if too many scans follow the first one."""
    scans = 1
    for marker, _, _ in segments:
        scans += marker == _START_OF_SCAN
        if scans * pixels > MAX_SCANNED_PIXELS:
            raise damaged(f"more than {scans - 1} scans")
        if marker == _END_OF_IMAGE:
            return


_PNG_ONCE = frozenset({b"IHDR", b"PLTE", b"acTL", b"iCCP"})  # each profile may unpack to 1 MB


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise damaged("a PNG without its header first")
    seen = set()
    for kind, at in png_chunks(data):
        if kind in _PNG_ONCE and kind in seen:
            raise damaged(f"two {kind.decode()} parts")
        if kind == b"acTL" and not 0 < int.from_bytes(data[at : at + 4]) <= 1 << 31:
            raise damaged("an animation without pictures")
        seen.add(kind)
    return Header("PNG", *struct.unpack_from(">II", data, 16))


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and place of the content of each chunk up to the last, once its checksum is right.

    Raises:
        Refusal: A checksum is wrong, the last chunk is cut short, or there are too many.
        struct.error: The file ends between two chunks.
    """
    view = memoryview(data)
    at = 8
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise cut_short(data, end)
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise damaged(f"a wrong checksum in its {kind.decode('latin-1')!r} part at byte {at:,}")
        yield kind, at + 8
        if kind == b"IEND":
            return
        at = end
    raise damaged(f"more than {MAX_CHUNKS:,} chunks")


def _webp(data: bytes) -> Header:
    size, kind = struct.unpack_from("<I4x4s", data, 4)
    if len(data) < size + 8:
        raise cut_short(data, size + 8)
    if kind == b"VP8X":  # 24 bits each, less one
        sides = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return Header("WEBP", sides[0] + 1, sides[1] + 1)
    if kind == b"VP8L":  # 14 bits each, less one
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", data, 26)  # the upper two bits are a display scale
    return Header("WEBP", width & 0x3FFF, height & 0x3FFF)


def _bmp(data: bytes) -> Header:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size == 12:  # OS/2: nothing is ever compressed
        return Header("BMP", *struct.unpack_from("<HH", data, 18))
    width, height, compression = struct.unpack_from("<ii4xI", data, 18)
    if compression not in (0, 3):  # run lengths, which Pillow decodes in Python: seconds a file
        raise Refusal("an uncompressed BMP", f"compression {compression}", "Save it as PNG.")
    return Header("BMP", abs(width), abs(height))  # a negative height means top row first


def _gif(data: bytes) -> Header:
    """The header of the first picture; its frame may reach beyond the screen the file declares."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    start = at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[at] == 0x21:  # extensions: comments, delays, loops
        at += 2
        while data[at] and at - start < MAX_JUNK:
            at += 1 + data[at]
        at += 1
        if at - start > MAX_JUNK:
            raise damaged("a header full of junk")
    if data[at] != 0x2C:
        raise damaged("no picture in it")
    left, top, frame_width, frame_height = struct.unpack_from("<4H", data, at + 1)
    return Header("GIF", max(width, left + frame_width), max(height, top + frame_height))


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL), _webp),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"BM"), _bmp),
)
