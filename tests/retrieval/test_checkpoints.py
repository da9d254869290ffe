"""An encoder on disk: the same one comes back, or an error that names what is wrong.

Rows F1, F3, F5, F6 and C11 of the catalogue of faults in the reliability plan.
"""

import hashlib
import json
import logging
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors
from torch import Tensor

from retrieval import checkpoints
from retrieval.checkpoints import load_encoder, probe_pictures, save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import (
    BadInputError,
    DamagedDataError,
    EncoderMismatchError,
    FgirError,
    StorageError,
)
from retrieval.whitening import Whitening


def made(seed: int = 0) -> Encoder:
    return build_encoder("small", "gem", size=32, dim=6, seed=seed).with_whitening(Whitening(6, 4))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "encoder"
    save_encoder(made(), folder)
    return folder


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "encoder"))


def weights(folder: Path) -> Path:
    (path,) = folder.glob("*.safetensors")
    return path


def describe(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite encoder.json."""
    path = folder / "encoder.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def replace_weights(folder: Path, data: bytes) -> None:
    """Other weights, with a description that vouches for them: what a hostile sender can do."""
    weights(folder).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    describe(folder, lambda d: d["weights"].update(sha256=digest, bytes=len(data)))


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    tensors = safetensors.load(weights(folder).read_bytes())
    change(tensors)
    replace_weights(folder, safetensors.save(tensors))


def refused(folder: Path, kind: type[FgirError] = DamagedDataError) -> str:
    with pytest.raises(kind) as caught:
        load_encoder(folder)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert sentence.endswith(".")
    return sentence


def test_the_same_encoder_comes_back(original: Path) -> None:
    encoder, again = made(), load_encoder(original)
    images = torch.rand(3, 3, 32, 32)
    np.testing.assert_array_equal(encoder.vectors(images), again.vectors(images))
    assert again.fingerprint() == encoder.fingerprint()
    assert again.settings() == json.loads(json.dumps(encoder.settings())) | {
        "transform": encoder.transform.settings()
    }
    assert again.dim == encoder.dim == 4
    assert not again.training


def test_every_part_comes_back(tmp_path: Path) -> None:
    options = {"name": "scda", "plus": True}
    encoder = build_encoder("small", options, size=48, fit="pad", flip=True)
    save_encoder(encoder, tmp_path / "a")
    assert load_encoder(tmp_path / "a").fingerprint() == encoder.fingerprint()


def test_a_trained_exponent_comes_back(tmp_path: Path) -> None:
    encoder = build_encoder("small", "gem", size=32)
    with torch.no_grad():
        encoder.pooling.p.fill_(2.718281828)  # type: ignore[operator]
    save_encoder(encoder, tmp_path / "a")
    assert load_encoder(tmp_path / "a").fingerprint() == encoder.fingerprint()


def test_loading_leaves_the_random_generator_alone(original: Path) -> None:
    torch.manual_seed(1)
    want = torch.rand(2)
    torch.manual_seed(1)
    load_encoder(original)
    torch.testing.assert_close(torch.rand(2), want, rtol=0, atol=0)


def test_saving_leaves_the_encoder_as_it_was(tmp_path: Path) -> None:
    encoder = made().train()
    before = encoder.fingerprint()
    save_encoder(encoder, tmp_path / "a")
    assert encoder.training
    assert encoder.fingerprint() == before
    assert load_encoder(tmp_path / "a").fingerprint() == before


def test_an_encoder_is_not_overwritten_by_chance(saved: Path) -> None:
    with pytest.raises(BadInputError, match="must hold no encoder yet; got one"):
        save_encoder(made(1), saved)
    save_encoder(made(1), saved, overwrite=True)
    assert load_encoder(saved).fingerprint() == made(1).fingerprint()
    assert len(list(saved.iterdir())) == 2  # the old weights are gone


@pytest.mark.parametrize("step", [1, 2])
def test_f1_a_stop_while_overwriting_leaves_the_old_encoder(
    saved: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def stop(path: Path, data: bytes) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise StorageError("full")
        path.write_bytes(data)

    monkeypatch.setattr(checkpoints, "write_atomically", stop)
    with pytest.raises(StorageError, match="full"):
        save_encoder(made(1), saved, overwrite=True)
    assert load_encoder(saved).fingerprint() == made().fingerprint()


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    encoder = made()
    with torch.no_grad():
        encoder.backbone.state_dict()["stem.0.weight"][0] = torch.nan
    with pytest.raises(BadInputError, match=r"'backbone\.stem\.0\.weight' must be finite"):
        save_encoder(encoder, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("place", [0.0, 0.01, 0.3, 0.5, 0.9, 1.0])
def test_f3_one_flipped_bit_is_noticed(saved: Path, place: float) -> None:
    data = bytearray(weights(saved).read_bytes())
    data[round(place * (len(data) - 1))] ^= 4
    weights(saved).write_bytes(data)
    assert "another SHA-256" in refused(saved)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_f3_cut_weights_are_noticed(saved: Path, share: float) -> None:
    data = weights(saved).read_bytes()
    weights(saved).write_bytes(data[: int(share * len(data))])
    assert weights(saved).name in refused(saved)


def test_f3_missing_weights_are_named(saved: Path) -> None:
    name = weights(saved).name
    weights(saved).unlink()
    assert name in refused(saved)


def test_a_folder_without_an_encoder(tmp_path: Path) -> None:
    assert "got no readable encoder.json" in refused(tmp_path / "nowhere", BadInputError)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'"a"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": "other"}']
)
def test_f5_a_description_that_is_none(saved: Path, text: bytes) -> None:
    (saved / "encoder.json").write_bytes(text)
    refused(saved)


def test_a_newer_format_is_not_guessed(saved: Path) -> None:
    describe(saved, lambda d: d.update(version=2))
    assert "format version 1; got 2" in refused(saved, BadInputError)


@pytest.mark.parametrize("key", ["fingerprint", "settings", "weights", "libraries"])
@pytest.mark.parametrize("value", [None, 3])
def test_f5_a_description_with_a_hole(saved: Path, key: str, value: object) -> None:
    describe(saved, lambda d: d.update({key: value}))
    assert f"it lacks '{key}'" in refused(saved)


SETTINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no backbone": lambda s: s.pop("backbone"),
    "unknown backbone": lambda s: s.update(backbone="smal"),
    "another library": lambda s: s.update(backbone="os:system"),
    "unknown pooling": lambda s: s.update(pooling={"name": "gme"}),
    "pooling is no mapping": lambda s: s.update(pooling="gem"),
    "unknown option": lambda s: s["pooling"].update(q=1),
    "a path for a pooling": lambda s: s.update(pooling={"name": "../../os"}),
    "size of the wrong type": lambda s: s["transform"].update(size="32"),
    "too large": lambda s: s["transform"].update(size=10**9),
    "unknown transform option": lambda s: s["transform"].update(blur=1),
    "projection to a negative size": lambda s: s["projection"].update(out_features=-1),
    "projection beyond any memory": lambda s: s["projection"].update(out_features=10**15),
    "whitening by another method": lambda s: s["whitening"].update(method="zca"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_f5_hostile_settings(saved: Path, name: str) -> None:
    describe(saved, lambda d: SETTINGS[name](d["settings"]))
    assert "encoder.json" in refused(saved)


TENSORS: dict[str, tuple[Callable[[dict[str, Tensor]], Any], str]] = {
    "renamed": (
        lambda t: t.update({"backbone.stem.0.wieght": t.pop("backbone.stem.0.weight")}),
        "lacks 'backbone.stem.0.weight' (1 such, beside 77 known)",
    ),
    "missing": (lambda t: t.pop("projection.bias"), "lacks 'projection.bias'"),
    "extra": (lambda t: t.update(more=torch.zeros(1)), "has the unknown 'more'"),
    "many extra": (
        lambda t: t.update({f"x{i:06}": torch.zeros(0) for i in range(20_000)}),
        "has the unknown 'x000000' (20000 such, beside 77 known)",
    ),
    "other shape": (
        lambda t: t.update({"whitening.mean": torch.zeros(7)}),
        "'whitening.mean' must be float32 (6,); got float32 (7,)",
    ),
    "other type": (
        lambda t: t.update({"projection.bias": t["projection.bias"].half()}),
        "'projection.bias' must be float32 (6,); got float16 (6,)",
    ),
    "NaN": (
        lambda t: t["projection.weight"].fill_(torch.nan),
        "'projection.weight' must be finite; got 1152 of 1152",
    ),
    "infinite": (lambda t: t["projection.bias"][:1].fill_(torch.inf), "got 1 of 6 values NaN"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_f5_hostile_tensors_under_a_true_checksum(saved: Path, name: str) -> None:
    change, words = TENSORS[name]
    change_tensors(saved, change)
    sentence = refused(saved)
    assert words in sentence
    assert weights(saved).name in sentence


def header(fields: object, size: int | None = None, body: bytes = b"") -> bytes:
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


FILES = {
    "nothing": b"",
    "header of 2^63 bytes": header({}, 2**63),
    "header beyond the end": header({}, 10_000),
    "header is no JSON": header(b"{not json"),
    "no tensors": header({}),
    "beyond the end": header({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}),
    "overlap": header(
        {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, body=b"0000"
    ),
    "hole": header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, body=b"0" * 8),
    "unknown type": header(
        {"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, body=b"0000"
    ),
    "negative shape": header(
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, body=b"0000"
    ),
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("name", FILES)
def test_f5_hostile_files_under_a_true_checksum(saved: Path, name: str) -> None:
    replace_weights(saved, FILES[name])
    assert weights(saved).name in refused(saved)


def test_f5_weights_outside_the_folder_are_not_read(saved: Path, tmp_path: Path) -> None:
    shutil.copy(weights(saved), tmp_path / "w.safetensors")
    describe(saved, lambda d: d["weights"].update(file="../w.safetensors"))
    assert "must name weights beside it; got '../w.safetensors'" in refused(saved)


def test_f6_weights_of_another_encoder_are_refused(saved: Path, tmp_path: Path) -> None:
    save_encoder(build_encoder("small", "average", size=32), tmp_path / "other")
    replace_weights(saved, weights(tmp_path / "other").read_bytes())
    assert "lacks" in refused(saved)


def test_c12_weights_of_the_same_shape_are_refused(saved: Path, tmp_path: Path) -> None:
    save_encoder(made(1), tmp_path / "other")
    replace_weights(saved, weights(tmp_path / "other").read_bytes())
    assert "must carry the fingerprint of the encoder it describes" in refused(saved)


def test_c10_changed_settings_are_refused(saved: Path) -> None:
    describe(saved, lambda d: d["settings"]["transform"].update(fit="crop"))
    assert "fingerprint" in refused(saved)


PROBE_PICTURES = "c47ffd20a200f6ceb164fb20969a940e16e00f65245bb5a69005e0b7193f3c1b"


def test_probe_pictures_never_change() -> None:
    digest = hashlib.sha256()
    for picture in probe_pictures():
        digest.update(picture.tobytes())
    assert digest.hexdigest() == PROBE_PICTURES


def test_c11_under_other_libraries_the_same_vectors_pass(
    saved: Path, caplog: pytest.LogCaptureFixture
) -> None:
    describe(saved, lambda d: d["libraries"].update(torch="1.0"))
    with caplog.at_level(logging.WARNING):
        load_encoder(saved)
    (message,) = caplog.messages
    assert "(was 1.0)" in message


@pytest.mark.parametrize(("angle", "passes"), [(0.03, True), (0.06, False)])
def test_c11_under_other_libraries_other_vectors_are_refused(
    saved: Path, angle: float, passes: bool
) -> None:
    """A cosine of 1 - 1e-3 is an angle of 0.0447."""

    def turn(tensors: dict[str, Tensor]) -> None:
        probes = tensors["probe_vectors"]
        across = torch.linalg.qr(torch.stack([probes[0], torch.rand(4)], dim=1)).Q[:, 1]
        probes[0] = np.cos(angle) * probes[0] + np.sin(angle) * across

    change_tensors(saved, turn)
    load_encoder(saved)  # the libraries are the same: nothing to check
    describe(saved, lambda d: d["libraries"].update(pillow="9.0"))
    if passes:
        load_encoder(saved)
    else:
        sentence = refused(saved, EncoderMismatchError)
        assert "0.0018 away from them, under pillow" in sentence


def test_c11_missing_vectors_are_not_a_pass(saved: Path) -> None:
    change_tensors(saved, lambda t: t.pop("probe_vectors"))
    describe(saved, lambda d: d["libraries"].clear())
    assert "must hold probe_vectors of shape (4, 4)" in refused(saved)
