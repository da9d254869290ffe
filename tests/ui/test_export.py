"""``fgir export``, and the other commands with what it wrote."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from retrieval.checkpoints import load_encoder
from tests.ui.conftest import SMALL, Fgir
from tests.ui.test_cli import said
from train.run_folder import RunFolder

KINDS = ("onnx", "openvino", "torch")


@pytest.fixture(scope="module")
def encoder(fgir: Fgir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("encoders") / "original"
    words = SMALL[: SMALL.index("--runtime")]
    assert fgir("encoder", out, *words).returncode == 0
    return out


@pytest.fixture(scope="module")
def exported(fgir: Fgir, encoder: Path, photos: Path) -> dict[str, Path]:
    """The same encoder in every format, one of them of reduced precision."""
    folders = {kind: encoder.parent / kind for kind in (*KINDS, "openvino_fp16")}
    for kind, out in folders.items():
        done = fgir("export", encoder, "--format", kind, "--out", out, "--pictures", photos)
        assert done.returncode == 0, done.stderr
        assert f"{out}: {kind}, 192 dimensions\n" in done.stdout
        assert "on 16 pictures (photos of photos" in done.stdout
        assert "same top 10 for 16/16" in done.stdout or kind == "openvino_fp16"
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_the_place_of_the_encoder(
    kind: str, fgir: Fgir, encoder: Path, exported: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    reports: list[dict[str, Any]] = [
        json.loads(
            fgir("evaluate", "folder", photos, "--encoder", one, "--no-leaks", "--json").stdout
        )
        for one in (encoder, exported[kind])
    ]
    scores = [{score["name"]: score["value"] for score in one["scores"]} for one in reports]
    assert scores[0] == pytest.approx(scores[1], abs=1 / 16)  # pictures that tie may change places
    assert reports[0]["encoder"]["fingerprint"] == reports[1]["encoder"]["fingerprint"]
    query = photos / "red" / "2.png"
    answers: list[list[dict[str, Any]]] = []
    for made_with, searched_with in ((encoder, exported[kind]), (exported[kind], encoder)):
        shop = tmp_path / f"shop-{len(answers)}"
        done = fgir("index", photos, "--out", shop, "--encoder", made_with)
        assert done.returncode == 0, done.stderr
        for words in ([], ["--encoder", searched_with]):
            done = fgir("search", shop, query, "-k", 3, "--json", *words)
            assert done.returncode == 0, done.stderr
            answers.append(json.loads(done.stdout)[0]["hits"])
        assert (
            "unchanged 16"
            in fgir("index", photos, "--out", shop, "--encoder", searched_with).stdout
        )
    first = [(hit["id"], pytest.approx(hit["score"], abs=1e-5)) for hit in answers[0]]
    assert first[0][0] == "red/2.png"
    for hits in answers[1:]:
        assert [(hit["id"], hit["score"]) for hit in hits] == first


def test_reduced_precision_is_a_space_of_its_own(
    fgir: Fgir, encoder: Path, exported: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    query, shop = photos / "red" / "2.png", tmp_path / "shop"
    reduced = exported["openvino_fp16"]
    assert fgir("index", photos, "--out", shop, "--encoder", reduced).returncode == 0
    assert fgir("search", shop, query).returncode == 0
    for stranger in (encoder, exported["openvino"]):
        said(fgir("search", shop, query, "--encoder", stranger), 4, "the encoder must come from")
    said(fgir("index", photos, "--out", shop, "--encoder", encoder), 4, "encoder")


def test_what_it_cannot_do_is_a_sentence(
    fgir: Fgir, encoder: Path, exported: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    graph, shop = exported["onnx"], tmp_path / "shop"
    with_graph = ["--encoder", graph, "--no-leaks"]
    for words, code, sentence in (
        (["evaluate", "folder", photos, *with_graph, "--runtime", "eager"], 3, "use auto"),
        (["evaluate", "folder", photos, *with_graph, "--pooling", "gem"], 3, "pooling must be"),
        (["evaluate", "folder", photos, *with_graph, "--rerank", "local_max_sim"], 3, "the maps"),
        (["export", graph, "--out", tmp_path / "x"], 3, "exported already"),
        (["export", encoder, "--out", encoder], 3, "new or empty folder"),
        (["export", encoder, "--out", tmp_path / "x", "--format", "onxn"], 3, "mean 'onnx'"),
        (["export", "nowhere", "--out", tmp_path / "x"], 3, "nowhere"),
        (["export", encoder, "--out", tmp_path / "x", "--pictures", "nowhere"], 3, "nowhere"),
    ):
        done = fgir(*words)
        said(done, code, "")
        assert sentence.lower() in done.stderr.lower()
    assert not (tmp_path / "x").exists()
    damaged = Path(shutil.copytree(graph, tmp_path / "damaged"))
    (damaged / "model.onnx").write_bytes(b"")
    said(fgir("index", photos, "--out", shop, "--encoder", damaged), 5, "model.onnx")
    assert not shop.exists()


def test_a_run_is_exported_with_its_story(fgir: Fgir, encoder: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    config = {"benchmark": {"name": "table", "root": str(tmp_path / "birds")}, "seed": 5}
    run.create(config, {"data": {"name": "birds", "classes": 88, "pictures": 5000}})
    out = tmp_path / "out"
    said(fgir("export", run.path, "--out", out), 3, "must hold the encoder of an epoch")
    run.write_best(load_encoder(encoder))
    line = {"epoch": 7, "epochs": 20, "hits": 61, "queries": 100, "best": True}
    run.write_metrics([line])
    done = fgir("export", run.path, "--format", "torch", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "28 pictures (probe pictures and photos of a generated catalogue)" in done.stdout
    card = (out / "README.md").read_text()
    assert "on 88 classes (5,000 pictures) of the benchmark 'birds'" in card
    assert "61.0% (61/100" in card
    assert '"root": "birds"' in card
    assert str(tmp_path) not in card
