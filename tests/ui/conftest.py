"""Pictures and a command line to try on them."""

import io
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ui.cli import main

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--backbone", "small", "--untrained", "--size", "64", "--runtime", "eager"]


@dataclass
class Done:
    """What a command ended with."""

    returncode: int
    stdout: str
    stderr: str


Fgir = Callable[..., Done]


@pytest.fixture(scope="session")
def fgir() -> Fgir:
    """Run ``fgir`` with these words, in this process: loading torch each time takes seconds."""

    def run(*words: object, cwd: Path = ROOT) -> Done:
        out, err = io.StringIO(), io.StringIO()
        argv, sys.argv = sys.argv, ["fgir", *map(str, words)]
        try:
            with (
                chdir(cwd),
                redirect_stdout(out),
                redirect_stderr(err),
                pytest.raises(SystemExit) as ended,
            ):
                main()
        finally:
            sys.argv = argv
        code = ended.value.code
        return Done(
            code if isinstance(code, int) else int(bool(code)), out.getvalue(), err.getvalue()
        )

    return run


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 4 classes with 4 pictures each: a coloured disc that moves about."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for label, colour in {"red": "#d22", "green": "#2a2", "blue": "#22d", "grey": "#777"}.items():
        (folder / label).mkdir()
        for number in range(4):
            picture = Image.new("RGB", (80, 72), "white")
            left, top = rng.integers(2, 30, 2).tolist()
            ImageDraw.Draw(picture).ellipse((left, top, left + 40, top + 36), fill=colour)
            picture.save(folder / label / f"{number}.png")
    return folder
