"""What a power loss may leave, from a log of the system calls of one run.

The log is replayed on a file system in which a file's bytes are safe once the file was
synchronised, and a name once its folder was. At each call, several disks are made of what was not
safe yet.

References:
    Pillai et al., All File Systems Are Not Created Equal, OSDI 2014.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.indexer.crash.forks import ROOT

CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,mkdir,rmdir"
_LINE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\S+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPENED = re.compile(r"^\d+<(?P<path>[^>]*)>")


@dataclass
class File:
    """Bytes as the process sees them, those that are safe, and what was written in between."""

    data: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        _put(self.data, offset, data)
        self.pending.append((offset, data))

    def cut(self, size: int) -> None:
        self.data[:] = self.data[:size].ljust(size, b"\0")
        self.pending.append(size)

    def sync(self) -> None:
        self.safe = bytes(self.data)
        self.pending.clear()

    def after(self, loss: str) -> bytes:
        """The bytes on the disk after the power is lost."""
        data = bytearray(self.safe)
        pending = {"all": [], "torn": self.pending[:-1], "reordered": self.pending[-1:]}[loss]
        for one in pending:
            _apply(data, one)
        if loss == "torn" and self.pending and not isinstance(self.pending[-1], int):
            offset, written = self.pending[-1]
            _put(data, offset, written[: len(written) // 2])
        return bytes(data)


@dataclass
class Folder:
    """Names as the process sees them, and those that are safe."""

    names: dict[str, "File | Folder"] = field(default_factory=dict)
    safe: dict[str, "File | Folder"] = field(default_factory=dict)

    def sync(self) -> None:
        self.safe = dict(self.names)


def can_trace() -> bool:
    """Whether system calls can be logged here."""
    try:
        tried = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def record(root: Path, **facts: Any) -> list[str]:
    """The system calls of one run of :func:`tests.indexer.crash.forks.change` below ``root``."""
    log = root.with_name(f"{root.name} calls")
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-xx", "-s", "100000", "-o", str(log), "-e"]  # noqa: RUF005
        + [f"trace={CALLS}", sys.executable, "-m", "tests.indexer.crash.forks"]
        + [json.dumps({"kind": "change", **facts})],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    return log.read_text().splitlines()


def losses(root: Path, calls: list[str], disk: Path) -> Iterator[None]:
    """Make ``disk`` each of the disks that a power loss at each of the calls may leave.

    What the process has told the outside by then is always whole: the files directly in ``root``.
    """
    base = Folder()
    seen: set[frozenset[tuple[str, bytes]]] = set()
    for call in calls:
        if not _replay(base, root, call):
            continue
        for names in ("lost", "kept"):
            for loss in ("all", "torn", "reordered"):
                files = dict(_files(base, names == "kept", loss))
                state = frozenset(files.items())
                if state not in seen:
                    seen.add(state)
                    _make(disk, files)
                    yield


def _replay(base: Folder, root: Path, line: str) -> bool:
    """Apply one call; False when it changes nothing below ``root``."""
    found = _LINE.match(line)
    if found is None or found["result"].startswith("-"):
        return False
    call, arguments = found["call"], found["arguments"]
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
    opened = _OPENED.match(arguments)
    names = [os.fsdecode(text) for text in texts]
    if opened is not None:
        return _on_file(base, root, call, _unescaped(opened["path"]), texts, arguments)
    paths = [Path(name) for name in names if root in Path(name).parents]
    return bool(paths) and _on_name(base, root, call, paths, arguments)


def _on_file(
    base: Folder, root: Path, call: str, name: str, texts: list[bytes], arguments: str
) -> bool:
    path = Path(name)
    if root not in (path, *path.parents) or call == "openat":
        return False
    node = _find(base, root, path)
    if call in ("fsync", "fdatasync"):
        node.sync()
        return True
    assert isinstance(node, File)
    numbers = [int(number) for number in re.findall(r", (\d+)", arguments)]
    if call == "pwrite64":
        node.write(numbers[-1], texts[0])
    elif call == "write":
        node.write(len(node.data), texts[0])
    elif call == "ftruncate":
        node.cut(numbers[-1])
    return True


def _on_name(base: Folder, root: Path, call: str, paths: list[Path], arguments: str) -> bool:
    folder = _find(base, root, paths[0].parent)
    assert isinstance(folder, Folder)
    name = paths[0].name
    if call == "openat":
        if "O_CREAT" not in arguments or name in folder.names:
            return False
        folder.names[name] = File()
    elif call == "mkdir":
        folder.names[name] = Folder()
    elif call in ("unlink", "rmdir"):
        del folder.names[name]
    elif call == "rename":
        target = _find(base, root, paths[1].parent)
        assert isinstance(target, Folder)
        target.names[paths[1].name] = folder.names.pop(name)
    return True


def _find(base: Folder, root: Path, path: Path) -> "File | Folder":
    node: File | Folder = base
    for part in path.relative_to(root).parts:
        assert isinstance(node, Folder)
        node = node.names[part]
    return node


def _files(folder: Folder, kept: bool, loss: str, way: str = "") -> Iterator[tuple[str, bytes]]:
    outside = way == ""
    for name, node in (folder.names if kept or outside else folder.safe).items():
        if isinstance(node, Folder):
            if outside and not kept and name not in folder.safe:
                continue
            yield f"{way}{name}/", b""
            yield from _files(node, kept, loss, f"{way}{name}/")
        elif not name.endswith("-shm"):
            yield way + name, bytes(node.data) if outside else node.after(loss)


def _make(disk: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    for name, data in files.items():
        if name.endswith("/"):
            (disk / name).mkdir(parents=True, exist_ok=True)
        else:
            (disk / name).write_bytes(data)


def _unescaped(text: str) -> str:
    return os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", _byte, os.fsencode(text)))


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def _put(data: bytearray, offset: int, written: bytes) -> None:
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(written)] = written


def _apply(data: bytearray, one: tuple[int, bytes] | int) -> None:
    if isinstance(one, int):
        data[:] = data[:one].ljust(one, b"\0")
    else:
        _put(data, *one)
