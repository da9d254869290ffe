"""``fgir openset`` at the command line."""

import json
import shutil
from pathlib import Path

from tests.ui.conftest import SMALL, Fgir


def test_openset_prints_counts_and_writes_a_page(fgir: Fgir, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = fgir("openset", "folder", photos, "--out", out, "-k", 2, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "4 queries of 2 known classes (4 photos), 8 of others" in done.stdout
    assert "AUROC of p " in done.stdout
    assert "unknown refused" in done.stdout
    assert "page: " in done.stderr
    stored = json.loads((out / "openset.json").read_text())
    assert stored["settings"]["k"] == 2
    assert len(stored["queries"]["p"]) == 12
    assert "<svg" in (out / "openset.html").read_text()
    again = fgir("openset", "folder", photos, "-k", 2, "--json", *SMALL)
    assert json.loads(again.stdout)["queries"] == stored["queries"]


def test_a_bad_file_is_named_and_the_rest_goes_on(fgir: Fgir, photos: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    (folder / "red" / "broken.jpg").write_bytes(b"not a picture")
    done = fgir("openset", "folder", folder, *SMALL)
    assert done.returncode == 9, done.stderr
    assert "broken.jpg" in done.stderr
    assert "1 files could not be encoded" in done.stderr


def test_a_wrong_share_is_a_sentence(fgir: Fgir, photos: Path) -> None:
    done = fgir("openset", "folder", photos, "--known", 1.5, *SMALL)
    assert done.returncode == 3
    assert "known_share must be in (0, 1); got 1.5" in done.stderr
