"""Rules of the house that no type checker knows, kept by reading the code and not by memory.

Each rule is a function from the syntax tree of a file to the lines that break it, and is itself
shown code that breaks it.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("retrieval", "indexer", "train", "ui")
FILES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))

Rule = Callable[[ast.AST], Iterator[int]]


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module or name that is imported, in full, however it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and dotted(node.func).endswith(
            ("import_module", "__import__")
        ):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                yield str(first.value), node.lineno


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a chain of attributes; empty for anything else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def uses(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every dotted name, such as torch.load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield dotted(node), node.lineno


def imports_of(*modules: str) -> Rule:
    """Breaks where one of these is imported, or reached through its package."""

    def rule(tree: ast.AST) -> Iterator[int]:
        for name, line in [*imports(tree), *uses(tree)]:
            if any(name == module or name.startswith(module + ".") for module in modules):
                yield line

    return rule


def unsafe_loads(tree: ast.AST) -> Iterator[int]:
    """Breaks at a call that may unpickle: whatever it reads could run code."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if dotted(node.func) in ("torch.load", "torch.hub.load", "pandas.read_pickle"):
            yield node.lineno
        for option in node.keywords:
            safe = isinstance(option.value, ast.Constant) and option.value.value is False
            if option.arg == "allow_pickle" and not safe:
                yield node.lineno
    yield from (line for name, line in imports(tree) if name == "torch.load")


def half_photos(tree: ast.AST) -> Iterator[int]:
    """Breaks where Pillow is told to accept files that are cut short; asking is allowed."""
    name = "LOAD_TRUNCATED_IMAGES"
    for node in ast.walk(tree):
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        if stored and name in (getattr(node, "attr", ""), getattr(node, "id", "")):
            yield getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and node.value == name:  # setattr
            yield node.lineno


def pillow_opens(tree: ast.AST) -> Iterator[int]:
    """Breaks where Pillow opens a file itself, past every limit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in ("Image.open", "PIL.Image.open"):
            yield node.lineno
    yield from (line for name, line in imports(tree) if name == "PIL.Image.open")


def assertions(tree: ast.AST) -> Iterator[int]:
    """Breaks at assert: python -O removes it."""
    yield from (node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert))


# What, where it is allowed, and why not elsewhere.
RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    # Its PNG decoder ends the process on one wrong bit; nothing can catch that.
    "only Pillow decodes": (
        imports_of("torchvision.io", "torchvision.datasets", "cv2", "imageio", "skimage.io"),
        (),
    ),
    "pictures enter through retrieval.images.decode": (pillow_opens, ()),
    "half a photo is no photo": (half_photos, ()),
    "no stored file runs code": (
        imports_of("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"),
        (),
    ),
    "no stored file is unpickled by a library": (unsafe_loads, ()),
    "faiss has one door": (
        imports_of("faiss"),
        ("indexer/backends/faiss*.py", "indexer/backends/_faiss.py"),
    ),
    "qdrant has one door": (
        imports_of("qdrant_client", "qdrant_edge"),
        ("indexer/backends/qdrant*.py", "indexer/qdrant/*.py"),
    ),
    "onnxruntime has one door": (imports_of("onnxruntime"), ("retrieval/exports/onnx.py",)),
    "people are met in ui": (imports_of("streamlit", "typer", "click"), ("ui/*",)),
    "no assert outside tests": (assertions, ()),
}

BREACHES = {
    "only Pillow decodes": [
        "import torchvision.io",
        "from torchvision.io import decode_image",
        "from torchvision import io",
        "from torchvision import datasets as sets",
        "import torchvision\ntorchvision.io.read_image('a.png')",
        "import torchvision\ntorchvision.datasets.ImageFolder('a')",
        "import importlib\nimportlib.import_module('torchvision.io')",
        "import cv2",
    ],
    "pictures enter through retrieval.images.decode": [
        "from PIL import Image\nImage.open('a.jpg')",
        "import PIL.Image\nPIL.Image.open('a.jpg')",
        "from PIL.Image import open",
        "from PIL import Image\nopener = Image.open",
    ],
    "half a photo is no photo": [
        "from PIL import ImageFile\nImageFile.LOAD_TRUNCATED_IMAGES = True",
        "setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', True)",
        "LOAD_TRUNCATED_IMAGES = True",
    ],
    "no stored file runs code": [
        "import pickle",
        "from pickle import loads",
        "def later():\n    import joblib",
        "__import__('pickle')",
    ],
    "no stored file is unpickled by a library": [
        "import torch\ntorch.load('a.pt')",
        "from torch import load",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "import numpy as np\nnp.load('a.npy', allow_pickle=wanted)",
    ],
    "faiss has one door": ["import faiss", "from faiss import IndexFlatIP", "import faiss.contrib"],
    "qdrant has one door": ["from qdrant_client import QdrantClient"],
    "onnxruntime has one door": ["import importlib\nimportlib.import_module('onnxruntime')"],
    "people are met in ui": ["import streamlit as st", "from typer import Typer"],
    "no assert outside tests": ["assert True"],
}

HARMLESS = """
import torchvision.models
from torchvision import models
import numpy as np
from PIL import Image, ImageFile
from . import datasets, io
from .faiss_flat import open
values = np.load("a.npy", allow_pickle=False)
image = Image.new("RGB", (3, 3))
if ImageFile.LOAD_TRUNCATED_IMAGES:
    raise ValueError("a pickle: import faiss, torch.load")
with open("a.txt") as file:
    pass
"""


def breaches(rule: Rule, tree: ast.AST) -> list[int]:
    return sorted(set(rule(tree)))


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in FILES}


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps(name: str, trees: dict[Path, ast.AST]) -> None:
    rule, doors = RULES[name]
    found = [
        f"{path}:{line}"
        for path, tree in trees.items()
        if not any(fnmatch(path.as_posix(), door) for door in doors)
        for line in breaches(rule, tree)
    ]
    assert found == []


@pytest.mark.parametrize("name", RULES)
def test_the_rule_sees_who_breaks_it(name: str) -> None:
    rule, _ = RULES[name]
    assert BREACHES[name]
    for source in BREACHES[name]:
        assert breaches(rule, ast.parse(source)) != [], source
    assert breaches(rule, ast.parse(HARMLESS)) == []


def test_no_file_takes_the_name_of_something_else() -> None:
    taken = set(sys.stdlib_module_names) | {"utils", "util", "helpers", "common", "manager", "misc"}
    agreed = {Path("retrieval/statistics.py")}  # a name of the plan, imported in full everywhere
    names = {path: path.stem for path in FILES if path not in agreed}
    assert [str(path) for path, stem in names.items() if stem in taken] == []
    assert [str(path) for path in names if len(path.parts) == 2 and path.stem in ROOMS] == []


@pytest.mark.parametrize(
    "module", ["errors", "checks", "data", "plugins", "images", "files", "metrics", "statistics"]
)
def test_light_modules_start_without_heavy_ones(module: str) -> None:
    if not (ROOT / "retrieval" / f"{module}.py").exists():
        pytest.skip(f"retrieval/{module}.py is not there")
    heavy = ("torch", "torchvision", "timm", "faiss", "scipy", "openvino", "pandas", "streamlit")
    program = f"import sys, retrieval.{module}\nprint([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == "[]"
