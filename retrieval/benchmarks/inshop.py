"""In-Shop Clothes Retrieval (DeepFashion): 52,712 photos of 7,982 garments.

The published split: 3,997 garments for learning (25,882 photos); 3,985 others for the test, with
14,218 queries and a gallery of 12,612 photos that are apart. No query lies in the gallery, so there
is no self-match to remove: an evaluation that drops the best hit here drops a right answer.

Photos are those of 256 pixels (``img.zip``). Figures from ``img_highres.zip`` are not comparable.

Source: https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html
    (Eval/list_eval_partition.txt and Img/img.zip, by agreement with the authors)
Licence: non-commercial research and education; the makers do not own the photos.

References:
    Liu, Luo, Qiu, Wang, Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with
    Rich Annotations, CVPR 2016.
"""

from pathlib import Path

from ..data import Benchmark
from ..errors import BadInputError
from ._published import Layout, Photo, Source, part, whole

SOURCE = Source(
    name="In-Shop",
    page="https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html",
    get="Eval/list_eval_partition.txt and Img/img.zip",
    terms="non-commercial research and education",
)
EXPECTED = {"train": (25_882, 3_997), "query": (14_218, 3_985), "gallery": (12_612, 3_985)}


def read(root: Path, *, counts: str = "official") -> Benchmark:
    """Read the unpacked archives.

    Args:
        root: The folder that holds ``Eval`` and ``Img`` (or ``list_eval_partition.txt`` and
            ``img``).
        counts: "official" refuses a copy with other numbers of photos, "any" notes them.

    Raises:
        BadInputError: A file is missing or malformed, or the counts differ.
    """
    layout = Layout(
        SOURCE,
        root,
        "Eval/list_eval_partition.txt",
        "list_eval_partition.txt",
        inner="In-shop Clothes Retrieval Benchmark",
    )
    folder = "Img/" if (layout.root / "Img").is_dir() else ""
    photos: dict[str, list[Photo]] = {name: [] for name in EXPECTED}
    for where, (name, item, status) in layout.rows(
        layout.file(layout.marker), "image_name", "item_id", "evaluation_status", skip=2
    ):
        if status not in photos:
            raise BadInputError(f"{where} must end in {', '.join(photos)}; got {status!r}.")
        target = whole(where, item.removeprefix("id_"))
        photos[status].append(layout.photo(where, folder + name, target))
    return layout.benchmark({name: part(of) for name, of in photos.items()}, EXPECTED, counts)
