"""Decoding in a process that may die."""

import io
import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from retrieval.images import ImageError, decode
from ui.decoding import Decoder


def photo(side: int = 64, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, form)
    return memory.getvalue()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


@pytest.mark.parametrize(("form", "draft"), [("PNG", None), ("JPEG", None), ("JPEG", 30)])
def test_it_gives_what_decode_gives(decoder: Decoder, form: str, draft: int | None):
    data = photo(256, form)
    want = decode(data, draft_size=draft)
    got = decoder(data, name="a", draft_size=draft)
    assert got.size == want.size
    assert got.tobytes() == want.tobytes()


def test_its_sentences_are_those_of_decode(decoder: Decoder):
    for data in (b"", b"text", photo()[:-30], photo()[:900]):
        with pytest.raises(ImageError) as want:
            decode(data, name="ä.png")
        with pytest.raises(ImageError) as got:
            decoder(data, name="ä.png")
        assert str(got.value) == str(want.value)
    assert decoder(photo(), name="a").size == (64, 64)


def test_a_process_that_died_is_replaced(decoder: Decoder):
    for _ in range(2):
        decoder(photo(), name="a")
        process = decoder._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert decoder(photo(), name="a").size == (64, 64)
        assert decoder._process is not process


@pytest.mark.parametrize("which", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_that_hangs_or_dies_with_a_picture_is_a_sentence(
    which: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    decoder = Decoder(seconds=2)
    decoder(photo(), name="a")
    monkeypatch.setattr("ui.decoding.PATIENCE", 0.5)
    process = decoder._process
    assert process is not None
    real = process.stdin
    assert real is not None
    write = real.write

    def dying(data: bytes) -> int:
        os.kill(process.pid, which)
        return write(data)

    monkeypatch.setattr(process, "stdin", _Pipe(real, dying))
    with pytest.raises(ImageError, match=r"b\.png must be .* decoded within 2 s"):
        decoder(photo(), name="b.png")
    assert process.returncode == -signal.SIGKILL
    monkeypatch.setattr("ui.decoding.PATIENCE", 30)
    assert decoder(photo(), name="a").size == (64, 64)
    decoder.close()


class _Pipe:
    def __init__(self, pipe, write) -> None:
        self._pipe, self.write = pipe, write

    def __getattr__(self, name: str):
        return getattr(self._pipe, name)


def test_memory_is_limited():
    large = io.BytesIO()
    Image.new("RGB", (5000, 5000)).save(large, "PNG")
    small = Decoder(memory=150_000_000)
    with pytest.raises(ImageError, match="b must be"):
        small(large.getvalue(), name="b")
    small.close()


def test_threads_share_it(decoder: Decoder):
    pictures = [photo(32 + side) for side in range(6)]
    sizes: dict[int, tuple[int, int]] = {}

    def one(number: int) -> None:
        sizes[number] = decoder(pictures[number], name=str(number)).size

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == {number: (32 + number, 32 + number) for number in range(6)}
