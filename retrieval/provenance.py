"""Where a figure comes from: what a reader needs to get it again, or to know why it differs."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "torchvision", "timm", "openvino", "numpy", "pillow", "faiss-cpu")
_SELF = "fine-grained-image-retrieval"


def provenance() -> dict[str, Any]:
    """Date, versions, hardware and commit of this run; plain values for JSON.

    Nothing is imported for it: a graphics card is named only where PyTorch runs already. Neither
    the machine's name nor the user's is recorded.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "hardware": hardware(),
        "commit": commit(Path(__file__).resolve().parents[1]),
    }


def versions() -> dict[str, str]:
    """Version of this program, of Python, and of each library that vectors depend on."""
    found = {"fgir": _version(_SELF), "python": platform.python_version()}
    found |= {name: _version(name) for name in _PACKAGES}
    return {name: version for name, version in found.items() if version}


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, memory, and the graphics card if PyTorch has one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {"processor": _processor(), "cores": cores}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        found["memory_gib"] = round(size / 2**30, 1)
    torch = sys.modules.get("torch")
    if torch is not None:
        found["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            found["graphics"] = torch.cuda.get_device_name()
    return found


def commit(folder: Path) -> str | None:
    """Git commit of a checkout, with "+changes" when its files differ; None for anything else."""
    if not (folder / ".git").exists():
        return None
    try:
        name = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):  # no git, or a repository it does not trust
        return None
    return name + ("+changes" if changed else "")


def _git(folder: Path, *command: str) -> str:
    run = subprocess.run(
        ["git", "-C", str(folder), *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return run.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
