"""Every picture enters by one door.

A test named ``test_a7_...`` keeps row A7 of the catalogue of faults and attacks in the reliability
plan. Left to the rooms they belong to: A20 and A25 (what a browser gets, and a decoder in a process
of its own: ui), A23 (one photo in two encodings: needs an encoder), A24 (tests/test_house.py).
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFile, ImageOps

from retrieval import image_headers, images
from retrieval.errors import BadInputError, FgirError
from retrieval.images import ImageError, decode, is_blank, is_image_name

from . import hostile

ROOT = Path(__file__).resolve().parents[2]
WHOLE = hostile.whole_files()


def array(image: Image.Image) -> np.ndarray:
    assert type(image.mode) is str
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def mean_error(got: Image.Image, want: Image.Image) -> float:
    assert got.size == want.size
    return float(np.abs(array(got) - array(want)).mean())


def refusal(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, name="a.jpg")
    sentence = str(caught.value)
    assert sentence.startswith("a.jpg must be ")
    assert "; got " in sentence
    assert sentence.endswith(".")
    assert sentence.isprintable()
    return sentence


@pytest.mark.parametrize("name", WHOLE)
def test_each_format_decodes_to_its_photo(name: str) -> None:
    lossless = name in ("whole.png", "lossless.webp", "whole.bmp")
    assert mean_error(decode(WHOLE[name]), hostile.photo()) <= (0 if lossless else 8)


@pytest.mark.parametrize("name", hostile.not_images())
def test_a1_what_is_no_image_is_refused_by_name(name: str, tmp_path: Path) -> None:
    data = hostile.not_images()[name]
    refusal(data)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"photo\.jpg must be"):
        decode(path)


def test_a1_the_sentences() -> None:
    formats = "a JPEG, PNG, WebP, BMP or GIF image"
    assert refusal(b"") == f"a.jpg must be {formats}; got 0 bytes. Copy or download it again."
    assert refusal(b"a bird") == (
        f"a.jpg must be {formats}; got 6 bytes of something else. Save it as JPEG or PNG."
    )
    with pytest.raises(ImageError, match=r"^the image must be a JPEG"):
        decode(b"")


@pytest.mark.parametrize("name", WHOLE)
def test_a2_a_cut_file_never_decodes_to_part_of_its_photo(name: str) -> None:
    whole = WHOLE[name]
    last_bytes = [whole[:-count] for count in range(1, 33)]
    cut_short = 0
    for cut in [*hostile.cuts(whole), *last_bytes]:
        try:
            image = decode(cut, name="a.jpg")
        except ImageError as error:
            cut_short += "got one cut short at " in str(error)
        else:  # only what comes after the pixels is missing: the terminator of a GIF
            assert name == "whole.gif"
            assert len(whole) - len(cut) <= 2
            assert mean_error(image, decode(whole)) == 0
    assert cut_short >= 128  # the shortest are no images at all


def test_a2_the_sentence_tells_where() -> None:
    whole = WHOLE["lossless.webp"]
    assert refusal(whole[:5000]) == (
        f"a.jpg must be a whole image; got one cut short at 5,000 of {len(whole):,} bytes. "
        "Copy or download it again."
    )


def test_a3_half_photos_cannot_be_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(FgirError, match="LOAD_TRUNCATED_IMAGES must stay False") as caught:
        decode(WHOLE["whole.png"])
    assert not isinstance(caught.value, ImageError)  # or a run would blame each file in turn


@pytest.mark.parametrize("name", WHOLE)
def test_a4_a_turned_bit_ends_in_pixels_or_a_sentence(name: str) -> None:
    refused = 0
    for data in hostile.flips(WHOLE[name]):
        try:
            assert decode(data).mode == "RGB"
        except ImageError:
            refused += 1
    if name == "whole.png":  # every byte of a PNG is under a checksum
        assert refused == 60


@pytest.mark.parametrize("part", ["the signature", "after the pixels"])
def test_a4_a_png_is_checked_to_its_last_byte(part: str) -> None:
    whole = bytearray(WHOLE["whole.png"])
    whole[3 if part == "the signature" else -2] ^= 1
    refusal(bytes(whole))


BEGINNINGS = [
    b"\xff\xd8\xff",
    b"\xff\xd8\xff\xc0\0\x11\x08\0\x20\0\x20\3",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    b"RIFF\x30\0\0\0WEBPVP8X",
    b"GIF89a",
    b"BM",
]


@given(st.sampled_from(BEGINNINGS), st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_end_in_pixels_or_a_sentence(beginning: bytes, rest: bytes) -> None:
    with contextlib.suppress(ImageError):
        assert decode(beginning + rest).mode == "RGB"


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a5_many_mutations_end_in_pixels_or_a_sentence(name: str) -> None:
    random = np.random.default_rng(1)
    whole = np.frombuffer(WHOLE[name], np.uint8)
    for _ in range(5_000):
        data = whole.copy()
        places = random.integers(0, len(data), random.integers(1, 20))
        data[places] = random.choice([0, 1, 127, 128, 254, 255], len(places))
        start, end = sorted(random.integers(0, len(data), 2))
        parts = [data[:start], data[start:end], data[start:]] if random.random() < 0.3 else [data]
        with contextlib.suppress(ImageError):
            assert decode(np.concatenate(parts).tobytes()).mode == "RGB"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".txt", ""])
@pytest.mark.parametrize("name", ["baseline.jpg", "whole.png", "lossy.webp"])
def test_a6_the_content_decides_and_not_the_name(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(WHOLE[name])
    assert mean_error(decode(path), decode(WHOLE[name])) == 0


PEAKS = """
import json, sys
from pathlib import Path
from retrieval.images import ImageError, decode

