"""Published data sets in their official layouts, a few photos each."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.io import savemat

from retrieval.data import Benchmark
from retrieval.errors import BadInputError

# What the literature reports: (images, classes) of each part.
PUBLISHED = {
    "cub200": {"train": (5864, 100), "test": (5924, 100)},
    "cars196": {"train": (8054, 98), "test": (8131, 98)},
    "dogs": {"train": (10651, 60), "test": (9929, 60)},
    "flowers102": {"train": (3493, 51), "test": (4696, 51)},
    "aircraft": {"train": (5000, 50), "test": (5000, 50)},
    "inaturalist": {"train": (325846, 5690), "test": (136093, 2452)},
    "sop": {"train": (59551, 11318), "test": (60502, 11316)},
    "inshop": {"train": (25882, 3997), "query": (14218, 3985), "gallery": (12612, 3985)},
}
TOTALS = {
    **{"cub200": 11788, "cars196": 16185, "dogs": 20580, "flowers102": 8189, "aircraft": 10000},
    # 437,513 photos for training and 24,426 for validation in the competition of 2018
    **{"inaturalist": 437513 + 24426, "sop": 120053, "inshop": 52712},
}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"photo")


def write(root: Path, name: str, *lines: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def structures(**fields: Sequence[object]) -> np.ndarray:
    """What savemat writes as a structure array."""
    rows = np.zeros(len(next(iter(fields.values()))), dtype=[(name, object) for name in fields])
    for name, values in fields.items():
        for index, value in enumerate(values):
            rows[name][index] = value
    return rows


def cells(*texts: str) -> np.ndarray:
    return np.array(texts, dtype=object)


def cub200(root: Path) -> None:
    folder = root / "CUB_200_2011"
    classes = {1: "001.Albatross", 100: "100.Pelican", 101: "101.Puffin", 200: "200.Yellowthroat"}
    photos = [f"{name}/{n}.jpg" for name in classes.values() for n in (1, 2)]
    touch(folder / "images", *photos)
    write(folder, "images.txt", *(f"{n} {photo}" for n, photo in enumerate(photos, 1)))
    write(folder, "classes.txt", *(f"{number} {name}" for number, name in classes.items()))
    labels = [number for number in classes for _ in range(2)]
    write(folder, "image_class_labels.txt", *(f"{n} {label}" for n, label in enumerate(labels, 1)))


def cars196(root: Path) -> None:
    names = [f"car_ims/{n:06d}.jpg" for n in range(1, 7)]
    touch(root, *names)
    annotations = structures(
        relative_im_path=names, bbox_x1=[1] * 6, **{"class": [1, 1, 98, 99, 196, 196]}
    )
    models = cells(*(f"Make {n}" for n in range(1, 197)))
    savemat(root / "cars_annos.mat", {"annotations": annotations, "class_names": models})


def cars196_devkit(root: Path) -> None:
    names = [f"{n:05d}.jpg" for n in range(1, 4)]
    touch(root / "cars_train", *names)
    touch(root / "cars_test", *names)
    (root / "devkit").mkdir()
    for file, labels in (
        ("devkit/cars_train_annos.mat", [1, 98, 196]),
        ("cars_test_annos_withlabels.mat", [1, 99, 196]),
    ):
        annotations = structures(bbox_x1=[1] * 3, fname=names, **{"class": labels})
        savemat(root / file, {"annotations": annotations}, do_compression=True)
    models = cells(*(f"Make {n}" for n in range(1, 197)))
    savemat(root / "devkit/cars_meta.mat", {"class_names": models})


def cars196_folders(root: Path) -> None:
    models = [f"Make {n:03d}" for n in range(1, 197)]
    for part in ("train", "test"):
        for n in (1, 98, 99, 196):
            touch(root / "car_data" / part / models[n - 1], f"{part}.jpg")
        for model in models:
            (root / "car_data" / part / model).mkdir(exist_ok=True)


def dogs(root: Path) -> None:
    for n in range(1, 121):
        (root / "Images" / f"n{n:08d}-Breed_{n}").mkdir(parents=True)
    for n in (1, 60, 61, 120):
        touch(root / "Images" / f"n{n:08d}-Breed_{n}", f"n{n}_1.jpg", f"n{n}_2.jpg", "notes.txt")


def flowers102(root: Path) -> None:
    touch(root / "jpg", *(f"image_{n:05d}.jpg" for n in range(1, 8)))
    labels = np.array([[1, 51, 52, 102, 52, 51, 102]], dtype=np.uint8)
    savemat(root / "imagelabels.mat", {"labels": labels}, do_compression=True)


def aircraft(root: Path) -> None:
    folder = root / "fgvc-aircraft-2013b" / "data"
    variants = [f"Model {n:03d}" for n in range(100)]
    variants[99] = "A Variant With Blanks / And More"
    write(folder, "variants.txt", *variants)
    photos = iter(range(1_000_000, 2_000_000))
    for part in ("train", "val", "test"):
        lines = [f"{next(photos):07d} {variants[n]}" for n in (0, 49, 50, 99)]
        touch(folder / "images", *(f"{line[:7]}.jpg" for line in lines))
        write(folder, f"images_variant_{part}.txt", *lines)


def inaturalist(root: Path) -> None:
    parts = {
        "train": ["Aves/10/a.jpg", "Aves/10/b.jpg", "Plantae/20/a.jpg", "Plantae/20/b.jpg"],
        "test": ["Aves/11/a.jpg", "Aves/11/b.jpg", "Fungi/10/a.jpg", "Fungi/10/b.jpg"],
    }
    for part, photos in parts.items():
        names = [f"train_val2018/{photo}" for photo in photos]
        touch(root, *names)
        write(root, f"Inat_dataset_splits/Inaturalist_{part}_set1.txt", *names)


def sop(root: Path) -> None:
    folder = root / "Stanford_Online_Products"
    header = "image_id class_id super_class_id path"
    for part, first in (("train", 1), ("test", 11319)):
        names = [f"{kind}_final/{first}_{n}.JPG" for kind in ("bicycle", "mug") for n in (0, 1)]
        touch(folder, *names)
        lines = [f"{n} {first + n // 3} {1 + n // 3} {name}" for n, name in enumerate(names, 1)]
        write(folder, f"Ebay_{part}.txt", header, *lines)


def inshop(root: Path) -> None:
    photos = [
        *(("WOMEN/Dresses/id_00000001/01_1_front.jpg", 1, "train"),),
        *(("MEN/Denim/id_00000004/01_1_front.jpg", 4, "train"),),
        *(("WOMEN/Dresses/id_00000002/01_1_front.jpg", 2, "query"),),
        *(("WOMEN/Dresses/id_00000003/01_1_front.jpg", 3, "query"),),
        *(("WOMEN/Dresses/id_00000002/02_1_front.jpg", 2, "gallery"),),
        *(("WOMEN/Dresses/id_00000003/02_1_front.jpg", 3, "gallery"),),
    ]
    touch(root / "Img" / "img", *(name for name, _, _ in photos))
    lines = [f"img/{name}    id_{item:08d} {part}  " for name, item, part in photos]
    header = ("6", "image_name item_id evaluation_status")
    write(root, "Eval/list_eval_partition.txt", *header, *lines)


@dataclass(frozen=True)
class Case:
    """A miniature and what must be read from it."""

    name: str
    build: Callable[[Path], None]
    parts: dict[str, list[int]]  # targets in order
    labels: tuple[str, str]  # of the first training and the last query photo
    listed: str  # a file whose lines name photos, or a folder of them
    photo: str

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"retrieval.benchmarks.{self.name}")

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        return {part: (len(t), len(set(t))) for part, t in self.parts.items()}


CUB = "CUB_200_2011"
AIR = "fgvc-aircraft-2013b/data"
SHOP = "Stanford_Online_Products"
CASES = [
    Case(
        *("cub200", cub200, {"train": [1, 1, 100, 100], "test": [101, 101, 200, 200]}),
        *(("001.Albatross", "200.Yellowthroat"), f"{CUB}/images.txt"),
        f"{CUB}/images/200.Yellowthroat/1.jpg",
    ),
    Case(
        *("cars196", cars196, {"train": [1, 1, 98], "test": [99, 196, 196]}),
        *(("Make 1", "Make 196"), "cars_annos.mat", "car_ims/000006.jpg"),
    ),
    Case(
        *("cars196", cars196_devkit, {"train": [1, 98, 1], "test": [196, 99, 196]}),
        *(("Make 1", "Make 196"), "devkit/cars_train_annos.mat", "cars_test/00002.jpg"),
    ),
    Case(
        *("cars196", cars196_folders, {"train": [1, 98, 1, 98], "test": [99, 196, 99, 196]}),
        *(("Make 001", "Make 196"), "car_data/train", ""),
    ),
    Case(
        *("dogs", dogs, {"train": [1, 1, 60, 60], "test": [61, 61, 120, 120]}),
        *(("Breed_1", "Breed_120"), "Images", ""),
    ),
    Case(
        *("flowers102", flowers102, {"train": [1, 51, 51], "test": [52, 102, 52, 102]}),
        *(("1", "102"), "imagelabels.mat", "jpg/image_00007.jpg"),
    ),
    Case(
        *("aircraft", aircraft, {"train": [1, 50] * 3, "test": [51, 100] * 3}),
        *(("Model 000", "A Variant With Blanks / And More"), f"{AIR}/images_variant_val.txt"),
        f"{AIR}/images/1000002.jpg",
    ),
    Case(
        *("inaturalist", inaturalist, {"train": [0, 0, 1, 1], "test": [2, 2, 3, 3]}),
        *(("Aves/10", "Fungi/10"), "Inat_dataset_splits/Inaturalist_test_set1.txt"),
        "train_val2018/Fungi/10/b.jpg",
    ),
    Case(
        *("sop", sop, {"train": [1, 1, 2, 2], "test": [11319, 11319, 11320, 11320]}),
        *(("1", "11320"), f"{SHOP}/Ebay_test.txt", f"{SHOP}/mug_final/11319_1.JPG"),
    ),
    Case(
        *("inshop", inshop, {"train": [1, 4], "query": [2, 3], "gallery": [2, 3]}),
        *(("1", "3"), "Eval/list_eval_partition.txt"),
        "Img/img/WOMEN/Dresses/id_00000003/02_1_front.jpg",
    ),
]


def cases(chosen: Callable[[Case], bool] = lambda case: True) -> pytest.MarkDecorator:
    """Run a test for each case that is chosen."""
    found = [case for case in CASES if chosen(case)]
    return pytest.mark.parametrize("case", found, ids=[case.build.__name__ for case in found])


every_case = cases()
listing_cases = cases(lambda case: case.listed.endswith(".txt"))


def parts_of(benchmark: Benchmark) -> dict[str, list[int]]:
    tested = (
        {"test": benchmark.query}
        if benchmark.same_images
        else {"query": benchmark.query, "gallery": benchmark.gallery}
    )
    return {
        name: split.targets.tolist()
        for name, split in ({"train": benchmark.train} | tested).items()
    }


@every_case
def test_the_standard_split(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    benchmark = case.module.read(tmp_path, counts="any")
    assert parts_of(benchmark) == case.parts
    assert benchmark.class_disjoint
    assert (benchmark.train.name(0), benchmark.query.name(-1)) == case.labels
    for split in (benchmark.train, benchmark.query, benchmark.gallery):
        assert all(path.is_file() for path in split.paths)
        assert set(split.names) <= set(split.targets.tolist())
    assert benchmark.name.endswith("(not the published copy)")


@cases(lambda case: case.build in (cub200, cars196_folders, aircraft, sop))
def test_the_folder_of_the_archive_itself_is_found_too(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    inner = case.listed.partition("/")[0]
    benchmark = case.module.read(tmp_path / inner, counts="any")
    assert parts_of(benchmark) == case.parts


@every_case
def test_the_counts_are_checked(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.build(tmp_path)
    with pytest.raises(BadInputError, match=r"train must have .*; got .*counts=any"):
        case.module.read(tmp_path)
    monkeypatch.setattr(case.module, "EXPECTED", case.counts)
    benchmark = case.module.read(tmp_path)
    assert benchmark.name == case.module.SOURCE.name
    assert not any("must have" in note for note in benchmark.notes)
    assert benchmark.notes[-1].startswith("Terms: ")
    last = list(case.counts)[-1]
    images, classes = case.counts[last]
    for wrong in ((images + 1, classes), (images, classes + 1)):
        monkeypatch.setattr(case.module, "EXPECTED", case.counts | {last: wrong})
        sentence = f"{last} must have {wrong[0]} images of {wrong[1]} classes; got {images} of"
        with pytest.raises(BadInputError, match=sentence):
            case.module.read(tmp_path)
        assert case.module.read(tmp_path, counts="any").notes[0].startswith(sentence)


@cases(lambda case: bool(case.photo))
def test_a_missing_photo_is_named(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.build(tmp_path)
    monkeypatch.setattr(case.module, "EXPECTED", case.counts)
    (tmp_path / case.photo).unlink()
    name = Path(case.photo).name.replace(".", r"\.")
    with pytest.raises(BadInputError, match=f"1 missing, such as .*{name}"):
        case.module.read(tmp_path)
    benchmark = case.module.read(tmp_path, counts="any")
    assert "1 missing" in benchmark.notes[0]
    assert parts_of(benchmark) == case.parts


@every_case
def test_a_missing_list_says_where_to_get_it(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    (tmp_path / case.listed).rename(tmp_path / "elsewhere")
    with pytest.raises(BadInputError) as caught:
        case.module.read(tmp_path, counts="any")
    message = str(caught.value)
    assert Path(case.listed).name in message
    assert case.module.SOURCE.page in message
    assert "must hold" in message


@pytest.mark.parametrize(
    ("build", "name", "folder"), [(cars196_folders, "cars196", "test"), (dogs, "dogs", "Images")]
)
def test_class_folders_are_folders(
    build: Callable[[Path], None], name: str, folder: str, tmp_path: Path
) -> None:
    build(tmp_path)
    root = tmp_path / "car_data" if name == "cars196" else tmp_path
    (root / folder).rename(tmp_path / "elsewhere")
    module = importlib.import_module(f"retrieval.benchmarks.{name}")
    if name == "dogs":
        (root / folder).write_text("a file")
    with pytest.raises(BadInputError, match=f"{folder} must be a folder of class folders; got"):
        module.read(tmp_path, counts="any")


@listing_cases
def test_a_list_that_leaves_the_folder_is_refused(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    file = tmp_path / case.listed
    text = file.read_text(encoding="utf-8")
    old = next(
        word
        for word in text.split()
        if word.lower().endswith(".jpg") or (case.name == "aircraft" and word.isdigit())
    )
    file.write_text(text.replace(old, "../" * 9 + old), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"row \d+ must be"):
        case.module.read(tmp_path, counts="any")


@listing_cases
def test_a_line_that_is_no_line_is_named(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    file = tmp_path / case.listed
    with file.open("a", encoding="utf-8") as stream:
        stream.write("\nnonsense\n")
    with pytest.raises(BadInputError, match=r"\.txt row \d+ must be <.*; got 'nonsense'"):
        case.module.read(tmp_path, counts="any")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_counts(name: str) -> None:
    module = importlib.import_module(f"retrieval.benchmarks.{name}")
    assert PUBLISHED[name] == module.EXPECTED
    assert sum(images for images, _ in module.EXPECTED.values()) == TOTALS[name]


def test_counts_is_official_or_any(tmp_path: Path) -> None:
    flowers102(tmp_path)
    with pytest.raises(BadInputError, match="no counts called 'all'; known: official, any"):
        CASES[5].module.read(tmp_path, counts="all")


def test_a_photo_listed_twice_is_refused(tmp_path: Path) -> None:
    sop(tmp_path)
    file = tmp_path / SHOP / "Ebay_test.txt"
    text = file.read_text()
    file.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(BadInputError, match=r"photos must be listed once; got .* twice"):
        importlib.import_module("retrieval.benchmarks.sop").read(tmp_path, counts="any")


def test_a_class_on_both_sides_is_refused(tmp_path: Path) -> None:
    sop(tmp_path)
    file = tmp_path / SHOP / "Ebay_test.txt"
    file.write_text(file.read_text().replace(" 11320 ", " 2 "))
    with pytest.raises(BadInputError, match="classes of train must not occur in query or gallery"):
        importlib.import_module("retrieval.benchmarks.sop").read(tmp_path, counts="any")


def test_unknown_ids_are_named(tmp_path: Path) -> None:
    cub200(tmp_path)
    with (tmp_path / CUB / "images.txt").open("a") as stream:
        stream.write("77 001.Albatross/9.jpg\n")
    with pytest.raises(BadInputError, match=r"images\.txt row 9 must name something .*; got '77'"):
        importlib.import_module("retrieval.benchmarks.cub200").read(tmp_path, counts="any")


def test_numbers_are_numbers(tmp_path: Path) -> None:
    sop(tmp_path)
    file = tmp_path / SHOP / "Ebay_train.txt"
    file.write_text(file.read_text().replace("1 1 1 ", "1 one 1 "))
    with pytest.raises(BadInputError, match=r"row 2 must hold a whole number; got 'one'"):
        importlib.import_module("retrieval.benchmarks.sop").read(tmp_path, counts="any")


def test_inshop_parts_are_known(tmp_path: Path) -> None:
    inshop(tmp_path)
    file = tmp_path / "Eval/list_eval_partition.txt"
    file.write_text(file.read_text().replace(" query", " val"))
    with pytest.raises(BadInputError, match="must end in train, query, gallery; got 'val'"):
        importlib.import_module("retrieval.benchmarks.inshop").read(tmp_path, counts="any")


def test_coarser_classes_are_groups(tmp_path: Path) -> None:
    sop(tmp_path / "sop")
    inaturalist(tmp_path / "inat")
    products = importlib.import_module("retrieval.benchmarks.sop")
    species = importlib.import_module("retrieval.benchmarks.inaturalist")
    query = products.read(tmp_path / "sop", counts="any").query
    assert query.groups["superclass"].tolist() == [1, 1, 2, 2]
    benchmark = species.read(tmp_path / "inat", counts="any")
    assert benchmark.train.groups["supercategory"].tolist() == [0, 0, 1, 1]
    assert benchmark.query.groups["supercategory"].tolist() == [0, 0, 2, 2]
