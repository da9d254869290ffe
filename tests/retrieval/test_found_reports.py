"""Saved evaluations that are found again."""

from pathlib import Path

import pytest

from retrieval.found_reports import found_reports
from retrieval.report_parts import figures_section
from tests.retrieval.runs import made_report


def test_reports_are_found_by_their_figures(tmp_path: Path):
    first, second = made_report(name="net a"), made_report(name="net b", noise=0.5)
    first.save(tmp_path / "a")
    second.save(tmp_path / "deeper" / "b")
    second.save(tmp_path / ".hidden" / "c")
    found, unreadable = found_reports(tmp_path)
    assert unreadable == []
    by_path = {one.path: one for one in found}
    assert set(by_path) == {"a", "deeper/b"}
    for path, report in (("a", first), ("deeper/b", second)):
        one = by_path[path]
        assert (one.benchmark, one.name, one.scores) == (
            report.benchmark,
            report.name,
            report.scores,
        )
    assert [one.date for one in found] == sorted((one.date for one in found), reverse=True)
    assert figures_section([by_path["a"]]) == figures_section([first])


def test_what_is_no_report_is_named_and_the_others_are_there(tmp_path: Path):
    made_report().save(tmp_path / "a")
    for name, text in (("b", "{"), ("c", '{"benchmark": 1}'), ("d", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    found, unreadable = found_reports(tmp_path)
    assert [one.path for one in found] == ["a"]
    assert [one.split(" ")[0] for one in unreadable] == [f"{name}/report.json" for name in "bcd"]
    with pytest.raises(ValueError, match=r"must be a folder; got none"):
        found_reports(tmp_path / "none")