def peak_megabytes():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

start = None
for path in map(Path, sys.argv[1:]):
    try:
        result = decode(path).size
    except ImageError as error:
        result = str(error)
    start = start or peak_megabytes()
    print(json.dumps([path.name, result, peak_megabytes() - start]))
"""


def peaks(files: dict[str, bytes], folder: Path) -> dict[str, tuple[object, float]]:
    """Result and peak memory so far in MB of decoding each file, in one new process."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to measure the peak memory of a process")
    files = {"first.png": WHOLE["whole.png"], **files}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", PEAKS, *(str(folder / name) for name in files)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.stderr == ""
    return {name: (result, peak) for name, result, peak in map(json.loads, run.stdout.splitlines())}


def test_a7_a_file_that_says_it_is_huge_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    bombs = hostile.pixel_bombs()
    assert max(map(len, bombs.values())) < 2_000_000
    results = peaks(bombs, tmp_path)
    del results["first.png"]
    for name, (sentence, peak) in results.items():
        assert " must be at most 25 MP; got " in str(sentence), name
        assert peak < 40, name
    assert str(results["400 MP.png"][0]).endswith("got 20000x20000 = 400 MP. Scale it down.")


def test_a7_an_honest_phone_photo_of_50_mp_is_decoded_small(tmp_path: Path) -> None:
    photo = hostile.photo(816, 612).resize((8160, 6120), Image.Resampling.NEAREST)
    results = peaks({"phone.jpg": hostile.saved(photo, "JPEG", quality=50)}, tmp_path)
    size, peak = results["phone.jpg"]
    assert size == [4080, 3060]  # 12.5 MP, 50 MB
    assert peak < 80


