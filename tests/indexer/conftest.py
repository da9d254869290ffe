"""What the tests of this room share."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.disk import DiskCollection
from tests.indexer.crash.forks import Forks
from tests.indexer.damages import Copies, make_copies
from tests.indexer.gallery import DIM, FINGERPRINT, items_of, vectors_of

Make = Callable[..., DiskCollection]


@pytest.fixture(scope="session")
def quick_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one.

    What a process has written is in the kernel, whatever the disk has of it, so a test loses
    nothing there but the wait for the disk, even when it kills processes.
    """
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path_factory.mktemp("quick")
        return
    folder = Path(tempfile.mkdtemp(dir=memory, prefix="fgir-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def quick_path(quick_root: Path) -> Iterator[Path]:
    """An empty folder in memory where there is one."""
    folder = Path(tempfile.mkdtemp(dir=quick_root))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tmp_path(quick_path: Path) -> Path:
    """The usual fixture, but quick; this room waits for the disk thousands of times."""
    return quick_path


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Processes that can be killed."""
    with Forks() as forks:
        yield forks


@pytest.fixture(scope="session")
def copies(quick_root: Path) -> Copies:
    """A collection at several moments; to be copied, not changed."""
    return make_copies(Path(tempfile.mkdtemp(dir=quick_root)))


@pytest.fixture
def closed(copies: Copies, tmp_path: Path) -> Path:
    """A collection that its writer closed in order, to be damaged."""
    return Path(shutil.copytree(copies.closed, tmp_path / "birds"))


@pytest.fixture
def killed(copies: Copies, tmp_path: Path) -> Path:
    """A collection as a killed writer leaves it, to be damaged."""
    return Path(shutil.copytree(copies.killed, tmp_path / "birds"))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes collections that are open for writing; those left open are closed at the end."""
    made: list[DiskCollection] = []

    def one(
        *names: str, engine: str = "exact", folder: str = "birds", dim: int = DIM
    ) -> DiskCollection:
        collection = DiskCollection.create(
            tmp_path / folder, dim=dim, fingerprint=FINGERPRINT, engine=engine
        )
        made.append(collection)
        if names:
            collection.add(vectors_of(names, dim=dim), items_of(names), fingerprint=FINGERPRINT)
        return collection

    yield one
    for collection in made:
        collection.close()
