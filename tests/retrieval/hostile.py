"""Image files as they should not be, and as they may well be; all made here, none copied.

Names say what a file is. Everything is deterministic.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FORMATS: dict[str, dict[str, Any]] = {
    "baseline.jpg": {"format": "JPEG", "quality": 90},
    "progressive.jpg": {"format": "JPEG", "quality": 90, "progressive": True},
    "whole.png": {"format": "PNG"},
    "lossy.webp": {"format": "WEBP", "quality": 80},
    "lossless.webp": {"format": "WEBP", "lossless": True},
    "whole.gif": {"format": "GIF"},
    "whole.bmp": {"format": "BMP"},
}
"""One honest file of each kind that is read, and how Pillow writes it."""


def photo(width: int = 96, height: int = 80, seed: int = 0) -> Image.Image:
    """A picture with texture at every scale, and nothing alike in any two directions."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float64)
    cells = 2
    while cells <= min(width, height):
        coarse = random.normal(0, 1 / cells**0.7, (cells, cells, 3))
        for channel in range(3):
            layer = Image.fromarray(coarse[..., channel].astype(np.float32))
            pixels[..., channel] += np.asarray(layer.resize((width, height), 3))
        cells *= 2
    ramp = (
        np.linspace(-0.6, 0.6, width)[None, :, None] + np.linspace(-0.3, 0.3, height)[:, None, None]
    )
    pixels = 128 + 75 * (pixels / pixels.std() * 0.7 + ramp)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """What Pillow writes."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@cache
def whole_files() -> dict[str, bytes]:
    """One honest file of each kind that is read, of the same photo."""
    return {name: saved(photo(), **options) for name, options in FORMATS.items()}


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A PNG chunk with the right checksum."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    """A PNG of these chunks between header and end."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND")


def png_of(values: NDArray[Any], colour: int, *chunks: bytes) -> bytes:
    """A PNG of (H, W, C) values, 8 or 16 bits as their type says; ``chunks`` come before them."""
    height, width, _ = values.shape
    rows = values.astype(values.dtype.newbyteorder(">"))
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png(width, height, 8 * values.itemsize, colour, *chunks, chunk(b"IDAT", packed))


def zeros_png(width: int, height: int, depth: int, colour: int, channels: int) -> bytes:
    """A valid PNG of zeros, however large, made without ever holding them.

    One compressed megabyte is repeated: after a full flush deflate refers to nothing before it.
    """
    size = height * (1 + (width * depth * channels + 7) // 8)
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(size % (1 << 20))) + packer.flush(zlib.Z_FULL_FLUSH)
    end = b"\x03\x00" + struct.pack(">HH", size % 65521, 1)  # empty last block, Adler-32 of zeros
    packed = start + megabyte * (size >> 20) + rest + end
    return png(width, height, depth, colour, chunk(b"IDAT", packed))


@cache
def not_images() -> dict[str, bytes]:
    """Files of no format that is read."""
    random = np.random.default_rng(7).bytes
    return {
        "empty": b"",
        "one byte": b"\xff",
        "newline": b"\n",
        "text": b"a bird sat on a wire\n" * 40,
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "random, short": random(64),
        "random, long": random(200_000),
        "web page": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "archive": b"PK\x03\x04" + bytes(60),
        "program": b"\x7fELF" + bytes(400),
        "JPEG magic, random": b"\xff\xd8\xff" + random(5000),
        "PNG magic, random": b"\x89PNG\r\n\x1a\n" + random(5000),
        "WebP magic, random": b"RIFF\x00\x08\x00\x00WEBPVP8 " + random(5000),
        "GIF magic, random": b"GIF89a" + random(5000),
        "BMP magic, random": b"BM" + random(5000),
        "JPEG magic alone": b"\xff\xd8\xff",
        "PNG magic alone": b"\x89PNG\r\n\x1a\n",
        "WebP magic alone": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        "GIF magic alone": b"GIF89a",
        "BMP magic alone": b"BM",
    }


