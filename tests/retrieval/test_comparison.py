"""Two runs on the same queries: counts by hand, the test, and runs that must not be compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.comparison import compare
from retrieval.data import Benchmark
from retrieval.evaluation import EvaluationReport, report
from retrieval.statistics import cluster_bootstrap, mcnemar
from tests.retrieval.runs import made_report, made_split, made_vectors


@pytest.fixture(scope="module")
def runs() -> tuple[EvaluationReport, EvaluationReport]:
    return made_report(noise=2.0), made_report(noise=1.2, seed=1, name="net b")


@pytest.mark.parametrize("k", [1, 4])
def test_counts_are_those_of_single_queries(
    runs: tuple[EvaluationReport, EvaluationReport], k: int
) -> None:
    found = compare(*runs, k=k)
    won, lost, both, neither = [], [], 0, 0
    for q in range(60):
        a, b = (bool(run.outcomes.first_rank[q] <= k) for run in runs)
        path = runs[0].query.paths[q].as_posix()
        if b and not a:
            won.append(path)
        if a and not b:
            lost.append(path)
        both += a and b
        neither += not a and not b
    assert (found.won, found.lost) == (won, lost)
    assert (found.both, found.neither) == (both, neither)
    assert found.p_value == mcnemar(len(lost), len(won))
    assert found.won


def test_differences_have_the_interval_of_the_paired_draw(
    runs: tuple[EvaluationReport, EvaluationReport],
) -> None:
    found = compare(*runs, seed=2)
    first = found.differences[0]
    changes = np.subtract(*(run.outcomes.found(1).astype(np.float64) for run in runs[::-1]))
    want = cluster_bootstrap(changes[:, None], runs[0].query.targets, seed=2)[0]
    assert first.name == "Recall@1"
    assert first.value == pytest.approx((len(found.won) - len(found.lost)) / 60)
    assert first.interval == pytest.approx(tuple(want))
    assert [one.name for one in found.differences] == ["Recall@1", "R-precision", "MAP@R", "mAP"]


def test_the_other_way_around(runs: tuple[EvaluationReport, EvaluationReport]) -> None:
    there, back = compare(*runs), compare(*reversed(runs))
    assert (there.won, there.lost, there.p_value) == (back.lost, back.won, back.p_value)
    assert there.differences[0].value == -back.differences[0].value


def test_a_run_with_itself(runs: tuple[EvaluationReport, EvaluationReport]) -> None:
    found = compare(runs[0], runs[0])
    assert (found.won, found.lost, found.p_value) == ([], [], 1)
    assert found.differences[0].interval == (0, 0)
    assert "these queries do not show that either is better" in str(found)


def test_print(runs: tuple[EvaluationReport, EvaluationReport]) -> None:
    found = compare(*runs)
    lines = str(found).splitlines()
    assert lines[:3] == ["made up, 60 queries", "A: net a", "B: net b"]
    assert f"only A {len(found.lost)}, only B {len(found.won)}" in lines[3]
    assert lines[4].startswith("exact McNemar p = ")
    assert lines[5].startswith("Recall@1: ")
    assert "points (clustered " in lines[5]


def test_who_is_better_is_said() -> None:
    good, bad = made_report(noise=0.5), made_report(noise=6)
    assert "B is better" in str(compare(bad, good))
    assert "A is better" in str(compare(good, bad))


def test_runs_that_were_saved(
    runs: tuple[EvaluationReport, EvaluationReport], tmp_path: Path
) -> None:
    for name, run in zip("ab", runs, strict=True):
        run.save(tmp_path / name)
    read = [EvaluationReport.load(tmp_path / name) for name in "ab"]
    assert str(compare(read[0], read[1])) == str(compare(*runs))


def test_other_data_is_refused_by_what_differs(
    runs: tuple[EvaluationReport, EvaluationReport],
) -> None:
    one = runs[0]
    others = {
        "benchmark: made up and other": replace(one, benchmark="other"),
        "number of queries: 60 and 61": made_report(count=61),
        "list of images and labels": replace(one, data={"list": "another"}),
        "contents of the files: 1 and 2": replace(one, data={**one.data, "contents": "2"}),
    }
    one = replace(one, data={**one.data, "contents": "1"})
    for sentence, other in others.items():
        with pytest.raises(ValueError, match=rf"^runs must be of the same .* another {sentence}"):
            compare(one, other)


def test_runs_that_left_out_other_copies() -> None:
    query = made_split(20, 2)
    vectors = made_vectors(query.targets, noise=1)
    benchmark = Benchmark("b", query, query)
    files = np.arange(20) // 2
    one = report(benchmark, vectors, vectors)
    other = report(benchmark, vectors, vectors, same_files=(files, files))
    with pytest.raises(
        ValueError, match=r"^runs must leave out the same copies .* numbers of right answers\."
    ):
        compare(one, other)


def test_k_beyond_the_gallery(runs: tuple[EvaluationReport, EvaluationReport]) -> None:
    with pytest.raises(ValueError, match=r"^k must be in 1\.\.60"):
        compare(*runs, k=61)
