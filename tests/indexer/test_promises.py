"""The promises of docs/reliability.md: a little of each part by default, the whole when slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.indexer.crash.forks import Forks
from tests.indexer.crash.parts import ENGINES, PARTS, Chunk, endurance
from tests.indexer.crash.workload import few_rows_are_many

LITTLE = {name: part for name, part in PARTS.items() if "questions" not in name}


@pytest.fixture(autouse=True)
def small_indexes() -> Iterator[None]:
    with few_rows_are_many():
        yield


def kept(chunk: Chunk, name: str) -> None:
    if "left out: no right to mount" in chunk.counts:
        pytest.skip("needs the right to mount")
    assert chunk.faults == []
    assert sum(chunk.counts.values()) >= 6, name


@pytest.mark.parametrize("name", LITTLE)
def test_the_first_chunk_keeps_its_promise(forks: Forks, tmp_path: Path, name: str):
    kept(LITTLE[name].run(forks, tmp_path, 0), name)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_thousand_questions_leave_nothing_behind(forks: Forks, tmp_path: Path, engine: str):
    kept(endurance(engine, forks, tmp_path, 0, last=1_000), engine)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"), [(part.name, one) for part in PARTS.values() for one in range(part.chunks)]
)
def test_every_chunk_keeps_its_promise(forks: Forks, tmp_path: Path, name: str, number: int):
    kept(PARTS[name].run(forks, tmp_path, number), name)
