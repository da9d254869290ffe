"""Pairs of classes that are taken for one another, against plain loops."""

from collections import Counter
from dataclasses import replace

from retrieval.confusions import confusions
from retrieval.report import report_parts
from tests.retrieval.runs import made_report


def test_pairs_are_counted_both_ways():
    report = made_report(noise=2.0, count=90, two_sets=True)
    counted: Counter[frozenset[int]] = Counter()
    rows: dict[tuple[int, int], list[int]] = {}
    for row, target in enumerate(report.query.targets.tolist()):
        if not report.outcomes.judged[row]:
            continue
        best = int(report.gallery.targets[report.outcomes.hits.indices[row, 0]])
        if best != target:
            counted[frozenset((target, best))] += 1
            rows.setdefault((target, best), []).append(row)
    found = confusions(report, 100)
    assert {frozenset((one.first, one.second)): one.hits for one in found} == dict(counted)
    assert [one.hits for one in found] == sorted(counted.values(), reverse=True)
    asked = Counter(report.query.targets[report.outcomes.judged].tolist())
    for one in found:
        assert one.first < one.second
        assert list(one.first_rows) == rows.get((one.first, one.second), [])
        assert list(one.second_rows) == rows.get((one.second, one.first), [])
        assert (one.first_count, one.second_count) == (asked[one.first], asked[one.second])
    assert confusions(report, 2) == found[:2]


def test_a_page_lists_look_alikes_with_their_names_as_text():
    report = made_report(noise=2.0)
    first = confusions(report, 1)[0]
    names = dict(report.query.names) | {first.first: "<b>one</b>"}
    query = replace(report.query, names=names)
    html = "".join(report_parts([replace(report, query=query, gallery=query)]))
    assert "Look-alikes" in html
    assert "&lt;b&gt;one&lt;/b&gt;" in html
    assert "<b>one" not in html
    perfect = "".join(report_parts([made_report(noise=0.01)]))
    assert "Look-alikes" not in perfect


def test_no_hits_no_pairs():
    report = made_report(noise=2.0)
    hits = report.outcomes.hits
    none = replace(hits, indices=hits.indices[:, :0], scores=hits.scores[:, :0])
    assert confusions(replace(report, outcomes=replace(report.outcomes, hits=none)), 3) == []
