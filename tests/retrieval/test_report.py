"""The pages: every figure on them, nothing from elsewhere, nothing that a name could smuggle in."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from retrieval.charts import Curve, bar, columns, curves
from retrieval.comparison import compare
from retrieval.comparison_page import write_comparison_page
from retrieval.data import Modality, Relevance, Split
from retrieval.evaluation import EvaluationReport, Rejected
from retrieval.picture_rows import PictureRows, one_of_each_class
from retrieval.report import write_page
from retrieval.thumbnails import SIDE, thumbnail
from tests.retrieval.runs import made_report

VOID = {"meta", "img", "wbr", "br"}


class Reader(HTMLParser):
    """Collects what a page is made of and checks that elements close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def count(self, tag: str, kind: str = "") -> int:
        return sum(
            name == tag and kind in (attrs.get("class") or "").split() if kind else name == tag
            for name, attrs in self.tags
        )


def with_pictures(report: EvaluationReport, folder: Path) -> EvaluationReport:
    for row, path in enumerate(report.query.paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shade = (40 * int(report.query.targets[row]), 4 * row, 120)
        Image.new("RGB", (24, 16), shade).save(folder / path)
    return replace(report, data={**report.data, "root": str(folder)})


def written(write: Callable[[Path], None], folder: Path) -> Reader:
    path = folder / "page.html"
    write(path)
    return Reader(path.read_text(encoding="utf-8"))


def test_every_figure_is_on_the_page(tmp_path: Path) -> None:
    report = replace(
        made_report(),
        notes=("mind the gap",),
        rejected=(Rejected("x/bad.jpg", "is cut short."),),
    )
    text = written(lambda path: write_page([report], path), tmp_path).text
    for score in report.scores:
        assert f"{100 * score.value:.1f}" in text
        assert score.name in text
    assert f"{report.scores[0].hits}/60" in text
    for fact in ("mind the gap", "x/bad.jpg: is cut short.", "net a", report.data["list"]):
        assert fact in text
    assert report.run["hardware"]["processor"] in text


def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    report = with_pictures(made_report(), tmp_path)
    page = written(lambda path: write_page([report], path), tmp_path)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "base"})
    sources = [attrs["src"] for tag, attrs in page.tags if "src" in attrs]
    assert sources
    assert all(str(source).startswith("data:image/jpeg;base64,") for source in sources)
    html = (tmp_path / "page.html").read_text()
    assert re.findall(r"https?:|@import|url\(", html) == []
    assert "default-src 'none'" in html
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


NASTY = '"><script>alert(1)</script>&amp;\udcff\x1b'


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    report = made_report(count=24, classes=3)
    paths = tuple(Path(NASTY) / f"{i}{NASTY}.jpg" for i in range(24))
    query = Split(paths, report.query.targets, names=dict.fromkeys(range(3), NASTY))
    report = replace(
        report,
        benchmark=NASTY,
        query=query,
        gallery=query,
        encoder={"name": NASTY, "fingerprint": NASTY * 9, "settings": {NASTY: NASTY}},
        data={"root": NASTY, "list": NASTY},
        run={"date": NASTY, "commit": NASTY, "versions": {NASTY: NASTY}},
        notes=(NASTY,),
        rejected=(Rejected(NASTY, NASTY),),
    )
    pages = [
        written(lambda path: write_page([report], path), tmp_path),
        written(lambda path: write_page([report, report], path), tmp_path),
        written(lambda path: write_comparison_page(compare(report, report), path), tmp_path),
    ]
    for page in pages:
        assert page.count("script") == 0
        assert "<script>alert(1)</script>&amp;" in page.text


def test_hits_are_framed_by_what_they_are(tmp_path: Path) -> None:
    report = with_pictures(made_report(noise=1.5), tmp_path)
    page = Reader(PictureRows(report).row(7))
    hits = report.outcomes.hits.indices[7, :8]
    right = int((report.query.targets[hits] == report.query.targets[7]).sum())
    assert 0 < right < 8
    assert page.count("figure", "query") == 1
    assert page.count("figure", "right") == right
    assert page.count("figure", "wrong") == 8 - right
    assert page.text.count("✓") == right  # not by colour alone
    rank = report.outcomes.first_rank[7]
    assert f"first right answer at rank {rank} of 60" in page.text
    assert f"{report.outcomes.hits.scores[7, 0]:.3f}" in page.text


