"""Centring against its definition, and as a step of an encoder."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from retrieval.centring import MOMENTUM, Centring
from retrieval.checkpoints import load_encoder, save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError
from retrieval.evaluation import encoder_name
from retrieval.poolings.gem import GeM
from retrieval.runtimes import with_runtime
from tests.retrieval.small_network import disturb_norms


def rows(count: int, dim: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + 2


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def centred(dim: int | None = 6) -> Encoder:
    encoder = build_encoder("small", size=32, dim=dim, centred=True)
    disturb_norms(encoder)
    assert encoder.centring is not None
    encoder.centring.mean.copy_(torch.linspace(-0.3, 0.4, encoder.dim))
    return encoder


def test_afterwards_it_subtracts_what_it_has() -> None:
    centring = Centring(5).eval()
    torch.testing.assert_close(centring(rows(4)), rows(4), rtol=0, atol=0)
    centring.mean.copy_(torch.arange(5.0))
    torch.testing.assert_close(centring(rows(4)), rows(4) - torch.arange(5.0))
    assert centring.seen == 0


def test_in_training_it_subtracts_the_mean_of_the_batch_and_remembers_it() -> None:
    centring = Centring(5).train()
    running = np.zeros(5)
    for batch in range(3):
        given = rows(4, seed=batch)
        mean = np.zeros(5)
        for row in given.double().numpy():
            mean += row / 4
        running = mean if batch == 0 else (1 - MOMENTUM) * running + MOMENTUM * mean
        np.testing.assert_allclose(centring(given).numpy(), given.numpy() - mean, atol=1e-6)
        np.testing.assert_allclose(centring.mean.numpy(), running, atol=1e-6)
        assert centring.seen == batch + 1
    np.testing.assert_allclose(
        centring.eval()(rows(2)).numpy(), rows(2).numpy() - running, atol=1e-6
    )


def test_the_mean_of_a_batch_is_a_constant_to_the_gradient() -> None:
    given = rows(4).requires_grad_()
    Centring(5).train()(given)[0, 0].backward()
    want = torch.zeros(4, 5)
    want[0, 0] = 1
    assert given.grad is not None
    torch.testing.assert_close(given.grad, want, rtol=0, atol=0)


def test_a_vector_is_the_projected_descriptor_less_the_mean() -> None:
    encoder = centred()
    assert encoder.projection is not None
    assert encoder.centring is not None
    with torch.inference_mode():
        descriptors = encoder.descriptors(images()).double().numpy()
    weight, bias = (p.detach().double().numpy() for p in encoder.projection.parameters())
    mean = encoder.centring.mean.double().numpy()
    for descriptor, got in zip(descriptors, encoder.vectors(images()), strict=True):
        want = weight @ descriptor + bias - mean
        np.testing.assert_allclose(got, want / np.linalg.norm(want), atol=1e-5)


def test_what_is_computed_of_maps_is_the_same() -> None:
    encoder = centred()
    with torch.inference_mode():
        want, got = encoder(images()), encoder.of_maps(encoder.backbone(images()))
    torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_an_encoder_in_training_uses_its_batch() -> None:
    encoder = centred().train()
    assert encoder.centring is not None
    encoder.centring.seen.fill_(1)
    before = encoder.centring.mean.clone()
    encoder.backbone.eval()
    projected = encoder.projected(images())
    got = encoder(images())
    want = projected - projected.mean(dim=0).detach()
    torch.testing.assert_close(got, want / want.norm(dim=1, keepdim=True))
    mean = (1 - MOMENTUM) * before + MOMENTUM * projected.mean(dim=0)
    torch.testing.assert_close(encoder.centring.mean, mean)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    encoder = centred()
    save_encoder(encoder, tmp_path / "a")
    again = load_encoder(tmp_path / "a")
    assert again.fingerprint() == encoder.fingerprint()
    np.testing.assert_array_equal(again.vectors(images()), encoder.vectors(images()))
    assert again.centring is not None
    again.centring.mean[0] += 1
    assert again.fingerprint() != encoder.fingerprint()
    settings = json.loads(json.dumps(encoder.settings()))
    assert Encoder.from_settings(settings).settings() == encoder.settings()
    assert encoder_name(settings).endswith("projected 6 centred")


def test_encoders_without_one_are_what_they_were() -> None:
    plain = build_encoder("small", size=32)
    assert set(plain.settings()) == {
        *("revision", "backbone", "pooling", "transform", "flip", "projection", "whitening")
    }
    assert not any("centring" in name for name in plain.state_dict())


@pytest.mark.parametrize("name", ["eager", "folded"])
def test_a_runtime_keeps_it(name: str) -> None:
    encoder = centred()
    got = with_runtime(encoder, name).vectors(images())
    np.testing.assert_allclose(got, encoder.vectors(images()), atol=1e-5)


def test_a_zero_mean_changes_no_vector() -> None:
    plain, zero = (build_encoder("small", size=32, dim=6, centred=c) for c in (False, True))
    np.testing.assert_array_equal(plain.vectors(images()), zero.vectors(images()))


def test_another_centring_takes_the_whitening_away() -> None:
    encoder = centred()
    swapped = encoder.with_centring(Centring(6).eval())
    assert swapped.backbone is encoder.backbone
    assert swapped.whitening is None
    plain = build_encoder("small", size=32, dim=6)
    assert not np.allclose(swapped.vectors(images()), encoder.vectors(images()), atol=1e-3)
    assert plain.dim == swapped.dim


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"centring must be \(192,\); got \(7,\)"):
        build_encoder("small", size=32).with_centring(Centring(7))
    with pytest.raises(BadInputError, match="an encoder with a centring, which was made for"):
        centred(None).with_pooling(GeM())
