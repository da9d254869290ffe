"""Evaluations, comparisons, training curves and the map, without a browser."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from retrieval.comparison import compare
from retrieval.comparison_page import comparison_parts
from retrieval.encoder import build_encoder
from retrieval.evaluation_report import EvaluationReport
from retrieval.report import report_parts
from tests.retrieval.runs import made_report
from tests.ui.page.at_view import all_data_of, at_view, said
from tests.ui.page.test_photo import stocked
from train.reports import EpochReport
from ui.resources import opened
from ui.views import benchmarks

Opened = Callable[..., AppTest]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, shapes: Path) -> Opened:
    return lambda runs=None: at_view(monkeypatch, "benchmarks", shapes, runs)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, noise in (("plain", 2.0), ("better", 0.8)):
        made_report(name=f"net {name}", noise=noise).save(tmp_path / "runs" / name)
    other = replace(made_report(name="elsewhere"), benchmark="another")
    other.save(tmp_path / "runs" / "other")
    epochs = [
        EpochReport(one, 2, None if one == 0 else 3.0 - one, 10 * one, 40, 0.1, {}, 5, 1, 10, True)
        for one in range(3)
    ]
    (tmp_path / "runs" / "trained").mkdir()
    lines = [json.dumps(one.settings()) + "\n" for one in epochs]
    (tmp_path / "runs" / "trained" / "metrics.jsonl").write_text("".join(lines))
    return tmp_path / "runs"


def html(test: AppTest) -> list[str]:
    return [one["html"] for one in all_data_of(test, "fgir_report_view")]


def loaded(runs: Path, name: str) -> EvaluationReport:
    return EvaluationReport.load(runs / name)


def choose(test: AppTest, key: str, start: str) -> None:
    box = test.selectbox(key=key)
    box.set_value(next(one for one in box.options if one.startswith(start))).run()


def test_without_a_folder_of_runs_it_says_how_to_give_one(page: Opened):
    test = page().run()
    assert "--runs RUNS" in said(test)
    assert html(test) == []


def test_a_folder_without_runs_says_how_to_make_one(page: Opened, tmp_path: Path):
    test = page(tmp_path).run()
    assert "There is no evaluation below" in said(test)
    assert "fgir evaluate BENCHMARK DATA" in said(test)
    test.button_group("benchmarks_part").set_value("Training").run()
    assert "fgir train RECIPE" in said(test)


def test_evaluations_are_listed_and_one_is_shown_whole(page: Opened, runs: Path):
    test = page(runs).run()
    listed, _ = html(test)
    for name in ("net plain", "net better", "elsewhere"):
        assert name in listed
    for score in loaded(runs, "plain").scores:
        if score.hits is not None:
            assert f"{score.hits:,}/{score.count:,}" in listed
    choose(test, "benchmarks_first", "plain")
    assert html(test)[1] == "".join(report_parts([loaded(runs, "plain")]))
    assert "Look-alikes" in html(test)[1]


def test_two_are_compared(page: Opened, runs: Path):
    test = page(runs).run()
    choose(test, "benchmarks_first", "plain")
    second = test.selectbox(key="benchmarks_second")
    assert [one.split(":")[0] for one in second.options] == ["better"]  # of the same benchmark
    choose(test, "benchmarks_second", "better")
    both = loaded(runs, "plain"), loaded(runs, "better")
    assert html(test) == ["".join(comparison_parts(compare(*both)))]
    assert "exact McNemar" in html(test)[0]
    test.number_input(key="benchmarks_k").set_value(4).run()
    assert html(test) == ["".join(comparison_parts(compare(*both, k=4)))]
    test.number_input(key="benchmarks_k").set_value(1000).run()
    assert len(test.error) == 1
    assert "must be" in test.error[0].value


def test_a_damaged_one_is_a_sentence(page: Opened, runs: Path):
    (runs / "other" / "report.json").write_text("{")
    lines = (runs / "better" / "queries.jsonl").read_text()
    (runs / "better" / "queries.jsonl").write_text(lines + "\n")
    test = page(runs).run()
    assert "other/report.json must be as fgir evaluate wrote it" in said(test)
    choose(test, "benchmarks_first", "better")
    assert "Run the evaluation again" in test.error[0].value.replace("\\", "")


def test_a_training_run_is_drawn(page: Opened, runs: Path):
    test = page(runs).run()
    test.button_group("benchmarks_part").set_value("Training").run()
    assert not test.exception
    assert "2 of 2 epochs; best after epoch 2: validation Recall@1 50.0 % (20/40)" in said(test)
    assert len(test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart")) == 2
    assert test.code[0].value.count("\n") == 2
    (runs / "trained" / "metrics.jsonl").write_text('{"epoch": 1}\n')
    test.run()
    assert "must be what fgir train wrote" in test.error[0].value.replace("\\", "")


def test_the_map_shows_every_picture_and_sends_the_one_asked_for(page: Opened, shapes: Path):
    test = page().run()
    test.button_group("benchmarks_part").set_value("Map").run()
    (given,) = all_data_of(test, "fgir_embedding_map")
    assert len(given["points"]) == 16
    assert {one["label"] for one in given["points"]} == {"disc", "lying", "standing", "cross"}
    assert given["picture"] is None
    test.session_state["benchmarks_map"] = {"asked": {"id": "disc/1.png"}}
    (given,) = all_data_of(test.run(), "fgir_embedding_map")
    assert given["picture"][0] == "disc/1.png"
    assert given["picture"][1].startswith("data:image/jpeg")
    test.session_state["benchmarks_map"] = {"asked": {"id": "nobody"}}
    (given,) = all_data_of(test.run(), "fgir_embedding_map")
    assert given["picture"] is None


def test_the_map_says_what_its_colours_are(
    page: Opened, shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    test = page().run()
    test.button_group("benchmarks_part").set_value("Map").run()
    (given,) = all_data_of(test, "fgir_embedding_map")
    assert [name for name, _ in given["keys"]] == ["cross", "disc", "lying", "standing"]
    assert len({colour for _, colour in given["keys"]}) == 4
    assert given["note"] == "Colours: label."
    assert all(one["group"] == one["label"] for one in given["points"])
    monkeypatch.setattr(benchmarks, "COLOURS", benchmarks.COLOURS[:3])
    (given,) = all_data_of(test.run(), "fgir_embedding_map")
    assert given["keys"] == []
    assert given["note"].startswith("One colour for all: 4 labels")


def test_the_map_is_coloured_by_a_field_of_few_values(
    page: Opened, shape_photos: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = build_encoder("hog", {"name": "grid", "cells": 8}, size=64)
    shop = stocked(shape_photos.parent / "map_shop", shape_photos, encoder)
    test = at_view(monkeypatch, "benchmarks", shop).run()
    test.button_group("benchmarks_part").set_value("Map").run()
    assert test.button_group("benchmarks_field").value == "label"
    test.button_group("benchmarks_field").set_value("colour").run()
    (given,) = all_data_of(test, "fgir_embedding_map")
    assert [name for name, _ in given["keys"]] == ["blue", "red"]
    known = {item.id: item.payload["colour"] for item in opened(shop).collection.items}
    assert {one["id"]: one["group"] for one in given["points"]} == known