@pytest.mark.parametrize(
    ("format", "options", "limit"),
    [
        ("JPEG", {}, 100),
        ("JPEG", {"progressive": True}, 50),
        ("PNG", {}, 25),
        ("WEBP", {}, 25),
        ("BMP", {}, 25),
        ("GIF", {}, 25),
    ],
)
def test_a7_each_format_has_its_limit(
    format: str, options: dict[str, object], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = hostile.saved(hostile.photo(), format, **options)  # 96 x 80
    name = {100: "MAX_JPEG_PIXELS", 50: "MAX_BUFFERED_JPEG_PIXELS", 25: "MAX_PIXELS"}[limit]
    assert getattr(image_headers, name) == limit * 1_000_000
    monkeypatch.setattr(image_headers, name, 96 * 80)
    decode(data)
    monkeypatch.setattr(image_headers, name, 96 * 80 - 1)
    refusal(data)


def test_a7_a_second_header_cannot_hide_the_size() -> None:
    jpeg = WHOLE["baseline.jpg"]
    frame = jpeg.index(b"\xff\xc0")
    length = int.from_bytes(jpeg[frame + 2 : frame + 4])
    huge = bytearray(jpeg[frame : frame + 2 + length])
    huge[5:9] = b"\xff\xff\xff\xff"
    refusal(jpeg[:frame] + bytes(huge) + jpeg[frame:])
    refusal(jpeg[: frame + 2 + length] + bytes(huge) + jpeg[frame + 2 + length :])


def test_a7_the_header_and_the_decoder_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    other = image_headers.Header("PNG", 96, 81)
    monkeypatch.setattr(images, "read_header", lambda _: other)
    assert "two headers that disagree on its size" in refusal(WHOLE["whole.png"])


def test_a7_a_frame_may_be_larger_than_the_screen_of_its_gif() -> None:
    gif = WHOLE["whole.gif"]
    small_screen = gif[:6] + struct.pack("<HH", 40, 30) + gif[10:]
    assert mean_error(decode(small_screen), decode(gif)) == 0
    frame = gif.index(b"\x2c", 13 + 3 * 256)
    huge = gif[: frame + 5] + struct.pack("<HH", 9_000, 9_000) + gif[frame + 9 :]
    assert "at most 25 MP; got 9000x9000" in refusal(huge)


def test_a8_bytes_over_the_cap_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(WHOLE["whole.png"])
        file.truncate(10_000_001)  # a hole: takes no room
    decode(path, max_bytes=10_000_001)
    want = "large.png must be at most 10,000,000 bytes; got 10,000,001. Scale it down"
    with pytest.raises(ImageError, match=want):
        decode(path, max_bytes=10_000_000)
    with pytest.raises(ImageError, match="at most 10,000,000 bytes"):
        decode(path.read_bytes(), max_bytes=10_000_000)
    with path.open("wb") as file:
        file.truncate(images.MAX_BYTES * 2)
    with pytest.raises(ImageError, match="at most 30,000,000 bytes; got 60,000,000"):
        decode(path)  # twice: so its length was asked, and not found by reading on


def test_a9_compressed_text_and_profiles_stay_packed(tmp_path: Path) -> None:
    results = peaks(hostile.text_bombs(), tmp_path)
    del results["first.png"]
    for name, (sentence, peak) in results.items():
        assert " must be an intact image; got " in str(sentence), name
        assert peak < 50, name


@pytest.mark.parametrize("fault", hostile.slow_files())
def test_a10_what_would_take_long_is_refused_before_it_does(fault: str) -> None:
    assert f"; got {fault.strip()}" in refusal(hostile.slow_files()[fault])


def test_a10_an_ordinary_number_of_scans_passes() -> None:
    assert decode(hostile.more_scans(WHOLE["progressive.jpg"], 20)).size == (96, 80)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_a11_of_an_animation_the_first_picture_is_read(format: str) -> None:
    frames = [hostile.photo(32, 32, seed) for seed in range(7)]
    first, *others = [frames[number % 7] for number in range(310)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = hostile.saved(first, format, save_all=True, append_images=others, **options)
    assert mean_error(decode(data), first) <= (12 if format == "GIF" else 0)


def test_a11_an_animation_without_pictures_is_refused() -> None:
    values = np.zeros((32, 32, 3), np.uint8)
    assert "an animation without pictures" in refusal(
        hostile.png_of(values, 2, hostile.chunk(b"acTL", bytes(8)))
    )


def cmyk(black: int) -> bytes:
    inks = hostile.photo().convert("CMYK")
    planes = [*inks.split()[:3], Image.new("L", inks.size, black)]
    return hostile.saved(Image.merge("CMYK", planes), "JPEG", quality=95)


@pytest.mark.parametrize(
    ("data", "brightness"),
    [
        (cmyk(0), 1),
        (cmyk(128), 1 - 128 / 255),
        (hostile.ycck_jpeg(hostile.photo()), 1),
        (hostile.saved(hostile.photo().convert("CMYK"), "JPEG", quality=95, progressive=True), 1),
    ],
)
def test_a12_printing_inks_become_the_colours_they_print(data: bytes, brightness: float) -> None:
    printed = hostile.photo().point(lambda value: value * brightness)
    assert mean_error(decode(data), printed) < 8


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_a13_sixteen_bits_are_scaled_and_not_clipped(colour: int) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    values = np.linspace(0, 65535, 40 * 50 * channels).reshape(40, 50, channels).astype(np.uint16)
    if colour in (4, 6):
        values[..., -1] = 65535  # opaque
        colours = values[..., :-1]
    else:
        colours = values
    got = array(decode(hostile.png_of(values, colour)))
    assert np.abs(got - np.broadcast_to(colours, got.shape) / 257).max() <= 1


def test_a13_the_transparent_grey_of_16_bits_is_white() -> None:
    values = np.full((20, 20, 1), 1000, np.uint16)
    values[:10] = 1001
    got = array(decode(hostile.png_of(values, 0, hostile.chunk(b"tRNS", b"\x03\xe8"))))
    assert got[:10].max() == 3
    assert got[10:].min() == 255


@pytest.mark.parametrize("name", hostile.other_formats())
def test_a14_other_formats_are_refused_and_start_no_program(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spy(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("a program was started")  # which nothing swallows

    monkeypatch.setattr(subprocess, "Popen", spy)
    monkeypatch.setattr(os, "system", spy)
    assert "must be a JPEG, PNG, WebP, BMP or GIF image" in refusal(hostile.other_formats()[name])


def palette_file(**options: object) -> tuple[bytes, np.ndarray]:
    numbers = np.arange(32 * 32).reshape(32, 32) % 4
    colours = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [90, 90, 200]])
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette(colours.astype(np.uint8).tobytes())
    return hostile.saved(image, **options), colours[numbers]  # type: ignore[arg-type]


def test_a15_palettes() -> None:
    for format in ("PNG", "GIF", "BMP"):
        data, want = palette_file(format=format)
        assert np.abs(array(decode(data)) - want).max() <= 1
    for transparency in (2, bytes([255, 255, 0, 255])):
        data, want = palette_file(transparency=transparency)
        want[want[..., 1] == 255] = 255
        assert np.abs(array(decode(data)) - want).max() <= 1
    data, want = palette_file(transparency=bytes([255, 255, 128, 255]))
    want[want[..., 1] == 255] = (127, 255, 127)
    assert np.abs(array(decode(data)) - want).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "GIF"])
