"""What a step computes is what the encoder computes: frozen layers, folded norms, cached maps."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from retrieval.backbones.small import Small
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError
from tests.retrieval.small_network import SmallNetwork, disturb_norms, small_encoder
from train.network import FoldedNorms, Network, learned_part
from train.optimization import keep_norms

SIZE = 64


def encoder(pooling: str = "average") -> Encoder:
    """Norms of ours that do something, in training mode but for them."""
    made = build_encoder("small", pooling, size=SIZE, dim=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        disturb_norms(made)
    keep_norms(made.train())
    return made


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))


def gradients(made: Encoder, vectors: Callable[[], Tensor]) -> dict[str, Tensor]:
    made.zero_grad()
    weights = torch.rand(8, generator=torch.Generator().manual_seed(3))
    (vectors() @ weights).sum().backward()  # type: ignore[no-untyped-call]
    return {n: p.grad.clone() for n, p in made.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("pooling", ["average", "scda"])
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_vectors_and_gradients_are_the_encoders(
    images: Tensor, pooling: str, fold: bool, frozen: int
) -> None:
    made = encoder(pooling)
    want = made(images)
    plain = gradients(made, lambda: made(images))
    network = Network(made, frozen, fold=fold, bf16=False)
    torch.testing.assert_close(network.embed(network.features(images)), want)
    got = gradients(made, lambda: network.embed(network.features(images)))
    layers = made.backbone.layers()[0]
    learned = {id(p) for layer in layers[frozen:] for p in layer.parameters()}
    head = {id(p) for name, p in made.named_parameters() if not name.startswith("backbone")}
    named = dict(made.named_parameters())
    expected = {n: g for n, g in plain.items() if id(named[n]) in learned | head}
    assert got.keys() == expected.keys()
    assert len(got) < len(plain) or frozen == 0
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_the_early_map_is_the_encoders(images: Tensor) -> None:
    made = build_encoder("small", {"name": "scda", "plus": True}, size=SIZE).train()
    keep_norms(made)
    for frozen in (0, 2, 4):
        network = Network(made, frozen, fold=True, bf16=False)
        torch.testing.assert_close(network.embed(network.features(images)), made(images))


def test_folded_weights_are_read_at_every_call(images: Tensor) -> None:
    made = encoder()
    network = Network(made, 0, fold=True, bf16=False)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.1)
    torch.testing.assert_close(network.embed(images), made(images))


def test_a_convolution_that_is_read_twice_is_not_folded() -> None:
    class ReadTwice(SmallNetwork):
        def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
            convolution, norm, activation = self.first
            made = convolution(images)
            early = self.second(activation(norm(made)) + made)
            return early, self.third(early)

    whole = learned_part(_with(ReadTwice()), 0)
    example = torch.rand(1, 3, SIZE, SIZE)
    folded = FoldedNorms(whole, example, torch.float32)
    torch.testing.assert_close(folded(example)[1], whole(example)[1])
    assert any(isinstance(module, nn.BatchNorm2d) for module in folded.plain.modules())


def _with(backbone: SmallNetwork) -> Encoder:
    small = small_encoder()
    return Encoder(backbone.eval(), small.pooling, small.transform).eval()


def test_bf16_is_near(images: Tensor) -> None:
    made = encoder()
    want = made(images)
    for frozen in (0, 2):
        network = Network(made, frozen, fold=True, bf16=True)
        got = network.embed(network.features(images))
        assert float((want * got).sum(dim=1).min().detach()) > 0.99


def test_a_strided_depthwise_convolution_is_not_rounded(images: Tensor) -> None:
    class Depthwise(SmallNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.second[0] = nn.Conv2d(8, 16, 3, 2, 1, groups=8, bias=False)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made = _with(Depthwise())
    want = made(images)
    network = Network(made, 0, fold=True, bf16=True)
    assert isinstance(network._folded, FoldedNorms)
    types = {}
    for name, module in network._folded.plain.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda module, _, made, name=name: types.update(
                    {name: (module.weight.dtype, made.dtype)}
                )
            )
    got = network.embed(images)
    half = torch.bfloat16
    assert types.pop("backbone.second.0") == (torch.float32, half)
    assert set(types.values()) == {(half, half)}
    assert float((want * got).sum(dim=1).min().detach()) > 0.99


def test_frozen_layers_stay_in_evaluation_mode() -> None:
    made = build_encoder("small", size=SIZE).train()
    Network(made, 2, fold=False, bf16=False).keep_frozen()
    layers = made.backbone.layers()[0]
    assert [layer.training for layer in layers] == [False, False, True, True, True]


def test_more_frozen_layers_than_there_are() -> None:
    made = build_encoder("small", size=SIZE)
    maps = Network(made, 5, fold=False, bf16=False).features(torch.zeros(1, 3, SIZE, SIZE))
    assert maps.shape == (1, Small.channels[1], 4, 4)
    with pytest.raises(BadInputError, match="at most 5, the layers of small; got 6"):
        Network(made, 6, fold=False, bf16=False)
    early = build_encoder("small", {"name": "scda", "plus": True}, size=SIZE)
    with pytest.raises(BadInputError, match="at most 4, after which scda takes a map; got 5"):
        Network(early, 5, fold=False, bf16=False)
    with pytest.raises(BadInputError, match="must be a chain of layers to freeze"):
        Network(small_encoder(), 1, fold=False, bf16=False)
