"""A network cut after some of its layers: what these layers make, and nothing after them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import models

from retrieval.backbones import build_backbone
from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError
from retrieval.evaluation import encoder_name
from retrieval.runtimes import with_runtime
from tests.retrieval.small_network import disturb_norms


def images(size: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_fourteen_layers_of_mobilenet_v2() -> None:
    torch.manual_seed(0)
    cut = build_backbone("mobilenet_v2", keep_layers=14).eval()
    torch.manual_seed(0)
    network: Any = models.mobilenet_v2(weights=None).eval()
    finer, want = None, images(160)
    for layer in list(network.features)[:14]:
        before, want = want, layer(want)
        if want.shape[2] < before.shape[2]:
            finer = before  # the last map of the resolution before
    early, last = cut.early_and_last(images(160))
    torch.testing.assert_close(last, want, rtol=0, atol=0)
    torch.testing.assert_close(cut(images(160)), want, rtol=0, atol=0)
    torch.testing.assert_close(early, finer, rtol=0, atol=0)
    assert (cut.channels, cut.stride, cut.size) == ((32, 96), 16, 224)
    kept = sum(p.numel() for layer in network.features[:14] for p in layer.parameters())
    assert sum(p.numel() for p in cut.parameters()) == kept
    assert len(cut.layers()[0]) == 14
    assert last.shape[2:] == (10, 10)


@torch.no_grad()
@pytest.mark.parametrize("keep", [1, 2, 3, 5])
def test_any_number_of_layers_of_an_own_network(keep: int) -> None:
    torch.manual_seed(0)
    cut = build_backbone("small", keep_layers=keep).eval()
    torch.manual_seed(0)
    whole = build_backbone("small").eval()
    layers, _ = whole.layers()
    maps, want = [], images(96)
    for layer in layers[:keep]:
        want = layer(want)
        maps.append(want)
    early, last = cut.early_and_last(images(96))
    torch.testing.assert_close(last, want, rtol=0, atol=0)
    finer = [one for one in maps if one.shape[2] > last.shape[2]]
    torch.testing.assert_close(early, finer[-1] if finer else maps[0], rtol=0, atol=0)
    assert (early.shape[1], last.shape[1]) == cut.channels
    assert last.shape[2] == 96 // cut.stride


def test_making_one_leaves_its_norms_alone() -> None:
    cut = build_backbone("small", keep_layers=2)
    assert cut.training
    for name, value in cut.named_buffers():
        if name.endswith("running_mean"):
            assert not value.any(), name


@pytest.mark.parametrize("keep", [0, -1, 6])
def test_other_numbers_are_refused(keep: int) -> None:
    sentence = rf"^keep_layers must be in 1\.\.5 for small; got {keep}\.$"
    with pytest.raises(BadInputError, match=sentence):
        build_backbone("small", keep_layers=keep)


@pytest.mark.parametrize("name", ["timm:test_vit", "hog"])
def test_what_is_no_chain_is_refused(name: str) -> None:
    sentence = f"a network must be a chain of layers .*; got {name}. Leave out .*keep_layers"
    with pytest.raises(BadInputError, match=sentence):
        build_backbone(name, keep_layers=2)


def test_it_is_part_of_an_encoder(tmp_path: Path) -> None:
    whole, cut = (build_encoder("small", "grid", size=64, keep_layers=n) for n in (None, 3))
    assert "keep_layers" not in whole.settings()  # older fingerprints hold
    assert whole.fingerprint() != cut.fingerprint()
    disturb_norms(cut)
    save_encoder(cut, tmp_path / "cut")
    again = load_encoder(tmp_path / "cut")
    assert again.fingerprint() == cut.fingerprint()
    np.testing.assert_array_equal(again.vectors(images(64)), cut.vectors(images(64)))
    assert encoder_name(cut.settings()).startswith("small first 3 grid(cells=7) 64")
    runtime = with_runtime(cut, "folded")
    assert runtime.backbone.keep_layers == 3
    np.testing.assert_allclose(runtime.vectors(images(64)), cut.vectors(images(64)), atol=1e-5)
    assert Encoder.from_settings(json.loads(json.dumps(cut.settings()))).dim == cut.dim