def test_pictures_that_are_gone_leave_empty_frames_and_a_note(tmp_path: Path) -> None:
    report = replace(made_report(), data={"root": str(tmp_path / "gone")})
    page = written(lambda path: write_page([report], path), tmp_path)
    assert page.count("img") == 0
    assert "cannot be read" in page.text
    assert re.search(r"\d+ pictures could not be read below .*gone", page.text)


def test_best_and_worst_are_what_they_say(tmp_path: Path) -> None:
    report = made_report(noise=2.0)
    text = written(lambda path: write_page([report], path), tmp_path).text
    worst = int(np.argmax(report.outcomes.first_rank))
    section = text[text.index("Worst queries") : text.index("Best queries")]
    first = re.search(r"photos/|\d{3}/\d+\.jpg", section)
    assert first is not None
    assert report.query.paths[worst].as_posix() in section[: first.end() + 20]
    ranks = [int(rank) for rank in re.findall(r"at rank (\d+) of", section)]
    assert ranks == sorted(ranks, reverse=True)
    best = text[text.index("Best queries") : text.index("Where this comes from")]
    assert set(re.findall(r"at rank (\d+) of", best)) == {"1"}


def test_hardest_classes_come_first(tmp_path: Path) -> None:
    report = made_report(noise=2.0)
    text = written(lambda path: write_page([report], path), tmp_path).text
    section = text[text.index("Hardest classes") : text.index("Look-alikes")]
    shares = [float(share) for share in re.findall(r"(\d+\.\d)%", section)]
    assert len(shares) == 6
    assert shares == sorted(shares)
    hits = [int(hit) for hit, _ in re.findall(r"(\d+)/(\d+)", section)]
    assert sum(hits) == report.scores[0].hits


def test_first_ranks_are_all_counted(tmp_path: Path) -> None:
    report = made_report(noise=4.0, count=300, classes=100)
    text = written(lambda path: write_page([report], path), tmp_path).text
    section = text[text.index("How far one has to look") : text.index("Hardest classes")]
    bars = re.findall(r"(\d+) +\d+\.\d% +(over \d+|\d+-\d+|\d+)", section)
    assert [name for _, name in bars][:5] == ["1", "2", "3-4", "5-8", "9-16"]
    assert sum(int(count) for count, _ in bars) == report.outcomes.judged.sum()


def test_several_runs_share_one_chart(tmp_path: Path) -> None:
    runs = [made_report(), made_report(noise=2, name="net b")]
    page = written(lambda path: write_page(runs, path), tmp_path)
    assert page.count("polyline") == 2
    assert "net b" in page.text
    assert page.text.count("Where this comes from") == 2


def test_an_evaluation_of_instances_speaks_of_acc(tmp_path: Path) -> None:
    report = made_report(relevance=Relevance.INSTANCE, two_sets=True)
    text = written(lambda path: write_page([report], path), tmp_path).text
    assert "acc@K" in text
    assert "Recall@" not in text
    assert "against 120 gallery images" in text


def test_a_tiny_and_a_perfect_evaluation(tmp_path: Path) -> None:
    for report in (made_report(count=3, classes=1), made_report(noise=0.0)):
        write_page([report], tmp_path / "page.html")
        text = Reader((tmp_path / "page.html").read_text(encoding="utf-8")).text
        assert "100.0%" in text
        assert "Worst queries" not in text


def test_no_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^reports must hold at least one; got none\."):
        write_page([], tmp_path / "page.html")


def test_comparison_shows_the_queries_that_changed(tmp_path: Path) -> None:
    made = (made_report(noise=2.0), made_report(noise=1.8, seed=1, name="net b"))
    runs = [with_pictures(report, tmp_path) for report in made]
    found = compare(runs[0], runs[1])
    assert found.won
    assert found.lost
    page = written(lambda path: write_comparison_page(found, path), tmp_path)
    won = page.text[page.text.index("Won by B") : page.text.index("Lost by B")]
    shown = [path for path in found.won if path in won]
    assert f"{len(shown)} of {len(found.won)} are shown" in won
    assert shown
    assert not [path for path in found.lost if path in won]
    assert found.verdict in page.text
    assert f"{100 * found.differences[0].value:+.1f}" in page.text


