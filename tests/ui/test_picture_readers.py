"""Decoding in processes that may die, for the page and for HTTP."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrieval.images import ImageError, decode
from ui.picture_readers import PictureReaders

LARGE = 1_500_000_000


def photo(side: int = 64, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, form)
    return memory.getvalue()


@pytest.fixture(scope="module")
def readers() -> Iterator[PictureReaders]:
    made = PictureReaders(2, 10, LARGE, patience=30)
    yield made
    made.close()


@pytest.mark.parametrize(("form", "draft"), [("PNG", None), ("JPEG", None), ("JPEG", 30)])
def test_it_gives_what_decode_gives(readers: PictureReaders, form: str, draft: int | None):
    data = photo(256, form)
    want = decode(data, draft_size=draft)
    got = readers.pixels(data, "a", draft)
    assert got.size == want.size
    assert got.tobytes() == want.tobytes()


def test_its_sentences_are_those_of_decode(readers: PictureReaders):
    for data in (b"", b"text", photo()[:-30], photo()[:900]):
        with pytest.raises(ImageError) as want:
            decode(data, name="ä.png")
        with pytest.raises(ImageError) as got:
            readers.pixels(data, "ä.png")
        assert str(got.value) == str(want.value)
    assert readers.pixels(photo(), "a").size == (64, 64)


def test_a_process_that_died_is_replaced(readers: PictureReaders):
    for _ in range(4):
        readers.pixels(photo(), "a")
        process = only(readers)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert readers.pixels(photo(), "a").size == (64, 64)
        assert only(readers) is not process


@pytest.mark.parametrize(
    ("which", "got"), [(signal.SIGSTOP, "over 2 s of work"), (signal.SIGKILL, "a dead decoder")]
)
def test_a_process_that_hangs_or_dies_with_a_picture_is_a_sentence(
    which: signal.Signals, got: str, monkeypatch: pytest.MonkeyPatch
):
    readers = PictureReaders(1, 2, LARGE, patience=30)
    readers.pixels(photo(), "a")
    process = only(readers)
    real = process.stdin
    assert real is not None
    write = real.write

    def dying(data: bytes) -> int:
        os.kill(process.pid, which)
        return write(data)

    monkeypatch.setattr(process, "stdin", _Pipe(real, dying))
    monkeypatch.setattr(readers, "_patience", 0.5)
    with pytest.raises(ImageError, match=rf"b\.png must be .* decoded; got {got}\. Save it again"):
        readers.pixels(photo(), "b.png")
    assert process.returncode == -signal.SIGKILL
    monkeypatch.setattr(readers, "_patience", 30)
    assert readers.pixels(photo(), "a").size == (64, 64)
    readers.close()


def test_a_picture_gets_so_much_processor_time_and_no_more(monkeypatch: pytest.MonkeyPatch):
    """However long the clock may run: the process works without end."""
    working = (
        "import json, struct, sys; from ui.picture_reader import _allow, receive; "
        "receive(sys.stdin.buffer); _allow(0.2)\nwhile True: pass"
    )
    monkeypatch.setattr("ui.picture_readers._PROGRAM", working)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    readers = PictureReaders(1, 0.2, LARGE, patience=3000)
    with pytest.raises(ImageError, match=r"b must be .* got over 0\.2 s of work"):
        readers.pixels(photo(), "b")
    readers.close()


def test_each_picture_has_its_own_time():
    """A process that has worked for longer than one picture may take reads on."""
    readers = PictureReaders(1, 1, LARGE, patience=3000)
    data = photo(1200)
    readers.pixels(data, "a")
    process = only(readers)
    while processor_time(process) < 2.5:
        assert readers.pixels(data, "a").size == (1200, 1200)
        assert only(readers) is process
    readers.close()


def processor_time(process: subprocess.Popen[bytes]) -> float:
    """In seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class _Pipe:
    def __init__(self, pipe, write) -> None:
        self._pipe, self.write = pipe, write

    def __getattr__(self, name: str):
        return getattr(self._pipe, name)


def only(readers: PictureReaders) -> subprocess.Popen[bytes]:
    """The process that was asked last."""
    waiting = [readers._idle.get() for _ in range(readers._count)]
    for one in waiting:
        readers._idle.put(one)
    assert waiting[-1] is not None
    return waiting[-1]


def test_memory_is_limited():
    large = io.BytesIO()
    Image.new("RGB", (5000, 5000)).save(large, "PNG")
    small = PictureReaders(1, 10, 150_000_000, patience=30)
    with pytest.raises(ImageError, match="b must be"):
        small.pixels(large.getvalue(), "b")
    small.close()


def test_threads_share_it(readers: PictureReaders):
    pictures = [photo(32 + side) for side in range(6)]
    sizes: dict[int, tuple[int, int]] = {}

    def one(number: int) -> None:
        sizes[number] = readers.pixels(pictures[number], str(number)).size

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == {number: (32 + number, 32 + number) for number in range(6)}
