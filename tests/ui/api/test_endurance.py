"""Ten thousand questions and ten thousand pictures leave nothing behind: rows I1 and I3."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from retrieval.errors import BadInputError
from tests.ui.api.conftest import STROKES, picture
from tests.ui.api.test_server import server
from tests.ui.process import Process, check_nothing_is_left
from ui.picture_readers import PictureReaders

COUNTS = [pytest.param(200, id="200"), pytest.param(10_000, id="10,000", marks=pytest.mark.slow)]
WARM = 10
"""One of so many comes before what is held is first counted."""


@pytest.mark.parametrize("count", COUNTS)
def test_i1_questions_leave_nothing_behind(root: Path, tmp_path: Path, count: int):
    ways = [{"id": "red/0.png"}, {"drawing": STROKES}, {"positive": ["red/1.png", "blue/0.png"]}]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with (
        (tmp_path / "log.txt").open("w") as log,
        server(root / "shop", stderr=log, TMPDIR=str(temporary)) as (process, address),
        httpx.Client(timeout=120) as client,
    ):
        this = Process(process.pid)
        for number in range(count):
            if number == count // WARM:
                before = this.held
            answer = client.post(f"{address}/collections/shop/search", json=ways[number % 3])
            assert len(answer.json()["hits"]) == 10
        check_nothing_is_left(this, before)
        assert list(temporary.iterdir()) == []


DATA = picture(form="JPEG")
BAD = [DATA[: len(DATA) // 2], b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(60), picture()[:-30]]


def halves(count: int) -> Iterator[tuple[int, bytes, bool]]:
    """Pictures, of which every second one is bad."""
    for number in range(count):
        good = number % 2 == 0
        yield number, DATA if good else BAD[number // 2 % len(BAD)], good


@pytest.mark.parametrize("count", COUNTS)
def test_i3_pictures_leave_nothing_behind(count: int):
    this = Process(os.getpid())
    with closing(PictureReaders(1, 60.0, 2 * 10**9)) as readers:
        for number, data, good in halves(count):
            if number == count // WARM:
                before = this.held
            try:
                made = readers.pixels(data, "photo")
            except BadInputError:
                assert not good
            else:
                assert good
                assert made.size == (80, 72)
        check_nothing_is_left(this, before)
