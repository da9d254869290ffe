"""Backbones: cut in the right place, weights that fit or an error, only what is needed imported."""

import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors
from torch import Tensor, nn
from torchvision import models

from retrieval import backbones, plugins
from retrieval.backbones import _torchvision_networks, build_backbone
from retrieval.backbones._weights import load_kept
from retrieval.encoder import build_encoder
from retrieval.errors import BadInputError
from retrieval.images import decode

ROOT = Path(__file__).resolve().parents[2]


def images(size: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def classifier_input(network: nn.Module, pictures: Tensor) -> Tensor:
    """What the library's own network hands to the first layer of its classifier."""
    head = next(m for name, m in network.named_children() if name in ("classifier", "fc", "head"))
    layer = next(m for m in head.modules() if list(m.parameters(recurse=False)))
    seen: list[Tensor] = []
    layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network.eval()(pictures)
    return seen[0]


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "mnasnet0_5",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "shufflenet_v2_x0_5",
        "squeezenet1_1",
        "swin_t",
        "convnext_tiny",
    ],
)
@torch.no_grad()
def test_the_last_map_is_what_the_librarys_classifier_pools(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(f"torchvision:{name}").eval()
    options = {"init_weights": True, "aux_logits": True} if name == "googlenet" else {}
    torch.manual_seed(0)
    network = models.get_model(name, weights=None, **options)
    early, last = backbone.early_and_last(images(64))
    want = classifier_input(network, images(64))
    pooled = last if want.shape == last.shape else last.mean(dim=(2, 3))
    torch.testing.assert_close(pooled, want.view_as(pooled), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(backbone(images(64)), last)
    assert (early.shape[1], last.shape[1]) == backbone.channels
    assert last.shape[2] == -(-64 // backbone.stride) or name == "squeezenet1_1"  # it rounds down
    assert early.shape[2] == 2 * last.shape[2] or name == "squeezenet1_1"


@torch.no_grad()
def test_patch_tokens_of_a_vision_transformer_lie_where_they_came_from() -> None:
    torch.manual_seed(0)
    network = models.VisionTransformer(
        image_size=48, patch_size=16, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=8
    ).eval()
    backbone = _torchvision_networks.PatchTransformer(network).eval()
    outputs: dict[int, Tensor] = {}
    for number, layer in enumerate([network.encoder.layers[1], network.encoder.ln]):
        layer.register_forward_hook(
            lambda module, inputs, output, number=number: outputs.update({number: output})
        )
    network(images(48))
    for got, tokens in zip(backbone.early_and_last(images(48)), outputs.values(), strict=True):
        for row in range(3):
            for column in range(3):
                torch.testing.assert_close(got[:, :, row, column], tokens[:, 1 + 3 * row + column])
    assert (backbone.channels, backbone.stride) == ((8, 8), 16)
    assert backbone(images(80)).shape == (2, 8, 5, 5)  # positions are resized


@pytest.mark.parametrize(
    ("name", "number"), [("vgg11", 19), ("vgg16", 27), ("vgg16_bn", 39), ("vgg19", 31)]
)
def test_the_early_layer_of_a_vgg_is_relu5_2(name: str, number: int) -> None:
    with torch.device("meta"):
        network: Any = models.get_model(name, weights=None)
    layers = list(network.features)
    assert _torchvision_networks._relu5_2(layers) == number
    assert isinstance(layers[number], nn.ReLU)
    before = [type(layer).__name__ for layer in layers[:number]]
    assert before.count("MaxPool2d") == 4
    fifth = before[len(before) - before[::-1].index("MaxPool2d") :]
    assert fifth.count("Conv2d") == 2


@torch.no_grad()
def test_a_vgg_gives_pool5_and_relu5_2() -> None:
    backbone = build_backbone("vgg11").eval()
    early, last = backbone.early_and_last(images(224, 1))
    assert early.shape == (1, 512, 14, 14)
    assert last.shape == (1, 512, 7, 7)
    torch.testing.assert_close(last, nn.functional.max_pool2d(early, 2))
    assert (backbone.channels, backbone.stride, backbone.size) == ((512, 512), 32, 224)


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_vit2"]
)
def test_networks_of_timm(name: str) -> None:
    import timm

    torch.manual_seed(0)
    network: Any = timm.create_model(name).eval()
    torch.manual_seed(0)
    backbone = build_backbone(f"timm:{name}").eval()
    size = backbone.size
    early, last = backbone.early_and_last(images(size))
    features = network.forward_features(images(size))
    if features.dim() == 3:  # tokens: prefix, then row by row
        side = size // backbone.stride
        prefix = features.shape[1] - side * side
        assert prefix == network.num_prefix_tokens
        for row in range(side):
            for column in range(side):
                torch.testing.assert_close(
                    last[:, :, row, column], features[:, prefix + row * side + column]
                )
    else:
        torch.testing.assert_close(last, features)
    torch.testing.assert_close(backbone(images(size)), last)
    assert (early.shape[1], last.shape[1]) == backbone.channels
    assert early.shape[2] >= last.shape[2] == size // backbone.stride
    assert backbone.name == f"timm:{name}"
    assert backbone.mean == tuple(network.pretrained_cfg["mean"])
    assert backbone.size == network.pretrained_cfg["input_size"][-1]
    assert backbone(images(2 * size, 1)).shape[2] == 2 * last.shape[2]


def test_weights_facts_come_with_the_network() -> None:
    assert build_backbone("torchvision:efficientnet_b1").size == 240
    assert build_backbone("googlenet").mean == (0.5, 0.5, 0.5)
    assert build_backbone("mobilenet_v2").std == (0.229, 0.224, 0.225)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_last_stage_of_a_resnet_can_keep_the_resolution(name: str) -> None:
    torch.manual_seed(0)
    usual = build_backbone(name).eval()
    torch.manual_seed(0)
    finer = build_backbone(name, last_stride=1).eval()
    early, last = finer.early_and_last(images(64))
    assert last.shape[2:] == early.shape[2:] == (4, 4)
    torch.testing.assert_close(early, usual.early_and_last(images(64))[0])  # the stage before
    assert (finer.stride, finer.last_stride, usual.last_stride) == (16, 1, None)
    assert finer.channels == usual.channels
    network: Any = models.get_model(name, weights=None)
    first = network.layer4[0]
    for layer in (first.conv1, first.conv2, first.downsample[0]):
        layer.stride = (1, 1)
    names = [n for n in network.state_dict() if not n.startswith("fc")]
    weights = dict(zip(names, finer.state_dict().values(), strict=True))
    network.load_state_dict(weights, strict=False)
    want = classifier_input(network, images(64))
    torch.testing.assert_close(last.mean(dim=(2, 3)), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "stride"),
    [("vgg11", 1), ("small", 1), ("timm:test_resnet", 1), ("resnet18", 2), ("resnet18", 0)],
)
def test_other_networks_and_strides_are_refused(name: str, stride: int) -> None:
    sentence = f"last_stride must be 1, for a ResNet of torchvision; got {stride} for .*{name}"
    with pytest.raises(BadInputError, match=sentence):
        build_backbone(name, last_stride=stride)


# ---- our own networks ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", plugins.names(backbones))
@torch.no_grad()
def test_networks_of_our_own(name: str) -> None:
    backbone = build_backbone(name).eval()
    assert backbone.name == name
    early, last = backbone.early_and_last(images(backbone.size))
    assert (early.shape[1], last.shape[1]) == backbone.channels
    assert early.shape[2] >= last.shape[2] == backbone.size // backbone.stride
    torch.testing.assert_close(backbone(images(backbone.size)), last)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = backbone(images(backbone.size).to(memory_format=torch.channels_last))
    cosine = nn.functional.cosine_similarity(reduced.float().flatten(1), last.flatten(1))
    assert (cosine > 0.999).all()


def test_small_is_small_and_every_weight_learns() -> None:
    backbone = build_backbone("small")
    assert sum(p.numel() for p in backbone.parameters()) < 1_000_000
    for norm in (m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)  # branches start at zero and would hide what is before them
    backbone.train()
    backbone(images(64, 4)).square().sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("size", [64, 96, 100])
def test_small_takes_any_size(size: int) -> None:
    assert build_backbone("small")(images(size)).shape[2] == -(-size // 16)


# ---- weights from a file ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return {
        name: t.clone() for name, t in models.shufflenet_v2_x0_5(weights=None).state_dict().items()
    }


@pytest.fixture
def saved(tmp_path: Path, state: dict[str, Tensor]) -> Callable[..., Path]:
    def save(**changes: Tensor | None) -> Path:
        tensors = {n: t for n, t in (state | changes).items() if t is not None}
        path = tmp_path / "weights.safetensors"
        path.write_bytes(safetensors.save(tensors))
        return path

    return save


CLASSIFIER = ("fc.bias", "fc.weight")


def vectors(path: Path) -> np.ndarray:
    return build_encoder("shufflenet_v2_x0_5", weights=path, size=64).vectors(images(64))


def test_weights_of_a_whole_classifier(saved: Callable[..., Path]) -> None:
    backbone = build_backbone("shufflenet_v2_x0_5", weights=saved()).eval()
    assert backbone.ignored == CLASSIFIER
    network = models.shufflenet_v2_x0_5(weights=None).eval()
    network.load_state_dict(safetensors.load(saved().read_bytes()))
    with torch.no_grad():
        pooled = backbone(images(64)).mean(dim=(2, 3))
    torch.testing.assert_close(pooled, classifier_input(network, images(64)))


@pytest.mark.parametrize(
    "changes",
    [
        {"fc.weight": None},
        {"fc.weight": torch.zeros(5, 1024), "fc.bias": torch.zeros(5)},
        {"fc.bias": torch.full((1000,), torch.nan)},
        {"fc.more": torch.zeros(3)},
        {"conv1.1.num_batches_tracked": None},
    ],
    ids=["none", "other classes", "NaN", "more", "old file"],
)
def test_the_classifier_of_the_file_does_not_matter(
    saved: Callable[..., Path], changes: dict[str, Tensor | None]
) -> None:
    np.testing.assert_array_equal(vectors(saved(**changes)), vectors(saved()))


NAME = "conv1.0.weight"
REFUSED: dict[str, tuple[dict[str, Tensor | None], str]] = {
    "missing": ({NAME: None}, "it lacks 'conv1.0.weight' (1 such"),
    "unknown": ({"cnov1.0": torch.zeros(1)}, "it has the unknown 'cnov1.0' (1 such"),
    "unknown layer": ({"conv1.99": torch.zeros(1)}, "it has the unknown 'conv1.99'"),
    "shape": ({NAME: torch.zeros(24, 3, 5, 5)}, "must be float32 (24, 3, 3, 3); got float32 (24,"),
    "type": ({NAME: torch.zeros(24, 3, 3, 3).half()}, "got float16 (24, 3, 3, 3)"),
    "NaN": ({NAME: torch.full((24, 3, 3, 3), torch.nan)}, "must be finite; got 648 of 648"),
    "infinite": ({"conv1.1.bias": torch.full((24,), -torch.inf)}, "got 24 of 24 values NaN or"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_f5_weights_that_do_not_fit_are_refused(saved: Callable[..., Path], kind: str) -> None:
    changes, words = REFUSED[kind]
    path = saved(**changes)
    with pytest.raises(BadInputError) as caught:
        build_backbone("shufflenet_v2_x0_5", weights=path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_f6_weights_of_another_architecture_are_refused(saved: Callable[..., Path]) -> None:
    with pytest.raises(BadInputError, match="It is of another network"):
        build_backbone("mobilenet_v2", weights=saved())


def test_f5_a_cut_file_is_refused(saved: Callable[..., Path]) -> None:
    path = saved()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInputError, match="must be a whole safetensors file"):
        build_backbone("shufflenet_v2_x0_5", weights=path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"got .*no\.safetensors: No such file"):
        build_backbone("small", weights=tmp_path / "no.safetensors")


class _Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".PTH", ".bin", ".ckpt", ".pkl", ".safetensors"])
def test_f4_pickles_are_refused_unopened(tmp_path: Path, suffix: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / f"weights{suffix}"
    path.write_bytes(pickle.dumps(_Canary(canary)))
    with pytest.raises(BadInputError, match=r"must be a (whole )?safetensors file"):
        build_backbone("small", weights=path)
    assert not canary.exists()


def test_weights_of_our_own_network(tmp_path: Path) -> None:
    original = build_backbone("small").eval()
    path = tmp_path / "small.safetensors"
    path.write_bytes(safetensors.save(original.state_dict()))
    loaded = build_backbone("small", weights=path).eval()
    torch.testing.assert_close(loaded(images(64)), original(images(64)), rtol=0, atol=0)


def test_weights_of_timm(tmp_path: Path) -> None:
    import timm

    network: Any = timm.create_model("test_vit").eval()
    path = tmp_path / "vit.safetensors"
    path.write_bytes(safetensors.save(network.state_dict()))
    backbone = build_backbone("timm:test_vit", weights=path).eval()
    assert backbone.ignored == ("head.bias", "head.weight")
    with torch.no_grad():
        got = backbone(images(backbone.size)).flatten(2).transpose(1, 2)
        want = network.forward_features(images(backbone.size))[:, network.num_prefix_tokens :]
    torch.testing.assert_close(got, want)


def test_nothing_is_loaded_when_anything_is_wrong() -> None:
    network = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    before = {name: t.clone() for name, t in network.state_dict().items()}
    wrong = {name: torch.ones_like(t) for name, t in before.items()}
    wrong["b.weight"] = torch.full((2, 2), torch.nan)
    with pytest.raises(BadInputError):
        load_kept(network.state_dict(keep_vars=True), network, wrong, Path("w"))
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_an_unknown_tensor_beside_kept_ones_is_no_classifier() -> None:
    """Where a layer is kept in part, such as a head's normalisation, its names must be known."""
    network = nn.ModuleDict(
        {"head": nn.ModuleDict({"norm": nn.LayerNorm(2), "fc": nn.Linear(2, 2)})}
    )
    kept = nn.Sequential(network["head"].get_submodule("norm"))
    tensors = {name: t.clone() for name, t in network.state_dict().items()}
    whole = network.state_dict(keep_vars=True)
    assert load_kept(whole, kept, tensors, Path("w")) == ("head.fc.bias", "head.fc.weight")
    with pytest.raises(BadInputError, match=r"has the unknown 'head\.more'"):
        load_kept(whole, kept, tensors | {"head.more": torch.zeros(1)}, Path("w"))


# ---- names and downloads ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mobilnet_v2",
            r"^no backbone called 'mobilnet_v2' in our own .*Did you mean 'mobilenet_v",
        ),
        ("torchvision:vit_small_patch16_224", r"in torchvision \(\d+ names\)"),
        ("timm:mobilenet_v2", r"in timm \(\d+ names\)"),
        ("torchvison:resnet50", r"no library of networks .*Did you mean 'torchvision'"),
        ("timm:small", r"no backbone called 'small' in timm"),
        ("", r"^no backbone called ''"),
        ("_backbone", r"^no backbone called '_backbone'"),
        ("timm:resnet18.nonsense", r"Invalid pretrained tag"),
    ],
)
def test_unknown_names(name: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        build_backbone(name)


def test_two_sources_of_weights_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="must come from one place"):
        build_backbone("resnet18", weights=tmp_path / "w.safetensors", pretrained=True)


