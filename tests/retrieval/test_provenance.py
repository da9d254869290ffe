"""What is recorded of a run, and that it names no person and no machine."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.provenance import commit, provenance, versions


def test_says_what_a_reader_needs() -> None:
    facts = provenance()
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["hardware"]["cores"] >= 1
    assert facts["hardware"]["processor"]
    assert facts["date"].endswith("+00:00")
    assert json.loads(json.dumps(facts)) == facts


def test_names_neither_the_machine_nor_a_folder() -> None:
    facts = provenance()
    values = [*facts["versions"].values(), *facts["hardware"].values()]
    assert platform.node() not in values
    assert not [value for value in values if str(value).startswith(("/", "\\"))]


def test_a_library_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.provenance._PACKAGES", ("numpy", "no-such-library"))
    assert set(versions()) <= {"fgir", "python", "numpy"}


def git(folder: Path, *command: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)


def test_commit_of_a_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "first")
    name = commit(tmp_path)
    assert name is not None
    assert len(name) == 40
    (tmp_path / "a.txt").write_text("two")
    assert commit(tmp_path) == f"{name}+changes"


def test_no_checkout_and_a_broken_one(tmp_path: Path) -> None:
    assert commit(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None


def test_needs_no_heavy_import() -> None:
    program = (
        "import sys, retrieval.provenance as p; p.provenance(); "
        "print([m for m in ('torch', 'timm', 'numpy') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
