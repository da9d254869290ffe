"""Photos that are on both sides of a test are found, however they were disguised."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from retrieval.benchmarks import read
from retrieval.data import EMPTY, Benchmark, Modality, Relevance, Split
from retrieval.errors import BadInputError
from retrieval.leaks import (
    NEAR_BITS,
    SIDE,
    Leaks,
    find_leaks,
    near_duplicates,
    perceptual_hash,
    thumbnail,
)


def scene(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """A picture of its own for every seed: a background of two colours and shapes on it."""
    random = np.random.default_rng(seed)
    top, bottom = random.integers(0, 256, (2, 3))
    ramp = np.linspace(0, 1, height)[:, None, None]
    ground = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (height, width, 3))
    picture = Image.fromarray(ground.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = random.uniform(0, [width, height])
        a, b = random.uniform(8, 45, 2)
        colour = tuple(random.integers(0, 256, 3).tolist())
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - a, y - b, x + a, y + b), fill=colour)
    return picture


def saved(folder: Path, name: str, picture: Image.Image, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    picture.save(folder / name, **options)
    return folder / name


def split(paths: list[Path], first_target: int = 0) -> Split:
    return Split(tuple(paths), np.arange(first_target, first_target + len(paths), dtype=np.int64))


def originals(folder: Path, count: int, first: int = 0) -> list[Path]:
    return [saved(folder, f"{n}.png", scene(first + n)) for n in range(count)]


def benchmark(train: list[Path], test: list[Path]) -> Benchmark:
    asked = split(test, first_target=1000)
    return Benchmark("planted", asked, asked, split(train) if train else EMPTY)


def counts(leaks: Leaks) -> dict[str, tuple[int, int]]:
    return {f"{o.part} in {o.other}": (len(o.identical), len(o.near)) for o in leaks.overlaps}


def test_a_clean_split_is_clean(tmp_path: Path) -> None:
    train = originals(tmp_path / "train", 30)
    test = originals(tmp_path / "test", 30, first=100)
    leaks = find_leaks(benchmark(train, test))
    assert counts(leaks) == {"test in train": (0, 0), "test in test": (0, 0)}
    assert leaks.shared_classes == 0
    assert leaks.unreadable == ()


def test_identical_photos_under_other_names_are_found(tmp_path: Path) -> None:
    train = originals(tmp_path / "train", 20)
    test = originals(tmp_path / "test", 15, first=100)
    for n in range(3):  # the same bytes
        copy = tmp_path / "test" / f"copy{n}.png"
        copy.write_bytes(train[n].read_bytes())
        test.append(copy)
    test.append(saved(tmp_path / "test", "copy3.bmp", scene(3)))  # the same pixels
    test.append(saved(tmp_path / "test", "copy4.png", scene(4), compress_level=0))
    leaks = find_leaks(benchmark(train, test))
    assert counts(leaks) == {"test in train": (5, 0), "test in test": (0, 0)}
    pairs = [(twin.image.name, twin.twin.name) for twin in leaks.overlaps[0].identical]
    assert pairs[0] == ("copy0.png", "0.png")
    assert ("copy3.bmp", "3.png") in pairs


def disguised(folder: Path, n: int) -> Path:
    """Five ways to disguise a photo, in turn."""
    picture = scene(n)
    width, height = picture.size
    kind = ("jpeg", "small", "large", "mirror", "cut")[n % 5]
    if kind == "jpeg":
        return saved(folder, f"{n}.jpg", picture, quality=40)
    if kind == "small":
        return saved(folder, f"{n}.png", picture.resize((width // 2, height // 2)))
    if kind == "large":
        return saved(folder, f"{n}.jpg", picture.resize((width * 2, height * 2)), quality=80)
    if kind == "mirror":
        return saved(folder, f"{n}.jpg", ImageOps.mirror(picture), quality=80)
    edge = (round(width * 0.02), round(height * 0.02))
    box = (*edge, width - edge[0], height - edge[1])
    return saved(folder, f"{n}.jpg", picture.crop(box), quality=80)


def test_disguised_photos_are_found(tmp_path: Path) -> None:
    train = originals(tmp_path / "train", 40)
    test = originals(tmp_path / "test", 20, first=100)
    planted = [disguised(tmp_path / "planted", n) for n in range(20)]
    leaks = find_leaks(benchmark(train, test + planted))
    found = {twin.image.stem: twin for twin in leaks.overlaps[0].near}
    assert len(found) >= 18
    assert all(name == twin.twin.stem for name, twin in found.items())
    assert all(twin.image.parent.name == "planted" for twin in found.values())
    assert leaks.overlaps[0].identical == ()


def test_twins_within_the_test_answer_one_another(tmp_path: Path) -> None:
    test = originals(tmp_path / "test", 10)
    test.append(saved(tmp_path / "test", "again.jpg", scene(4), quality=60))
    test.append(saved(tmp_path / "test", "copy.bmp", scene(7)))
    leaks = find_leaks(benchmark([], test))
    assert counts(leaks) == {"test in test": (2, 2)}
    assert str(leaks) == (
        "2 identical and 2 near twins of the 12 test photos among themselves; "
        "0 classes of the test in train"
    )


def test_query_and_gallery_apart(tmp_path: Path) -> None:
    train = originals(tmp_path / "train", 6)
    query = originals(tmp_path / "query", 6, first=50)
    gallery = originals(tmp_path / "gallery", 6, first=80)
    gallery.append(saved(tmp_path / "gallery", "q.bmp", scene(52)))
    query.append(disguised(tmp_path / "query", 0))
    question = Benchmark("apart", split(query), split(gallery), split(train))
    leaks = find_leaks(question)
    assert counts(leaks) == {
        "query in train": (0, 1),
        "gallery in train": (0, 0),
        "query in gallery": (1, 0),
    }
    assert leaks.shared_classes == 6
    assert leaks.as_dict()["overlaps"][2] == {
        **{"part": "query", "other": "gallery", "images": 7, "identical": 1, "near": 0},
    }


def test_blank_photos_are_like_nothing(tmp_path: Path) -> None:
    grey = [saved(tmp_path, f"{v}.png", Image.new("RGB", (64, 64), (v, v, v))) for v in range(3)]
    assert counts(find_leaks(benchmark([], grey))) == {"test in test": (0, 0)}


def test_what_cannot_be_decoded_is_compared_by_its_bytes(tmp_path: Path) -> None:
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bad.jpg").write_bytes(b"no photo")
    train = [tmp_path / "train" / "bad.jpg", *originals(tmp_path / "train", 3)]
    test = [tmp_path / "test" / "bad.jpg", tmp_path / "test" / "none.jpg"]
    leaks = find_leaks(benchmark(train, test))
    assert counts(leaks) == {"test in train": (1, 0), "test in test": (0, 0)}
    assert set(leaks.unreadable) == {train[0], *test}


def test_progress_counts_every_photo_once(tmp_path: Path) -> None:
    seen: list[int] = []
    question = benchmark(originals(tmp_path / "a", 3), originals(tmp_path / "b", 4, first=9))
    find_leaks(question, on_progress=seen.append)
    assert sum(seen) == 7


def definition(pixels: np.ndarray) -> int:
    """The docstring's equation as loops, bit (u, v) at place 8 u + v from the left."""
    low = [
        sum(
            float(pixels[y, x])
            * math.cos(math.pi * (y + 0.5) * u / SIDE)
            * math.cos(math.pi * (x + 0.5) * v / SIDE)
            for y in range(SIDE)
            for x in range(SIDE)
        )
        for u in range(8)
        for v in range(8)
    ]
    middle = sorted(low[1:])[31]
    return int("".join("1" if value > middle else "0" for value in low), 2)


