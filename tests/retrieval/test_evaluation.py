"""From pictures to a report: what is measured, named, left out, and the same again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from retrieval import plugins, reranking
from retrieval.comparison import compare
from retrieval.data import Benchmark, Relevance, Split
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoding import encode_files
from retrieval.evaluation import EvaluationReport, evaluate, report, table
from retrieval.metrics import judge
from retrieval.reranker import Reranker
from tests.retrieval.runs import made_report, made_split, made_vectors

COLOURS = ((200, 40, 40), (40, 160, 60), (40, 60, 200))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build_encoder("small", "average", size=32)


def picture(path: Path, target: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(COLOURS[target]) + rng.normal(0, 40, (40, 48, 3)), 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def split_of(folder: Path, targets: list[int], seed: int = 0) -> Split:
    paths = tuple(
        picture(folder / f"{i}.png", target, seed + i) for i, target in enumerate(targets)
    )
    return Split(paths, np.array(targets), names={0: "red", 1: "green", 2: "blue"})


@pytest.fixture
def photos(tmp_path: Path) -> Split:
    return split_of(tmp_path / "photos", [0, 0, 0, 1, 1, 1, 2, 2])


def run(encoder: Encoder, benchmark: Benchmark, **options: Any) -> EvaluationReport:
    return evaluate(encoder, benchmark, runtime="eager", **options)


def score(found: EvaluationReport, name: str) -> float:
    return next(one.value for one in found.scores if one.name == name)


def test_every_image_queries_all_others(encoder: Encoder, photos: Split) -> None:
    done: list[int] = []
    found = run(encoder, Benchmark("b", photos, photos), ks=(1, 2), on_progress=done.append)
    assert sum(done) == 8
    vectors = encode_files(encoder, photos.paths, runtime="eager").vectors
    theirs = AccuracyCalculator(include=("precision_at_1",), device=torch.device("cpu"))
    want = theirs.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(photos.targets))
    assert score(found, "Recall@1") == pytest.approx(want["precision_at_1"])
    assert found.same_images
    assert found.encoder["fingerprint"] == encoder.fingerprint()
    assert found.encoder["dim"] == encoder.dim
    assert found.run["seconds"]["encoding"] > 0
    assert found.run["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert [path.as_posix() for path in found.query.paths] == [f"{i}.png" for i in range(8)]
    assert Path(found.data["root"]) == photos.paths[0].parent


def test_queries_and_gallery_apart(encoder: Encoder, tmp_path: Path) -> None:
    query = split_of(tmp_path / "query", [0, 1, 2], seed=50)
    gallery = split_of(tmp_path / "gallery", [2, 1, 0, 0])
    done: list[int] = []
    benchmark = Benchmark("b", query, gallery, relevance=Relevance.INSTANCE)
    found = run(encoder, benchmark, ks=(1, 4), on_progress=done.append)
    assert sum(done) == 7
    assert score(found, "acc@4") == 1
    assert found.gallery.paths[0].as_posix() == "gallery/0.png"
    assert found.outcomes.hits.indices.shape == (3, 4)


def test_a_file_that_cannot_be_read_is_left_out_and_named(encoder: Encoder, photos: Split) -> None:
    photos.paths[3].write_bytes(b"no picture")
    found = run(encoder, Benchmark("b", photos, photos), ks=(1,))
    assert len(found.query) == len(found.gallery) == len(found.outcomes) == 7
    assert photos.paths[3].name not in [path.name for path in found.query.paths]
    assert found.query.targets.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert [Path(file.path) for file in found.rejected] == [photos.paths[3]]
    assert found.rejected[0].reason
    assert "1 files could not be encoded and are left out." in found.notes
    assert found.as_dict()["counts"]["rejected"] == 1


def test_files_that_cannot_be_read_on_both_sides(encoder: Encoder, tmp_path: Path) -> None:
    query, gallery = split_of(tmp_path / "q", [0, 1]), split_of(tmp_path / "g", [0, 1, 1], seed=9)
    query.paths[0].write_bytes(b"")
    gallery.paths[2].write_bytes(b"")
    found = run(encoder, Benchmark("b", query, gallery), ks=(1,))
    assert [Path(file.path).parent.name for file in found.rejected] == ["q", "g"]
    assert (len(found.query), len(found.gallery)) == (1, 2)


def test_nothing_can_be_read(encoder: Encoder, photos: Split) -> None:
    for path in photos.paths:
        path.write_bytes(b"no picture")
    with pytest.raises(
        ValueError, match=r"^b: query and gallery must have images .* got 0 and 0\."
    ):
        run(encoder, Benchmark("b", photos, photos))


def test_a_copy_of_the_query_is_no_answer(encoder: Encoder, photos: Split) -> None:
    photos.paths[1].write_bytes(photos.paths[0].read_bytes())
    found = run(encoder, Benchmark("b", photos, photos), ks=(1,))
    assert found.outcomes.right_answers.tolist() == [1, 1, 2, 2, 2, 2, 1, 1]
    assert 1 not in found.outcomes.hits.indices[0]
    assert 0 not in found.outcomes.hits.indices[1]
    assert any(note.startswith("2 queries have a byte-identical copy") for note in found.notes)


def test_reports_say_what_the_copies_would_do(encoder: Encoder, tmp_path: Path) -> None:
    query = split_of(tmp_path / "query", [0, 1, 2], seed=50)
    gallery = split_of(tmp_path / "gallery", [0, 1, 2, 0, 1, 2])
    query.paths[1].write_bytes(gallery.paths[4].read_bytes())
    found = run(encoder, Benchmark("b", query, gallery), ks=(1,))
    assert found.outcomes.right_answers.tolist() == [2, 1, 2]
    assert 4 not in found.outcomes.hits.indices[1]
    note = next(note for note in found.notes if "copy" in note)
    assert note.startswith("1 queries have a byte-identical copy in the gallery")
    assert "with it Recall@1" in note


def test_no_note_of_copies_where_there_are_none(encoder: Encoder, photos: Split) -> None:
    assert not [n for n in run(encoder, Benchmark("b", photos, photos)).notes if "copy" in n]


def test_the_same_again(encoder: Encoder, photos: Split) -> None:
    one, two = (run(encoder, Benchmark("b", photos, photos)) for _ in range(2))
    assert one.scores == two.scores
    assert one.data == two.data
    assert one.encoder["fingerprint"] == two.encoder["fingerprint"]
    np.testing.assert_array_equal(one.outcomes.first_rank, two.outcomes.first_rank)


def test_data_hashes_notice_every_change(encoder: Encoder, photos: Split, tmp_path: Path) -> None:
    def facts(split: Split) -> tuple[str, str]:
        data = run(encoder, Benchmark("b", split, split)).data
        return data["list"], data["contents"]

    before = facts(photos)
    moved = split_of(tmp_path / "elsewhere", photos.targets.tolist())
    assert facts(moved) == before  # the same data set in another folder
    relabelled = Split(photos.paths, photos.targets[::-1].copy(), names=photos.names)
    assert facts(relabelled)[0] != before[0]
    assert facts(relabelled)[1] == before[1]
    picture(photos.paths[0], 2, seed=77)
    assert facts(photos)[0] == before[0]
    assert facts(photos)[1] != before[1]


def test_the_hash_of_the_data_sets_own_table(encoder: Encoder, photos: Split) -> None:
    listing = photos.paths[0].parent / "images.csv"
    listing.write_bytes(b"abc")
    data = run(encoder, Benchmark("b", photos, photos), listing=listing).data
    assert data["listing"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_equal_numbers_of_other_classes_are_another_data_set() -> None:
    query = made_split(20, 4)
    renamed = Split(query.paths, query.targets, names={0: "z", 1: "y", 2: "x", 3: "w"})
    vectors = made_vectors(query.targets, noise=0.5)
    one, two = (
        report(Benchmark("b", split, split), vectors, vectors) for split in (query, renamed)
    )
    assert one.data["list"] != two.data["list"]


def test_paths_of_two_drives_or_kinds_stay_as_they_are() -> None:
    split = Split((Path("/a/b.jpg"), Path("c.jpg"), Path("d.jpg")), np.array([0, 0, 0]))
    vectors = made_vectors(split.targets, noise=0.5)
    found = report(Benchmark("b", split, split), vectors, vectors, ks=(1,))
    assert (found.data["root"], found.query.paths) == ("", split.paths)


def test_k_beyond_the_gallery_is_left_out_with_a_note() -> None:
    found = made_report(count=6, classes=2)
    assert [one.name for one in found.scores][:4] == [
        "Recall@1",
        "Recall@2",
        "Recall@4",
        "R-precision",
    ]
    assert "K of [8] left out: the gallery has 6 images." in found.notes


def test_notes_of_few_clusters_and_of_queries_without_an_answer() -> None:
    query = made_split(30, 3)
    query.targets[0] = 77
    benchmark = Benchmark("b", query, query, notes=("counts differ",))
    vectors = made_vectors(query.targets, noise=0.5)
    found = report(benchmark, vectors, vectors, notes=["two leaks"])
    assert found.notes == (
        "counts differ",
        "two leaks",
        "Clustered intervals over 3 clusters only are too narrow.",
        "1 queries have no right answer in the gallery and are left out.",
    )
    assert found.scores[0].count == 29


def test_vectors_that_are_no_unit_rows_are_named() -> None:
    query = made_split(10, 2)
    vectors = made_vectors(query.targets, noise=0.5)
    vectors[7] = np.nan
    name = query.paths[7].as_posix()
    with pytest.raises(ValueError, match=rf"^query_vectors must have finite rows .* at '{name}'"):
        report(Benchmark("b", query, query), vectors, vectors)


def test_vectors_of_other_images() -> None:
    query = made_split(10, 2)
    vectors = made_vectors(query.targets, noise=0.5)
    with pytest.raises(ValueError, match=r"^query_targets must be \(9,\); got \(10,\)"):
        report(Benchmark("b", query, query), vectors[:9], vectors[:9])


def test_print_is_one_line_in_percent() -> None:
    text = str(made_report())
    assert "\n" not in text
    assert text.startswith("made up, net a: Recall@1 ")
    assert "/60, " in text
    assert "clustered" in text


def test_table_of_several_reports() -> None:
    lines = table([made_report(), made_report(name="net|b", count=6, classes=2)]).splitlines()
    head, rule, first, second, empty, legend = lines
    assert head.startswith("| benchmark | encoder | queries / gallery | Recall@1 |")
    assert rule.count("---") == head.count("|") - 1
    assert first.startswith("| made up | net a | 60 / 60 | **")
    assert {head.count("|"), first.count("|"), second.count("|")} == {head.count("|")}
    assert "net/b" in second
    assert (empty, "Wilson" in legend) == ("", True)


@pytest.mark.parametrize(
    ("relevance", "ks", "names"),
    [
        (Relevance.CLASS, None, ["Recall@1", "Recall@2", "Recall@4", "Recall@8"]),
        (Relevance.INSTANCE, None, ["acc@1", "acc@5", "acc@10"]),
        (Relevance.INSTANCE, (1, 2), ["acc@1", "acc@2"]),
    ],
)
def test_the_k_are_those_of_the_papers_on_each_task(
    relevance: Relevance, ks: tuple[int, ...] | None, names: list[str]
) -> None:
    query = made_split(20, 4)
    gallery = made_split(30, 4, folder="shelf", seed=5)
    vectors = [made_vectors(split.targets, noise=1.0) for split in (query, gallery)]
    found = report(Benchmark("made up", query, gallery, relevance=relevance), *vectors, ks=ks)
    assert [score.name for score in found.scores if score.hits is not None] == names


def test_a_report_is_read_without_pytorch() -> None:
    program = (
        "import sys, retrieval.evaluation, retrieval.comparison, retrieval.saved_reports; "
        "print([m for m in ('torch', 'scipy', 'PIL') if m in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize("name", plugins.names(reranking))
@pytest.mark.parametrize("same_images", [True, False])
def test_a_re_ranking_and_what_it_costs_are_in_the_report(
    encoder: Encoder, tmp_path: Path, name: str, same_images: bool
) -> None:
    gallery = split_of(tmp_path / "gallery", [0, 0, 0, 1, 1, 1, 2, 2])
    gallery.paths[5].write_bytes(b"no picture")
    gallery.paths[6].write_bytes(gallery.paths[7].read_bytes())
    query = gallery if same_images else split_of(tmp_path / "query", [0, 1, 2], seed=50)
    benchmark = Benchmark("b", query, gallery)
    plain = run(encoder, benchmark, ks=(1, 2))
    method = plugins.build(reranking, {"name": name, "candidates": 5})
    found = run(encoder, benchmark, ks=(1, 2), reranking=method)
    facts = found.run["reranking"]
    assert facts["settings"] == method.settings()
    assert facts["ms_per_query"] > 0
    assert "reranking" not in plain.run
    assert found.name == f"{plain.name} + {name}:candidates=5"
    assert f"| {name}:candidates=5, " in table([plain, found])
    assert [row.count("|") for row in table([plain, found]).splitlines()[:4]] == [10] * 4
    found.save(tmp_path / "run")
    loaded = EvaluationReport.load(tmp_path / "run")
    assert loaded.name == found.name
    assert f"B: {found.name}" in str(compare(plain, loaded))


def test_neighbours_are_enough_where_copies_are_left_out() -> None:
    """Each list must be whole without the query and its four copies."""
    split = made_split(60, 6)
    files = np.arange(60) % 12
    vectors = made_vectors(files, noise=0.7)
    method = plugins.build(reranking, {"name": "k_reciprocal", "k1": 6, "k2": 3})
    found = report(
        Benchmark("b", split, split), vectors, vectors, same_files=(files, files), reranking=method
    )
    deep = Reranker(method, vectors, vectors, most_left_out=30)
    want = judge(
        vectors,
        vectors,
        split.targets,
        split.targets,
        same_files=(files, files),
        keep=10,
        rescore=deep,
    )
    np.testing.assert_array_equal(found.outcomes.hits.indices, want.hits.indices)
    np.testing.assert_array_equal(found.outcomes.average_precision, want.average_precision)


def test_a_report_of_vectors_is_re_ranked_too() -> None:
    split = made_split(60, 6)
    vectors = made_vectors(split.targets, noise=1.0)
    benchmark = Benchmark("b", split, split)
    method = plugins.build(reranking, {"name": "alpha_query_expansion", "n": 3})
    plain, found = (
        report(benchmark, vectors, vectors),
        report(benchmark, vectors, vectors, reranking=method),
    )
    assert score(found, "mAP") != score(plain, "mAP")
    with pytest.raises(ValueError, match=r"^local_max_sim must have local descriptors"):
        report(
            benchmark,
            vectors,
            vectors,
            reranking=plugins.build(reranking, {"name": "local_max_sim"}),
        )
