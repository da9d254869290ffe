"""The command line as a person meets it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.ui.conftest import ROOT, SMALL, Done, Fgir


def said(done: Done, code: int, sentence: str) -> None:
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def shop(fgir: Fgir, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("collections") / "shop"
    done = fgir("index", photos, "--out", out, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "indexed 16" in done.stdout
    return out


@pytest.fixture
def copied(shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop, tmp_path / "shop"))


def test_help_needs_nothing_heavy():
    heavy = (
        "torch",
        "torchvision",
        "timm",
        "faiss",
        "scipy",
        "pyarrow",
        "numpy.testing",
        "onnx",
        "onnxruntime",
        "openvino",
    )
    code = (
        "import sys, ui.cli\nsys.argv = ['fgir', '--help']\n"
        "try: ui.cli.main()\nexcept SystemExit: pass\n"
        f"print('HEAVY', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout
    assert done.returncode == 0
    for command in ("index", "search", "evaluate", "compare", "demo", "doctor", "train"):
        assert command in done.stdout


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "ui", "collection", "info", tmp_path / "none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("fgir: bad-input: ")


def test_search_finds_the_picture_itself_first(fgir: Fgir, shop: Path, photos: Path):
    done = fgir(
        "search", shop, photos / "red" / "2.png", photos / "blue" / "0.png", "-k", 3, "--json"
    )
    answers = json.loads(done.stdout)
    assert [answer["hits"][0]["id"] for answer in answers] == ["red/2.png", "blue/0.png"]
    assert [hit["rank"] for hit in answers[0]["hits"]] == [1, 2, 3]
    assert answers[0]["hits"][0]["score"] == pytest.approx(1, abs=1e-4)
    assert answers[0]["hits"][0]["label"] == "red"
    lines = fgir("search", shop, photos / "red" / "2.png", "-k", 1).stdout.splitlines()
    assert lines[1].split()[0] == "1"
    assert "red/2.png" in lines[1]


def test_search_shows_pictures(fgir: Fgir, shop: Path, photos: Path, tmp_path: Path):
    query = photos / "green" / "1.png"
    for name in ("hits.png", "hits.html"):
        done = fgir("search", shop, query, "-k", 7, "--gallery", tmp_path / name)
        assert done.returncode == 0, done.stderr
    sheet = Image.open(tmp_path / "hits.png")
    assert sheet.width > 5 * 160
    assert sheet.height > 2 * 160
    disc = sum(1 for pixel in sheet.get_flattened_data() if pixel == (34, 170, 34))
    assert disc > 1000  # the query and its hit are really there
    page = (tmp_path / "hits.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 8
    assert "http" not in page.replace("http-equiv", "")


def test_mask_needs_a_pooling_that_selects(fgir: Fgir, shop: Path, photos: Path, tmp_path: Path):
    out = tmp_path / "hits.png"
    done = fgir("search", shop, photos / "red" / "0.png", "--mask", "--gallery", out)
    said(done, 3, "scda")
    assert not out.exists()


def test_a_bad_file_is_named_and_the_rest_goes_on(fgir: Fgir, photos: Path, tmp_path: Path):
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    (folder / "red" / "broken.jpg").write_bytes(b"not a picture")
    done = fgir("index", folder, "--out", tmp_path / "shop", *SMALL)
    said(done, 9, "broken.jpg")
    assert "indexed 16, rejected 1" in done.stdout
    info = fgir("collection", "info", tmp_path / "shop").stdout
    assert "items: 16" in info
    assert "broken.jpg" in info


def test_index_goes_on_and_leaves_what_is_there(fgir: Fgir, photos: Path, copied: Path):
    done = fgir("index", photos, "--out", copied, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "unchanged 16" in done.stdout


def test_add_and_remove(fgir: Fgir, photos: Path, copied: Path, tmp_path: Path):
    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(photos / "grey" / "0.png", more / "new.png")
    assert "indexed 1" in fgir("add", copied, more).stdout
    assert "16 items are left" in fgir("remove", copied, "red/0.png").stdout
    ids = json.loads(fgir("search", copied, photos / "red" / "0.png", "-k", 50, "--json").stdout)
    found = {hit["id"] for hit in ids[0]["hits"]}
    assert "red/0.png" not in found
    assert "new.png" in found
    said(fgir("remove", copied, "red/0.png"), 3, "red/0.png")


def test_results_show_pictures_of_every_folder_that_was_added(
    fgir: Fgir, photos: Path, copied: Path, tmp_path: Path
):
    more = tmp_path / "more"
    more.mkdir()
    Image.new("RGB", (64, 64), "#ff00ff").save(more / "magenta.png")
    fgir("add", copied, more)
    fgir("search", copied, more / "magenta.png", "-k", 1, "--gallery", tmp_path / "hits.png")
    hit = Image.open(tmp_path / "hits.png").crop((200, 0, 400, 180))
    assert (255, 0, 255) in {colour for _, colour in hit.getcolors(1 << 20) or []}


def test_another_encoder_is_refused(fgir: Fgir, photos: Path, copied: Path):
    done = fgir("index", photos, "--out", copied, *SMALL, "--pooling", "maximum")
    said(done, 4, "encoder")


def test_damage_is_named(fgir: Fgir, photos: Path, copied: Path):
    store = copied / "collection.sqlite"
    data = bytearray(store.read_bytes())
    data[len(data) // 2] ^= 1
    store.write_bytes(data)
    said(fgir("search", copied, photos / "red" / "0.png"), 5, "collection.sqlite")
    said(fgir("collection", "verify", copied), 5, "collection.sqlite")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["search", "nowhere", "x.jpg"], 3, "nowhere"),
        (["index", "nowhere", "--out", "x", *SMALL], 3, "nowhere"),
        (["evaluate", "cub", "."], 3, "cub200"),
        (["evaluate", "folder", "nowhere"], 3, "nowhere"),
        (["evaluate", "table", ".", "-o", "colour=red"], 3, "colour"),
        (["compare", "a", "b"], 3, "a"),
        (["train", "nothing", "--out", "x"], 3, "nothing"),
        (["search"], 2, "Missing argument"),
        (["serach"], 2, "serach"),
        (["index", ".", "--out", "x", "--batch-size", "none"], 2, "batch-size"),
        (["encoder", "x", "--pooling", "gme", "--untrained"], 3, "Did you mean 'gem'?"),
        (["encoder", "x", "--weights", "w.pth"], 3, "safetensors"),
        (["evaluate", "folder", ".", "--rerank", "k_reciprocals"], 3, "'k_reciprocal'?"),
        (["evaluate", "folder", ".", "--rerank", "k_reciprocal:k=3"], 3, "no option of k_recip"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(
    fgir: Fgir, words: list[str], code: int, sentence: str, tmp_path: Path
):
    said(fgir(*words, cwd=tmp_path), code, sentence)
    assert not (tmp_path / "x").exists()


def test_evaluate_and_compare(fgir: Fgir, photos: Path, tmp_path: Path):
    for pooling in ("average", "scda"):
        done = fgir(
            "evaluate", "folder", photos, *SMALL, "--pooling", pooling, "--out", tmp_path / pooling
        )
        assert done.returncode == 0, done.stderr
        assert "/16" in done.stdout
        assert (tmp_path / pooling / "report.html").stat().st_size > 10_000
    page = tmp_path / "compared.html"
    done = fgir("compare", tmp_path / "average", tmp_path / "scda", "--page", page)
    assert done.returncode == 0, done.stderr
    assert page.stat().st_size > 1000
    assert "McNemar" in done.stdout


def test_evaluate_with_and_without_re_ranking_are_compared(
    fgir: Fgir, photos: Path, tmp_path: Path
):
    words = ["evaluate", "folder", photos, *SMALL, "--no-leaks", "--out"]
    assert fgir(*words, tmp_path / "plain").returncode == 0
    done = fgir(*words, tmp_path / "again", "--rerank", "k_reciprocal:k1=4,k2=2")
    assert done.returncode == 0, done.stderr
    assert "+ k_reciprocal:k1=4,k2=2: Recall@1" in done.stdout
    kept = json.loads((tmp_path / "again" / "report.json").read_text())["run"]["reranking"]
    assert kept["settings"]["k1"] == 4
    assert kept["ms_per_query"] > 0
    assert "k_reciprocal:k1=4,k2=2" in (tmp_path / "again" / "report.html").read_text()
    done = fgir("compare", tmp_path / "plain", tmp_path / "again")
    assert "+ k_reciprocal:k1=4,k2=2" in done.stdout


@pytest.mark.parametrize("method", ["k_reciprocal:k1=6", "alpha_query_expansion", "local_max_sim"])
def test_search_with_re_ranking(fgir: Fgir, shop: Path, photos: Path, method: str):
    words = ["search", shop, photos / "red" / "2.png", photos / "blue" / "0.png", "--json"]
    plain, done = fgir(*words, "-k", 16), fgir(*words, "-k", 3, "--rerank", method)
    assert done.returncode == 0, done.stderr
    score = {
        (answer["query"], hit["id"]): hit["score"]
        for answer in json.loads(plain.stdout)
        for hit in answer["hits"]
    }
    for answer in json.loads(done.stdout):
        assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
        for hit in answer["hits"]:  # the score is still the cosine similarity
            assert hit["score"] == score[answer["query"], hit["id"]]


def test_search_orders_only_the_candidates_again(fgir: Fgir, shop: Path, photos: Path):
    words = ["search", shop, photos / "red" / "2.png", "-k", 16, "--json"]
    plain, done = fgir(*words), fgir(*words, "--rerank", "local_max_sim:weight=1,candidates=9")
    before, after = (
        [hit["id"] for hit in json.loads(one.stdout)[0]["hits"]] for one in (plain, done)
    )
    assert before != after
    assert set(before[:9]) == set(after[:9])
    assert before[9:] == after[9:]


def test_search_names_a_candidate_whose_photo_is_gone(fgir: Fgir, photos: Path, tmp_path: Path):
    moved = Path(shutil.copytree(photos, tmp_path / "photos"))
    assert fgir("index", moved, "--out", tmp_path / "shop", *SMALL).returncode == 0
    (moved / "red" / "1.png").unlink()
    query = photos / "red" / "0.png"
    said(fgir("search", tmp_path / "shop", query, "--rerank", "local_max_sim"), 3, "1.png")
    assert fgir("search", tmp_path / "shop", query, "--rerank", "k_reciprocal").returncode == 0


def test_search_with_re_ranking_in_nothing(fgir: Fgir, photos: Path, copied: Path):
    ids = [f"{label}/{n}.png" for label in ("red", "green", "blue", "grey") for n in range(4)]
    assert fgir("remove", copied, *ids).returncode == 0
    done = fgir("search", copied, photos / "red" / "0.png", "--rerank", "local_max_sim")
    assert "the collection is empty" in done.stdout


def test_encoder_with_whitening_is_saved_and_used(fgir: Fgir, photos: Path, tmp_path: Path):
    done = fgir("encoder", tmp_path / "e", *SMALL, "--whiten", "pca:8", "--photos", photos)
    assert done.returncode == 0, done.stderr
    assert "8 dimensions" in done.stdout
    done = fgir("evaluate", "folder", photos, "--encoder", tmp_path / "e", "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    said(fgir("encoder", tmp_path / "e", *SMALL), 3, "must hold no encoder yet")


def test_doctor_names_what_is_here(fgir: Fgir):
    done = fgir("doctor")
    assert done.returncode == 0, done.stderr
    for word in ("torch", "cores", "eager", "FAISS"):
        assert word in done.stdout