def test_the_hash_is_its_definition() -> None:
    pictures = np.stack([thumbnail(scene(seed)) for seed in range(4)])
    assert pictures.shape == (4, SIDE, SIDE)
    got = [int.from_bytes(value.tobytes(), "big") for value in perceptual_hash(pictures)]
    assert got == [definition(picture) for picture in pictures]


@given(seed=st.integers(0, 200), gain=st.floats(0.7, 1.0), shift=st.integers(0, 20))
def test_the_hash_does_not_mind_brightness(seed: int, gain: float, shift: int) -> None:
    picture = thumbnail(scene(seed))
    other = np.clip(picture * gain + shift, 0, 255).astype(np.uint8)
    first, second = perceptual_hash(np.stack([picture, other]))
    assert int(np.bitwise_count(first ^ second)) <= NEAR_BITS


def test_a_jpeg_keeps_its_hash() -> None:
    buffer = io.BytesIO()
    scene(1).save(buffer, "JPEG", quality=30)
    pair = np.stack([thumbnail(scene(1)), thumbnail(Image.open(buffer).convert("RGB"))])
    first, second = perceptual_hash(pair)
    assert int(np.bitwise_count(first ^ second)) <= NEAR_BITS


@pytest.mark.data
@pytest.mark.slow
def test_real_photos(data_folder: Path) -> None:
    leaks = find_leaks(read("table", data_folder / "birds"))
    assert counts(leaks) == {"test in train": (0, 0), "test in test": (0, 48)}
    options = {"query_split": "test", "gallery_split": "train"}
    leaks = find_leaks(read("table", data_folder / "grocery", options))
    assert counts(leaks) == {"query in gallery": (0, 0)}


