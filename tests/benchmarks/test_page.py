"""What the measurement of the page makes of what a page noted."""

import argparse
import json
from pathlib import Path

import pytest

pytest.importorskip("playwright.async_api", reason="needs playwright: pip install -e '.[dev]'")

from benchmarks.speed import page

NOTED = [
    {"number": 1, "up": 1000.0, "sent": 1010.0, "answered": 1090.0, "painted": 1100.0},
    {"number": 2, "up": 2000.0, "sent": 2020.0, "answered": 2180.0, "painted": 2200.0},
    {"number": 3, "up": 3000.0, "sent": 3030.0, "answered": 4170.0, "painted": 4200.0},
    {"number": 4, "up": 5000.0},  # never answered
]
STARTS = {
    "cold": [{"listening": 3.0, "canvas": 5.0, "pictures": 5.5, "answer": 9.0}],
    "warm": [
        {"listening": 1.0, "canvas": 2.0, "pictures": 2.5, "answer": 4.0},
        {"listening": 1.5, "canvas": 3.0, "pictures": 3.5},
    ],
}


def test_the_time_of_a_stroke_is_from_its_end_to_the_pictures():
    assert page.between(NOTED) == [100, 200, 1200]
    assert page.between(NOTED, "sent", "answered") == [80, 160, 1140]


def test_a_spread_is_median_and_95th_percentile():
    assert page.spread(range(1, 102)) == "51 / 96"
    assert page.spread([0.1, 0.3], 2) == "0.20 / 0.29"
    assert page.spread([]) == "none"


def test_strokes_without_an_answer_count_as_late():
    assert page.within(NOTED, 1000) == "2 of 4"
    assert page.within(NOTED, 250) == "2 of 4"
    assert page.within(NOTED, 1200) == "3 of 4"


def test_one_visitor_s_tables_have_a_row_a_pointer_and_a_row_a_stage():
    facts = {
        "mouse": {"strokes": NOTED, "server_processor_s": 0.08},
        "finger": {"strokes": NOTED[:1], "server_processor_s": 0.1},
    }
    rows, stages = page.stroke_tables(facts)
    assert "| mouse | 4 | **200 / 1,100** | 2 of 4 | 80 |" in rows
    assert "| finger | 1 | **100 / 100** | 1 of 1 | 100 |" in rows
    cells = [line.split("|")[2:4] for line in stages.splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["20 / 29", "10 / 10"],
        ["160 / 1,042", "80 / 80"],
        ["20 / 29", "10 / 10"],
    ]


def test_starts_are_told_apart_and_one_without_an_answer_is_left_out():
    (table,) = page.start_tables(STARTS)
    assert "| **the canvas is on the screen** | 5.00 / 5.00 | 2.50 / 2.95 |" in table
    assert "| **the first stroke is answered** | 9.00 / 9.00 | 4.00 / 4.00 |" in table


def test_sessions_are_counted_together():
    facts = {"strokes": [NOTED[:2], NOTED[2:]], "memory": {"all have drawn": 512_400_000}}
    strokes, memory = page.session_tables(facts)
    assert "| 2 | 4 | **200 / 1,100** | 2 of 4 |" in strokes
    assert "| all have drawn | 512 |" in memory


def test_a_page_of_some_parts_is_written_for_people_and_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.argv", ["page.py", "--out", "here", "--folder", "there"])
    chosen = argparse.Namespace(gallery=500, strokes=3, starts=2, sessions=2, note="It was busy.")
    found = {"starts": {**STARTS, "load": 0.25}}
    page.write(tmp_path / "page", found, chosen)
    text = (tmp_path / "page.md").read_text()
    assert "A gallery of 500" in text
    assert "It was busy." in text
    assert "0.2 (starts)" in text
    assert "python -m benchmarks.speed.page --out OUT --folder DIR" in text
    written = json.loads((tmp_path / "page.json").read_text())
    assert written["starts"]["warm"] == STARTS["warm"]
    assert {"date", "commit", "hardware", "versions"} <= set(written)


def test_a_folder_of_other_counts_is_refused(tmp_path: Path):
    counts = {"gallery": 500, "strokes": 6, "starts": 1, "sessions": 3}
    (tmp_path / "counts.json").write_text(json.dumps(counts))
    page.prepare(tmp_path, argparse.Namespace(**counts))  # is there: nothing to do
    with pytest.raises(SystemExit, match=r"--folder must be of the same counts; got .*500"):
        page.prepare(tmp_path, argparse.Namespace(**counts | {"gallery": 10_000}))


def test_a_part_that_is_there_is_not_measured_again(tmp_path: Path):
    page.kept(tmp_path, "starts").write_text(json.dumps(STARTS))
    page.measure("starts", tmp_path, "no browser", argparse.Namespace())
    assert page.read(tmp_path, "starts") == STARTS
