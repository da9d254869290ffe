"""The generated catalogue: same bytes, whole or not at all, shoes that differ, honest reading."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retrieval.benchmarks import read
from retrieval.catalogue import generate
from retrieval.catalogue.camera import Pose
from retrieval.catalogue.contours import trace
from retrieval.catalogue.curves import at, lengths, offset, resample, smooth
from retrieval.catalogue.design import Designer
from retrieval.catalogue.families import FAMILIES
from retrieval.catalogue.generate import Order
from retrieval.catalogue.photo import View, photograph
from retrieval.catalogue.sketch import DRAWERS, draw
from retrieval.catalogue.solid import NORMAL, PLACE, build
from retrieval.data import Modality, Relevance
from retrieval.errors import BadInputError, DamagedDataError
from retrieval.strokes import CANVAS

SMALL: dict[str, Any] = {
    "models": 24,
    "photos_per_model": 2,
    "sketches_per_model": 1,
    "size": 64,
    "seed": 3,
}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def picture(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out: Path = tmp_path_factory.mktemp("made") / "catalogue"
    generate(out, **SMALL, workers=1)
    return out


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    out = tmp_path / "copy"
    for path in made.rglob("*"):
        if path.is_file():
            target = out / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return out


def test_the_number_of_workers_changes_no_byte(tmp_path):
    few = {**SMALL, "models": 4}
    generate(tmp_path / "one", **few, workers=1)
    generate(tmp_path / "two", **few, workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_is_another_catalogue(made, tmp_path):
    generate(tmp_path / "other", **{**SMALL, "models": 2, "seed": 4}, workers=1)
    name = "photos/sneaker/sneaker-000/0.jpg"
    assert (tmp_path / "other" / name).read_bytes() != (made / name).read_bytes()


def test_seeds_differ_by_catalogue_series_and_model():
    def seeds(seed: int, number: int) -> tuple[int, int]:
        return Order(Path(), seed, number, 6, 1, 160).seeds

    sibling, stranger = 12, 12 * 4  # next of the same family; first of its next series
    assert seeds(0, 0)[0] == seeds(0, sibling)[0] != seeds(0, stranger)[0]
    assert len({seeds(0, number)[1] for number in range(240)}) == 240
    assert not {*seeds(0, 0)} & {*seeds(1, 0)}


def test_a_model_does_not_depend_on_how_many_there_are(made, tmp_path):
    generate(tmp_path / "fewer", **{**SMALL, "models": 2}, workers=1)
    whole = digests(made)
    pictures = {n: d for n, d in digests(tmp_path / "fewer").items() if n.endswith(("jpg", "png"))}
    assert pictures
    assert pictures.items() <= whole.items()


def test_every_listed_picture_is_there_and_no_other(made):
    images, pairs = rows(made / "images.csv"), rows(made / "pairs.csv")
    listed = {row["path"] for row in images} | {row["sketch"] for row in pairs}
    there = {n for n in digests(made) if n.endswith(("jpg", "png"))}
    assert listed == there
    assert len(images) == 48
    assert len(pairs) == 24
    assert picture(made / images[0]["path"]).shape == (64, 64, 3)


def test_a_pair_is_one_model_and_its_catalogue_picture(made):
    split = {row["path"]: row["split"] for row in rows(made / "images.csv")}
    for row in rows(made / "pairs.csv"):
        model = Path(row["sketch"]).stem.rsplit("_", 1)[0]
        assert Path(row["photo"]).parent.name == model
        assert Path(row["photo"]).name == "0.jpg"
        assert split[row["photo"]] == row["split"]


def test_strokes_are_the_drawings(made):
    strokes = json.loads((made / "strokes.json").read_text())
    assert set(strokes) == {row["sketch"] for row in rows(made / "pairs.csv")}
    for name, drawing in strokes.items():
        points = np.concatenate([np.asarray(stroke) for stroke in drawing])
        assert all(len(stroke) >= 2 for stroke in drawing)
        assert points.min() >= 0
        assert points.max() <= CANVAS
        ink = np.argwhere(picture(made / name) < 128)[:, ::-1]
        # every dark pixel lies by a stroke, so picture and strokes are one drawing
        dense = np.concatenate([resample(np.asarray(stroke), 1.0) for stroke in drawing])
        for pixel in ink[:: max(1, len(ink) // 20)]:
            assert np.linalg.norm(dense - pixel - 0.5, axis=1).min() < 4


def test_series_stay_on_one_side_and_halves_are_even():
    orders = [Order(Path(), 0, number, 6, 1, 160) for number in range(240)]
    sides: dict[tuple[str, int], set[str]] = {}
    for order in orders:
        sides.setdefault((order.family, order.series), set()).add(order.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert sum(order.split == "test" for order in orders) == 120
    assert {order.family for order in orders if order.split == "test"} == set(FAMILIES)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "out", **SMALL, workers=1, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_models(tmp_path):
    seen: list[int] = []
    generate(tmp_path / "out", **{**SMALL, "models": 3}, workers=1, on_progress=seen.append)
    assert seen == [1, 1, 1]


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BadInputError, match="out must be a new or empty folder; got"):
        generate(tmp_path, **SMALL, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("name", "value"),
    [("models", 0), ("photos_per_model", 0), ("sketches_per_model", -1), ("size", 8), ("seed", -1)],
)
def test_counts_out_of_range_are_named(tmp_path, name, value):
    with pytest.raises(BadInputError, match=rf"{name} must be in .*; got {value}\."):
        generate(tmp_path / "out", **{**SMALL, name: value}, workers=1)


def test_reading_gives_unseen_models_that_query_one_another(made):
    benchmark = read("catalogue", made)
    assert benchmark.name == "catalogue (seed 3, version 1)"
    assert benchmark.same_images
    assert benchmark.class_disjoint
    assert (len(benchmark.train), len(benchmark.query)) == (24, 24)
    assert benchmark.query.num_classes == 12
    assert "superclass" in benchmark.query.groups


def test_photos_of_every_model_can_be_divided_for_recognition(made):
    benchmark = read("catalogue", made, {"learned_share": 0.5})
    whole = read("catalogue", made)
    assert benchmark.query.num_classes == benchmark.train.num_classes == 24
    assert set(benchmark.query.names.values()) == set(benchmark.train.names.values())
    parts = {*benchmark.train.paths}, {*benchmark.query.paths}
    assert parts[0].isdisjoint(parts[1])
    assert parts[0] | parts[1] == {*whole.train.paths, *whole.query.paths}
    assert (np.bincount(benchmark.train.targets) == np.bincount(benchmark.query.targets)).all()
    again = read("catalogue", made, {"learned_share": 0.5})
    assert again.train.paths == benchmark.train.paths
    with pytest.raises(BadInputError, match=r"learned_share must be in \[0, 1\), of photos; got 1"):
        read("catalogue", made, {"learned_share": 1.0})
    with pytest.raises(BadInputError, match=r"got 0\.5 with query=sketch"):
        read("catalogue", made, {"learned_share": 0.5, "query": "sketch"})


def test_reading_a_folder_that_is_no_catalogue(tmp_path):
    with pytest.raises(BadInputError, match=r"must hold catalogue\.json; got no such file"):
        read("catalogue", tmp_path)
    (tmp_path / "catalogue.json").write_text('{"format": "other"}')
    with pytest.raises(BadInputError, match="must be of a catalogue; got 'other'"):
        read("catalogue", tmp_path)
    (tmp_path / "catalogue.json").write_text("{")
    with pytest.raises(DamagedDataError, match="must be JSON; got"):
        read("catalogue", tmp_path)


@pytest.mark.parametrize("name", ["images.csv", "pairs.csv", "strokes.json"])
def test_reading_a_changed_table(copy, name):
    with (copy / name).open("a") as stream:
        stream.write("\n")
    with pytest.raises(DamagedDataError, match=f"{name} must be the table that was generated"):
        read("catalogue", copy)
    (copy / name).unlink()
    with pytest.raises(DamagedDataError, match=f"must hold {name}; got no such file"):
        read("catalogue", copy)


def test_reading_with_a_photo_missing(copy):
    (copy / rows(copy / "images.csv")[0]["path"]).unlink()
    with pytest.raises(
        DamagedDataError, match=r"every photo of its table; got 1 missing, such as 0"
    ):
        read("catalogue", copy)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shoe_of_every_family_stands_on_the_ground(family):
    shoe = FAMILIES[family](Designer(5, 6))
    body = build(shoe, steps=90)
    place = body.table[:, PLACE]
    assert np.isfinite(body.table).all()
    assert place[:, 1].min() > -0.01
    assert place[:, 1].min() < 0.03
    assert np.ptp(place[:, 0]) == pytest.approx(1, abs=0.08)
    assert np.ptp(place[:, 2]) < 0.45
    lengths_of_normals = np.linalg.norm(body.table[:, NORMAL], axis=1)
    assert lengths_of_normals[lengths_of_normals > 0.5] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_models_of_one_series_share_colours_and_differ_in_form(family):
    one, two = FAMILIES[family](Designer(5, 6)), FAMILIES[family](Designer(5, 7))
    assert one.lining.colour == pytest.approx(two.lining.colour, abs=0.3)
    assert one.last != two.last


def test_a_value_depends_on_its_name_only():
    first, second = Designer(1, 2), Designer(1, 2)
    first.measure("something else", 0, 1)
    assert first.measure("heel", 0.1, 0.4) == second.measure("heel", 0.1, 0.4)
    assert 0.1 <= first.measure("heel", 0.1, 0.4) <= 0.4
    assert Designer(1, 3).measure("heel", 0, 1, own=0) == first.measure("heel", 0, 1, own=0)


def test_a_mirrored_pose_shows_the_other_shoe():
    body = build(FAMILIES["loafer"](Designer(5, 6)), steps=110)
    pictures = [
        np.asarray(photograph(body, View(pose=Pose(mirrored=m), shadow=0, noise=0), 64), float)
        for m in (False, True)
    ]
    ink = [picture.min(2) < 200 for picture in pictures]
    assert (ink[0][:, ::-1] == ink[1]).mean() > 0.97
    assert ink[0].mean() > 0.1


def test_a_patient_drawer_begins_with_the_outline_and_draws_more():
    shoe = FAMILIES["high_top"](Designer(5, 6))
    body = build(shoe, steps=150)
    pose = Pose(azimuth=0.4, elevation=0.25)
    drawings = {
        name: draw(shoe, body, pose, DRAWERS[name], np.random.default_rng(1))
        for name in ("careful", "bold")
    }
    assert len(drawings["careful"]) > len(drawings["bold"])
    for drawing in drawings.values():
        first, final = (sum(lengths(s)[-1] for s in part) for part in (drawing[:3], drawing[-3:]))
        assert first > final
    again = draw(shoe, body, pose, DRAWERS["careful"], np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(drawings["careful"], again, strict=True))


def test_laces_and_details_are_drawn_last():
    shoe = FAMILIES["high_top"](Designer(5, 6))
    body = build(shoe, steps=150)
    bare = replace(
        shoe,
        solids=tuple(replace(solid, lines=()) for solid in shoe.solids),
        patches=tuple(patch for patch in shoe.patches if (patch.rank or 0) <= 3),
        lines=tuple(line for line in shoe.lines if (line.rank or 0) <= 3),
    )
    early, whole = (
        draw(one, body, Pose(azimuth=0.4), DRAWERS["careful"], np.random.default_rng(1))
        for one in (bare, shoe)
    )
    assert 3 < len(early) < len(whole)
    assert all(np.array_equal(a, b) for a, b in zip(early, whole, strict=False))


def test_borders_of_a_mask_with_a_hole():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 2:7] = True
    mask[4, 4] = False
    outer, hole = trace(mask)
    assert len(outer) == 2 * (7 + 5)
    assert len(hole) == 4
    assert outer.min(0).tolist() == [2, 1]
    assert outer.max(0).tolist() == [7, 8]


def test_a_smooth_curve_passes_through_its_points():
    points = np.array([[0, 0], [1, 2], [3, 2], [4, 0.5]])
    curve = smooth(points, samples=8)
    assert curve[::8] == pytest.approx(points)
    line = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert lengths(line).tolist() == [0, 5]
    assert at(line, 2.5) == pytest.approx([1.5, 2])
    assert offset(np.array([[0.0, 0.0], [1.0, 0.0]]), 0.5)[:, 1] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("gallery", [None, "first"])
def test_reading_sketches_that_search_first_photos(made, gallery):
    chosen = {} if gallery is None else {"gallery": gallery}
    found = read("catalogue", made, {"query": "sketch"} | chosen)
    assert found.name.endswith("sketches to first photos")
    assert found.relevance is Relevance.INSTANCE
    assert (found.query.modality, found.gallery.modality) == (Modality.SKETCH, Modality.PHOTO)
    assert {path.name for path in found.gallery.paths} == {"0.jpg"}
    assert len(found.gallery) == len(found.query) == 12
    assert len(found.train) == len(found.train_sketches) == 12
    photos = dict(zip(found.gallery.targets.tolist(), found.gallery.paths, strict=True))
    for path, target in zip(found.query.paths, found.query.targets.tolist(), strict=True):
        assert path.stem.rpartition("_")[0] == photos[target].parent.name


def test_reading_sketches_that_search_all_photos(made):
    found = read("catalogue", made, {"query": "sketch", "gallery": "all"})
    photos = read("catalogue", made)
    assert found.name.endswith("sketches to all photos")
    assert found.relevance is Relevance.CLASS
    assert found.class_disjoint
    assert found.gallery.paths == photos.query.paths
    assert (len(found.query), len(found.gallery), len(found.train)) == (12, 24, 24)
    for index, path in enumerate(found.query.paths):
        assert found.query.name(index) == path.stem.rpartition("_")[0]
    right = np.isin(found.gallery.targets, found.query.targets[0]).nonzero()[0]
    assert {found.gallery.paths[i].parent.name for i in right} == {found.query.name(0)}
    assert len(right) == 2


def test_photos_search_photos_unless_asked(made):
    assert read("catalogue", made, {"query": "photo"}).query.modality is Modality.PHOTO
    for options, sentence in (
        ({"query": "drawing"}, "no query called 'drawing'; known: photo, sketch"),
        ({"query": "sketch", "gallery": "last"}, "no gallery called 'last'; known: first, all"),
        ({"gallery": "all"}, "gallery must be left out with query=photo; got 'all'"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            read("catalogue", made, options)


def test_reading_with_a_sketch_missing(copy):
    (copy / rows(copy / "pairs.csv")[0]["sketch"]).unlink()
    with pytest.raises(DamagedDataError, match=r"every sketch of its table; got 1 missing"):
        read("catalogue", copy, {"query": "sketch"})
    assert len(read("catalogue", copy).query) == 24  # photos are whole