def test_our_own_networks_have_no_published_weights() -> None:
    with pytest.raises(BadInputError, match="small has no published weights"):
        build_backbone("small", pretrained=True)


def test_published_weights_of_torchvision(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor], saved: Callable[..., Path]
) -> None:
    asked: dict[str, object] = {}

    def download(url: str, **options: object) -> dict[str, Tensor]:
        asked.update(options, url=url)
        return state

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    made = build_encoder("shufflenet_v2_x0_5", pretrained=True, size=64)
    np.testing.assert_array_equal(made.vectors(images(64)), vectors(saved()))
    assert asked["weights_only"] is True  # the file is a pickle: read tensors, run nothing
    assert asked["check_hash"] is True


def test_without_a_network_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    monkeypatch.setattr("timm.create_model", fail)
    for name in ("torchvision:shufflenet_v2_x0_5", "timm:resnet18"):
        with pytest.raises(BadInputError, match=r"must be downloaded.*not known.*--weights\.$"):
            build_backbone(name, pretrained=True)


def test_a_size_the_network_cannot_take() -> None:
    with pytest.raises(BadInputError, match=r"^size must suit timm:test_vit, .*; got 150: "):
        build_encoder("timm:test_vit", size=150)
    with pytest.raises(BadInputError, match=r"^size must suit timm:gmixer_12_224.*no other"):
        build_encoder("timm:gmixer_12_224", size=192)
    with pytest.raises(BadInputError, match=r"^fit must make squares .*; got native\."):
        build_encoder("timm:gmixer_12_224", fit="native")


