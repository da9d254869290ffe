"""Cars-196 (Stanford Cars): 16,185 photos of 196 models.

The retrieval split: models 1 to 98 for learning (8,054 photos), 99 to 196 for the test (8,131),
where every photo queries all others. It joins the two parts of the classification task. Photos are
whole: figures on photos cut to the bounding box are several points higher and not comparable.

Three layouts are in circulation, and all three are read:

- ``cars_annos.mat`` with ``car_ims/``, the layout of the retrieval papers;
- the devkit: ``cars_train/``, ``cars_test/``, ``devkit/cars_train_annos.mat`` and
  ``cars_test_annos_withlabels.mat`` (the plain ``cars_test_annos.mat`` has no labels);
- one folder a model under ``train/`` and ``test/``. Models are then numbered in alphabetical order,
  which is not the official order but cuts at the same place: official numbers follow the maker from
  A to Z, and model 98 (Eagle Talon) is the last before F.

Source: https://ai.stanford.edu/~jkrause/cars/car_dataset.html (closed since 2023; copies are on
    Kaggle and in https://github.com/pytorch/vision/issues/7545)
Licence: none stated beyond research use; photos from the web.

References:
    Krause, Stark, Deng, Fei-Fei: 3D Object Representations for Fine-Grained Categorization,
    3dRR-13, 2013.
    Split: Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from ._mat import mat_values
from ._published import Layout, Photo, Source, halves, whole

SOURCE = Source(
    name="Cars-196",
    page="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    get="cars_annos.mat and car_ims.tgz (or a copy of them, the page is closed)",
    terms="no licence stated, research use",
)
EXPECTED = {"train": (8_054, 98), "test": (8_131, 98)}
LAST_TRAIN = 98

_Read = tuple[list[Photo], dict[int, str]]


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read any of the three layouts; the first that is found decides.

    Args:
        root: The folder that holds one of them.
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or damaged, or the counts differ.
    """
    layout = Layout(
        SOURCE,
        root,
        *("cars_annos.mat", "devkit/cars_train_annos.mat", "train"),
        inner="car_data",
    )
    readers = {"cars_annos.mat": _joined, "devkit/cars_train_annos.mat": _devkit, "train": _folders}
    photos, names = readers[layout.marker](layout)
    return layout.benchmark(halves(photos, LAST_TRAIN, names), EXPECTED, counts)


def _joined(layout: Layout) -> _Read:
    """One list of all photos, with paths such as car_ims/000001.jpg."""
    file = layout.file("cars_annos.mat")
    *fields, models = mat_values(
        file, "annotations.relative_im_path", "annotations.class", "class_names"
    )
    return _annotated(layout, file, "", *fields), _numbered(models)


def _devkit(layout: Layout) -> _Read:
    """A list for each part of the classification task, with bare file names."""
    train = layout.file("devkit/cars_train_annos.mat")
    test = layout.file("cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat")
    photos = [
        photo
        for file, folder in ((train, "cars_train/"), (test, "cars_test/"))
        for photo in _annotated(
            layout, file, folder, *mat_values(file, "annotations.fname", "annotations.class")
        )
    ]
    (models,) = mat_values(layout.file("devkit/cars_meta.mat"), "class_names")
    return photos, _numbered(models)


def _folders(layout: Layout) -> _Read:
    """A folder for each model."""
    parts = [layout.class_folders("train"), layout.class_folders("test")]
    models = sorted({Path(folder).name for part in parts for folder in part})
    targets = {model: target for target, model in enumerate(models, start=1)}
    photos = [
        layout.photo(folder, f"{folder}/{name}", targets[Path(folder).name])
        for part in parts
        for folder, files in part.items()
        for name in files
    ]
    return photos, {target: model for model, target in targets.items()}


def _annotated(
    layout: Layout, file: Path, folder: str, names: list[str | int], targets: list[str | int]
) -> list[Photo]:
    photos = []
    for number, (name, target) in enumerate(zip(names, targets, strict=True), start=1):
        where = f"{SOURCE.name}: {file.name} photo {number}"
        photos.append(layout.photo(where, f"{folder}{name}", whole(where, target)))
    return photos


def _numbered(models: list[str | int]) -> dict[int, str]:
    return {number: str(model) for number, model in enumerate(models, start=1)}
