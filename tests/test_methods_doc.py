"""What docs/methods.md, docs/recognition.md and docs/extending.md say of parts is so.

A method's row names files that are there and settings that build it; a figure stands in the table
that it links; no head, scheme or loss is without a row.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import train.losses
from retrieval import heads, plugins, poolings
from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from train import logit_losses, schemes
from train.config import RECIPES, read_recipe

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STATUSES = (
    "works here: ",
    "implemented, tested on definitions; learns on the generated catalogue",
    "implemented, figure needs data or GPU",
    "not yet",
)
CHANNELS, CLASSES = (24, 32), 12
FOLDERS = {
    "retrieval/heads": heads,
    "train/schemes": schemes,
    "train/logit_losses": logit_losses,
    "train/losses": train.losses,
}


@dataclass(frozen=True)
class Row:
    """A row of docs/methods.md."""

    method: str
    files: list[str]
    trained: str
    status: str


def cells(text: str, columns: int) -> list[list[str]]:
    """The rows of all tables of so many columns, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in split if len(row) == columns]


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def rows() -> list[Row]:
    found = cells((DOCS / "methods.md").read_text(encoding="utf-8"), 6)
    return [Row(r[0], spans(r[1]), r[2], r[3]) for r in found if r[0] != "method"]


def _named(row: Row) -> str:
    return row.method


ROWS = rows()


def test_a_file_or_a_table_that_is_named_is_there() -> None:
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    named = [ROOT / name for row in ROWS for name in row.files]
    linked = [DOCS / target for target in re.findall(r"\]\(([^)#]+)\)", text)]
    assert len(named) > 100
    assert [str(path) for path in [*named, *linked] if not path.is_file()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_part_has_a_row(folder: str) -> None:
    named = {name for row in ROWS for name in row.files}
    files = {f"{folder}/{name}.py" for name in plugins.names(FOLDERS[folder])}
    assert sorted(files - named) == []


def test_a_row_says_how_far_it_is() -> None:
    for row in ROWS:
        assert row.status.startswith(STATUSES), row.method
        there = not row.status.startswith("not yet")
        assert there == bool(row.files) == bool(row.trained), row.method


@pytest.mark.parametrize("row", [r for r in ROWS if r.status.startswith(STATUSES[0])], ids=_named)
def test_a_figure_stands_in_the_table_that_is_linked(row: Row) -> None:
    claim, links = re.sub(r"\]\([^)]*\)", "", row.status), re.findall(r"\]\(([^)]+)\)", row.status)
    table = "".join((DOCS / link).read_text(encoding="utf-8") for link in links)
    for figure in re.findall(r"\d+\.\d+|\d+/\d+", claim):
        assert re.search(rf"(?<![\d.]){figure}(?![\d.])", table), figure


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.trained and not r.trained.startswith("nothing")], ids=_named
)
def test_what_trains_a_method_can_be_built(row: Row) -> None:
    recipe, settings = "recognition_small", spans(row.trained)[0].split()
    if (RECIPES / f"{settings[0]}.toml").is_file():
        recipe, *settings = settings
    config = read_recipe(recipe, settings)
    if config.task != "recognition":
        plugins.build(train.losses, config.loss, num_classes=CLASSES, dim=CLASSES)
        pooling = config.encoder.pooling
        plugins.find(poolings, pooling if isinstance(pooling, str) else pooling["name"])
        return
    head = build_head(config.head, CHANNELS, CLASSES)
    loss = plugins.build(logit_losses, config.loss, num_classes=CLASSES)
    own = config.head["name"] if config.head["name"] in plugins.names(schemes) else "plain"
    scheme = plugins.build(
        schemes,
        config.scheme or {"name": own},
        loss=loss,
        num_classes=CLASSES,
        channels=CHANNELS[1],
        early_channels=CHANNELS[0],
        dim=head.pooling.out_dim(CHANNELS),
        count=60,
        superclasses=None,
    )
    assert isinstance(head, scheme.head)
    assert config.sampler.images >= 2 or not scheme.needs_pairs
    parts = [head, loss, scheme]
    named = {type(part).__module__.replace(".", "/") + ".py" for part in parts}
    assert named & set(row.files) or "recipes" in row.files[0], "the row names other files"


def test_every_part_is_explained_to_its_user() -> None:
    text = (DOCS / "recognition.md").read_text(encoding="utf-8")
    explained = {name for row in [*cells(text, 2), *cells(text, 3)] for name in spans(row[0])}
    parts = {name for folder in (heads, schemes, logit_losses) for name in plugins.names(folder)}
    assert sorted(parts - explained) == []


def test_the_page_says_what_an_unknown_name_is_answered() -> None:
    with pytest.raises(BadInputError) as refused:
        plugins.find(poolings, "gme")
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    assert f"fgir: bad-input: {refused.value}" in page
