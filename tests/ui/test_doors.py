"""Photos and sketches at the command line: one collection, two doors."""

import io
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageDraw

from retrieval.encoder import build_encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from tests.ui.conftest import Done, Fgir


def said(done: Done, code: int, *sentences: str) -> None:
    assert done.returncode == code, done.stderr
    for sentence in sentences:
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoders: photo/ and other/ alone, pair/ of the two, siamese/."""
    folder = tmp_path_factory.mktemp("encoders")
    photo, sketch = (build_encoder("small", size=64, dim=12, seed=seed) for seed in (0, 1))
    save_pair(EncoderPair(photo, sketch), folder / "pair")
    save_pair(EncoderPair(photo, photo), folder / "siamese")
    shutil.copytree(folder / "pair" / "photo", folder / "photo")
    shutil.copytree(folder / "pair" / "sketch", folder / "other")
    return folder


@pytest.fixture(scope="session")
def shop(fgir: Fgir, photos: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shops") / "shop"
    done = fgir("index", photos, "--out", out, "--encoder", folder / "pair", "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """circle.png, and strokes.json with two drawings."""
    folder = tmp_path_factory.mktemp("sketches")
    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).ellipse((40, 60, 200, 190), outline="black", width=2)
    picture.save(folder / "circle.png")
    square = [[[40, 60], [200, 60], [200, 190], [40, 190], [40, 60]]]
    cross = [[[20, 20], [230, 230]], [[20, 230], [230, 20]]]
    (folder / "strokes.json").write_text(json.dumps({"square": square, "cross": cross}))
    return folder


def index(fgir: Fgir, photos: Path, encoder: Path, out: Path) -> Path:
    done = fgir("index", photos, "--out", out, "--encoder", encoder, "--runtime", "eager")
    assert done.returncode == 0, done.stderr
    return out


def answers(done: Done) -> list[dict]:  # type: ignore[type-arg]
    assert done.returncode == 0, done.stderr
    found: list[dict] = json.loads(done.stdout)  # type: ignore[type-arg]
    return found


def test_photos_and_sketches_are_asked_together(
    fgir: Fgir, shop: Path, photos: Path, sketches: Path
):
    photo, drawn = photos / "red" / "2.png", sketches / "circle.png"
    keys = [sketches / "strokes.json" / key for key in ("square", "cross")]
    given = [photo, "--sketch", drawn, "--sketch", keys[0], "--sketch", keys[1]]
    found = answers(fgir("search", shop, *given, "-k", 16, "--json"))
    assert [(one["query"], one["modality"]) for one in found] == [
        (str(photo), "photo"),
        *((str(path), "sketch") for path in (drawn, *keys)),
    ]
    assert found[0]["hits"][0]["id"] == "red/2.png"
    # The door decides: the same picture as a photo has other scores.
    as_photo = answers(fgir("search", shop, drawn, "-k", 16, "--json"))[0]["hits"]
    assert {hit["id"]: hit["score"] for hit in as_photo} != {
        hit["id"]: hit["score"] for hit in found[1]["hits"]
    }
    lines = fgir("search", shop, *given, "-k", 1).stdout.splitlines()
    assert lines[0] == f"photo {photo}"
    assert lines[2] == f"sketch {drawn}"


def test_a_sketch_is_encoded_by_its_door(fgir: Fgir, shop: Path, sketches: Path, folder: Path):
    drawn = sketches / "circle.png"
    (got,) = answers(
        fgir("search", shop, "--sketch", drawn, "-k", 1, "--json", "--runtime", "eager")
    )
    pair = open_encoder(folder / "pair")
    assert isinstance(pair, EncoderPair)
    query = pair.sketch.vectors(pair.sketch.transform(Image.open(drawn).convert("RGB"))[None])[0]
    hit = got["hits"][0]
    photo = Image.open(shop / hit["path"]).convert("RGB")
    vector = pair.photo.vectors(pair.photo.transform(photo)[None])[0]
    assert hit["score"] == pytest.approx(float(query @ vector), abs=1e-5)


def test_pictures_of_sketches_are_shown(fgir: Fgir, shop: Path, sketches: Path, tmp_path: Path):
    key = sketches / "strokes.json" / "cross"
    done = fgir("search", shop, "--sketch", key, "-k", 2, "--gallery", tmp_path / "hits.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "hits.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "<b>sketch</b>" in page


@pytest.mark.parametrize("method", ["k_reciprocal", "local_max_sim"])
def test_sketches_can_be_reranked(fgir: Fgir, shop: Path, sketches: Path, method: str):
    (got,) = answers(
        fgir("search", shop, "--sketch", sketches / "circle.png", "--rerank", method, "--json")
    )
    assert [hit["rank"] for hit in got["hits"]] == list(range(1, 11))


def test_c19_an_encoder_of_photos_alone_takes_no_sketch(
    fgir: Fgir, photos: Path, sketches: Path, folder: Path, tmp_path: Path
):
    shop = index(fgir, photos, folder / "photo", tmp_path / "shop")
    done = fgir("search", shop, "--sketch", sketches / "circle.png")
    said(done, 3, "must have an encoder with a door for sketches", "fgir index --encoder PAIR")
    # The photo side is what made the collection: one space.
    given = ["--sketch", sketches / "circle.png", "--encoder", folder / "pair"]
    assert len(answers(fgir("search", shop, *given, "--json"))[0]["hits"]) == 10


def test_c19_a_pair_with_another_photo_side_is_refused(
    fgir: Fgir, photos: Path, sketches: Path, folder: Path, tmp_path: Path
):
    shop = index(fgir, photos, folder / "other", tmp_path / "shop")
    done = fgir("search", shop, "--sketch", sketches / "circle.png", "--encoder", folder / "pair")
    said(done, 4, "the encoder must come from the encoder of the collection")


def test_unfinished_drawings_are_measured(
    fgir: Fgir, photos: Path, sketches: Path, folder: Path, tmp_path: Path
):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sketches / "strokes.json", data)
    for number, colour in enumerate(("red", "blue")):
        shutil.copy(photos / colour / "0.png", data / f"{number}.png")
    (data / "pairs.csv").write_text("sketch,photo\nsquare,0.png\ncross,1.png\n")
    given = ["pairs", data, "--encoder", folder / "pair", "--steps", 4]
    done = fgir("on-the-fly", *given, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("data, photo: small")
    assert "on the fly in 4 steps (of the pen's way): m@A " in done.stdout
    kept = json.loads((tmp_path / "out" / "on_the_fly.json").read_text())
    assert [len(one["ranks"]) for one in kept["drawings"]] == [4, 4]
    assert "<svg" in (tmp_path / "out" / "on_the_fly.html").read_text()
    plain = fgir("on-the-fly", *given, "--whole-strokes", "--json")
    assert json.loads(plain.stdout)["whole_strokes"] is True
    (data / "pairs.csv").write_text("sketch,photo\nsquare,0.png\n1.png,0.png\n")
    said(fgir("on-the-fly", *given), 3, "1.png must be a file of strokes; got a picture")


def test_strokes_are_no_photo(fgir: Fgir, shop: Path, sketches: Path):
    key = sketches / "strokes.json" / "square"
    said(fgir("search", shop, key), 3, f"{key} must be a photo; got strokes", f"--sketch {key}")


def test_what_cannot_be_read_is_named(fgir: Fgir, shop: Path, sketches: Path, tmp_path: Path):
    Image.new("RGB", (50, 50), "white").save(tmp_path / "blank.png")
    good, blank = sketches / "circle.png", tmp_path / "blank.png"
    said(fgir("search", shop, "--sketch", good, "--sketch", blank), 9, "blank.png must be a sketch")
    said(fgir("search", shop, "--sketch", blank), 3, "queries must hold at least one readable")
    said(fgir("search", shop), 3, "search must have a photo or a --sketch to search with")


def test_a_collection_carries_both_doors(
    fgir: Fgir, shop: Path, folder: Path, photos: Path, tmp_path: Path
):
    copied = Path(shutil.copytree(shop, tmp_path / "shop"))
    carried = open_encoder(copied / "encoder")
    assert carried.fingerprint() == open_encoder(folder / "pair").fingerprint()
    manifest = json.loads((copied / "collection.json").read_text())
    names = sorted(manifest["encoder"])
    assert names[0] == "pair.json"
    assert [name.split("/")[0] for name in names[1:]] == ["photo"] * 2 + ["sketch"] * 2
    (weights,) = (copied / "encoder" / "sketch").glob("*.safetensors")
    weights.write_bytes(b"other weights")
    said(fgir("search", copied, photos / "red" / "0.png"), 5, str(weights))
    weights.unlink()
    said(fgir("collection", "verify", copied), 5, str(weights))


def test_photos_are_added_by_the_photo_door(fgir: Fgir, shop: Path, sketches: Path, tmp_path: Path):
    copied = Path(shutil.copytree(shop, tmp_path / "shop"))
    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(sketches / "circle.png", more / "circle.png")
    assert fgir("add", copied, more).returncode == 0
    (got,) = answers(fgir("search", copied, more / "circle.png", "-k", 1, "--json"))
    assert got["hits"][0]["id"] == "circle.png"
    assert got["hits"][0]["score"] == pytest.approx(1, abs=1e-4)


def test_a_siamese_pair_finds_the_same_picture_by_either_door(
    fgir: Fgir, photos: Path, folder: Path, tmp_path: Path
):
    shop = index(fgir, photos, folder / "siamese", tmp_path / "shop")
    photo = photos / "blue" / "1.png"
    found = answers(fgir("search", shop, photo, "--sketch", photo, "-k", 4, "--json"))
    assert found[0]["hits"] == found[1]["hits"]


def test_two_encoders_are_joined_and_shown(fgir: Fgir, folder: Path, tmp_path: Path):
    doors = ["--photo-door", folder / "photo", "--sketch-door", folder / "other"]
    assert fgir("encoder", tmp_path / "pair", *doors).returncode == 0
    want = open_encoder(folder / "pair")
    assert isinstance(want, EncoderPair)
    shown = fgir("encoder", tmp_path / "pair", "--show").stdout.splitlines()
    assert shown[0] == f"pair: 12 dimensions, fingerprint {want.fingerprint()}"
    assert shown[1].startswith("photo: small average 64 squash projected 12, 12 dimensions")
    assert shown[1].endswith(want.photo.fingerprint())
    assert shown[2].startswith("sketch: ")
    assert shown[2].endswith(want.sketch.fingerprint())
    assert fgir("encoder", tmp_path / "one", "--photo-door", folder / "photo").returncode == 0
    assert "photo and sketch: small" in fgir("encoder", tmp_path / "one", "--show").stdout
    alone = fgir("encoder", folder / "photo", "--show").stdout
    assert alone.endswith(f"fingerprint {want.photo.fingerprint()}\n")
    said(fgir("encoder", tmp_path / "x", "--sketch-door", folder / "photo"), 3, "--photo-door")
    nested = ["--photo-door", folder / "pair"]
    said(fgir("encoder", tmp_path / "x", *nested), 3, "--photo-door must have one encoder")


def test_what_works_on_one_encoder_refuses_a_pair(fgir: Fgir, photos: Path, folder: Path):
    given = ["evaluate", "folder", photos, "--encoder", folder / "pair", "--no-leaks"]
    said(fgir(*given, "--whiten", "pca:4"), 3, "--whiten must have one encoder to work on")
    said(fgir(*given, "--pooling", "gem"), 3, "--pooling must have one encoder to work on")


def test_a_pair_is_evaluated(fgir: Fgir, photos: Path, folder: Path, tmp_path: Path):
    given = [
        "evaluate",
        "folder",
        photos,
        "--encoder",
        folder / "pair",
        "--no-leaks",
        "--runtime",
        "eager",
    ]
    done = fgir(*given, "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "photo: small average 64 squash projected 12; sketch: small" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


def test_a_pair_is_exported_door_by_door(fgir: Fgir, photos: Path, folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    given = ["--out", out, "--format", "torch", "--pictures", photos]
    done = fgir("export", folder / "pair", *given)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["pair.json", "photo", "sketch"]
    assert open_encoder(out).fingerprint() == open_encoder(folder / "pair").fingerprint()
    said(fgir("export", folder / "pair", *given), 3, "must be a new or empty folder")


# Replay

CORNER = [[[40, 60], [200, 60]], [[200, 60], [200, 190]], [[200, 190], [40, 190], [40, 60]]]


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """Three strokes of 160, 130 and 290."""
    path = tmp_path / "drawing.json"
    path.write_text(json.dumps({"one": CORNER}))
    return path


def test_a_drawing_is_replayed_stroke_by_stroke(fgir: Fgir, shop: Path, drawing: Path):
    trace = json.loads(fgir("replay", drawing, shop, "--target", "blue/2.png", "--json").stdout)
    assert (trace["target"], trace["target_is"]) == ("blue/2.png", "item")
    assert [step["strokes"] for step in trace["steps"]] == [1, 2, 3]
    shares = [step["share"] for step in trace["steps"]]
    assert shares == pytest.approx([160 / 580, 290 / 580, 1], abs=1e-5)
    # Each beginning, saved and searched with, has the same answer.
    for count, step in enumerate(trace["steps"], 1):
        begun = drawing.with_name(f"{count}.json")
        begun.write_text(json.dumps({"one": CORNER[:count]}))
        given = ["--sketch", begun, "-k", 16, "--json", "--runtime", "eager"]
        hits = answers(fgir("search", shop, *given))[0]["hits"]
        assert [hit["id"] for hit in step["hits"]] == [hit["id"] for hit in hits[:5]]
        scores = [hit["score"] for hit in hits[:5]]
        assert [hit["score"] for hit in step["hits"]] == pytest.approx(scores, abs=2e-6)
        assert [hit["id"] for hit in hits].index("blue/2.png") + 1 == step["rank"]
        (label,) = [
            json.loads(fgir("replay", begun, shop, "--target", "blue", "--json").stdout)["steps"][
                -1
            ]
        ]
        assert label["rank"] == [hit["label"] for hit in hits].index("blue") + 1


def test_without_a_target_it_is_the_final_best_hit(fgir: Fgir, shop: Path, drawing: Path):
    done = fgir("replay", drawing, shop, "--steps", 4, "-k", 2)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" %")[0].strip() for line in lines[2:]] == ["25", "50", "75", "100"]
    last = lines[-1].split()
    assert last[3] == "1"  # rank
    assert lines[0] == f"sketch {drawing}, target {last[4]} (best hit)"


@pytest.mark.parametrize("form", ["json", "svg", "png", "html"])
def test_the_same_drawing_gives_the_same_bytes(
    fgir: Fgir, shop: Path, drawing: Path, tmp_path: Path, form: str
):
    said_, written = set(), set()
    for number in range(2):
        out = tmp_path / f"{number}.{form}"
        done = fgir("replay", drawing, shop, "--target", "red", "--out", out)
        assert done.returncode == 0, done.stderr
        said_.add(done.stdout)
        written.add(out.read_bytes())
    assert (len(said_), len(written)) == (1, 1)
    (data,) = written
    if form == "json":
        assert [step["strokes"] for step in json.loads(data)["steps"]] == [1, 2, 3]
    elif form == "svg":
        root = ElementTree.fromstring(data)
        assert len([one for one in root if one.tag.endswith("circle")]) == 3
    elif form == "html":
        assert data.count(b"data:image/jpeg;base64,") == 3 * 6
        assert b"28 % drawn" in data
    else:
        with Image.open(io.BytesIO(data)) as sheet:
            assert sheet.height > 3 * 160


def test_what_cannot_be_replayed_is_said(
    fgir: Fgir,
    shop: Path,
    drawing: Path,
    sketches: Path,
    folder: Path,
    photos: Path,
    tmp_path: Path,
):
    said(
        fgir("replay", drawing, shop, "--target", "blu/2.png"),
        3,
        "--target must be an item's id or a label of the collection; got 'blu/2.png'. "
        "Did you mean 'blue/2.png'?",
    )
    said(fgir("replay", drawing, shop, "--out", "trace.txt"), 3, "--out must be a .json, .svg")
    said(fgir("replay", sketches / "circle.png", shop), 3, "circle.png must be")
    said(fgir("replay", drawing, shop, "--steps", 2000), 3, "in 1 to 1,000 steps; got 2000")
    plain = index(fgir, photos, folder / "photo", tmp_path / "plain")
    said(fgir("replay", drawing, plain), 3, "must have an encoder with a door for sketches")
