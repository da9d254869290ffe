"""What the storage promises were put to, and what came of it.

    python -m benchmarks.reliability --folder /tmp/reliability

Processes are killed, disks filled, files damaged and readers run beside writers, in small chunks
with fixed seeds. What came of each chunk is a line of FOLDER/chunks.jsonl as soon as it ended: a run
that was stopped is gone on with by the same command, and its table says how much of the whole there
is. The parts are those of tests/indexer/crash/parts.py; docs/reliability.md says what they mean.
"""  # noqa: E501

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from retrieval.files import write_atomically
from retrieval.provenance import provenance
from tests.indexer.crash.forks import Forks
from tests.indexer.crash.parts import PARTS, SEED, Part
from tests.indexer.crash.workload import few_rows_are_many

RESULTS = Path(__file__).resolve().parent / "results"
MEMORY = Path("/dev/shm")
WRONG = ("lost", "phantom", "unreadable", "mixed", "silent", "unnamed", "left over")

Line = dict[str, Any]


def main() -> None:
    """Run what is missing, print the table, write results/reliability.md and .json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps what was done so far")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no chunk after so many")
    parser.add_argument("--note", default="", help="for the reader, such as what else was running")
    parser.add_argument("--out", type=Path, default=RESULTS / "reliability")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    kept = chosen.folder / "chunks.jsonl"
    run(kept, time.monotonic() + 60 * chosen.minutes)
    write(chosen.out, done_in(kept), chosen.note)


def run(kept: Path, until: float) -> None:
    """Run each chunk that is not in ``kept`` and add its line."""
    lines = done_in(kept)
    write_atomically(kept, "".join(json.dumps(line) + "\n" for line in lines).encode())
    done = {(line["part"], line["chunk"]) for line in lines}
    missing = [one for one in chunks() if (one[0].name, one[1]) not in done]
    with ExitStack() as stack:
        forks = stack.enter_context(Forks())
        stack.enter_context(few_rows_are_many())
        for place, (part, number) in enumerate(missing, 1):
            if time.monotonic() > until:
                return
            line = line_of(forks, part, number)
            with kept.open("a") as file:
                file.write(json.dumps(line) + "\n")
            said = ", ".join(f"{count:,} {name}" for name, count in line["counts"].items())
            print(f"{place}/{len(missing)} {part.name} {number}: {said}", *line["faults"], sep="\n")


def chunks() -> Iterator[tuple[Part, int]]:
    """All chunks; the first ones of every part come first."""
    for number in range(max(part.chunks for part in PARTS.values())):
        yield from ((part, number) for part in PARTS.values() if number < part.chunks)


def line_of(forks: Forks, part: Part, number: int) -> Line:
    """What came of one chunk."""
    start = time.monotonic()
    quick = MEMORY if os.access(MEMORY, os.W_OK) else None  # what was written is in the kernel
    with tempfile.TemporaryDirectory(dir=quick, prefix="fgir-reliability-") as folder:
        chunk = part.run(forks, Path(folder), number)
    return {
        "part": part.name,
        "chunk": number,
        "seed": SEED,
        "seconds": round(time.monotonic() - start, 1),
        "counts": dict(chunk.counts),
        "places": sorted(chunk.places),
        "faults": chunk.faults,
        "commit": provenance()["commit"],
    }


def done_in(kept: Path) -> list[Line]:
    """The lines so far; one that was cut short by a kill is left out."""
    lines = kept.read_text().split("\n")[:-1] if kept.exists() else []
    return [json.loads(line) for line in lines]


def write(out: Path, lines: list[Line], note: str) -> None:
    """The table, for people and for programs."""
    parts = []
    for part in PARTS.values():
        mine = [line for line in lines if line["part"] == part.name]
        counts = sum((Counter(line["counts"]) for line in mine), Counter[str]())
        parts.append({"part": part.name, "chunks": len(mine), "of": part.chunks, **counts})
    total = sum((Counter(line["counts"]) for line in lines), Counter[str]())
    figures = {
        "seed": SEED,
        "chunks": len(lines),
        "of": sum(part.chunks for part in PARTS.values()),
        "minutes": round(sum(line["seconds"] for line in lines) / 60, 1),
        "commits": sorted({line["commit"] or "unknown" for line in lines}),
        "functions killed in": len({place for line in lines for place in line["places"]}),
        "largest growth in bytes": max(
            (line["counts"].get("growth in bytes", 0) for line in lines), default=0
        ),
        **{name: total[name] for name in WRONG},
        "faults": [f"{line['part']}: {one}" for line in lines for one in line["faults"]],
    }
    facts = provenance() | {"total": total, "parts": parts, "note": note} | figures
    out.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    text = "\n\n".join(_text(facts, total, parts, note))
    out.with_suffix(".md").write_text(text + "\n")
    print(text)


def _text(
    facts: dict[str, Any], total: Counter[str], parts: list[dict[str, Any]], note: str
) -> Iterator[str]:
    yield "# What the storage promises were put to"
    wrong = ", ".join(f"{facts[name]} {name}" for name in WRONG)
    growth = facts["largest growth in bytes"] / 1e6
    rows = [
        ("kills (-9) at named points", f"{total['kills at named points']:,}"),
        ("functions they fell in", f"{facts['functions killed in']:,}"),
        ("kills (-9) at random moments", f"{total['kills at random']:,}"),
        ("bytes changed", f"{total['bytes changed']:,}"),
        ("files cut short", f"{total['cuts']:,}"),
        (
            "files exchanged, taken away and more",
            f"{total['exchanges'] + total['other changes']:,}",
        ),
        ("damages refused by the file's name", f"{total['refused']:,}"),
        ("damages named and made good from the store", f"{total['rebuilt']:,}"),
        ("damages without effect on any answer, where that is no fault", total["without effect"]),
        ("full disks, in steps of 4 KiB", f"{total['full disks']:,}"),
        ("calls that failed with a full disk, in turn", f"{total['failing calls']:,}"),
        ("answers of four readers beside a writer, each compared", f"{total['answers checked']:,}"),
        ("largest growth from question 1,000 to 10,000", f"{growth:.1f} MB"),
        ("**not kept**", f"**{wrong}**"),
    ]
    yield "\n".join(["| what | count |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    yield f"{facts['chunks']} of {facts['of']} chunks were run, in {facts['minutes']} minutes."
    named = ["| part | chunks | what came of it |", "|---|---|---|"]
    for part in parts:
        said = [f"{count:,} {name}" for name, count in list(part.items())[3:]]
        named.append(f"| {part['part']} | {part['chunks']} of {part['of']} | {', '.join(said)} |")
    yield "\n".join(named)
    if facts["faults"]:
        yield "\n".join(f"- {one}" for one in facts["faults"])
    if note:
        yield note
    yield (
        f"Measured {facts['date']} at commit {', '.join(facts['commits'])}, seed {facts['seed']}: "
        f"{facts['hardware']}, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}, "
        f"{facts['versions']}.\n\n    python -m benchmarks.reliability --folder FOLDER"
    )


if __name__ == "__main__":
    main()
