"""What several rooms' tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real photos and weights, where this machine has one."""
    folder = Path(os.environ.get("FGIR_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs real data: {folder} is missing. Set FGIR_DATA to the folder.")
    return folder
