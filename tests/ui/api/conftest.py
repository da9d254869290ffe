"""A shop that is served: coloured discs with numbers, searched by photo and by sketch."""

import io
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from indexer.build import build_collection
from indexer.choice import EngineChoice
from indexer.disk import DiskCollection
from indexer.sources import Entry
from retrieval.encoder import build_encoder
from retrieval.encoder_folders import save_pair
from retrieval.encoder_pair import EncoderPair
from ui.api.app import make_app
from ui.api.limits import Limits
from ui.api.service import Service
from ui.building import create_or_resume_folder

STROKES = {"strokes": [{"p": [[40, 60], [200, 60], [120, 190], [40, 60]]}]}

Serve = Callable[..., TestClient]


@pytest.fixture(scope="session")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures, and a collection of 16 of them by a pair of HOG encoders."""
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(photos, root / "photos")
    photo = build_encoder("hog", size=64)
    pair = EncoderPair(photo, photo)
    save_pair(pair, root / "pair")
    entries = [
        Entry(f"{label}/{number}.png", f"{label}/{number}.png", label, {"price": 10 * number})
        for label in ("red", "green", "blue", "grey")
        for number in range(4)
    ]
    with create_or_resume_folder(root / "shop", pair, EngineChoice("exact")) as collection:
        build_collection(collection, entries, root / "photos", pair, runtime="eager")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "served"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve collections to a client in this process."""
    with ExitStack() as clients:

        def started(
            *folders: Path, limits: Limits | None = None, writable: bool = False, **options: Any
        ) -> TestClient:
            few = limits or Limits(running=2)
            service = Service.open(folders, limits=few, writable=writable)
            client = TestClient(make_app(service, **options), base_url="http://127.0.0.1")
            return clients.enter_context(client)

        yield started


@pytest.fixture(scope="module")
def shop(made: Path) -> Iterator[TestClient]:
    """The shop, for search alone."""
    logging.getLogger("fgir.serve").setLevel(logging.INFO)
    service = Service.open([made / "shop"], limits=Limits(running=2))
    with TestClient(make_app(service), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def opened(made: Path) -> Iterator[DiskCollection]:
    """The collection itself, to compare with."""
    with DiskCollection.open(made / "shop") as collection:
        yield collection


def photo(root: Path, name: str = "red/0.png") -> dict[str, tuple[str, bytes]]:
    """One of the pictures, as a form's file."""
    return {"photo": ("a.png", (root / "photos" / name).read_bytes())}


def picture(size: tuple[int, int] = (80, 72), colour: str = "#a3c", form: str = "PNG") -> bytes:
    """A new picture of a bar on white."""
    image = Image.new("RGB", size, "white")
    image.paste(colour, (10, 20, 60, 34))
    memory = io.BytesIO()
    image.save(memory, form)
    return memory.getvalue()
