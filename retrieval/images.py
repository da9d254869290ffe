"""One way in for every picture: a file's bytes become upright RGB pixels, or one clear sentence.

Pillow decodes and nothing else does: torchvision's decoder ends the process on a PNG with one
wrong bit. A file is judged by its content, never by its name, and before a pixel is decoded.
"""

import io
import stat
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from .errors import BadInputError, FgirError
from .image_headers import MAX_PIXELS, Header, Refusal, cut_short, damaged, read_header

MAX_BYTES = 30_000_000
"""Most bytes of an image file, unless the caller says otherwise: phone photos of 50 MP pass."""

DRAFT_MARGIN = 2
"""How many times ``draft_size`` the shorter side of a JPEG keeps when it is decoded smaller."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"})
"""Names, in lower case, that a walk through folders takes for images."""

BLANK_SPREAD = 8
"""Most grey levels by which a blank picture's channel may vary: what JPEG makes of one colour."""


class ImageError(BadInputError):
    """An image file is not one that we read. The message names it and says why."""

    identifier = "bad-image"


def is_image_name(path: Path) -> bool:
    """Whether a walk through folders takes this file for an image; its content decides later.

    Files that begin with a dot are not: some systems keep notes about ``a.jpg`` in ``._a.jpg``.

    Example:
        >>> is_image_name(Path("birds/001.JPG")), is_image_name(Path("birds/labels.csv"))
        (True, False)
    """
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def decode(
    source: Path | bytes,
    *,
    name: str | None = None,
    draft_size: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> Image.Image:
    """An image file as upright RGB pixels.

    JPEG, PNG, WebP, BMP and GIF are read; of an animation, the first picture. The EXIF orientation
    is applied, transparency is laid on white (the colour of paper, and of most product photos),
    and 16-bit channels are scaled to 8. Colour profiles and every other metadata are dropped: what
    is later saved of the picture tells nobody where it was taken.

    Args:
        source: A file, or its bytes.
        name: What to call it in messages; by default its path.
        draft_size: The shorter side to which the caller will shrink the picture. A JPEG of at
            least twice that is decoded at 1/2, 1/4 or 1/8 of its scale, several times faster.
            Twice, because the vectors must not notice: over textured pictures of 0.3 to 12 MP
            shrunk to 224, mobilenet_v2's descriptors kept a cosine of at least 0.9995 to those of
            the full decode, but only 0.994 when the decoder went down to 224 itself. (Saving the
            same JPEG once more at quality 92 gives 0.9985.)
        max_bytes: Most bytes the file may have.

    Raises:
        ImageError: It cannot be read, is no image of these formats, is cut short or damaged, or
            is beyond a limit. The sentence begins with the name.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise FgirError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES must stay False; got True. With it, half a photo "
            "decodes to half a photo and grey. Remove the line that sets it."
        )
    if draft_size is not None and draft_size < 1:
        raise BadInputError(f"draft_size must be at least 1; got {draft_size}.")
    try:
        data = _read(source, max_bytes) if isinstance(source, Path) else source
        _check_bytes(len(data), max_bytes)
        return _pixels(data, read_header(data), draft_size)
    except Refusal as refusal:
        raise ImageError(f"{_shown(source, name)} {refusal}") from None
    except Exception as error:  # decoders raise anything on hostile bytes; none may stop a batch
        reason = _printable(str(error) or type(error).__name__)[:200]
        raise ImageError(
            f"{_shown(source, name)} must be an intact image; got {reason!r} while decoding. "
            "Copy or download it again."
        ) from error


def file_bytes(path: Path, *, name: str | None = None, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an image file, for a decoder elsewhere.

    Raises:
        ImageError: It cannot be read, or has more bytes.
    """
    try:
        return _read(path, max_bytes)
    except Refusal as refusal:
        raise ImageError(f"{_shown(path, name)} {refusal}") from None


def is_blank(image: Image.Image) -> bool:
    """Whether the picture is one colour all over, so that nothing was drawn or photographed.

    Example:
        >>> is_blank(Image.new("RGB", (32, 32), "white"))
        True
    """
    lowest_and_highest = image.convert("RGB").getextrema()
    return all(int(high) - int(low) <= BLANK_SPREAD for low, high in lowest_and_highest)  # type: ignore[misc]


def _shown(source: Path | bytes, name: str | None) -> str:
    return _printable(name or (str(source) if isinstance(source, Path) else "the image"))


def _printable(text: str) -> str:
    """The text, escaped where it could move the cursor of a terminal or break a line."""
    return text if text.isprintable() else ascii(text)


def _read(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file; anything else might wait for ever or never end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
            raise Refusal("a file", kind, "Give the image itself.")
        _check_bytes(status.st_size, max_bytes)
        with path.open("rb") as file:
            return file.read(max_bytes + 1)  # bounded again: it may have grown
    except OSError as error:
        got = (error.strerror or str(error)).lower()
        raise Refusal("a file that can be read", got, "Check the path.") from None


def _check_bytes(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Refusal(
            f"at most {max_bytes:,} bytes", f"{size:,}", "Scale it down or save it as JPEG."
        )


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF is not searched for a print resolution.

    Pillow does so while opening, and warns when the EXIF is damaged, which is no error to us.
    """

    def _read_dpi_from_exif(self) -> None:
        pass


# These classes instead of Image.open: it tries 43 formats, hands EPS to Ghostscript, warns at 89 MP
# and takes a phone's photo with a preview for another format.
_FORMATS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": _Jpeg,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
}


def _pixels(data: bytes, header: Header, draft_size: int | None) -> Image.Image:
    try:
        picture = _FORMATS[header.format](io.BytesIO(data))
        if picture.size != (header.width, header.height):
            raise damaged("two headers that disagree on its size")
        if isinstance(picture, JpegImageFile):
            _draft(picture, draft_size)
        picture.load()
    except (OSError, EOFError) as error:
        if "truncated" in str(error).lower():
            raise cut_short(data) from None
        raise
    orientation = _orientation(picture.info.get("exif", b""))  # a PNG's may follow its pixels
    image = _turned(_rgb(picture), orientation)
    image.info = {}
    if isinstance(image, JpegImageFile):
        image.app, image.applist = {}, []
    return image


def _draft(picture: JpegImageFile, draft_size: int | None) -> None:
    """Choose the scale at which a JPEG is decoded, before it is.

    The decoder rounds a side that the scale does not divide up, and so stretches the picture by a
    quarter of a pixel of the final 224: as harmful as too small a scale. Such a picture is only
    shrunk where its full size would be beyond the limit.
    """
    width, height = picture.size
    if draft_size is not None:
        for scale in (8, 4, 2):
            divides = width % scale == 0 == height % scale
            if divides and min(width, height) >= scale * DRAFT_MARGIN * draft_size:
                picture.draft(None, (width // scale, height // scale))
                return
    if width * height > MAX_PIXELS:
        picture.draft(None, (width // 2, height // 2))


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return _from_16_bits(picture)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        return _on_white(picture.convert("RGBA"))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    """The upper byte of each grey value, as Pillow does for 16-bit colour: it would clip this."""
    values = np.asarray(picture)
    grey = (values >> 8).astype(np.uint8)
    if "transparency" in picture.info:
        grey[values == picture.info["transparency"]] = 255
    return Image.fromarray(grey).convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    alpha = picture.getchannel("A")
    colours = picture.convert("RGB")
    if alpha.getextrema() == (255, 255):
        return colours
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(colours, mask=alpha)
    return paper


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _orientation(exif: bytes) -> int:
    """Tag 0x0112 of the first directory of an EXIF block; 1, upright, where it cannot be found."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == 0x0112:
                value = struct.unpack_from(order + ("I" if kind == 4 else "H"), tiff, entry + 8)[0]
                return int(value)
    except struct.error:  # a directory beyond the end of its block
        pass
    return 1
