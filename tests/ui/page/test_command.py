"""``fgir ui``: what it starts, and what it says where it cannot."""

import builtins
import socket
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

from tests.ui.conftest import Done, Fgir
from ui.commands import page


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words that Streamlit would be started with."""
    calls: list[list[str]] = []
    monkeypatch.setattr(
        "streamlit.web.cli.main_run.main", lambda words, **_: calls.append(list(words))
    )
    return calls


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collections that were loaded for the first visitor."""
    folders: list[Path] = []
    monkeypatch.setattr("ui.readiness.make_ready", lambda folder, _: folders.append(folder))
    return folders


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def said(done: Done, code: int, sentence: str) -> None:
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_is_for_this_machine_and_tells_nobody(
    fgir: Fgir, shapes: Path, started: list[list[str]]
):
    port = free_port()
    done = fgir("ui", shapes, "--port", port, "--no-browser")
    assert done.returncode == 0, done.stderr
    (words,) = started
    for word in (
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
        "--server.enableXsrfProtection=true",
        "--server.enableCORS=true",
        "--client.showErrorDetails=none",
        "--client.toolbarMode=minimal",
        "--server.showEmailPrompt=false",
        "--server.maxUploadSize=20",
        "--server.allowedHosts=127.0.0.1",
        "--server.allowedHosts=localhost",
    ):
        assert word in words
    assert words[-2:] == ["--", str(shapes)]
    assert f"http://127.0.0.1:{port}" in done.stderr
    assert "16 pictures" in done.stderr
    assert "no password" not in done.stderr


def test_the_collection_is_loaded_before_anybody_comes(
    fgir: Fgir, shapes: Path, started: list[list[str]], loaded: list[Path]
):
    assert fgir("ui", shapes.name, "--port", free_port(), cwd=shapes.parent).returncode == 0
    assert loaded == [shapes]
    assert started[0][-1] == str(shapes)  # the page asks for it by the same name


def test_every_option_is_one_of_streamlit():
    known = config.get_config_options()
    assert [name for name in page.OPTIONS if name not in known] == []


def test_another_address_is_warned_of(fgir: Fgir, shapes: Path, started: list[list[str]]):
    done = fgir("ui", shapes, "--port", free_port(), "--host", "0.0.0.0")
    assert "there is no password" in done.stderr
    assert "--server.address=0.0.0.0" in started[0]
    assert not [word for word in started[0] if "allowedHosts" in word]
    assert "--server.headless=false" in started[0]


def test_a_port_in_use_is_named(fgir: Fgir, shapes: Path, started: list[list[str]]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said(fgir("ui", shapes, "--port", port), 6, f"port {port} at 127.0.0.1 must be free")
    assert not started


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nowhere"], 3, "nowhere"),
        (["."], 3, "must"),
        ([], 2, "Missing argument"),
        (["{shapes}", "--port", 0], 2, "port"),
        (["{shapes}", "--host", "no.such.host.invalid"], 3, "--host must be an address"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(
    fgir: Fgir,
    shapes: Path,
    started: list[list[str]],
    words: list[Any],
    code: int,
    sentence: str,
    tmp_path: Path,
):
    given = [shapes if word == "{shapes}" else word for word in words]
    said(fgir("ui", *given, cwd=tmp_path), code, sentence)
    assert not started


def test_a_missing_extra_is_named(fgir: Fgir, shapes: Path, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("streamlit"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    done = fgir("ui", shapes, "--port", free_port())
    said(done, 3, "pip install 'fine-grained-image-retrieval[ui]'")