def test_our_own_networks_need_no_library() -> None:
    """Importing one takes seconds."""
    code = (
        "import sys, retrieval.checkpoints, retrieval.backbones as backbones\n"
        "backbones.build_backbone('small')\n"
        "print([name for name in ('torchvision', 'timm', 'scipy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_only_the_library_that_is_needed_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = importlib.import_module

    def record(name: str, package: str | None = None) -> ModuleType:
        if name.startswith(backbones.__name__):
            asked.append(name.rsplit(".", 1)[-1])
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", record)
    build_backbone("resnet18")
    assert asked == ["_torchvision_networks"]
    asked.clear()
    build_backbone("timm:test_vit")
    assert asked == ["_timm_networks"]


# ---- real weights -------------------------------------------------------------------------------


@pytest.mark.data
def test_real_weights_know_birds(data_folder: Path) -> None:
    weights = data_folder / "weights" / "mobilenet_v2_imagenet.safetensors"
    encoder = build_encoder("mobilenet_v2", weights=weights)
    folders = sorted((data_folder / "birds" / "test").iterdir())[:10]
    paths = [path for folder in folders for path in sorted(folder.iterdir())[:8]]
    pictures = torch.stack([encoder.transform(decode(path)) for path in paths])
    rows = encoder.vectors(pictures)
    scores = rows @ rows.T
    np.fill_diagonal(scores, -1)
    hits = [paths[i].parent == paths[j].parent for i, j in enumerate(scores.argmax(axis=1))]
    assert sum(hits) / len(hits) > 0.5  # chance: 7 in 79
