"""iNaturalist 2018 for retrieval: 461,939 photos of 8,142 species.

The split of Brown et al.: 5,690 species for learning (325,846 photos), the other 2,452 for the test
(136,093), where every photo queries all others. It joins the training and validation photos of the
2018 competition and is given by two lists, which come with the authors' code and not with the
photos. The species is the folder of a photo; its super-category (Aves, Plantae ...) is kept as
the group ``supercategory``.

Other splits of iNaturalist are in use, and years other than 2018: figures on them are not comparable.

Source: https://github.com/visipedia/inat_comp/tree/master/2018 (train_val2018.tar.gz, 120 GB);
    lists: https://github.com/Andrew-Brown1/Smooth_AP (Inat_dataset_splits)
Licence: non-commercial research and education, no redistribution of the photos.

References:
    Van Horn et al.: The iNaturalist Species Classification and Detection Dataset, CVPR 2018.
    Split: Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV 2020.
"""  # noqa: E501

from pathlib import Path, PurePosixPath

from ..data import Benchmark
from ..errors import BadInputError
from ._published import Layout, Photo, Source, part

SOURCE = Source(
    name="iNaturalist 2018",
    page="https://github.com/visipedia/inat_comp/tree/master/2018",
    get="train_val2018.tar.gz and Inat_dataset_splits (https://github.com/Andrew-Brown1/Smooth_AP)",
    terms="non-commercial research and education, no redistribution of the photos",
)
EXPECTED = {"train": (325_846, 5_690), "test": (136_093, 2_452)}


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the photos' folder and the two lists.

    Args:
        root: The folder that holds ``train_val2018`` and ``Inat_dataset_splits`` (the lists may
            also lie in ``root`` itself).
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(
        SOURCE,
        root,
        "Inat_dataset_splits/Inaturalist_test_set1.txt",
        "Inaturalist_test_set1.txt",
        inner="inaturalist",
    )
    lists = PurePosixPath(layout.marker).parent
    species: dict[str, int] = {}
    kingdoms: dict[str, int] = {}
    parts = {
        name: part(
            _photos(layout, f"{lists}/Inaturalist_{name}_set1.txt", species, kingdoms),
            {target: folder for folder, target in species.items()},
            group="supercategory",
        )
        for name in ("train", "test")
    }
    return layout.benchmark(parts, EXPECTED, counts)


def _photos(
    layout: Layout, file: str, species: dict[str, int], kingdoms: dict[str, int]
) -> list[Photo]:
    """Photos of one list; new species and super-categories are numbered as they come."""
    photos = []
    for where, (name,) in layout.rows(layout.file(file), "train_val2018/super/species/photo"):
        folders = PurePosixPath(name).parts
        if len(folders) != 4:
            raise BadInputError(
                f"{where} must be <train_val2018/super/species/photo>; got {name!r}."
            )
        label = f"{folders[1]}/{folders[2]}"
        target = species.setdefault(label, len(species))
        group = kingdoms.setdefault(folders[1], len(kingdoms))
        photos.append(layout.photo(where, name, target, group))
    return photos