def test_near_duplicates_of_two_sets(tmp_path: Path) -> None:
    others = originals(tmp_path / "others", 12)
    photos = originals(tmp_path / "photos", 5, first=100)
    photos.append(saved(tmp_path / "photos", "again.jpg", scene(3), quality=40))
    photos.append(saved(tmp_path / "photos", "mirrored.png", ImageOps.mirror(scene(4))))
    photos.append(saved(tmp_path / "photos", "same.png", scene(5)))
    found = near_duplicates(photos, others)
    assert {(twin.image.name, twin.twin.name) for twin in found} == {
        *(("same.png", "5.png"), ("again.jpg", "3.png"), ("mirrored.png", "4.png"))
    }
    likeness = [twin.likeness for twin in found]
    assert likeness == sorted(likeness, reverse=True)
    assert likeness[0] == 1
    assert near_duplicates(photos, others, likeness=1.0)[0].image.name == "same.png"
    assert near_duplicates([], others) == near_duplicates(photos, []) == ()
    with pytest.raises(BadInputError, match=r"likeness must be in \[0\.8, 1\]; got 0\.5"):
        near_duplicates(photos, others, likeness=0.5)


def test_sketches_are_compared_with_sketches(tmp_path: Path) -> None:
    photos = originals(tmp_path / "photos", 4)
    drawn = [saved(tmp_path / "drawn", f"{n}.png", scene(50 + n)) for n in range(3)]
    drawn.append(saved(tmp_path / "drawn", "copy.bmp", scene(50)))  # the same pixels
    drawn.append(saved(tmp_path / "drawn", "near.jpg", scene(51), quality=60))
    sketches = Split(tuple(drawn), np.array([0, 1, 2, 3, 3]), Modality.SKETCH)
    train, query = ((0, 1, 2), (3, 4))
    gallery = Split((photos[3], saved(tmp_path / "photos", "twin.bmp", scene(3))), np.array([3, 4]))
    found = find_leaks(
        Benchmark(
            "planted",
            Split(tuple(drawn[i] for i in query), sketches.targets[[3, 4]], Modality.SKETCH),
            gallery,
            split(photos[:3]),
            Relevance.INSTANCE,
            train_sketches=Split(
                tuple(drawn[i] for i in train), sketches.targets[:3], Modality.SKETCH
            ),
        )
    )
    assert counts(found) == {
        "query in train_sketches": (1, 0),  # the near one is not looked for
        "gallery in train": (0, 0),
        "gallery in gallery": (2, 0),
    }
    assert str(found).startswith("1 identical twins of the 2 query sketches in train_sketches; 0")


@pytest.mark.data
def test_the_real_chair_that_is_in_train_and_test(data_folder: Path) -> None:
    found = read("qmul_chair", data_folder / "qmul-chair")
    twins = near_duplicates(found.gallery.paths, found.train.paths, likeness=0.95)
    assert [(twin.image.name, twin.twin.name) for twin in twins] == [("263.jpg", "13.jpg")]