def test_a_comparison_without_changes(tmp_path: Path) -> None:
    report = made_report()
    found = compare(report, report)
    page = written(lambda path: write_comparison_page(found, path), tmp_path)
    assert "Won by B" not in page.text
    assert "p = 1" in page.text


def test_one_query_of_each_class() -> None:
    report = made_report()
    rows = one_of_each_class(report, list(range(60)), 4)
    assert len({int(report.query.targets[row]) for row in rows}) == len(rows) == 4
    assert rows[0] == 0


def test_charts_are_well_formed_and_inside_their_frame() -> None:
    ks = np.array([1, 2, 3, 8])
    curve = Curve("<a>", ks, np.array([0, 0.5, 0.75, 1]), np.zeros(4), np.ones(4))
    for svg in (curves([curve, curve], "a<b"), columns([("1", 3), ("2-3", 0)], "a&b")):
        root = ElementTree.fromstring(svg)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for element in root.iter():
            for name in ("x", "cx", "x1", "x2"):
                assert 0 <= float(element.get(name, 0)) <= width
            for name in ("y", "cy", "y1", "y2"):
                assert 0 <= float(element.get(name, 0)) <= height
    dots = [
        float(dot.get("cy", 0))
        for dot in ElementTree.fromstring(curves([curve], "")).iter("circle")
    ]
    assert dots == sorted(dots, reverse=True)  # a higher share stands higher
    assert len(dots) == 3  # at K = 1, 2 and 8
    ElementTree.fromstring(bar(0.2, 0.1, 0.4))


def test_a_gallery_of_one() -> None:
    one = np.array([1])
    ElementTree.fromstring(curves([Curve("a", one, one * 0.5, one * 0.1, one * 0.9)], "a"))


def test_thumbnails_are_small_new_pictures(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "at home"
    Image.new("RGB", (900, 500), (10, 200, 30)).save(path, exif=exif)
    uri = thumbnail(path)
    assert uri is not None
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    assert b"at home" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert max(image.size) == SIDE
        assert image.size[0] / image.size[1] == pytest.approx(900 / 500, rel=0.02)
        np.testing.assert_allclose(np.array(image)[5, 5], [10, 200, 30], atol=6)
    path.write_bytes(b"no picture")
    assert thumbnail(path) is None


def test_strokes_and_entries_of_files_are_drawn(tmp_path: Path) -> None:
    """A report of drawings shows them, black on white, wherever they are kept."""
    (tmp_path / "all.json").write_text('{"a/1": [[[0, 128], [256, 128]]], "b": [[[1, 1]]]}')
    (tmp_path / "one.svg").write_text('<svg viewBox="0 0 9 9"><path d="M0 4.5H9"/></svg>')
    names = ["all.json/a/1", "one.svg", "all.json/c"]
    query = Split(tuple(map(Path, names)), np.zeros(3, np.int64), Modality.SKETCH)
    rows = PictureRows(replace(made_report(), query=query, data={"root": str(tmp_path)}))
    shown = [re.search(r"base64,([^\"]+)", rows._figure(query, at, "query", "")) for at in range(3)]
    for found in shown[:2]:
        assert found is not None
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("L"))
        assert (pixels[SIDE // 2, SIDE // 2] < 120, pixels[10, 10] > 240) == (True, True)
    assert shown[2] is None
    assert rows.unreadable == 1
    assert thumbnail(tmp_path / "one.svg") is None  # a photo is never read as strokes


def test_instances_are_called_objects(tmp_path: Path) -> None:
    report = made_report(two_sets=True, relevance=Relevance.INSTANCE)
    text = written(lambda path: write_page([report], path), tmp_path).text
    assert "queries of 6 objects" in text
    assert "Hardest objects" in text
    assert "Hardest classes" not in text
    text = written(lambda path: write_page([made_report()], path), tmp_path).text
    assert "Hardest classes" in text
    assert "objects" not in text
