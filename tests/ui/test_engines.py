"""``fgir index --engine`` and ``fgir collection tune``: engines from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from indexer.choice import EngineChoice
from indexer.collection import Item
from indexer.disk import DiskCollection
from tests.ui.conftest import SMALL, Fgir


def index(fgir: Fgir, photos: Path, out: Path, *words: object):
    return fgir("index", photos, "--out", out, *SMALL, *words)


@pytest.fixture
def thousands(tmp_path: Path) -> Path:
    """A collection of vectors alone, large enough for an approximate engine."""
    rows = np.random.default_rng(0).standard_normal((1_200, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    folder = tmp_path / "thousands"
    choice = EngineChoice("faiss_ivf_flat", {"nprobe": 1})
    with DiskCollection.create(folder, dim=16, fingerprint="x", choice=choice) as made:
        made.add(rows, [Item(f"{number}") for number in range(1_200)], fingerprint="x")
    return folder


def test_an_engine_is_chosen_and_the_reason_is_one_line(fgir: Fgir, photos: Path, tmp_path: Path):
    done = index(fgir, photos, tmp_path / "birds")
    assert done.returncode == 0, done.stderr
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("the engine is")]
    assert line.startswith("the engine is exact for 16 vectors of ")
    facts = json.loads(fgir("collection", "info", tmp_path / "birds", "--json").stdout)
    assert facts["engine"] == "exact"
    assert line == f"the engine is {facts['engine chosen']}"


def test_a_table_of_ones_own_chooses(fgir: Fgir, photos: Path, tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text('[[row]]\nengine = "faiss_sq"\noptions = { bits = 8 }\n')
    done = index(fgir, photos, tmp_path / "birds", "--engine-table", table)
    assert done.returncode == 0, done.stderr
    printed = fgir("collection", "info", tmp_path / "birds").stdout
    assert "engine: faiss_sq\nengine options: bits=8\nengine chosen: faiss_sq for 16" in printed


def test_an_engine_with_options_is_kept_until_another_one_is_named(
    fgir: Fgir, photos: Path, tmp_path: Path
):
    birds = tmp_path / "birds"
    named = ("--engine", "faiss_hnsw", "--engine-option", "ef_search=20")
    assert index(fgir, photos, birds, *named).returncode == 0
    for words in ((), named):
        assert index(fgir, photos, birds, *words).returncode == 0
        printed = fgir("collection", "info", birds).stdout
        assert "engine: faiss_hnsw\nengine options: ef_search=20\n" in printed
    assert index(fgir, photos, birds, "--engine", "exact").returncode == 0
    assert "engine: exact\nencoder:" in fgir("collection", "info", birds).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "faiss_hnws"], "Did you mean 'faiss_hnsw'?"),
        (
            ["--engine", "faiss_hnsw", "--engine-option", "ef_serch=4"],
            "no option of faiss_hnsw called 'ef_serch'",
        ),
        (["--engine", "faiss_hnsw", "--engine-option", "ef"], "must be name=value; got 'ef'"),
        (["--engine-option", "ef_search=4"], "--engine-option must be given with an engine"),
        (["--engine", "exact", "--engine-table", "x"], "--engine-table must be given where"),
        (["--engine-table", "none.toml"], "none.toml must be a TOML file that can be read"),
        (["--target-recall", "1.5"], "recall must be above 0 and at most 1; got 1.5"),
    ],
)
def test_wrong_words_make_nothing(
    fgir: Fgir, photos: Path, tmp_path: Path, words: list[str], said: str
):
    done = index(fgir, photos, tmp_path / "birds", *words)
    assert done.returncode == 3
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "birds").exists()


def test_a_small_collection_needs_no_tuning(fgir: Fgir, photos: Path, tmp_path: Path):
    done = index(fgir, photos, tmp_path / "birds", "--target-recall", "0.99")
    assert done.returncode == 0, done.stderr
    assert "exact compares every item: recall is 1 and there is nothing to tune" in done.stdout


def test_tuning_is_printed_and_kept(fgir: Fgir, thousands: Path):
    done = fgir("collection", "tune", thousands, "--target-recall", "0.9")
    assert done.returncode == 0, done.stderr
    printed = fgir("collection", "info", thousands).stdout
    (line,) = [one for one in printed.splitlines() if one.startswith("recall@10: ")]
    recall = line.split()[1]
    assert f"recall@10 {recall} [" in done.stdout
    assert done.stdout.startswith("faiss_ivf_flat nprobe = ")
    assert float(recall) >= 0.9
    assert "engine options: nprobe=1\n" not in printed


def test_a_target_that_is_not_reached_ends_with_done_in_part(
    fgir: Fgir, thousands: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("indexer.tuning._FURTHEST", 2)
    done = fgir("collection", "tune", thousands, "--target-recall", "1")
    assert done.returncode == 9
    assert "; 1.0 is not reached" in done.stdout
