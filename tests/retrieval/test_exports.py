"""Exported encoders: the same vectors, loaded with care, used without us."""

import json
import re
import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.models import VisionTransformer

from retrieval import exports, plugins
from retrieval.backbones import Backbone
from retrieval.backbones._timm_networks import TimmNetwork
from retrieval.backbones._torchvision_networks import PatchTransformer
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import keep_encoder, open_encoder
from retrieval.encoding import encode_files
from retrieval.errors import (
    BadInputError,
    DamagedDataError,
    EncoderMismatchError,
    FgirError,
    StorageError,
)
from retrieval.exports import ExportedEncoder, Parity, ParityError, Training, export_encoder
from retrieval.exports._description import Description
from retrieval.exports._parity import cosines, same_rankings
from retrieval.exports.torch import Torch
from retrieval.poolings.average import Average
from retrieval.whitening import Whitening
from tests.retrieval.test_scda import scda

KINDS = plugins.names(exports)
GRAPHS = [kind for kind in KINDS if kind != "torch"]
REDUCED = {"openvino_fp16"}
POOLINGS = ("average", "gem", "scda")
SIZE = 64


class Made(Protocol):
    """Gives the folder of an export."""

    def __call__(self, kind: str, pooling: str = "average") -> Path: ...


def opened(folder: Path) -> Encoder:
    encoder = open_encoder(folder)
    assert isinstance(encoder, Encoder)
    return encoder


def encoder_with(pooling: str) -> Encoder:
    """Each with another way in which a picture meets the square; one has every later step."""
    if pooling == "gem":
        encoder = build_encoder("small", "gem", size=SIZE, fit="pad", flip=True, dim=12)
        whitening = Whitening(12, 8)
        whitening.mean.copy_(torch.linspace(-0.1, 0.1, 12))
        return encoder.with_whitening(whitening)
    if pooling == "scda":
        return build_encoder("small", {"name": "scda", "plus": True}, size=SIZE, fit="crop")
    return build_encoder("small", size=SIZE)


