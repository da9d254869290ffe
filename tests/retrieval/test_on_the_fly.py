"""Unfinished drawings: figures against loops in float64, what is drawn at each moment, reports."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from retrieval import benchmarks
from retrieval.data import Benchmark, Modality, Relevance, Split
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import Encoded, Rejection, encode_drawings, encode_files
from retrieval.errors import BadInputError, DamagedDataError
from retrieval.on_the_fly import finished_strokes, on_the_fly, stays_from
from retrieval.on_the_fly_page import chart_section, write_on_the_fly_page
from retrieval.on_the_fly_report import OnTheFlyReport
from retrieval.sketches import read_drawing
from retrieval.strokes import Drawing, Stroke
from tests.retrieval.small_network import small_encoder


def made(
    ranks: list[list[int]],
    size: int,
    *,
    targets: list[int] | None = None,
    strokes: list[int] | None = None,
    to_top: list[int] | None = None,
) -> OnTheFlyReport:
    count = len(ranks)
    return OnTheFlyReport(
        benchmark="made up",
        shares=np.arange(1, len(ranks[0]) + 1) / len(ranks[0]),
        ranks=np.array(ranks, np.int64),
        strokes=np.array(strokes or [30] * count, np.int64),
        strokes_to_top=np.array(to_top or [1] * count, np.int64),
        targets=np.array(targets or range(count), np.int64),
        sketches=tuple(f"{row}.json" for row in range(count)),
        gallery_size=size,
        encoder={"name": "net"},
    )


def by_loop(ranks: list[list[int]], size: int) -> dict[str, float]:
    """The figures from their definitions, a drawing and a step at a time."""
    area_a = area_b = 0.0
    for row in ranks:
        one_a = one_b = 0.0
        for rank in row:
            one_a += (size - rank) / (size - 1)
            one_b += 1 / rank
        area_a += one_a / len(row)
        area_b += one_b / len(row)
    figures = {"m@A": area_a / len(ranks), "m@B": area_b / len(ranks)}
    for k in (1, 5, 10):
        if k <= size:
            figures[f"acc@{k}"] = sum(row[-1] <= k for row in ranks) / len(ranks)
    return figures


@given(st.data())
def test_figures_are_those_of_the_definition(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 40))
    steps = data.draw(st.integers(1, 25))
    row = st.lists(st.integers(1, size), min_size=steps, max_size=steps)
    ranks = data.draw(st.lists(row, min_size=1, max_size=6))
    report = made(ranks, size)
    assert {one.name: one.value for one in report.scores} == pytest.approx(by_loop(ranks, size))
    for curve in report.curves:
        assert (curve.low <= curve.values + 1e-12).all()
        assert (curve.values <= curve.high + 1e-12).all()


def test_figures_by_hand() -> None:
    """Of 11 photos: rank 1 is percentile 1, rank 11 is 0, rank 6 is one half."""
    report = made([[11, 6, 1, 1], [11, 11, 11, 2]], 11)
    found = {one.name: one for one in report.scores}
    assert found["m@A"].value == pytest.approx((2.5 / 4 + 0.9 / 4) / 2)
    assert found["m@B"].value == pytest.approx(
        ((1 / 11 + 1 / 6 + 2) / 4 + (3 / 11 + 1 / 2) / 4) / 2
    )
    assert (found["acc@1"].hits, found["acc@5"].hits) == (1, 2)
    curve = {one.name: one for one in report.curves}["rank percentile"]
    assert curve.ks.tolist() == [25, 50, 75, 100]
    assert curve.values.tolist() == pytest.approx([0, 0.25, 0.5, 0.95])
    best, worst = made([[1, 1, 1]], 9), made([[9, 9, 9]], 9)
    assert [one.value for one in best.scores][:2] == [1, 1]
    assert worst.scores[0].value == 0
    assert best.scores[0].clustered is None


def test_drawings_of_one_photo_are_no_independent_evidence() -> None:
    ranks = [[1], [1], [9], [9]] * 10
    alone = made(ranks, 9, targets=list(range(40))).scores[0].clustered
    paired = made(ranks, 9, targets=[row // 2 for row in range(40)]).scores[0].clustered
    assert alone is not None
    assert paired is not None
    assert paired[1] - paired[0] > 1.2 * (alone[1] - alone[0])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_the_first_stroke_after_which_it_stays(ranks: list[int]) -> None:
    wanted = 0
    for first in range(len(ranks), 0, -1):
        if any(rank > 10 for rank in ranks[first - 1 :]):
            break
        wanted = first
    assert stays_from(np.array(ranks)) == wanted


def test_the_median_counts_drawings_that_never_get_there() -> None:
    def median(to_top: list[int]) -> Any:
        return made([[1]] * len(to_top), 20, to_top=to_top).median_strokes

    assert median([3, 7, 5])[0] == 5
    assert median([3, 0, 5])[0] == 5
    assert median([3, 0, 0])[0] is None
    assert median([3, 8, 0, 0])[0] == 8
    middle, (low, high) = median([4] * 30 + [9] * 25)
    assert (low, middle, high) == (4, 4, 9)
    assert median([6] * 10 + [0] * 9)[1] == (6, None)


CROSS = Drawing(
    (Stroke([[0, 0], [60, 0]]), Stroke([[9, 9]]), Stroke([[0, 50], [30, 50], [30, 60]]))
)


def test_whole_strokes_are_those_that_ended() -> None:
    shares = np.array([0.3, 0.59, 0.6, 0.9, 1.0])
    assert finished_strokes(CROSS, shares).tolist() == [0, 0, 2, 2, 3]
    dots = Drawing((Stroke([[1, 1]]), Stroke([[5, 5]])))
    assert finished_strokes(dots, shares).tolist() == [2] * 5
    many = Drawing(
        tuple(Stroke([[0.0, float(y)], [0.1, float(y)]]) for y in range(22))
    )  # sums round
    counts = finished_strokes(many, np.arange(1, 23) / 22)
    assert counts.tolist() == list(range(1, 23))


def hand(seed: int) -> Drawing:
    """A few wandering lines."""
    random = np.random.default_rng(seed)
    return Drawing(
        tuple(
            Stroke(np.clip(128 + np.cumsum(random.normal(0, 30, (6, 2)), axis=0), 0, 256))
            for _ in range(int(random.integers(2, 6)))
        )
    )


@pytest.fixture(scope="module")
def pair() -> EncoderPair:
    return EncoderPair(small_encoder(), small_encoder(flip=False)).eval()


@pytest.fixture
def data(tmp_path: Path) -> Benchmark:
    """Fourteen photos; seven of them were drawn, one twice. Photo 3 is a copy of photo 2."""
    lists = {str(n): [one.points.tolist() for one in hand(n).strokes] for n in range(8)}
    (tmp_path / "strokes.json").write_text(json.dumps(lists))
    for number in range(14):
        picture = hand(2 if number == 3 else number).raster(64, pen=9)
        picture.save(tmp_path / f"{number:02d}.png")
    sketches = tuple(tmp_path / "strokes.json" / str(n) for n in range(8))
    photos = tuple(tmp_path / f"{n:02d}.png" for n in range(14))
    shown = np.array([0, 1, 2, 3, 4, 5, 6, 6], np.int64)
    return Benchmark(
        "drawn",
        Split(sketches, shown, Modality.SKETCH),
        Split(photos, np.arange(14), Modality.PHOTO),
        relevance=Relevance.INSTANCE,
    )


def ranks_by_loop(
    pair: EncoderPair, data: Benchmark, moments: Callable[[Drawing], list[Drawing]]
) -> NDArray[np.int64]:
    """One picture at a time through the transform; ties in float64, 1e-6 apart, stand in front."""
    gallery = encode_files(pair, data.gallery.paths, modality=Modality.PHOTO).vectors
    rows = []
    for path, target in zip(data.query.paths, data.query.targets.tolist(), strict=True):
        row = []
        for moment in moments(read_drawing(path)):
            if not moment.strokes:
                row.append(len(gallery))
                continue
            transform = pair.sketch.transform
            picture = moment.raster(transform.draft_size, transform.pen)
            vector = pair.sketch.vectors(transform(picture)[None])[0].astype(np.float64)
            scores = [float(vector @ photo.astype(np.float64)) for photo in gallery]
            row.append(
                1 + sum(s >= scores[target] - 1e-6 for i, s in enumerate(scores) if i != target)
            )
        rows.append(row)
    return np.array(rows)


def every_stroke(drawing: Drawing) -> list[Drawing]:
    return [drawing.prefix(number) for number in range(1, len(drawing.strokes) + 1)]


def test_ranks_are_those_of_the_unfinished_drawings(pair: EncoderPair, data: Benchmark) -> None:
    report = on_the_fly(pair, data, steps=5)
    wanted = ranks_by_loop(pair, data, lambda one: [one.until(t / 5) for t in range(1, 6)])
    assert report.ranks.tolist() == wanted.tolist()
    assert report.ranks[2, -1] > 1  # the copy of its photo stands in front
    assert len(np.unique(report.ranks)) > 2
    assert report.strokes.tolist() == [len(hand(n).strokes) for n in range(8)]
    assert report.sketches[1].endswith("strokes.json/1")
    assert (report.gallery_size, report.rejected) == (14, ())
    for row, path in enumerate(data.query.paths):
        one = Split((path,), data.query.targets[[row]], Modality.SKETCH)
        each = ranks_by_loop(pair, replace(data, query=one), every_stroke)
        assert report.strokes_to_top[row] == stays_from(each[0])


def test_whole_strokes_are_seen_when_the_pen_is_lifted(pair: EncoderPair, data: Benchmark) -> None:
    def moments(drawing: Drawing) -> list[Drawing]:
        ends = np.cumsum([one.length for one in drawing.strokes])
        return [drawing.prefix(int((ends <= t / 7 * ends[-1] + 1e-6).sum())) for t in range(1, 8)]

    report = on_the_fly(pair, data, steps=7, whole_strokes=True)
    assert report.ranks.tolist() == ranks_by_loop(pair, data, moments).tolist()
    assert (report.ranks[:, 0] == 14).all()
    assert (report.ranks[:, -1] == on_the_fly(pair, data, steps=1).ranks[:, 0]).all()


def test_what_has_no_features_finds_nothing(
    pair: EncoderPair, data: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = on_the_fly(pair, data, steps=1)

    def without_the_first(*given: Any, **options: Any) -> Encoded:
        made = encode_drawings(*given, **options)
        lost = [Rejection("drawing 0", "no features")]
        return replace(made, vectors=made.vectors[1:], kept=made.kept[1:], rejected=lost)

    monkeypatch.setattr("retrieval.on_the_fly.encode_drawings", without_the_first)
    report = on_the_fly(pair, data, steps=1)
    assert report.ranks.tolist() == whole.ranks.tolist()  # stroke 1 of drawing 0 is no share
    shares = on_the_fly(pair, data, steps=200, whole_strokes=True)
    ends = finished_strokes(read_drawing(data.query.paths[0]), shares.shares)
    assert (shares.ranks[0, ends == 1] == 14).all()
    assert any("1 unfinished drawings had no usable features" in note for note in report.notes)


def test_batches_change_nothing(pair: EncoderPair) -> None:
    drawings = [hand(seed) for seed in range(9)]
    done: list[int] = []
    whole = encode_drawings(pair, drawings, batch_size=2, on_progress=done.append)
    assert sum(done) == 9
    assert whole.kept.tolist() == list(range(9))
    for drawing, vector in zip(drawings, whole.vectors, strict=True):
        assert (encode_drawings(pair, [drawing]).vectors[0] == vector).all()
    assert encode_drawings(pair, []).vectors.shape == (0, pair.dim)


def test_files_that_cannot_be_read_are_named(
    pair: EncoderPair, data: Benchmark, tmp_path: Path
) -> None:
    (tmp_path / "05.png").write_bytes(b"no picture")
    (tmp_path / "strokes.json").write_text(
        (tmp_path / "strokes.json").read_text().replace('"1":', '"one":')
    )
    report = on_the_fly(pair, data, steps=2)
    assert [Path(one.path).name for one in report.rejected] == ["1", "05.png"]
    assert report.gallery_size == 13
    assert [Path(name).name for name in report.sketches] == ["0", "2", "3", "4", "6", "7"]
    assert "1 drawings have no photo in the gallery and are left out." in report.notes


def test_queries_must_be_strokes(pair: EncoderPair, data: Benchmark, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "q.png")
    picture = Split((tmp_path / "q.png",), np.array([0]), Modality.SKETCH)
    with pytest.raises(BadInputError, match=r"q\.png must be a file of strokes; got a picture"):
        on_the_fly(pair, replace(data, query=picture))
    with pytest.raises(BadInputError, match="drawn: queries must be sketches that each show one"):
        on_the_fly(pair, replace(data, relevance=Relevance.CLASS))
    with pytest.raises(BadInputError, match=r"steps must be in 1\.\.1000; got 0\."):
        on_the_fly(pair, data, steps=0)
    strangers = replace(data.query, targets=data.query.targets + 100)
    with pytest.raises(BadInputError, match="a drawing must have its photo in the gallery; got no"):
        on_the_fly(pair, replace(data, query=strangers))
    alone = replace(data.gallery, paths=data.gallery.paths[:1], targets=data.gallery.targets[:1])
    with pytest.raises(BadInputError, match="gallery must have two photos or more"):
        on_the_fly(pair, replace(data, gallery=alone))


def test_a_report_is_kept_and_read_again(tmp_path: Path) -> None:
    report = made([[11, 6, 1, 1], [11, 11, 11, 2]], 11, strokes=[4, 7], to_top=[2, 0])
    path = tmp_path / "deep" / "r.json"
    report.save(path)
    again = OnTheFlyReport.load(path)
    assert again.as_dict() == report.as_dict()
    assert str(again) == str(report)
    kept = json.loads(path.read_text())
    assert kept["scores"][0]["name"] == "m@A"
    assert kept["drawings"][0] == {
        "sketch": "0.json",
        "target": 0,
        "strokes": 4,
        "to_top": 2,
        "ranks": [11, 6, 1, 1],
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("drawings"),
        lambda about: about["drawings"][0].update(ranks=[1, 2]),
        lambda about: about["drawings"][0].update(ranks=[1, 2, 3, 12]),
        lambda about: about["drawings"][0].update(to_top=99),
        lambda about: about.update(shares=[0.5, 0.2, 0.9, 1]),
        lambda about: about.update(rejected=[{"a": 1}]),
        lambda about: about.update(drawings=[]),
    ],
)
def test_a_changed_report_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "r.json"
    report = made([[11, 6, 1, 1], [11, 11, 11, 2]], 11)
    about = report.as_dict()
    change(about)
    path.write_text(json.dumps(about))
    with pytest.raises(DamagedDataError, match=r"r\.json must be what fgir on-the-fly wrote; got"):
        OnTheFlyReport.load(path)


def test_reports_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(BadInputError, match="a report of unfinished drawings; got: No such"):
        OnTheFlyReport.load(path)
    for text in ("{", "[1]", "{}"):
        path.write_text(text)
        with pytest.raises(DamagedDataError):
            OnTheFlyReport.load(path)
    path.write_text('{"format": 2}')
    with pytest.raises(BadInputError, match=r"must be of format 1; got 2\."):
        OnTheFlyReport.load(path)


def test_a_line_of_text_says_it_all() -> None:
    text = str(made([[11, 6, 1, 1], [11, 11, 11, 2]], 11, strokes=[4, 8], to_top=[2, 0]))
    assert text.startswith("made up, net, on the fly in 4 steps (of the pen's way): m@A 42.5% (n 2")
    assert "acc@1 50.0% (1/2, " in text
    assert "half of the drawings are in the first 10 for good after 2 strokes (2-never; " in text
    never = made([[11], [11], [1]], 11, to_top=[0, 0, 1])
    assert never.strokes_sentence().startswith("fewer than half of the drawings")


def test_the_page_shows_curves_with_bands(tmp_path: Path) -> None:
    report = made([[11, 6, 1, 1], [11, 11, 11, 2]], 11)
    chart = chart_section(report)
    svg = ElementTree.fromstring(chart[chart.index("<svg") : chart.index("</svg>") + 6])
    assert len(svg.findall("polygon")) == len(svg.findall("polyline")) == 3
    titles = [one.text for one in svg.iter("title")]
    assert "rank percentile: 95.0% after 100%" in titles
    xs = [float(one.attrib["cx"]) for one in svg.iter("circle")][:4]
    assert np.diff(xs) == pytest.approx(xs[1] - xs[0], abs=0.2)
    path = tmp_path / "page.html"
    write_on_the_fly_page(replace(report, benchmark="<b>", notes=("beware & read",)), path)
    html = path.read_text()
    assert "&lt;b&gt;" in html
    assert "<b>, net" not in html
    assert "beware &amp; read" in html
    for name in ("m@A", "m@B", "acc@10", "strokes to the first 10"):
        assert name in html


@pytest.mark.data
def test_real_drawings(data_folder: Path, pair: EncoderPair) -> None:
    found = benchmarks.read("pairs", data_folder / "chairv2-train", {"holdout": 0.05})
    few = replace(
        found.query, paths=found.query.paths[:6], targets=found.query.targets[:6], groups={}
    )
    report = on_the_fly(pair, replace(found, query=few), steps=4)
    assert (len(report.ranks), report.rejected) == (6, ())
    assert (report.strokes > 1).all()
