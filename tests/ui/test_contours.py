"""``fgir contours``."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from ui.cli import app


def product(path: Path, corner: int) -> None:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).rectangle((20, 15, 20 + corner, 70), fill="#203040")
    image.save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        product(folder / f"{number}.png", 30 + 15 * number)
    return folder


def test_the_command_leaves_out_what_is_to_be_tested(photos: Path, tmp_path: Path) -> None:
    tested = tmp_path / "tested"
    tested.mkdir()
    product(tested / "known.png", 60)
    result = CliRunner().invoke(
        app, ["contours", str(photos), str(tmp_path / "out"), "--unlike", str(tested)]
    )
    assert result.exit_code == 0, result.output
    drawn = json.loads((tmp_path / "out" / "strokes.json").read_text())
    assert len(drawn) < 4
    assert f"{len(drawn)} pairs in" in result.output
    assert f"{4 - len(drawn)} photos are too like one to be avoided" in result.output
