"""Published data sets of sketches in the layouts that are read, a few pictures each."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from retrieval import benchmarks
from retrieval.benchmarks import _v2
from retrieval.data import Benchmark, Modality, Relevance, Split
from retrieval.errors import BadInputError

QMUL = {"qmul_shoe": (304, 115), "qmul_chair": (200, 97), "qmul_handbag": (400, 168)}


def of(name: str) -> ModuleType:
    return importlib.import_module(f"retrieval.benchmarks.{name}")


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"picture")


def write(root: Path, name: str, *lines: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def sizes(found: Benchmark) -> tuple[int, int, int, int]:
    parts = (found.train, found.train_sketches, found.query, found.gallery)
    photos, drawn, query, gallery = map(len, parts)
    return photos, drawn, query, gallery


def stems(split: Split) -> list[str]:
    return [path.stem for path in split.paths]


def pairs_of(query: Split, gallery: Split) -> list[tuple[str, str]]:
    """Each sketch and the one photo that is right."""
    by_target = dict(zip(gallery.targets.tolist(), stems(gallery), strict=True))
    targets = query.targets.tolist()
    return [(name, by_target[target]) for name, target in zip(stems(query), targets, strict=True)]


def qmul_table(root: Path) -> None:
    rows = [f"sketches/{n}.png,photos/{n}.jpg,{'train' if n < 4 else 'test'}" for n in range(1, 6)]
    write(root, "pairs.csv", "sketch,photo,split", *rows)
    touch(
        root, *(f"sketches/{n}.png" for n in range(1, 6)), *(f"photos/{n}.jpg" for n in range(1, 6))
    )


def qmul_folders(root: Path) -> None:
    for n in range(1, 6):
        part = "train" if n < 4 else "test"
        touch(root, f"shoes/{part}/images/{n}.jpg", f"shoes/{part}/sketches/{n}.png")


def qmul_lists(root: Path) -> None:
    for n in range(1, 6):
        touch(root, f"photo/{n}.jpg", f"sketch/{n}.png")
    write(root, "photo_train_name.txt", "1.jpg", "2.jpg", "3.jpg")
    write(root, "photo_test_name.txt", "4.jpg", "5.jpg")


@pytest.mark.parametrize("build", [qmul_table, qmul_folders, qmul_lists])
def test_one_sketch_of_each_photo(
    build: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path)
    module = of("qmul_shoe")
    with pytest.raises(
        BadInputError, match=r"train must have 304 images of 304 objects; got 3 of 3"
    ):
        module.read(tmp_path)
    found = module.read(tmp_path, counts="any")
    assert found.name == "QMUL-Shoe (not the published copy)"
    assert found.relevance is Relevance.INSTANCE
    assert sizes(found) == (3, 3, 2, 2)
    assert pairs_of(found.query, found.gallery) == [("4", "4"), ("5", "5")]
    assert pairs_of(found.train_sketches, found.train) == [("1", "1"), ("2", "2"), ("3", "3")]
    monkeypatch.setattr(module, "EXPECTED", of("_qmul").expected(3, 2))
    assert module.read(tmp_path).name == "QMUL-Shoe"
    monkeypatch.setattr(module, "EXPECTED", of("_qmul").expected(3, 3))
    with pytest.raises(BadInputError, match=r"query must have 3 images of 3 objects; got 2 of 2"):
        module.read(tmp_path)


@pytest.mark.parametrize("build", [qmul_folders, qmul_lists])
def test_a_photo_without_a_sketch_is_named(build: Callable[[Path], None], tmp_path: Path) -> None:
    build(tmp_path)
    next(tmp_path.rglob("4.png")).unlink()
    with pytest.raises(BadInputError, match=r"must have a sketch of its name; got 1 .*4\.jpg"):
        of("qmul_shoe").read(tmp_path, counts="any")


def test_a_missing_picture_of_the_table_is_named(tmp_path: Path) -> None:
    qmul_table(tmp_path)
    (tmp_path / "sketches/2.png").unlink()
    with pytest.raises(BadInputError, match=r"1 missing, such as .*2\.png"):
        of("qmul_shoe").read(tmp_path)
    notes = of("qmul_shoe").read(tmp_path, counts="any").notes
    assert "got 1 missing, such as" in notes[0]
    assert notes[0].endswith("2.png.")


@pytest.mark.parametrize("name", QMUL)
def test_the_published_counts_of_pairs(name: str) -> None:
    train, test = QMUL[name]
    expected = of(name).EXPECTED
    assert {part: count for part, (count, _) in expected.items()} == {
        **{"train": train, "train_sketches": train},
        **{"query": test, "gallery": test},
    }


@pytest.mark.data
@pytest.mark.parametrize("name", ["qmul_shoe", "qmul_chair"])
def test_the_real_pairs_are_the_published_ones(data_folder: Path, name: str) -> None:
    found = benchmarks.read(name, data_folder / name.replace("_", "-"))
    assert "not the published copy" not in found.name
    train, test = QMUL[name]
    assert sizes(found) == (train, train, test, test)
    assert all(sketch == photo for sketch, photo in pairs_of(found.query, found.gallery))


@pytest.mark.data
def test_the_repeated_chair(data_folder: Path) -> None:
    found = benchmarks.read("qmul_chair", data_folder / "qmul-chair")
    by_name = {path.name: path for path in (*found.train.paths, *found.gallery.paths)}
    assert "Test photo 263 is the same as training photo 13." in found.notes
    assert any("similar outline" in note for note in found.notes)
    assert by_name["263.jpg"] in found.gallery.paths
    assert by_name["13.jpg"] in found.train.paths
    assert by_name["263.jpg"].read_bytes() == by_name["13.jpg"].read_bytes()


def v2_folders(root: Path) -> None:
    touch(root, *(f"trainB/{name}.png" for name in ("10", "20_v1", "alone")))
    touch(root, *(f"trainA/{name}.png" for name in ("10_1", "10_2", "20_v1_1")))
    touch(root, "testB/30.png", "testB/40.png", *(f"testA/{name}.png" for name in ("30_1", "30_2")))


def v2_lists(root: Path) -> None:
    touch(root, *(f"ShoeV2_photo/{name}.jpg" for name in ("10", "20_v1", "alone", "30", "40")))
    drawn = ("10_1", "10_2", "20_v1_1", "30_1", "30_2")
    touch(root, *(f"ShoeV2_sketch_png/{name}.png" for name in drawn))
    write(root, "photo_train.txt", "10.png", "20_v1.png", "alone.png")
    write(root, "photo_test.txt", "30.png", "40.png")


@pytest.mark.parametrize("build", [v2_folders, v2_lists])
def test_several_sketches_of_each_photo(
    build: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "ShoeV2")
    module = of("shoev2")
    with pytest.raises(BadInputError, match=r"query must have 666 images; got 2\..*counts=any"):
        module.read(tmp_path)
    found = module.read(tmp_path, counts="any")
    assert found.name == "QMUL-ShoeV2 (not the published copy), 2 queries"
    assert sizes(found) == (3, 3, 2, 2)
    assert pairs_of(found.query, found.gallery) == [("30_1", "30"), ("30_2", "30")]
    assert pairs_of(found.train_sketches, found.train) == [
        *(("10_1", "10"), ("10_2", "10"), ("20_v1_1", "20_v1"))
    ]
    assert sorted(stems(found.gallery)) == ["30", "40"]  # searched though nobody drew it
    known = (_v2.Known(9), _v2.Known(2, sketches=3, photos=(3, 2)))
    monkeypatch.setattr(module, "KNOWN", known)
    found = module.read(tmp_path)
    assert found.name == "QMUL-ShoeV2, 2 queries"
    assert any("sets of 9 and 2 sketches" in note for note in found.notes)
    monkeypatch.setattr(module, "KNOWN", (_v2.Known(2, sketches=4),))
    with pytest.raises(BadInputError, match=r"train_sketches must have 4 images; got 3\."):
        module.read(tmp_path)


def test_v2_as_a_table_with_strokes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "pairs.csv", "sketch,photo,split", "a_1,a.jpg,train", "b_1,b.jpg,test")
    write(tmp_path, "strokes.json", json.dumps({"a_1": [[[0, 1]]], "b_1": [[[1, 0]]]}))
    touch(tmp_path, "a.jpg", "b.jpg")
    monkeypatch.setattr(of("chairv2"), "KNOWN", (_v2.Known(1, sketches=1, photos=(1, 1)),))
    found = of("chairv2").read(tmp_path)
    assert found.query.paths == (tmp_path / "strokes.json" / "b_1",)
    assert found.name == "QMUL-ChairV2, 1 queries"


def test_a_sketch_of_the_other_part_is_named(tmp_path: Path) -> None:
    v2_folders(tmp_path)
    touch(tmp_path, "testA/10_3.png")
    with pytest.raises(BadInputError, match=r"called like its photo and _NUMBER; got .*10_3\.png"):
        of("shoev2").read(tmp_path, counts="any")


def test_the_divisions_that_papers_report_on() -> None:
    shoes, chairs = of("shoev2").KNOWN, of("chairv2").KNOWN
    assert [one.queries for one in shoes] == [666, 679]
    assert [one.queries for one in chairs] == [311, 323, 324, 281]
    # the same sketches, divided in another way
    assert {one.queries + one.sketches for one in chairs if one.sketches} == {1275}
    assert shoes[0].queries + shoes[0].sketches == 6648
    assert shoes[1].queries + shoes[1].sketches == 6730


def sketchy(root: Path) -> None:
    for category in ("ant", "bat", "cow"):
        for n in (1, 2, 3):
            touch(root, f"256x256/photo/tx_000000000000/{category}/n0_{n}.jpg")
            for m in (1, 2):
                touch(root, f"256x256/sketch/tx_000000000000/{category}/n0_{n}-{m}.png")
    write(root, "info/testset.txt", "ant/n0_3.jpg", "bat/n0_3.jpg", "cow/n0_3.jpg")
    write(root, "info/invalid-error.txt", "n0_1-2")
    write(root, "info/invalid-pose.txt", "n0_3-1")


def test_sketchy_by_photos(tmp_path: Path) -> None:
    sketchy(tmp_path)
    found = benchmarks.read("sketchy", tmp_path, {"counts": "any"})
    assert found.name == "Sketchy (not the published copy), photos"
    assert found.relevance is Relevance.INSTANCE
    assert sizes(found) == (6, 12, 6, 3)
    assert set(pairs_of(found.query, found.gallery)) == {("n0_3-1", "n0_3"), ("n0_3-2", "n0_3")}
    assert found.query.name(0) == "ant/n0_3"
    assert found.query.groups["category"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found.notes[0].startswith("there must be 12,500 photos of 125 categories; got 9 of 3")
    assert found.notes[1] == "there must be 75,471 sketches; got 18."
    with pytest.raises(BadInputError, match="12,500 photos"):
        benchmarks.read("sketchy", tmp_path)


def test_sketchy_without_marked_sketches(tmp_path: Path) -> None:
    sketchy(tmp_path)
    found = benchmarks.read("sketchy", tmp_path, {"counts": "any", "drop_invalid": True})
    assert sizes(found) == (6, 9, 3, 3)
    assert "6 sketches that the makers marked are left out." in found.notes


def test_sketchy_by_categories(tmp_path: Path) -> None:
    sketchy(tmp_path)
    options = {"counts": "any", "split": "categories", "test_categories": "bat, cow"}
    found = benchmarks.read("sketchy", tmp_path, options)
    assert sizes(found) == (3, 6, 12, 6)
    assert {path.parent.name for path in found.train.paths} == {"ant"}
    alone = benchmarks.read("sketchy", tmp_path, options | {"category": "cow"})
    assert sizes(alone) == (3, 6, 6, 3)
    assert alone.name.endswith("categories, cow")
    coarse = benchmarks.read("sketchy", tmp_path, options | {"relevance": "class"})
    assert coarse.relevance is Relevance.CLASS
    assert sizes(coarse) == (3, 6, 12, 6)
    assert coarse.query.targets.tolist() == [1] * 6 + [2] * 6
    assert coarse.query.name(0) == "bat"
    with pytest.raises(BadInputError, match="no category called 'dog'; known: ant, bat, cow"):
        benchmarks.read("sketchy", tmp_path, options | {"test_categories": "dog"})
    with pytest.raises(BadInputError, match="category must be one that is tested; got 'ant'"):
        benchmarks.read("sketchy", tmp_path, options | {"category": "ant"})


def test_sketchy_listed_and_lost(tmp_path: Path) -> None:
    sketchy(tmp_path)
    write(tmp_path, "info/testset.txt", "ant/other.jpg")
    with pytest.raises(BadInputError, match=r"testset\.txt row 1 must name a photo that is there"):
        benchmarks.read("sketchy", tmp_path, {"counts": "any"})
    touch(tmp_path, "256x256/sketch/tx_000000000000/ant/n0_9-1.png")
    with pytest.raises(BadInputError, match=r"its photo and -NUMBER; got 1 .*n0_9-1\.png"):
        benchmarks.read("sketchy", tmp_path, {"counts": "any"})
    for option, value in (("split", "random"), ("relevance", "pose")):
        with pytest.raises(BadInputError, match=f"no {option} called '{value}'"):
            benchmarks.read("sketchy", tmp_path, {option: value})


def test_the_21_unseen_categories() -> None:
    names = of("sketchy").UNSEEN.split(", ")
    assert len(names) == len(set(names)) == 21
    assert names == sorted(names)


def class_folders(root: Path, *folders: str) -> None:
    for folder in folders:
        suffix = "png" if "sketch" in folder or folder == "png" else "jpg"
        for category in ("ant", "bee", "cat"):
            touch(root, *(f"{folder}/{category}/{n}.{suffix}" for n in (1, 2)))


def test_tu_berlin_sketches_search_sketches(tmp_path: Path) -> None:
    class_folders(tmp_path, "png")
    found = of("tu_berlin").read(tmp_path, counts="any")
    assert found.same_images
    assert found.query.modality is Modality.SKETCH
    assert found.query.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.notes[:2] == (
        "there must be 20,000 sketches; got 6.",
        "there must be 250 categories; got 3.",
    )
    found = of("tu_berlin").read(tmp_path, counts="any", test_categories="cat")
    assert (len(found.query), len(found.train), len(found.train_sketches)) == (2, 4, 0)
    assert found.train.modality is Modality.SKETCH
    assert found.query.name(0) == "cat"
    with pytest.raises(BadInputError, match="20,000 sketches"):
        of("tu_berlin").read(tmp_path)
    with pytest.raises(BadInputError, match="must leave a category to learn from; got all 3"):
        of("tu_berlin").read(tmp_path, counts="any", test_categories="ant,bee,cat")


def test_tu_berlin_sketches_search_photos(tmp_path: Path) -> None:
    class_folders(tmp_path, "png", "photos")
    found = of("tu_berlin").read(tmp_path, counts="any", photos="photos", test_categories="bee")
    assert sizes(found) == (4, 4, 2, 2)
    assert (found.query.modality, found.gallery.modality) == (Modality.SKETCH, Modality.PHOTO)
    assert found.relevance is Relevance.CLASS
    assert found.query.targets.tolist() == found.gallery.targets.tolist() == [1, 1]


def test_quickdraw(tmp_path: Path) -> None:
    class_folders(tmp_path, "QuickDraw_sketches_final", "QuickDraw_images_final")
    with pytest.raises(BadInputError, match="there must be 110 categories; got 3"):
        of("quickdraw").read(tmp_path)
    found = of("quickdraw").read(tmp_path, counts="any", test_categories="ant,bee")
    assert sizes(found) == (2, 2, 4, 4)


def test_categories_with_pictures_of_one_kind_only_are_not_learned_from(tmp_path: Path) -> None:
    class_folders(tmp_path, "QuickDraw_sketches_final", "QuickDraw_images_final")
    touch(tmp_path, "QuickDraw_sketches_final/dog/1.png")
    found = of("quickdraw").read(tmp_path, counts="any", test_categories="ant,bee")
    assert {path.parent.name for path in found.train_sketches.paths} == {"cat"}


def test_sbir2014_by_category(tmp_path: Path) -> None:
    class_folders(tmp_path, "sketches", "photos")
    with pytest.raises(
        BadInputError, match="query must have 1,120 images of 14 classes; got 6 of 3"
    ):
        of("sbir2014").read(tmp_path)
    found = of("sbir2014").read(tmp_path, counts="any")
    assert sizes(found) == (0, 0, 6, 6)
    assert found.relevance is Relevance.CLASS


def test_sbir2017(tmp_path: Path) -> None:
    touch(tmp_path, *(f"photos/{n}.jpg" for n in range(4)))
    touch(tmp_path, *(f"sketches/{n}_{m}.png" for n in range(4) for m in (1, 2, 3)))
    with pytest.raises(BadInputError, match="there must be 912 sketches; got 12"):
        of("sbir2017").read(tmp_path)
    found = of("sbir2017").read(tmp_path, counts="any")
    assert sizes(found) == (0, 0, 12, 4)
    assert pairs_of(found.query, found.gallery)[0] == ("0_1", "0")
    found = of("sbir2017").read(tmp_path, counts="any", holdout=0.5)
    assert sizes(found) == (2, 6, 6, 2)
    assert found.notes[0].startswith("there must be 912 sketches; got 12")
    touch(tmp_path, "sketches/9_1.png")
    with pytest.raises(BadInputError, match=r"called like its photo and _NUMBER; got .*9_1\.png"):
        of("sbir2017").read(tmp_path, counts="any")


def test_sbir2017_as_a_table(tmp_path: Path) -> None:
    rows = ("1.png,a.jpg,train", "2.png,a.jpg,train", "3.png,b.jpg,test")
    write(tmp_path, "pairs.csv", "sketch,photo,split", *rows)
    touch(tmp_path, "1.png", "2.png", "3.png", "a.jpg", "b.jpg")
    assert sizes(of("sbir2017").read(tmp_path, counts="any")) == (1, 2, 1, 1)
