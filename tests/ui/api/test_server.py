"""The server itself: a process, a port, signals, and the page about it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

from tests.ui.api.conftest import picture
from tests.ui.conftest import ROOT, Fgir
from tests.ui.test_galleries import said
from ui.commands.serve import KEY

PAGE = (ROOT / "docs" / "http.md").read_text("utf-8")
SECRET = "0123456789abcdef0123"


@contextmanager
def server(
    *words: object, stderr: IO[str] | int = subprocess.PIPE, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``fgir serve`` on a free port, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ui", "serve", "--port", "0", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+", line)
        if found is None:
            raise AssertionError(line + process.communicate()[1])
        yield process, found.group()
    finally:
        process.kill()
        process.communicate()


def sent_while_it_ends(process: subprocess.Popen[str], address: str) -> httpx.Response:
    """The answer to a photo of which half is sent before SIGTERM and half after it."""
    whole = httpx.Request(
        "POST", f"{address}/collections/shop/items", files={"photo": picture()}, data={"id": "last"}
    )
    body = whole.read()

    def halves() -> Iterator[bytes]:
        yield body[:200]
        httpx.get(f"{address}/health", timeout=60)  # by now the first half has arrived
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        yield body[200:]

    kind = {"content-type": whole.headers["content-type"]}
    return httpx.post(whole.url, content=halves(), headers=kind, timeout=60)


def test_the_page_is_so_and_the_end_is_orderly(root: Path):
    (root / "photo.jpg").write_bytes(picture(form="JPEG"))
    (root / "sketch.png").write_bytes(picture())
    commands = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    if shutil.which("curl") is None:
        pytest.skip("needs curl: the examples of docs/http.md are its commands")
    with server(root / "shop", "--writable") as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", address)
        run = "set -e\n" + "\n".join(commands).replace("http://127.0.0.1:8000/v1", address)
        done = subprocess.run(["bash", "-c", run], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count('"hits":[{') == 6
        assert (root / "red.jpg").read_bytes()[:2] == b"\xff\xd8"
        answer = sent_while_it_ends(process, address)
        out, err = process.communicate(timeout=60)
    assert answer.status_code == 201, answer.text
    assert process.returncode == 0, err
    assert out.endswith("stopped\n")
    assert "Traceback" not in err
    assert "red%2F0.png" not in err
    assert "red/0.png" not in err
    assert len(re.findall(r" POST /v1/collections/\{name\}/search 200 \d+ ms\n", err)) == 6
    from indexer.disk import DiskCollection

    with DiskCollection.open(root / "shop", write=True) as collection:  # nobody holds its lock
        assert collection.verify() == []
        assert "last" in collection


def test_others_need_the_key(root: Path):
    with server(root / "shop", "--host", "0.0.0.0", FGIR_API_KEY=SECRET) as (_, address):
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}/health").status_code == 200
        assert httpx.get(f"{address}/collections").status_code == 401
        shown = {"authorization": f"Bearer {SECRET}", "host": "shop.example"}
        assert httpx.get(f"{address}/collections", headers=shown).status_code == 200


def test_another_address_is_refused_without_a_key(
    fgir: Fgir, root: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(KEY, raising=False)
    done = fgir("serve", root / "shop", "--host", "0.0.0.0")
    said(done, 3, "--host must be 127.0.0.1 where there is no API key; got 0.0.0.0")


@pytest.mark.parametrize("key", ["", "short", "a key with spaces in it", "é" * 20])
def test_weak_keys_are_refused(fgir: Fgir, root: Path, key: str):
    (root / "key").write_text(f"{key}\n", "utf-8")
    done = fgir("serve", root / "shop", "--api-key-file", root / "key")
    said(done, 3, "must have 16 characters of ASCII or more, without spaces")
    assert not key or key not in done.stderr.replace(str(root), "")


def test_what_cannot_be_served_is_said(fgir: Fgir, root: Path):
    said(fgir("serve", root / "gone", "--port", 0), 3, "gone")
    said(fgir("serve", root / "shop", "--api-key-file", root / "none"), 3, "--api-key-file must be")
    said(fgir("serve", root / "shop", "--host", "no such"), 3, "--host must be")
    for origin in ("shop.example", "*", "https://", "https://a/b", "https://*"):
        said(fgir("serve", root / "shop", "--allow-origin", origin), 3, "--allow-origin must be")
    other = Path(shutil.copytree(root / "shop", root / "deeper" / "shop"))
    said(fgir("serve", root / "shop", other, "--port", 0), 3, "must have different names")


def test_g17_a_port_in_use_is_said(fgir: Fgir, root: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said(fgir("serve", root / "shop", "--port", port), 6, "--port must be free; got 127.0.0.1")
