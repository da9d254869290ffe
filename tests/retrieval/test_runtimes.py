"""Every runtime that this machine has computes what PyTorch computes."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from retrieval import plugins, runtimes
from retrieval.backbones import Backbone
from retrieval.encoder import Encoder
from retrieval.errors import BadInputError
from retrieval.folding import folded_backbone
from retrieval.poolings.average import Average
from retrieval.poolings.scda import Scda
from retrieval.runtimes import (
    UnsuitableRuntimeError,
    available_runtimes,
    fastest,
    with_runtime,
    worth_trying,
)
from retrieval.runtimes._runtime import Runtime
from retrieval.runtimes.bf16 import Bf16
from retrieval.runtimes.folded import Folded
from retrieval.transforms import Transform
from tests.retrieval.small_network import SIZE, SmallNetwork, small_encoder

NAMES = plugins.names(runtimes)
SLOW = {"compile": pytest.mark.slow}


@pytest.fixture(params=[pytest.param(name, marks=SLOW.get(name, ())) for name in NAMES])
def name(request: pytest.FixtureRequest) -> str:
    """Each runtime that works here."""
    reason = part(request.param).why_not("cpu")
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    return str(request.param)


def part(name: str) -> type[Runtime]:
    return plugins.find(runtimes, name)


def pictures(count: int, height: int = SIZE, width: int = SIZE) -> Tensor:
    """(B, H, W, 3) uint8, smooth as photos are."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 6, 6, generator=random) * 255
    fine = nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return fine.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def vectors(encoder: Encoder, pixels: Tensor, chunk: int = 100) -> Tensor:
    with torch.inference_mode():
        return torch.cat(
            [encoder(encoder.transform.normalise(some)) for some in torch.split(pixels, chunk)]
        )


@pytest.mark.parametrize(
    "encoder",
    [small_encoder(), small_encoder(Scda(plus=True), flip=True)],
    ids=["average", "scda-plus-flip"],
)
def test_vectors_are_those_of_the_encoder(name: str, encoder: Encoder) -> None:
    pixels = pictures(11)
    want = vectors(encoder, pixels)
    got = vectors(with_runtime(encoder, name, lanes=2), pixels)
    if part(name).reduced:
        assert (want * got).sum(dim=1).min() > 0.999
    else:
        torch.testing.assert_close(got, want, atol=1e-5, rtol=0)


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_a_vector_does_not_depend_on_its_batch(name: str, chunk: int) -> None:
    encoder, pixels = with_runtime(small_encoder(), name), pictures(11)
    together = vectors(encoder, pixels)
    torch.testing.assert_close(vectors(encoder, pixels, chunk), together, atol=1e-6, rtol=0)


def test_pictures_may_differ_in_shape(name: str) -> None:
    encoder = small_encoder(Scda(), fit="native")
    runtime = with_runtime(encoder, name)
    for height, width in ((64, 96), (81, 64), (64, 97)):
        pixels = pictures(2, height, width)
        cosines = (vectors(encoder, pixels) * vectors(runtime, pixels)).sum(dim=1)
        assert cosines.min() > 0.999


def test_rounded_numbers_never_depend_on_the_size_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bf16, "why_not", lambda device: "")
    encoder, sizes = with_runtime(small_encoder(), "bf16"), []
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    for count in (1, 8, 11):
        vectors(encoder, pictures(count))
    assert sizes == [8, 8, 16]


class LooksAtTheSize(SmallNetwork):
    """Does something else for pictures that are no squares, which a trace cannot see."""

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = super().early_and_last(images)
        return early, last if images.shape[2] == images.shape[3] else -last


def test_a_runtime_that_computes_something_else_is_refused(name: str) -> None:
    encoder = Encoder(LooksAtTheSize(), Average(), Transform(SIZE, "native")).eval()
    if name in ("openvino", "openvino_bf16"):
        with pytest.raises(UnsuitableRuntimeError, match=r"must compute the maps of small; got"):
            with_runtime(encoder, name)
    else:
        pixels = pictures(2, 64, 96)
        cosines = vectors(encoder, pixels) * vectors(with_runtime(encoder, name), pixels)
        assert cosines.sum(dim=1).min() > 0.999


def test_openvino_reports_to_nobody(name: str) -> None:
    if not name.startswith("openvino"):
        pytest.skip("about OpenVINO")
    with_runtime(small_encoder(), name)
    assert sys.modules["openvino_telemetry"] is None


def test_folding_leaves_no_normalisation_and_the_same_maps() -> None:
    network = small_encoder().backbone.double()
    copy = folded_backbone(network.float())
    assert not [module for module in copy.modules() if isinstance(module, nn.BatchNorm2d)]
    images = pictures(4).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        for want, got in zip(
            network.early_and_last(images), copy.early_and_last(images), strict=True
        ):
            torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


class BeforeActivation(SmallNetwork):
    """A convolution that is read by a normalisation and by a side path, as in ResNet v2."""

    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        convolution, normalisation = self.second[0], self.second[1]
        read_twice = convolution(self.first(images))
        early = read_twice + normalisation(read_twice)
        return early, self.third(early)


