"""The storage promises in parts, each of many small chunks, so that a long run can be gone on with.

A chunk depends on nothing but its part, its number and the seed. The default tests run the first
chunk of each part; tests marked slow and ``python -m benchmarks.reliability`` run the whole.
"""

import errno
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from indexer.choice import CHOICE, EngineChoice
from indexer.disk import DiskCollection
from indexer.manifest import STORE
from retrieval.errors import DamagedDataError
from tests.indexer.crash.crasher import LATE, Crashes
from tests.indexer.crash.faults import (
    DONE,
    FULL,
    PAGE,
    CannotMountError,
    fill_up,
    small_disk,
    survives,
)
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.keeping import Keeping
from tests.indexer.crash.readers import growth, read_beside_a_writer
from tests.indexer.crash.workload import NotKeptError, must
from tests.indexer.damages import (
    LOG,
    NAMES,
    QUERIES,
    Copies,
    Damage,
    append,
    folder_instead,
    make_copies,
    zero_page,
)
from tests.indexer.gallery import FINGERPRINT

ENGINES = ("exact", "faiss_flat", "faiss_hnsw")
WHAT = ("compact", "snapshot", "export", "import", "merge")
SEED = 4
SMALL = 1_024
"""Of files up to so many bytes each byte is changed."""

MANY = 200
"""Bytes changed in larger files, spread evenly."""

CUTS = 24


@dataclass
class Chunk:
    """What came of a chunk.

    Attributes:
        counts: How often what was tried and what was found.
        places: Functions in which a process was killed.
        faults: Sentences about promises that were not kept.
    """

    counts: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def case(self, name: str, run: Callable[[], None]) -> None:
        """Run one case and note it when a promise was not kept."""
        try:
            run()
        except NotKeptError as error:
            self.counts[error.kind] += 1
            self.faults.append(f"{name}: {error}")


@dataclass(frozen=True)
class Part:
    """One promise, one engine or command.

    Attributes:
        chunks: How many of them are the whole.
        run: Takes processes, an empty folder and the chunk's number.
    """

    name: str
    chunks: int
    run: Callable[[Forks, Path, int], Chunk]


def kills_at_lines(engine: str, chunks: int, forks: Forks, root: Path, number: int) -> Chunk:
    """Every so many lines of the storage code, over the whole life of a collection."""
    chunk = Chunk()
    crashes = Crashes(forks, root, engine, SEED)
    lines = np.linspace(1, crashes.lines() - LATE, 10 * chunks).astype(int)

    def kill(line: int) -> None:
        chunk.counts["kills at named points"] += 1
        found, place = crashes.kill_at(line)
        chunk.places.add(place)
        chunk.counts[f"found {found}"] += 1

    for line in lines[number::chunks].tolist():
        chunk.case(f"line {line}", partial(kill, line))
    return chunk


def kills_of_commands(what: str, chunks: int, forks: Forks, root: Path, number: int) -> Chunk:
    """The same while a collection is compacted, copied, exported, imported or merged."""
    chunk = Chunk()
    keeping = Keeping(root, what, ENGINES[number % len(ENGINES)])
    lines = np.linspace(1, 0.97 * keeping.lines(forks), 6 * chunks).astype(int)
    place = root / "place"

    def kill(line: int) -> None:
        chunk.counts["kills at named points"] += 1
        keeping.begin()
        status = keeping.run(forks, kill_at_line=line, place=str(place))
        assert status == -9, f"line {line} was not reached: {status}"
        chunk.places.add(place.read_text())
        done = keeping.check(whole=False)
        found = "whole" if what == "compact" else "after" if done else "before"
        chunk.counts[f"found {found}"] += 1
        keeping.end(forks)

    for line in lines[number::chunks].tolist():
        chunk.case(f"line {line}", partial(kill, line))
    return chunk


def kills_at_random(engine: str, forks: Forks, root: Path, number: int) -> Chunk:
    """Twenty-four victims, one after the other, in one collection."""
    chunk = Chunk()

    def kill() -> None:
        crashes = Crashes(forks, root, engine, 1_000 * SEED + number)
        for found, made in crashes.kill_at_random(24):
            chunk.counts["kills at random"] += 1
            chunk.counts[f"found {found}"] += 1
            chunk.counts["changes acknowledged before a kill"] += made

    chunk.case(f"seed {1_000 * SEED + number}", kill)
    return chunk