@cache
def other_formats() -> dict[str, bytes]:
    """Formats that Pillow knows and we do not read."""
    floats = Image.fromarray(np.full((32, 32), np.nan, np.float32))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(/tmp/x) deletefile\n"
    return {
        "float.tiff": saved(floats, "TIFF"),
        "photo.tiff": saved(photo(), "TIFF"),
        "photo.pdf": saved(photo(), "PDF"),
        "photo.ppm": saved(photo(), "PPM"),
        "photo.ico": saved(photo(), "ICO"),
        "photo.tga": saved(photo(), "TGA"),
        "photo.eps": eps,
        "photo.psd": b"8BPS\x00\x01"
        + bytes(6)
        + struct.pack(">HIIHH", 3, 64, 64, 8, 3)
        + bytes(99),
        "photo.fits": b"SIMPLE  =                    T".ljust(2880),
        "photo.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    }


def cuts(data: bytes, count: int = 100) -> Iterator[bytes]:
    """The file ending after each hundredth of its length."""
    for number in range(count):
        yield data[: len(data) * number // count]


def flips(data: bytes, count: int = 60, seed: int = 0) -> Iterator[bytes]:
    """The file with one bit turned, at ``count`` places."""
    random = np.random.default_rng(seed)
    for place, bit in zip(
        random.integers(0, len(data), count), random.integers(0, 8, count), strict=True
    ):
        turned = bytearray(data)
        turned[place] ^= 1 << bit
        yield bytes(turned)


def exif(entries: bytes, order: str = ">") -> bytes:
    """An EXIF block of one directory."""
    magic = b"MM\0*" if order == ">" else b"II*\0"
    count = len(entries) // 12
    return b"Exif\0\0" + magic + struct.pack(order + "IH", 8, count) + entries + bytes(4)


def orientation_entry(value: int, order: str = ">", *, long: bool = False) -> bytes:
    """Tag 0x0112 as a SHORT, or as the LONG that some programs write."""
    if long:
        return struct.pack(order + "HHII", 0x0112, 4, 1, value)
    return struct.pack(order + "HHIHxx", 0x0112, 3, 1, value)


def with_segment(jpeg: bytes, marker: int, content: bytes, times: int = 1) -> bytes:
    """A JPEG with one more segment at its beginning."""
    segment = struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    return jpeg[:2] + segment * times + jpeg[2:]


def more_scans(progressive: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes ``count`` times more."""
    last_scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    return progressive[:-2] + last_scan * count + progressive[-2:]


def ycck_jpeg(image: Image.Image) -> bytes:
    """An Adobe JPEG of inverted YCCK, as Photoshop writes for print.

    Pillow writes only CMYK. So its four planes are given the YCC of the inks, and no black, each
    inverted because Pillow inverts what it writes; then the Adobe segment is told that it is YCC.
    """
    inks = ImageOps.invert(image).convert("YCbCr")
    planes = [ImageOps.invert(plane) for plane in inks.split()]
    data = bytearray(
        saved(Image.merge("CMYK", (*planes, Image.new("L", image.size, 0))), "JPEG", quality=95)
    )
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def pixel_bombs() -> dict[str, bytes]:
    """Small files that say they are huge. All but the last would decode, given the memory."""
    return {
        "400 MP.png": zeros_png(20_000, 20_000, 8, 2, 3),
        "144 MP.png": zeros_png(12_000, 12_000, 8, 2, 3),
        "85 MP with alpha.png": zeros_png(9_400, 9_000, 8, 6, 4),
        "88 MP of 1 bit.png": zeros_png(9_400, 9_400, 1, 0, 1),
        "2^31 wide.png": png(
            2**31 - 1, 2**31 - 1, 8, 2, chunk(b"IDAT", zlib.compress(bytes(9999)))
        ),
    }


def text_bombs() -> dict[str, bytes]:
    """Small files with 200 MB of text or colour profile."""
    megabyte = zlib.compress(bytes(1_000_000), 9)
    packed = zlib.compress(bytes(200_000_000), 9)
    values = np.zeros((32, 32, 3), np.uint8)
    return {
        "text.png": png_of(values, 2, chunk(b"zTXt", b"a\0\0" + packed)),
        "translated text.png": png_of(values, 2, chunk(b"iTXt", b"a\0\1\0\0\0" + packed)),
        "profile.png": png_of(values, 2, chunk(b"iCCP", b"a\0\0" + packed)),
        "200 profiles.png": png_of(values, 2, chunk(b"iCCP", b"a\0\0" + megabyte) * 200),
    }


@cache
def slow_files() -> dict[str, bytes]:
    """Small files of a kind that keeps a decoder busy for long, by what is wrong with them.

    They are just beyond a limit; with the 30 MB that a file may have, each would take minutes.
    """
    large = Image.new("RGB", (4_000, 3_000), "red")
    jpeg = saved(photo(), "JPEG")
    middle = jpeg.rindex(b"\xff\xda") + 200
    gif, bmp = (saved(photo().quantize(256), format) for format in ("GIF", "BMP"))
    frame = 13 + 3 * 256
    comment = b"\x21\xfe" + b"\1a" * 70_000 + b"\0"
    pixels = chunk(b"IDAT", zlib.compress(bytes(16 * 17)))
    profiles = chunk(b"iCCP", b"a\0\0" + zlib.compress(b"")) * 2
    return {
        "more than 83 scans": more_scans(saved(large, "JPEG", progressive=True), 90),
        "more than 1,000 segments": with_segment(jpeg, 0xFE, b"", 1_000),
        "a header full of junk": with_segment(jpeg, 0xE1, b"Exif\0\0a", 500),
        "a header full of junk ": jpeg[:20] + bytes(100_000) + jpeg[20:],
        "a header full of junk  ": gif[:frame] + comment + gif[frame:],
        "a header full of junk   ": gif[:frame] + b"\x21\xfe\0" * 30_000 + gif[frame:],
        "nothing but fill bytes": jpeg[:middle] + b"\xff" * 70_000 + jpeg[middle:],
        "more than 50,000 chunks": png(16, 16, 8, 0, chunk(b"IDAT") * 50_000, pixels),
        "two iCCP parts": png(16, 16, 8, 0, profiles, pixels),
        "compression 1": bmp[:30] + struct.pack("<I", 1) + bmp[34:],
    }
