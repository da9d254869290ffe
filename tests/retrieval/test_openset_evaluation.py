"""Who is known and who is asked, the figures of an evaluation, and its page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.data import Benchmark, Split
from retrieval.openset import Openset
from retrieval.openset_evaluation import Roles, openset_report, roles
from retrieval.openset_metrics import auroc
from retrieval.openset_page import write_openset_page
from retrieval.openset_report import ALPHAS, P_BY_CLASS, PROBABILITY, OpensetReport, P
from retrieval.statistics import wilson
from tests.retrieval.runs import made_split, made_vectors


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    photos = made_split(240, 12)
    return Benchmark("made up", photos, photos)


def judged(benchmark: Benchmark, noise: float = 0.5, seed: int = 0) -> OpensetReport:
    dealt = roles(benchmark, seed=seed)
    rows = made_vectors(benchmark.query.targets, noise=noise)
    return openset_report(benchmark, dealt, rows[dealt.gallery], rows[dealt.query], seed=seed)


def test_photos_of_known_classes_are_dealt_in_halves(benchmark: Benchmark) -> None:
    dealt, targets = roles(benchmark, seed=3), benchmark.query.targets
    assert sorted([*dealt.gallery, *dealt.query]) == list(range(240))
    known = set(targets[dealt.gallery].tolist())
    assert len(known) == 6
    assert set(targets[dealt.query[dealt.known]].tolist()) == known
    assert not known & set(targets[dealt.query[~dealt.known]].tolist())
    for target in known:
        photos, asked = (
            (targets[dealt.gallery] == target).sum(),
            (targets[dealt.query] == target).sum(),
        )
        assert photos - asked in (0, 1)
    again, other = roles(benchmark, seed=3), roles(benchmark, seed=4)
    np.testing.assert_array_equal(again.gallery, dealt.gallery)
    assert set(targets[other.gallery].tolist()) != known


def test_a_gallery_of_its_own_is_used_as_it_is() -> None:
    query = made_split(60, 6)
    gallery = made_split(50, 6, folder="shelf", seed=5)
    gallery = replace(gallery, targets=np.where(gallery.targets == 2, 5, gallery.targets))
    dealt = roles(Benchmark("two sets", query, gallery), seed=1)
    known = set(gallery.targets[dealt.gallery].tolist())
    assert set(np.flatnonzero(np.isin(gallery.targets, list(known)))) == set(dealt.gallery)
    assert dealt.query.tolist() == list(range(60))
    np.testing.assert_array_equal(dealt.known, np.isin(query.targets, list(known)))
    assert 2 not in known  # has no photo there, whether it was drawn or not


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_some_classes_are_known_and_some_are_not(benchmark: Benchmark, share: float) -> None:
    dealt = roles(benchmark, known_share=share)
    known = len(np.unique(benchmark.query.targets[dealt.gallery]))
    assert known == (1 if share < 0.5 else 11)


def test_figures_follow_from_the_queries(benchmark: Benchmark) -> None:
    report = judged(benchmark, noise=1.0)
    dealt = roles(benchmark)
    rows, targets = made_vectors(benchmark.query.targets, noise=1.0), benchmark.query.targets
    made = Openset.fit(rows[dealt.gallery], targets[dealt.gallery])
    labels, p = made.p_values(rows[dealt.query])
    np.testing.assert_array_equal(report.surely_known[P], p)
    scores = {score.name: score for score in report.scores}
    known = dealt.known
    assert scores["AUROC of p"].value == auroc(p[known], p[~known])
    low, high = scores["AUROC of p"].clustered or (1, 0)
    assert low < scores["AUROC of p"].value < high
    right = int((labels == targets[dealt.query])[known].sum())
    assert scores["nearest label right, known queries"].hits == right
    assert scores["nearest label right, known queries"].count == known.sum()
    for name in (P, P_BY_CLASS, PROBABILITY):
        assert 0.5 < scores[f"AUROC of {name}"].value < 1
    for row in report.refusals:
        values = report.surely_known[row.by]
        wrong = sum(bool(one <= row.alpha) for one in values[known])
        assert (row.known, row.known_count) == (wrong, known.sum())
        assert row.known_interval == wilson(wrong, int(known.sum()))
        assert row.unknown == sum(bool(one <= row.alpha) for one in values[~known])
        assert row.known_interval[0] <= row.alpha  # what is promised
    assert [row.alpha for row in report.refusals] == [*ALPHAS, *ALPHAS]


def test_what_is_said_is_true_of_strangers_only_where_it_is_none(benchmark: Benchmark) -> None:
    report = judged(benchmark, noise=1.0)
    none = 1 - report.surely_known[PROBABILITY]
    for row in range(len(report.known)):
        if none[row] > report.confidences[row]:
            assert report.came_true[row] == (not report.known[row])
            assert report.stated[row] == none[row]
        else:
            assert report.came_true[row] == (report.votes[row] == report.targets[row])
            assert report.stated[row] == report.confidences[row]
    assert 0 < report.came_true.sum() < len(report.known)


def test_single_photos_are_told(benchmark: Benchmark) -> None:
    rows = made_vectors(benchmark.query.targets, noise=0.5)
    dealt = roles(benchmark)
    targets = benchmark.query.targets[dealt.gallery]
    first = np.flatnonzero(targets == targets[0])
    gallery = np.delete(dealt.gallery, first[1:])
    fewer = Roles(gallery, dealt.query, dealt.known)
    report = openset_report(benchmark, fewer, rows[gallery], rows[dealt.query])
    assert report.gallery["singles"] == 1
    assert P_BY_CLASS not in report.surely_known
    assert any("1 gallery photos are alone in their class" in note for note in report.notes)


def test_a_report_is_saved_and_shown(benchmark: Benchmark, tmp_path: Path) -> None:
    report = replace(judged(benchmark), encoder={"name": "<net>"}, notes=("a < b",))
    report.save(tmp_path / "new" / "openset.json")
    plain = json.loads((tmp_path / "new" / "openset.json").read_text())
    assert plain["scores"][0]["name"] == "AUROC of p"
    assert plain["queries"]["p"] == report.surely_known[P].tolist()
    assert len(plain["refusals"]) == 2 * len(ALPHAS)
    write_openset_page(report, tmp_path / "openset.html")
    page = (tmp_path / "openset.html").read_text()
    assert page.count("<svg") == 2
    assert "<net>" not in page
    assert "a &lt; b" in page
    asked = int(report.known.sum())
    assert f"{report.refusals[2].known:,}/{asked:,}" in page
    assert f"({report.refusals[2].known}/{asked}, " in str(report)


def test_what_cannot_be_judged_is_said(benchmark: Benchmark) -> None:
    with pytest.raises(ValueError, match=r"^known_share must be in \(0, 1\); got 1"):
        roles(benchmark, known_share=1)
    one = Split(benchmark.query.paths[:3], np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"queries must be of two classes or more.*; got 1"):
        roles(Benchmark("one class", one, one))
    dealt = roles(benchmark)
    rows = made_vectors(benchmark.query.targets, noise=0.5)
    only = Roles(dealt.gallery, dealt.query[dealt.known], dealt.known[dealt.known])
    with pytest.raises(ValueError, match=r"must be of known and of unknown classes; got \d+ and 0"):
        openset_report(benchmark, only, rows[only.gallery], rows[only.query])