def pictures(count: int = 12) -> list[Image.Image]:
    """Smooth as photos are, and wider than high."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    return [Image.fromarray(one).resize((90, 70), Image.Resampling.BICUBIC) for one in coarse]


def export(encoder: Encoder, out: Path, kind: str, training: Training | None = None) -> Parity:
    return export_encoder(encoder, out, kind, pictures(), "made up", training=training)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of an export, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("exports")

    def path(kind: str, pooling: str = "average") -> Path:
        out = folder / f"{kind}-{pooling}"
        if not out.exists():
            export(encoder_with(pooling), out, kind)
        return out

    return path


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Made:
    def path(kind: str, pooling: str = "average") -> Path:
        return Path(shutil.copytree(made(kind, pooling), tmp_path / "copy"))

    return path


def images(encoder: Encoder, count: int = 5) -> torch.Tensor:
    return torch.stack([encoder.transform(picture) for picture in pictures(count)])


def refused(folder: Path, kind: type[FgirError] = DamagedDataError) -> str:
    with pytest.raises(kind) as caught:
        opened(folder)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def describe(folder: Path, **changes: object) -> None:
    """Sign another description: what a hostile sender can do."""
    replace(Description.read(folder), **changes).write(folder)  # type: ignore[arg-type]


def resign(folder: Path) -> None:
    """A description that vouches for the files as they are now."""
    encoder, packages = encoder_with("average"), Description.read(folder).libraries
    description = Description.read(folder)
    now = Description.of(encoder, description.kind, folder, False, packages)
    files = {name: digest for name, digest in now.files.items() if name != "export.json"}
    describe(folder, files=files)


MATRIX = [
    (kind, pooling)
    for kind in KINDS
    for pooling in POOLINGS
    if kind not in REDUCED or pooling == "average"  # where only the numbers are others
]


@pytest.mark.parametrize(("kind", "pooling"), MATRIX)
def test_vectors_are_those_of_the_encoder(kind: str, pooling: str, made: Made) -> None:
    encoder, exported = encoder_with(pooling), opened(made(kind, pooling))
    batch = images(encoder)
    batch[2] = 0  # without biases, an image without features
    want, got = encoder.vectors(batch), exported.vectors(batch)
    assert [row for row in range(5) if not got[row].any()] == [2]
    assert np.ptp(want, axis=0).max() > 0.01  # pictures are told apart
    if kind in REDUCED:
        assert cosines(want.astype(np.float64), got.astype(np.float64)).min() > 0.9999
        assert np.abs(want - got).max() > 1e-6
        assert exported.fingerprint() != encoder.fingerprint()
    else:
        np.testing.assert_allclose(got, want, atol=2e-6)
        assert exported.fingerprint() == encoder.fingerprint()
    assert exported.dim == encoder.dim
    assert exported.transform == encoder.transform
    assert not exported.training


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_encoded(kind: str, made: Made, tmp_path: Path) -> None:
    encoder, exported = encoder_with("average"), opened(made(kind))
    paths = []
    for number, picture in enumerate(pictures(7)):
        paths.append(tmp_path / f"{number}.png")
        picture.save(paths[-1])
    want, got = encode_files(encoder, paths, runtime="eager"), encode_files(exported, paths)
    assert (want.vectors * got.vectors).sum(axis=1).min() > 0.9999
    alone = [encode_files(exported, [path]).vectors[0] for path in paths]
    np.testing.assert_allclose(np.stack(alone), got.vectors, atol=1e-6)
    if isinstance(exported, ExportedEncoder):
        assert got.runtime == exported.runtime == kind.replace("onnx", "onnxruntime").split("_")[0]
        with pytest.raises(BadInputError, match=r"runtime must be \w+, .* exported for; got eager"):
            encode_files(exported, paths, runtime="eager")


@pytest.mark.parametrize(("kind", "pooling"), [one for one in MATRIX if one[0] != "torch"])
def test_the_model_card_shows_how_to_do_without_us(
    kind: str, pooling: str, made: Made, tmp_path: Path
) -> None:
    picture = pictures(1)[0].convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(tmp_path / "a.png")
    pictures(2)[1].save(tmp_path / "b.png")
    folder = made(kind, pooling)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    with chdir(folder):
        exec(code, names)
        got = names["encoded"]([tmp_path / "a.png", tmp_path / "b.png"])
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    want = encode_files(opened(folder), paths).vectors
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_the_weights_are_read_without_us(made: Made) -> None:
    folder = made("torch", "average")
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    with chdir(folder):
        exec(code, names)
    weights = encoder_with("average").state_dict()
    assert weights.keys() <= names["weights"].keys()


def test_preprocessing_is_written_down(made: Made) -> None:
    facts = json.loads((made("onnx", "scda") / "preprocessing.json").read_text())
    assert facts["size"] == SIZE
    assert facts["fit"] == "crop"
    assert facts["crop_share"] == 0.875
    assert facts["mean"] == [0.485, 0.456, 0.406]
    assert facts["std"] == [0.229, 0.224, 0.225]
    assert facts["colour_order"] == "RGB"
    assert facts["input_shape"] == ["batch", 3, SIZE, SIZE]


def test_parity_is_written_down(tmp_path: Path) -> None:
    parity = export(encoder_with("average"), tmp_path / "out", "torch")
    facts = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert facts["pictures"] == parity.pictures == 12
    assert facts["least_cosine"] == parity.least_cosine > 0.99999
    assert facts["same_top_k"] == 12
    assert facts["k"] == 10
    assert "12 pictures (made up); same top 10 for 12/12 (100.0%" in str(parity)
    assert "12 of 12" in (tmp_path / "out" / "README.md").read_text()


def test_the_card_tells_of_the_training_and_of_no_folder(tmp_path: Path) -> None:
    recipe = {"benchmark": {"name": "table", "root": "/home/me/birds"}, "seed": 3}
    training = Training("birds", 88, 5000, recipe, 7, 20, 61, 100, finished=False)
    export(encoder_with("average"), tmp_path / "out", "torch", training)
    text = (tmp_path / "out" / "README.md").read_text()
    for words in (
        "88 classes (5,000 pictures) of the benchmark 'birds'",
        "epoch 7 of 20",
        "had not come to its end",
        "Recall@1 61.0% (61/100, 95 % interval 51.2% to 70.0%)",
        '"root": "birds"',
    ):
        assert words in text
    assert "/home" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_tells_of_this_machine(kind: str, made: Made) -> None:
    for path in made(kind).iterdir():
        data = path.read_bytes()
        for word in (str(Path.home()), "site-packages", str(made(kind).parent), ".py", "retrieval"):
            assert word.encode() not in data.replace(b"image retrieval", b"").replace(
                b"image-retrieval", b""
            ), (path.name, word)


@pytest.mark.parametrize("kind", KINDS)
def test_each_file_is_checked(kind: str, copied: Made) -> None:
    folder = copied(kind)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) >= 5
    for name in names:
        path = folder / name
        data = bytearray(path.read_bytes())
        whole = bytes(data)
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        if name == "README.md":  # may be edited
            opened(folder)
            continue
        assert name in refused(folder)
        path.unlink()
        if name != "export.json":
            assert name in refused(folder)
        elif kind != "torch":  # which is still a saved encoder
            assert "encoder" in refused(folder, BadInputError)
        path.write_bytes(whole)
    opened(folder)


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_file_that_is_no_graph_is_a_sentence(kind: str, copied: Made) -> None:
    folder = copied(kind)
    model = next(path for path in folder.iterdir() if path.name in ("model.onnx", "model.xml"))
    model.write_bytes(b"no model")
    resign(folder)
    assert "a model that can be used; got" in refused(folder)


def test_another_model_in_its_place_is_noticed(copied: Made) -> None:
    folder = copied("openvino")
    weights = np.fromfile(folder / "model.bin", np.uint8)
    weights[3 : len(weights) // 2 : 4] ^= 128  # signs
    weights.tofile(folder / "model.bin")
    resign(folder)
    assert "the vectors it gave when it was exported" in refused(folder, EncoderMismatchError)


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"files": {"../model.onnx": "0" * 64}}, DamagedDataError, "../model.onnx"),
        ({"version": 2}, BadInputError, "must have format version 1; got 2"),
        ({"kind": "tflite"}, DamagedDataError, "no format called 'tflite'"),
        ({"probe": [0.0] * 192}, EncoderMismatchError, "the vectors it gave"),
        ({"probe": [1.0]}, EncoderMismatchError, "the vectors it gave"),
        ({"dim": 7}, DamagedDataError, "the graph must give vectors of 7; got (1, 192)"),
        ({"settings": {}}, DamagedDataError, "a model that can be used"),
    ],
)
def test_a_description_that_lies_is_a_sentence(
    changes: dict[str, Any], kind: type[FgirError], sentence: str, copied: Made
) -> None:
    folder = copied("onnx")
    describe(folder, **changes)
    assert sentence in refused(folder, kind)


def test_a_missing_package_is_a_sentence(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("onnx")
    monkeypatch.setattr(exports, "_is_installed", lambda name: name != "onnxruntime")
    assert "got no onnxruntime. Run pip install 'fine-grained" in refused(folder, BadInputError)
    with pytest.raises(BadInputError, match=r"got no onnxruntime\. Run pip install"):
        export(encoder_with("average"), folder.parent / "new", "onnx")


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_graph_takes_one_size(kind: str, made: Made) -> None:
    with pytest.raises(BadInputError, match=r"images must be \(B, 3, 64, 64\); got \(1, 3, 32"):
        opened(made(kind)).vectors(torch.zeros(1, 3, 32, 32))


def test_what_a_graph_cannot_do_is_a_sentence(made: Made) -> None:
    exported = opened(made("onnx", "scda"))
    with pytest.raises(BadInputError, match="whitening and energy must be set before"):
        exported.with_whitening(None)
    with pytest.raises(BadInputError, match="pooling must be set before"):
        exported.with_pooling(Average())
    with pytest.raises(BadInputError, match="a mask needs the maps of an encoder"):
        exported.mask(images(exported))
    with pytest.raises(BadInputError, match="got a graph that was exported already"):
        export(exported, made("onnx").parent / "again", "openvino")


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    native = build_encoder("small", size=SIZE, fit="native")
    for encoder, kind, sentence in (
        (native, "onnx", "fit must make squares for an export; got native"),
        (encoder_with("average"), "onx", "no format called 'onx'; .* Did you mean 'onnx'"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            export(encoder, tmp_path / "out", kind)
    assert not list(tmp_path.iterdir())


def test_a_network_that_no_compiler_takes_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_with("average")
    pool = type(encoder.pooling)
    monkeypatch.setattr(pool, "forward", lambda self, last, early: last[0, 0, 0, 0].item() * last)
    with pytest.raises(BadInputError, match=r"small must be a network that can be exported"):
        export(encoder, tmp_path / "a" / "out", "onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInputError, match="must be a new or empty folder; got one that is in"):
        export(encoder_with("average"), tmp_path, "torch")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_vectors_too_far_away_are_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MIN_COSINE", 1.1)
    with pytest.raises(ParityError, match=r"cosine 1\.1 or more; got (0\.99999|1\.0)"):
        export(encoder_with("average"), tmp_path / "a" / "out", "torch")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Torch, "reduced", True)  # a space of its own
    export(encoder_with("average"), tmp_path / "reduced", "torch")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "card", full)
    with pytest.raises(StorageError, match="No space left"):
        export(encoder_with("average"), tmp_path / "a" / "out", "torch")
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_sees_nothing_comes_back(tmp_path: Path) -> None:
    encoder = build_encoder("small", size=32)
    with torch.no_grad():
        for weight in encoder.backbone.final.parameters():  # type: ignore[union-attr]
            weight.zero_()
    export(encoder, tmp_path / "out", "torch")
    assert not opened(tmp_path / "out").vectors(images(encoder)).any()


def test_one_picture_ranks_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="pictures must be two or more"):
        export_encoder(encoder_with("average"), tmp_path / "o", "torch", pictures(1), "one")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_copy_is_the_same_encoder(kind: str, made: Made, tmp_path: Path) -> None:
    exported = opened(made(kind))
    keep_encoder(exported, tmp_path / "kept")
    again = opened(tmp_path / "kept")
    assert again.fingerprint() == exported.fingerprint()
    batch = images(exported)
    np.testing.assert_array_equal(again.vectors(batch), exported.vectors(batch))


def rows(*values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def test_cosines() -> None:
    before = rows([1, 0], [1, 0], [0, 0], [1, 0], [1, 0], [1, 0])
    after = rows([0.6, 0.8], [0, -1], [0, 0], [0, 0], [2, 0], [np.nan, 0])
    got = cosines(before, after)
    np.testing.assert_allclose(got[:5], [0.6, 0, 1, 0, 0])
    assert np.isnan(got[5])


def dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(sum(a * b for a, b in zip(one, other, strict=True)))


def same_by_definition(before: NDArray[np.float64], after: NDArray[np.float64], k: int) -> int:
    """Plain loops: place by place, the score of what was found."""
    count = 0
    for query in range(len(before)):
        others = [other for other in range(len(before)) if other != query]
        score = {
            o: sum(a * b for a, b in zip(before[query], before[o], strict=True)) for o in others
        }
        later = {o: sum(a * b for a, b in zip(after[query], after[o], strict=True)) for o in others}
        want = sorted(others, key=lambda o: -score[o])[:k]
        got = sorted(others, key=lambda o: -later[o])[:k]
        count += all(abs(score[a] - score[b]) <= 1e-5 for a, b in zip(want, got, strict=True))
    return count


@pytest.mark.parametrize("noise", [0, 1e-7, 1e-3, 0.3])
def test_rankings_are_compared_by_their_definition(noise: float) -> None:
    rng = np.random.default_rng(0)
    before = rng.standard_normal((30, 8))
    after = before + noise * rng.standard_normal((30, 8))
    before, after = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (before, after))
    got = same_rankings(before, after, 10)
    assert got == same_by_definition(before, after, 10)
    assert (got == 30) == (noise < 1e-4)


def at(*angles: float) -> NDArray[np.float64]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_near_ties_may_change_places() -> None:
    before, after = at(0, 0.5, -0.500001, np.pi), at(0, 0.500001, -0.5, np.pi)
    assert same_rankings(before, after, 3) == 4
    assert same_rankings(before, after, 3, near_tie=1e-9) == 2
    assert same_rankings(at(0, 0.5, -0.6, np.pi), at(0, 0.6, -0.5, np.pi), 3) == 2


def test_a_graph_selects_what_the_definition_does(made: Made) -> None:
    """The whole chain of SCDA in the exported graph against plain loops over the maps."""
    encoder, exported = encoder_with("scda"), opened(made("onnx", "scda"))
    batch = images(encoder, 4)
    with torch.inference_mode():
        early, last = encoder.backbone.early_and_last(batch)
    for image, one_last, one_early in zip(batch, last, early, strict=True):
        want = np.array(scda(one_last.double().numpy(), one_early.double().numpy()))
        (got,) = exported.vectors(image[None])
        np.testing.assert_allclose(got, want / np.linalg.norm(want), atol=1e-5)


@pytest.mark.parametrize(
    "backbone",
    [
        PatchTransformer(VisionTransformer(32, 8, 2, 2, 16, 16)),
        TimmNetwork(timm.models.VisionTransformer(32, 8, embed_dim=16, depth=2, num_heads=2)),
    ],
    ids=["torchvision", "timm"],
)
def test_the_batch_of_a_transformer_stays_open(backbone: Backbone) -> None:
    batch = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        want = backbone.eval()(batch)
        program = torch.export.export(
            backbone, (batch[:2],), dynamic_shapes=({0: torch.export.Dim("B")},), strict=False
        )
        torch.testing.assert_close(program.module()(batch), want)
