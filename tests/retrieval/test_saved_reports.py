"""A report that is saved and read again is the same; one that was changed is refused."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.data import Modality, Relevance, Split
from retrieval.errors import BadInputError, DamagedDataError, StorageError
from retrieval.evaluation import EvaluationReport, Rejected
from tests.retrieval.runs import made_report


def assert_same(one: EvaluationReport, two: EvaluationReport) -> None:
    assert one.as_dict() == two.as_dict()
    assert one.scores == two.scores
    assert one.relevance is two.relevance
    for a, b in ((one.query, two.query), (one.gallery, two.gallery)):
        assert a.paths == b.paths
        assert a.modality is b.modality
        assert [a.name(i) for i in range(len(a))] == [b.name(i) for i in range(len(b))]
        np.testing.assert_array_equal(a.targets, b.targets)
    for field in fields(one.outcomes):
        if field.name != "hits":
            got, want = (getattr(run.outcomes, field.name) for run in (one, two))
            np.testing.assert_array_equal(got, want, err_msg=field.name)
    np.testing.assert_array_equal(one.outcomes.hits.indices, two.outcomes.hits.indices)
    np.testing.assert_array_equal(one.outcomes.hits.scores, two.outcomes.hits.scores)


@pytest.mark.parametrize("two_sets", [False, True])
@pytest.mark.parametrize("relevance", list(Relevance))
def test_saved_and_read_again(tmp_path: Path, two_sets: bool, relevance: Relevance) -> None:
    made = made_report(two_sets=two_sets, relevance=relevance)
    made = replace(made, rejected=(Rejected("x/y.jpg", "is no picture."),), notes=("a note",))
    made.save(tmp_path / "runs" / "a")
    read = EvaluationReport.load(tmp_path / "runs" / "a")
    assert_same(made, read)
    assert read.same_images is made.same_images
    assert (tmp_path / "runs/a/gallery.jsonl").exists() is two_sets


def test_what_is_hard_to_write_survives(tmp_path: Path) -> None:
    """No right answer, fewer hits than asked for, names of bytes that are no text, sketches."""
    made = made_report(count=5, classes=2)
    paths = (Path("a\udcff.jpg"), Path('"b\n.jpg'), Path("č ш.jpg"), Path("d\x00"), Path("e"))
    query = Split(paths, made.query.targets, Modality.SKETCH, {1: "ö\u2028"})
    made.outcomes.average_precision[2] = np.nan
    made = replace(made, query=query, gallery=query)
    assert (made.outcomes.hits.indices == -1).any()
    made.save(tmp_path)
    assert_same(made, EvaluationReport.load(tmp_path))


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    made_report(noise=0.1).save(tmp_path)
    made_report(noise=3).save(tmp_path)
    assert EvaluationReport.load(tmp_path).scores == made_report(noise=3).scores


def test_a_person_can_read_it(tmp_path: Path) -> None:
    made_report().save(tmp_path)
    about = json.loads((tmp_path / "report.json").read_text())
    assert about["counts"] == {
        "query": 60,
        "gallery": 60,
        "classes": 6,
        "judged": 60,
        "without_right_answer": 0,
        "rejected": 0,
    }
    assert about["scores"][0]["name"] == "Recall@1"
    first = json.loads((tmp_path / "queries.jsonl").read_text().splitlines()[0])
    assert set(first) >= {"path", "target", "label", "first_rank", "average_precision", "hits"}
    assert len(first["hits"]) == 10


def test_no_report(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"`fgir evaluate --out` wrote; got no report\.json"):
        EvaluationReport.load(tmp_path)


def test_a_newer_format(tmp_path: Path) -> None:
    made_report().save(tmp_path)
    path = tmp_path / "report.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(BadInputError, match=r"must have format 1 or older; got 2\. Update fgir\."):
        EvaluationReport.load(tmp_path)


@pytest.mark.parametrize("name", ["queries.jsonl", "gallery.jsonl"])
def test_a_changed_line(tmp_path: Path, name: str) -> None:
    made_report(two_sets=True).save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes().replace(b'"target": 1', b'"target": 2', 1))
    with pytest.raises(DamagedDataError, match=rf"{name} must be as it was written; got other"):
        EvaluationReport.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "",
        lambda text: text.replace('"relevance": "class"', '"relevance": "other"'),
        lambda text: text.replace('"scores"', '"skores"'),
        lambda text: text.replace("queries.jsonl", "missing.jsonl"),
    ],
)
def test_a_damaged_report(tmp_path: Path, damage: object) -> None:
    made_report().save(tmp_path)
    path = tmp_path / "report.json"
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(DamagedDataError, match=r"report\.json must be as it was written; got"):
        EvaluationReport.load(tmp_path)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file must be a folder to write to"):
        made_report().save(tmp_path / "file")
