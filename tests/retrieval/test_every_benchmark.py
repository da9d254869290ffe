"""What every file in retrieval/benchmarks/ must be and say."""

import inspect
import typing
from pathlib import Path

import pytest

from retrieval import benchmarks, plugins
from retrieval.data import Benchmark
from retrieval.errors import BadInputError

ROOT = Path(__file__).resolve().parents[2]
every_benchmark = pytest.mark.parametrize("name", plugins.names(benchmarks))


@every_benchmark
def test_it_says_where_it_comes_from_and_what_is_allowed(name: str) -> None:
    text = inspect.getdoc(plugins.module(benchmarks, name)) or ""
    starts = [line.partition(":")[0] for line in text.splitlines()]
    assert "Source" in starts
    assert "Licence" in starts


@every_benchmark
def test_the_document_of_data_sets_has_it(name: str) -> None:
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in text


@every_benchmark
def test_its_options_can_be_given_on_a_command_line(name: str) -> None:
    reader = plugins.module(benchmarks, name).read
    root, *options = inspect.signature(reader).parameters.values()
    hints = typing.get_type_hints(reader)
    assert (root.name, hints["root"]) == ("root", Path)
    assert hints["return"] is Benchmark
    for option in options:
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        kinds = typing.get_args(hints[option.name]) or (hints[option.name],)
        assert set(kinds) <= {str, int, float, bool, type(None)}


@every_benchmark
@pytest.mark.parametrize("place", ["empty", "nowhere", "a file"])
def test_it_fails_clearly_where_nothing_is(name: str, place: str, tmp_path: Path) -> None:
    root = tmp_path / place
    if place == "empty":
        root.mkdir()
    elif place == "a file":
        root.write_text("text")
    with pytest.raises(BadInputError, match=r"must .*; got ") as caught:
        benchmarks.read(name, root)
    assert str(root) in str(caught.value)