def damages(engine: str, chunks: int, forks: Forks, root: Path, number: int) -> Chunk:
    """Bytes changed, files cut, exchanged and taken away, each in a copy of a good collection."""
    options = {"ef_search": 99} if engine == "faiss_hnsw" else {}
    copies = make_copies(root, EngineChoice(engine, options))
    chunk = Chunk()

    def damage(folder: Path, file: str, kind: str, change: Damage, *, named: bool) -> None:
        shutil.rmtree(root / "hurt", ignore_errors=True)
        shutil.copytree(folder, root / "hurt")
        change(root / "hurt" / file)
        chunk.counts[f"{kind}s" if kind != "byte" else "bytes changed"] += 1
        # A page that nothing refers to may be changed, and whether an engine was ever chosen nobody
        # can tell without the record of it.
        missing = not (root / "hurt" / file).exists()
        harmless = folder == copies.killed or (missing and file == CHOICE)
        found = told_of(root / "hurt", file if named else "", copies, harmless=harmless)
        chunk.counts[found] += 1

    for file, folder, kind, name, change in list(_damages(copies))[number::chunks]:
        named = kind != "exchange"
        case = partial(damage, folder, file, kind, change, named=named)
        chunk.case(f"{file}, {name}", case)
    return chunk


def told_of(folder: Path, file: str, copies: Copies, *, harmless: bool) -> str:
    """Whether a damaged file was "refused" or "rebuilt", or is "without effect" where it may be.

    Raises:
        NotKeptError: It was answered from, or the message does not name it.
    """
    try:
        with DiskCollection.open(folder) as collection:
            answers = collection.search(QUERIES, 10, fingerprint=FINGERPRINT)
            right = sorted(collection.ids()) == sorted(NAMES[3:]) and answers == copies.answers
            must("mixed", right, "other answers")
            collection.encoder_folder()
            found, said = "rebuilt", " ".join(collection.notices)
    except DamagedDataError as error:
        found, said = "refused", str(error)
        file = STORE if file == LOG else file  # the log has no meaning by itself
    if harmless and found == "rebuilt":
        return "without effect"
    must("silent", said != "", "nothing was said")
    must("unnamed", str(folder / file) in said, said)
    return found


def _damages(copies: Copies) -> Iterator[tuple[str, Path, str, str, Damage]]:
    """File, collection, kind, name and change of every damage, in a fixed order."""
    closed, killed = copies.closed, copies.killed
    random = np.random.default_rng(SEED)
    files = [path for path in sorted(closed.rglob("*")) if path.is_file()]
    files = [path for path in files if path.name != "LOCK"]  # says nothing that is believed
    for path in [*files, killed / STORE, killed / LOG]:
        folder = closed if closed in path.parents else killed
        changes = [*_small_damages(path.stat().st_size, random)]
        if folder == closed:
            changes += _large_damages(path, copies)
        for kind, name, change in changes:
            yield path.relative_to(folder).as_posix(), folder, kind, name, change


def _small_damages(size: int, random: np.random.Generator) -> Iterator[tuple[str, str, Damage]]:
    for place in range(size) if size <= SMALL else np.linspace(0, size - 1, MANY).astype(int):
        mask = int(random.integers(1, 256))
        yield "byte", f"byte {place} xor {mask}", partial(_change, place, mask)
    for length in sorted({*np.linspace(0, size - 1, CUTS).astype(int).tolist()}):
        yield "cut", f"cut to {length}", partial(_cut, length)


def _large_damages(path: Path, copies: Copies) -> Iterator[tuple[str, str, Damage]]:
    for name, change in _HARMS.items():
        yield "other change", name, change
    place = path.relative_to(copies.closed)
    strange = [copies.older / place, copies.other / place, *sorted(path.parent.iterdir())]
    for one in strange:
        if one.is_file() and one.read_bytes() != path.read_bytes():
            name = f"{one.relative_to(copies.closed.parent)} instead"
            yield "exchange", name, partial(_exchange, one)


