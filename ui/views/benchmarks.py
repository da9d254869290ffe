"""What evaluations and training runs came to, and where the collection's pictures lie."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from indexer.collection import Item
from indexer.disk import DiskCollection
from retrieval.comparison import compare
from retrieval.comparison_page import comparison_parts
from retrieval.embedding_map import EmbeddingMap, principal_plane
from retrieval.evaluation_report import EvaluationReport
from retrieval.figures import percent
from retrieval.found_reports import FoundReport, folders_with, found_reports
from retrieval.report import report_parts
from retrieval.report_parts import figures_section
from retrieval.saved_reports import REPORT
from train.reports import EpochReport, read_metrics
from ui.embedding_map import asked, embedding_map
from ui.report_view import report_view
from ui.resources import opened
from ui.started import runs_folder
from ui.text import shown
from ui.views._page_view import PageView
from ui.widgets import card_of, plain, safely

if TYPE_CHECKING:
    from ui.opened import Opened

LISTED = 40
"""Evaluations whose figures are listed: the newest."""

POINTS = 2000
"""Pictures on the map, from all over the collection."""

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
    "#8c6bb1", "#7f7f00", "#e7298a", "#1b9e9e", "#a0522d", "#7f7f7f",
)  # fmt: skip
"""Of groups on the map: as far apart as twelve can be on light and on dark ground."""

_LINES = ("#0b7fb0", "#d9820f")
_REPORTS, _TRAINING, _MAP = "Evaluations", "Training", "Map"
_PART, _FIRST, _SECOND, _K = (f"benchmarks_{name}" for name in ("part", "first", "second", "k"))
_RUN, _POINT, _VIEW, _FIELD = (f"benchmarks_{name}" for name in ("run", "map", "view", "field"))


class Benchmarks(PageView):
    """One of three parts at a time."""

    title = "Benchmarks"
    icon = ":material/monitoring:"
    order = 40

    def show(self, folder: Path) -> None:
        part = st.segmented_control(
            "What to see",
            (_REPORTS, _TRAINING, _MAP),
            default=_REPORTS,
            required=True,
            key=_PART,
            label_visibility="collapsed",
        )
        if part == _MAP:
            safely(_map, folder)
        elif runs := runs_folder():
            safely(_training if part == _TRAINING else _evaluations, runs)
        else:
            st.info(
                "No folder of runs was given. Start the page with one, such as fgir ui "
                f"{plain(folder.name)} --runs RUNS, where RUNS holds what fgir evaluate --out and "
                "fgir train --out wrote."
            )


def _evaluations(runs: Path) -> None:
    found, unreadable = found_reports(runs)
    for sentence in unreadable:
        st.warning(plain(sentence), icon=":material/warning:")
    if not found:
        st.info(
            f"There is no evaluation below {plain(runs.name)} yet. Make one: fgir evaluate "
            f"BENCHMARK DATA --encoder ENCODER --out {plain(runs.name)}/NAME."
        )
        return
    first, second = _chosen(found)
    if second is not None:
        k = st.number_input("K of Recall@K", 1, 1000, 1, key=_K, width=160)
        report_view(_VIEW, comparison_parts(compare(_loaded(first), _loaded(second), k=int(k))))
        return
    report_view("benchmarks_list", [figures_section(found[:LISTED], "All evaluations")])
    if len(found) > LISTED:
        st.caption(f"The newest {LISTED} of {len(found):,} are listed; all can be chosen above.")
    report_view(_VIEW, report_parts([_loaded(first)]))


def _chosen(found: list[FoundReport]) -> tuple[FoundReport, FoundReport | None]:
    left, right = st.columns(2)
    first = left.selectbox("Evaluation", found, format_func=_words, key=_FIRST)
    others = [one for one in found if one != first and one.benchmark == first.benchmark]
    second = right.selectbox(
        "Compare with",
        others,
        index=None,
        format_func=_words,
        key=_SECOND,
        placeholder="another of the same benchmark" if others else "there is no other of it",
        disabled=not others,
    )
    return first, second


def _words(one: FoundReport) -> str:
    return f"{one.path}: {one.name or one.benchmark}"


def _loaded(one: FoundReport) -> EvaluationReport:
    return _read(one.folder, (one.folder / REPORT).stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Reading the evaluation …")
def _read(folder: Path, changed: int) -> EvaluationReport:
    return EvaluationReport.load(folder)


def _training(runs: Path) -> None:
    found = folders_with("metrics.jsonl", runs)
    if not found:
        st.info(
            f"There is no training run below {plain(runs.name)} yet. Make one: fgir train RECIPE "
            f"--out {plain(runs.name)}/NAME."
        )
        return
    chosen = st.selectbox(
        "Run", found, format_func=lambda one: one.relative_to(runs).as_posix(), key=_RUN
    )
    epochs = read_metrics(chosen / "metrics.jsonl")
    if not epochs:
        st.info("This run has not finished its first epoch yet.")
        return
    _curves(epochs)
    with st.expander("All epochs"):
        st.code("\n".join(map(str, epochs)), language=None)


def _curves(epochs: list[EpochReport]) -> None:
    best = [one for one in epochs if one.best]
    last = epochs[-1]
    words = f"{last.epoch} of {last.epochs} epochs"
    name, second = last.figures
    if best and best[-1].recall_at_1 is not None:
        at = best[-1]
        words += (
            f"; best after epoch {at.epoch}: validation {name} {percent(at.hits / at.queries)} % "
            f"({at.hits:,}/{at.queries:,}), {second} {percent(at.map_at_r)} %"
        )
    st.markdown(plain(words))
    left, right = st.columns(2)
    judged = [one for one in epochs if one.recall_at_1 is not None]
    if judged:
        left.caption(f"Validation: {plain(name)} and {plain(second)} in percent over epochs")
        left.line_chart(
            {
                "epoch": [one.epoch for one in judged],
                name: [100 * one.hits / one.queries for one in judged],
                second: [100 * one.map_at_r for one in judged],
            },
            x="epoch",
            y=[name, second],
            color=list(_LINES),
            x_label="epoch",
            y_label="percent",
        )
    learned = [one for one in epochs if one.loss is not None]
    if learned:
        right.caption("Loss over epochs")
        right.line_chart(
            {"epoch": [one.epoch for one in learned], "loss": [one.loss for one in learned]},
            x="epoch",
            y="loss",
            color=_LINES[0],
            x_label="epoch",
            y_label="loss",
        )


def _map(folder: Path) -> None:
    this = opened(folder)
    collection = this.collection
    rows, plane = _plane(folder, this.collection.generation, collection)
    items = collection.items
    some = [items[row] for row in rows]
    field = _coloured_by(this)
    groups = [_group(item, field) for item in some]
    wanted = asked(_POINT)
    picture = None
    if wanted is not None and wanted in collection:
        uri = card_of(collection, collection.get(wanted))["picture"]
        picture = (wanted, uri) if uri else None
    points = [
        {
            "id": item.id,
            "label": item.label,
            "group": group,
            "x": round(float(x), 4),
            "y": round(float(y), 4),
        }
        for item, group, (x, y) in zip(some, groups, plane.points, strict=True)
    ]
    count = f"{len(rows):,} of {len(items):,}" if len(rows) < len(items) else f"{len(items):,}"
    st.caption(
        f"{count} pictures by the two directions in which their vectors vary most, which is "
        f"{percent(plane.kept)} % of all variance: neighbours here need not be neighbours in a "
        "search. Point at one, or touch it, to see it and all of its label."
    )
    title = f"Map of {count} pictures; arrow keys go from one to the next"
    keys, note = _keys(field, sorted(set(groups)))
    embedding_map(_POINT, points, keys=keys, note=note, title=title, picture=picture)


def _coloured_by(this: "Opened") -> str:
    """Field whose values are told apart by colours: what has few of them, if anything has."""
    texts = [one for one in this.fields() if one.kinds == {"text"} and one.choices]
    few = [
        one.name
        for one in texts
        if 1 < len(one.choices) <= len(COLOURS) and not set(one.name) & set('."')
    ]
    if len(few) < 2:
        return few[0] if few else "label"
    return str(st.segmented_control("Colours", few, default=few[0], required=True, key=_FIELD))


def _group(item: Item, field: str) -> str:
    value = item.label if field == "label" else item.payload.get(field)
    return shown(value) if isinstance(value, str) else ""


def _keys(field: str, groups: list[str]) -> tuple[list[tuple[str, str]], str]:
    if len(groups) <= len(COLOURS):
        return list(zip(groups, COLOURS, strict=False)), f"Colours: {field}."
    return [], f"One colour for all: {len(groups):,} labels are more than colours tell apart."


@st.cache_resource(max_entries=2, show_spinner="Drawing the map …")
def _plane(
    folder: Path, generation: int, _collection: DiskCollection
) -> tuple[list[int], EmbeddingMap]:
    count = len(_collection)
    rows = np.unique(np.linspace(0, max(0, count - 1), min(count, POINTS)).astype(int))
    return rows.tolist(), principal_plane(_collection.vectors[rows])