def test_a_convolution_that_is_read_twice_is_not_folded() -> None:
    torch.manual_seed(0)
    network = BeforeActivation().eval()
    images = pictures(2).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        torch.testing.assert_close(
            folded_backbone(network)(images), network(images), atol=1e-4, rtol=1e-4
        )


def with_part(
    monkeypatch: pytest.MonkeyPatch, candidates: Sequence[str], pays_from: float = 0.0
) -> None:
    """Make these the candidates of "auto", whatever this machine is good at."""
    monkeypatch.setattr(runtimes, "FASTEST_FIRST", candidates)
    monkeypatch.setattr(Bf16, "why_not", lambda device: "")
    for candidate in (Bf16, Folded):
        monkeypatch.setattr(candidate, "pays_from", pays_from)


@pytest.mark.parametrize(
    ("least", "want"), [(0.999, "bf16"), (0.9999999, "folded"), (1.1, "eager")]
)
def test_auto_takes_the_first_that_keeps_the_vectors(
    monkeypatch: pytest.MonkeyPatch, least: float, want: str
) -> None:
    with_part(monkeypatch, ("bf16", "folded"))
    monkeypatch.setattr(runtimes, "MIN_COSINE", least)
    encoder = small_encoder()
    name, chosen = fastest(encoder, list(torch.split(pictures(4), 1)), 1000)
    assert name == want
    cosines = (vectors(encoder, pictures(4)) * vectors(chosen, pictures(4))).sum(dim=1)
    assert cosines.min() > 0.999


def test_auto_gives_rounding_one_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    with_part(monkeypatch, ("bf16", "folded"))
    monkeypatch.setattr(Folded, "reduced", True)
    monkeypatch.setattr(runtimes, "MIN_COSINE", 0.9999999)
    assert fastest(small_encoder(), list(torch.split(pictures(2), 1)), 1000)[0] == "eager"


def test_auto_may_take_any_runtime(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "FASTEST_FIRST", (name,))
    monkeypatch.setattr(part(name), "pays_from", 0.0)
    sample = list(torch.split(pictures(3), 1))
    assert fastest(small_encoder(), sample, 1000, lanes=2)[0] == name
    assert fastest(small_encoder(), [], 1000)[0] == "eager"


def test_auto_passes_over_a_runtime_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such layer")

    with_part(monkeypatch, ("bf16", "folded"))
    monkeypatch.setattr(Bf16, "__init__", fail)
    assert fastest(small_encoder(), list(torch.split(pictures(2), 1)), 1000)[0] == "folded"
    with pytest.raises(
        UnsuitableRuntimeError,
        match=r"runtime must be one that takes small; got bf16, which failed: no such layer\. Use",
    ):
        with_runtime(small_encoder(), "bf16")


def test_a_short_job_pays_for_no_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # 64 x 64 pixels, by hand: 2 FLOP for each of 3*8*9, 8*16*9, 2 times 16*16*9 ... products
    products = 32 * 32 * 3 * 8 * 9 + 16 * 16 * (8 * 16 * 9 + 16 * 16 * 9) + 8 * 8 * 16 * 24 * 9
    gflop = 2 * products / 1e9
    with_part(monkeypatch, ("bf16", "folded"), pays_from=100 * gflop)
    assert worth_trying(small_encoder(), 99, lanes=1) == []
    assert worth_trying(small_encoder(), 101, lanes=1) == ["bf16", "folded"]
    assert worth_trying(small_encoder(), 101, lanes=2) == []


def test_doctor_learns_of_every_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    rows = dict(available_runtimes("cpu"))
    assert list(rows) == NAMES
    assert rows["eager"] == "PyTorch, float32: the reference"
    assert rows["bf16"] == (
        "not here: this processor has no bfloat16 arithmetic (amx_bf16 or avx512_bf16)"
    )
    assert rows["compile"] == "not here: it needs a C++ compiler (c++, g++, clang++)"
    for name in ("openvino", "openvino_bf16"):
        assert rows[name].startswith("not here: OpenVINO is not installed: pip install ")


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [({"avx512_bf16": True}, False), ({"amx_bf16": True}, False), ({"avx512_f": True}, True)],
)
def test_bf16_needs_a_processor_that_has_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: Mapping[str, Any], missing: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert bool(Bf16.why_not("cpu")) == missing


def test_a_runtime_that_is_not_here_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        BadInputError,
        match=r"runtime must be one that works here; got openvino: OpenVINO is not installed: .*"
        r"\. Use auto\.",
    ):
        with_runtime(small_encoder(), "openvino")


def test_a_runtime_is_a_backbone_with_the_same_facts(name: str) -> None:
    encoder = small_encoder()
    backbone: Backbone = with_runtime(encoder, name).backbone
    for fact in ("name", "channels", "stride", "mean", "std", "size", "fixed_size"):
        assert getattr(backbone, fact) == getattr(encoder.backbone, fact)
