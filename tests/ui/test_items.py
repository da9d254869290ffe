"""What is known of items, asked for on the command line."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.ui.conftest import SMALL, Fgir
from tests.ui.test_cli import said


@pytest.fixture(scope="session")
def priced(fgir: Fgir, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection from a table: 8 photos with a label, a brand and a price."""
    folder = tmp_path_factory.mktemp("priced")
    shutil.copytree(photos, folder / "photos")
    lines = ["path,id,label,brand,price"]
    for colour in ("red", "blue"):
        for number in range(4):
            brand = ("acme", "b, c")[number % 2]
            lines.append(
                f'photos/{colour}/{number}.png,{colour} {number},{colour},"{brand}",{number + 1}5'
            )
    (folder / "table.csv").write_text("\n".join(lines))
    done = fgir("index", folder / "table.csv", "--out", folder / "shop", *SMALL)
    assert done.returncode == 0, done.stderr
    return folder / "shop"


@pytest.fixture
def copied(priced: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(priced.parent, tmp_path / "priced")) / priced.name


def ids(fgir: Fgir, *words: object) -> list[str]:
    done = fgir("collection", "items", *words, "--json")
    assert done.returncode == 0, done.stderr
    return [item["id"] for item in json.loads(done.stdout)]


def test_items_are_listed(fgir: Fgir, priced: Path):
    assert ids(fgir, priced) == [f"{colour} {n}" for colour in ("red", "blue") for n in range(4)]
    assert ids(fgir, priced, "--where", 'label = "red" and brand = "acme"') == ["red 0", "red 2"]
    assert ids(fgir, priced, "--where", "price >= 25 and price < 45") == [
        f"{colour} {n}" for colour in ("red", "blue") for n in (1, 2)
    ]
    done = fgir("collection", "items", priced, "--limit", 2, "--where", 'label = "blue"')
    assert [line.split("  ")[:2] for line in done.stdout.splitlines()] == [
        ["blue 0", "blue"],
        ["blue 1", "blue"],
    ]
    assert "listed 2 of 4 items" in done.stderr
    done = fgir("collection", "items", priced, "--where", 'label = "green"')
    assert (done.returncode, done.stdout) == (0, "")
    assert "listed 0 items" in done.stderr


def test_items_as_a_table_can_be_read_again(fgir: Fgir, priced: Path):
    table = csv.DictReader(io.StringIO(fgir("collection", "items", priced, "--csv").stdout))
    plain = json.loads(fgir("collection", "items", priced, "--json").stdout)
    assert [{**row, "payload": json.loads(row["payload"])} for row in table] == plain
    assert plain[1]["payload"]["brand"] == "b, c"
    said(fgir("collection", "items", priced, "--csv", "--json"), 3, "--csv and --json")


def test_search_with_a_condition(fgir: Fgir, priced: Path, photos: Path):
    words = ["search", priced, photos / "red" / "1.png"]
    for more in ([], ["--rerank", "k_reciprocal:k1=4,k2=2"], ["--rerank", "local_max_sim"]):
        asked = 'label = "blue" or brand = "acme"'
        done = fgir(*words, "--json", "--where", asked, *more)
        assert done.returncode == 0, done.stderr
        found = {hit["id"] for hit in json.loads(done.stdout)[0]["hits"]}
        assert found == {"red 0", "red 2", "blue 0", "blue 1", "blue 2", "blue 3"}
        done = fgir(*words, "--where", 'label = "green"', *more)
        assert "1.png: no item matches --where" in done.stdout
    said(fgir(*words, "--where", "label = red"), 3, "at character 9; got 'red'")


@pytest.mark.parametrize(
    "method",
    ["k_reciprocal:k1=4,k2=2", "alpha_query_expansion:n=3,database=true", "local_max_sim"],
)
def test_what_a_condition_leaves_out_is_no_neighbour_either(
    fgir: Fgir, priced: Path, copied: Path, photos: Path, method: str
):
    query = [photos / "red" / "1.png", photos / "blue" / "2.png", "--json", "--rerank", method]
    asked = fgir("search", priced, *query, "--where", 'not brand = "acme" or label = "blue"')
    gone = fgir("remove", copied, "red 0", "red 2")
    assert gone.returncode == 0, gone.stderr
    assert asked.returncode == 0, asked.stderr
    without = json.loads(fgir("search", copied, *query).stdout)
    for mine, theirs in zip(json.loads(asked.stdout), without, strict=True):
        assert [(hit["id"], hit["score"]) for hit in mine["hits"]] == [
            (hit["id"], hit["score"]) for hit in theirs["hits"]
        ]


def test_remove_by_condition(fgir: Fgir, copied: Path):
    said(fgir("remove", copied, "--label", "red"), 3, "removing 4 of 8 items")
    assert len(ids(fgir, copied)) == 8
    done = fgir("remove", copied, "--label", "red", "--where", 'brand = "acme"', "--yes")
    assert "removed 2; 6 items are left" in done.stdout
    done = fgir("remove", copied, "--where", 'brand = "acme"', "--yes")
    assert "removed 2; 4 items are left" in done.stdout
    assert ids(fgir, copied) == ["red 1", "red 3", "blue 1", "blue 3"]
    done = fgir("remove", copied, "--label", "green")
    assert done.returncode == 0
    assert "removed 0; 4 items are left" in done.stdout
    said(fgir("remove", copied), 3, "got neither")
    said(fgir("remove", copied, "red 1", "--label", "red"), 3, "got both")


@pytest.mark.parametrize(("answer", "left"), [("y", 4), ("n", 8)])
def test_a_person_is_asked(
    monkeypatch: pytest.MonkeyPatch, fgir: Fgir, copied: Path, answer: str, left: int
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    done = fgir("remove", copied, "--label", "red")
    assert "Remove 4 of 8 items of" in done.stderr
    assert f"{left} items are left" in done.stdout
    assert len(ids(fgir, copied)) == left