def test_a15_grey(format: str) -> None:
    grey = hostile.photo().convert("L")
    tolerance = 6 if format == "JPEG" else 0
    assert mean_error(decode(hostile.saved(grey, format)), grey.convert("RGB")) <= tolerance


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF"])
def test_a15_one_bit(format: str) -> None:
    bits = hostile.photo().convert("1")
    assert mean_error(decode(hostile.saved(bits, format)), bits.convert("RGB")) == 0


def test_a15_transparent_colour_of_grey_and_rgb() -> None:
    values = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32, 1)
    got = array(decode(hostile.png_of(values, 0, hostile.chunk(b"tRNS", b"\0\x07"))))
    want = np.where(values == 7, 255, np.broadcast_to(values, got.shape))
    assert (got == want).all()
    rgb = np.concatenate([values, values, values // 2], 2)
    got = array(decode(hostile.png_of(rgb, 2, hostile.chunk(b"tRNS", b"\0\x07\0\x07\0\x03"))))
    assert (got == np.where(values == 7, 255, rgb)).all()


@pytest.mark.parametrize(("format", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")])
def test_a16_strokes_on_a_transparent_canvas_are_seen(format: str, mode: str) -> None:
    canvas = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).line([(5, 5), (50, 40)], fill=(0, 0, 0, 255), width=3)
    on_paper = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(on_paper).line([(5, 5), (50, 40)], fill=(0, 0, 0), width=3)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    assert mean_error(decode(hostile.saved(canvas.convert(mode), format, **options)), on_paper) == 0


def test_a16_half_transparent_colour_is_half_way_to_white() -> None:
    data = hostile.saved(Image.new("RGBA", (32, 32), (255, 0, 100, 128)))
    assert np.abs(array(decode(data)) - [255, 127, 177]).max() <= 1


def test_a16_a_fully_transparent_canvas_is_blank_paper() -> None:
    image = decode(hostile.saved(Image.new("RGBA", (32, 32), (0, 0, 0, 0))))
    assert array(image).min() == 255
    assert is_blank(image)


# Where the standard says that the first stored row and the first stored column are seen.
SEEN = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(upright: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it, from the definition of the tag."""
    pixels = np.asarray(upright)
    first_row, first_column = SEEN[orientation]
    if first_row in ("left", "right"):
        pixels = pixels.transpose(1, 0, 2)
    if first_row in ("bottom", "right"):
        pixels = pixels[::-1]
    if first_column in ("bottom", "right"):
        pixels = pixels[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(pixels))


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a17_every_orientation_is_turned_upright(
    format: str, orientation: int, order: str, long: bool
) -> None:
    upright = hostile.photo()
    block = hostile.exif(hostile.orientation_entry(orientation, order, long=long), order)
    options = {"lossless": True} if format == "WEBP" else {}
    data = hostile.saved(stored(upright, orientation), format, exif=block, **options)
    assert mean_error(decode(data), upright) <= (8 if format == "JPEG" else 0)


ENTRY = hostile.orientation_entry(6)
BROKEN_EXIF = {
    "no such orientation": hostile.exif(hostile.orientation_entry(99)),
    "zero": hostile.exif(hostile.orientation_entry(0)),
    "empty": b"Exif\0\0",
    "no magic": b"Exif\0\0nonsense and more of it",
    "directory beyond its end": b"Exif\0\0MM\0*\xff\xff\xff\xff",
    "entries beyond its end": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(30),
    "cut in an entry": hostile.exif(ENTRY)[:18],
    "resolution of nothing": hostile.exif(b"\x01\x1a\0\5\0\0\0\1\xff\xff\xff\xff"),
    "huge count": hostile.exif(b"\x01\x0f\0\2\xff\xff\xff\xff\0\0\0\x10"),
}


@pytest.mark.parametrize("name", BROKEN_EXIF)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a17_a_broken_exif_block_is_no_error(format: str, name: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    data = hostile.saved(hostile.photo(), format, exif=BROKEN_EXIF[name], **options)
    assert mean_error(decode(data), hostile.photo()) <= (8 if format == "JPEG" else 0)


@pytest.mark.parametrize(
    ("brand", "word"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")]
)
def test_a18_phone_formats_are_named(brand: bytes, word: str) -> None:
    sentence = refusal(b"\0\0\0\x18ftyp" + brand + bytes(400))
    assert f"got {word}, which is not read. Save it as JPEG or PNG." in sentence


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((1, 1), "at least 16 pixels wide and high; got 1x1. Use a larger picture."),
        ((1, 20000), "at least 16 pixels wide and high; got 1x20000. Use a larger picture."),
        ((20000, 1), "at least 16 pixels wide and high; got 20000x1. Use a larger picture."),
        ((15, 16), "at least 16 pixels wide and high; got 15x16. Use a larger picture."),
        ((321, 16), "at most 20 times as long as wide; got 321x16. Cut out the part you need."),
        ((16, 321), "at most 20 times as long as wide; got 16x321. Cut out the part you need."),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "BMP"])
def test_a19_slivers_are_refused(format: str, size: tuple[int, int], words: str) -> None:
    assert refusal(hostile.saved(Image.new("RGB", size), format)) == f"a.jpg must be {words}"


@pytest.mark.parametrize("size", [(16, 16), (320, 16), (16, 320)])
def test_a19_the_limits_themselves_pass(size: tuple[int, int]) -> None:
    assert decode(hostile.saved(Image.new("RGB", size))).size == size


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a21_nothing_but_pixels_is_kept(format: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET maker"
    exif.get_ifd(0x8825)[1] = "SECRET place"
    options = {"comment": b"SECRET"} if format == "JPEG" else {}
    data = hostile.saved(
        hostile.photo(), format, exif=exif, icc_profile=b"SECRET" * 99, xmp=b"<SECRET/>", **options
    )
    assert data.count(b"SECRET") >= 3 - (format == "PNG")  # there the profile is packed
    image = decode(data)
    assert image.info == {}
    assert len(image.getexif()) == 0
    assert not any(b"SECRET" in repr(value).encode() for value in vars(image).values())
    for again in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert b"SECRET" not in hostile.saved(image, again)


@pytest.mark.parametrize("colour", ["white", "black", (200, 30, 30), (127, 127, 127)])
def test_a22_one_colour_is_blank(colour: object) -> None:
    image = Image.new("RGB", (64, 64), colour)  # type: ignore[arg-type]
    assert is_blank(decode(hostile.saved(image)))
    assert is_blank(decode(hostile.saved(image, "JPEG", quality=50)))


def test_a22_one_dot_is_not_blank() -> None:
    image = Image.new("RGB", (64, 64), "white")
    image.putpixel((40, 7), (255, 255, 200))
    assert not is_blank(image)
    assert not is_blank(hostile.photo())


@pytest.mark.parametrize(
    ("size", "draft_size", "decoded"),
    [
        ((1600, 1200), 224, (800, 600)),
        ((1600, 1200), 300, (800, 600)),
        ((1600, 1200), 301, (1600, 1200)),
        ((1600, 1200), 75, (200, 150)),
        ((1600, 1200), 1, (200, 150)),  # a decoder goes no further than 1/8
        ((1200, 1600), 150, (300, 400)),
        ((1604, 1200), 75, (401, 300)),  # 1/8 does not divide 1604
        ((1601, 1200), 75, (1601, 1200)),
        ((500, 375), 224, (500, 375)),
    ],
)
def test_draft_keeps_twice_what_is_asked(
    size: tuple[int, int], draft_size: int, decoded: tuple[int, int]
) -> None:
    data = hostile.saved(Image.new("RGB", size, "red"), "JPEG")
    assert decode(data, draft_size=draft_size).size == decoded
    assert decode(data).size == size


def test_draft_and_rotation_agree() -> None:
    block = hostile.exif(hostile.orientation_entry(6))
    data = hostile.saved(Image.new("RGB", (1600, 1200), "red"), "JPEG", exif=block)
    assert decode(data, draft_size=224).size == (600, 800)


def test_draft_leaves_other_formats_alone() -> None:
    data = hostile.saved(Image.new("RGB", (1600, 1200), "red"), "PNG")
    assert decode(data, draft_size=16).size == (1600, 1200)


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("size", [(1600, 1200), (900, 1200), (1001, 1203)])
def test_draft_is_not_seen_after_the_transform(size: tuple[int, int], subsampling: int) -> None:
    data = hostile.saved(hostile.photo(*size), "JPEG", quality=90, subsampling=subsampling)
    small = [
        decode(data, draft_size=draft_size).resize((224, 224), Image.Resampling.BICUBIC)
        for draft_size in (None, 224)
    ]
    assert mean_error(*small) < 0.7


@pytest.mark.data
def test_real_photos_decode_as_pillow_decodes_them(data_folder: Path) -> None:
    paths = sorted(path for path in data_folder.rglob("*") if is_image_name(path))[::97]
    assert len(paths) > 100
    for path in paths:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        assert mean_error(decode(path), upright) == 0, path


def test_a_photo_above_25_mp_is_always_decoded_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 100 * 100)
    data = hostile.saved(Image.new("RGB", (151, 101), "red"), "JPEG")
    assert decode(data).size == (76, 51)
    assert decode(data, draft_size=90).size == (76, 51)


def test_draft_size_is_checked() -> None:
    with pytest.raises(BadInputError, match=r"^draft_size must be at least 1; got 0\.$"):
        decode(WHOLE["whole.png"], draft_size=0)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "missing", "loop", "long name"])
def test_only_regular_files_are_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long name":
        path = tmp_path / ("a" * 300 + ".jpg")
    with pytest.raises(ImageError, match=r"a?photo\.jpg|aaa\.jpg") as caught:
        decode(path)
    regular = kind in ("missing", "loop", "long name")
    want = "a file that can be read; got " if regular else "a file; got a "
    assert want in str(caught.value)


def test_a_link_to_a_photo_is_read(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(WHOLE["whole.png"])
    (tmp_path / "link").symlink_to(tmp_path / "photo.png")
    assert mean_error(decode(tmp_path / "link"), hostile.photo()) == 0


@pytest.mark.parametrize("name", ["a\nb.jpg", "\x1b[2Ja.jpg", "\udcffa.jpg", "a\u202eb.jpg"])
def test_a_name_cannot_write_on_the_terminal(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(b"", name=name)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(ascii(name))


def test_an_error_is_bad_input_with_its_own_identifier() -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        decode(b"")
    assert isinstance(caught.value, BadInputError)
    assert caught.value.identifier == "bad-image"
    assert caught.value.exit_code == 3


def test_the_file_is_closed_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(WHOLE["baseline.jpg"])
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.exists() else 0
    kept = [decode(path) for _ in range(20)]
    after = len(list(open_files.iterdir())) if open_files.exists() else 0
    assert after == before
    assert all(getattr(image, "fp", None) is None for image in kept)


def test_nothing_warns() -> None:
    corpus = [*hostile.not_images().values(), *hostile.other_formats().values(), *WHOLE.values()]
    corpus += [data for whole in WHOLE.values() for data in hostile.flips(whole, 20)]
    corpus += [hostile.saved(hostile.photo(), "JPEG", exif=block) for block in BROKEN_EXIF.values()]
    corpus += [palette_file(transparency=bytes([255, 0, 128, 255]))[0]]
    corpus += [hostile.with_segment(WHOLE["baseline.jpg"], 0xE2, b"MPF\0" + bytes(30))]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for data in corpus:
            with contextlib.suppress(ImageError):
                decode(data)
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.jpg", True), ("a.JPEG", True), ("b/a.png", True), ("a.WebP", True), ("a.bmp", True),
        ("a.gif", True), ("a.txt", False), ("a.jpg.txt", False), ("jpg", False), (".jpg", False),
        ("._a.jpg", False), ("a.heic", False), ("a.tiff", False), ("b.jpg/a", False),
    ],
)  # fmt: skip
def test_image_names(name: str, is_one: bool) -> None:
    assert is_image_name(Path(name)) is is_one