_HARMS: dict[str, Damage] = {
    "a byte more": append,
    "missing": Path.unlink,
    "a folder": folder_instead,
    "a page of zeros": zero_page(0),
}


def _change(place: int, mask: int, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)


def _cut(length: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:length])


def _exchange(strange: Path, path: Path) -> None:
    shutil.copy(strange, path)


def full_disks(engine: str, chunks: int, forks: Forks, root: Path, number: int) -> Chunk:
    """Disks of every size in steps of 4 KiB, from one page to one that is large enough."""
    chunk = Chunk()
    ends = []

    def fill(size: int) -> None:
        with small_disk(root / "disk", size) as disk:
            chunk.counts["full disks"] += 1
            ends.append(fill_up(forks, disk, root, engine))
            chunk.counts["told" if ends[-1] == FULL else "large enough"] += 1

    for pages in range(1 + number, 4_000, chunks):
        try:
            chunk.case(f"{pages} pages", partial(fill, pages * PAGE))
        except CannotMountError:
            chunk.counts["left out: no right to mount"] += 1
            break
        if DONE in ends:
            break
    return chunk


def failing_calls(engine: str, chunks: int, forks: Forks, root: Path, number: int) -> Chunk:
    """The 1st call that reaches the disk fails, then the 2nd ... until none is left."""
    chunk = Chunk()
    ends = []

    def fail(call: int) -> None:
        chunk.counts["failing calls"] += 1
        fault = {"fail_call": call, "error": errno.ENOSPC, "close_every": 2}
        ends.append(survives(forks, root, engine, 4, **fault))
        chunk.counts["told" if ends[-1] == FULL else "did without"] += 1

    for call in range(1 + number, 400, chunks):
        chunk.case(f"call {call}", partial(fail, call))
        if call > 60 and ends[-1:] == [DONE]:
            break
    return chunk


def answers(engine: str, forks: Forks, root: Path, number: int) -> Chunk:
    """Two hundred answers and more, of four readers beside a writer."""
    chunk = Chunk()

    def read() -> None:
        for reader in read_beside_a_writer(forks, root, engine, 50, 5):
            chunk.counts["answers checked"] += reader["answers"]
            chunk.counts["generations seen"] += reader["generations"]
            chunk.counts["asked to try again"] += reader["busy"]
            chunk.counts["mixed"] += len(reader["faults"])
            chunk.faults += reader["faults"]

    chunk.case("readers", read)
    return chunk


def endurance(engine: str, forks: Forks, root: Path, number: int, last: int = 10_000) -> Chunk:
    """Ten thousand questions to one process."""
    grown = growth(forks, root, engine, last // 10, last)
    counts = {"questions": last, "growth in bytes": max(0, grown["bytes"])}
    others = {name: one for name, one in grown.items() if name != "bytes" and one}
    faults = [f"more {name}: {one}" for name, one in others.items()]
    faults += [f"{grown['bytes']:,} bytes more"] if grown["bytes"] >= 20e6 else []
    return Chunk(Counter(counts), faults=faults)


PARTS = {
    part.name: part
    for part in (
        *(Part(f"kills at lines, {one}", 8, partial(kills_at_lines, one, 8)) for one in ENGINES),
        *(Part(f"kills of {one}", 4, partial(kills_of_commands, one, 4)) for one in WHAT),
        *(Part(f"kills at random, {one}", 14, partial(kills_at_random, one)) for one in ENGINES),
        *(Part(f"damage, {one}", 40, partial(damages, one, 40)) for one in ENGINES),
        *(Part(f"full disks, {one}", 16, partial(full_disks, one, 16)) for one in ENGINES),
        *(Part(f"failing calls, {one}", 12, partial(failing_calls, one, 12)) for one in ENGINES),
        *(Part(f"readers, {one}", 9, partial(answers, one)) for one in ENGINES),
        *(Part(f"questions, {one}", 1, partial(endurance, one)) for one in ENGINES),
    )
}
