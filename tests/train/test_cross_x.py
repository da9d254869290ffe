"""Cross-X learning, by its definition."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from retrieval.errors import BadInputError
from retrieval.heads.cross_x import CrossX
from tests.retrieval.small_network import disturb_norms
from tests.train.loops import Numbers, convolved, linear, numbers
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes.cross_x import CrossX as Scheme
from train.schemes.cross_x import disagreement, in_common

CLASSES = 4
TARGETS = torch.tensor([0, 2, 1, 2])


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def head(parts: int = 2) -> CrossX:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = CrossX(5, 3, CLASSES, parts, ratio=2)
        disturb_norms(made)
    return made.double().eval()


def loop_in_common(parts: Numbers) -> float:
    count, kinds, _ = parts.shape
    total = 0.0
    for p in range(kinds):
        for q in range(p, kinds):
            alike = 0.0
            for i in range(count):
                for j in range(count):
                    a, b = parts[i, p], parts[j, q]
                    alike += a @ b / np.linalg.norm(a) / np.linalg.norm(b) / count**2
            total += 1 - alike if p == q else alike
    return total


def gated(x: Numbers, gate: nn.Module) -> Numbers:
    first, _, second, _ = gate.children()
    opened = linear(np.maximum(linear(x.mean(axis=(1, 2)), first), 0), second)
    made: Numbers = x / (1 + np.exp(-opened))[:, None, None]
    return made


@pytest.mark.parametrize(("small", "large"), [((1, 1), (1, 1)), ((2, 2), (3, 4))])
def test_layers_by_their_definition(small: tuple[int, int], large: tuple[int, int]) -> None:
    """Of maps of any size: nothing is written down for 28 cells."""
    pooling = head().pooling
    last, early = random(4, 5, *small), random(4, 3, *large)
    with torch.no_grad():
        found = [layer.numpy() for layer in pooling.of_layers(last, early)]
    for b in range(4):
        for p in range(2):
            x = gated(last[b].numpy(), pooling.last_gates[p])
            e = gated(early[b].numpy(), pooling.early_gates[p])
            np.testing.assert_allclose(found[0][b, p], x.mean(axis=(1, 2)), atol=1e-12)
            np.testing.assert_allclose(found[1][b, p], e.max(axis=(1, 2)), atol=1e-12)
            narrow = numbers(pooling.narrowing[p])[:, :, 0, 0]
            joined = e.copy()
            for i, j in np.ndindex(large):
                at = i * small[0] // large[0], j * small[1] // large[1]
                joined[:, i, j] += narrow @ x[:, at[0], at[1]]
            kernel, norm = pooling.joining[p].children()
            made = convolved(joined, numbers(kernel))
            with torch.no_grad():
                want = norm(torch.from_numpy(made)[None])[0].mean(dim=(1, 2))
            np.testing.assert_allclose(found[2][b, p], want.numpy(), atol=1e-12)


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_what_parts_have_in_common(kinds: int) -> None:
    parts = random(4, kinds, 5).requires_grad_()
    want = loop_in_common(parts.detach().numpy())
    assert in_common(parts).item() == pytest.approx(want)
    assert torch.autograd.gradcheck(in_common, (parts,))


def test_the_whole_loss_by_its_definition() -> None:
    chosen, last, early = head(), random(4, 5, 2, 2), random(4, 3, 4, 4)
    batch = Seen(last, TARGETS, torch.arange(4), lambda inputs: (inputs, early), 0, 0.0)
    found = Scheme(CrossEntropy(), 0.2, 0.3, 0.4)(chosen, batch, 0).item()
    with torch.no_grad():
        layers = [layer.numpy() for layer in chosen.pooling.of_layers(last, early)]
        whole = chosen(last, early).log_softmax(dim=1).numpy()
    logits = [
        linear(layer.reshape(4, -1), c) for layer, c in zip(layers, chosen.classifiers, strict=True)
    ]
    np.testing.assert_allclose(chosen(last, early).detach().numpy(), sum(logits), atol=1e-12)
    want = -whole[np.arange(4), TARGETS.numpy()].mean()
    for weight, layer in zip((0.2, 0.3, 0.4), layers, strict=True):
        want += weight * loop_in_common(layer)
    shares = [np.exp(q) / np.exp(q).sum(axis=1, keepdims=True) for q in logits]
    for other in shares[1:]:
        for row in range(4):
            want += (shares[0][row] * np.log(shares[0][row] / other[row])).sum() / 4
    assert found == pytest.approx(want)


def test_layers_that_agree_cost_nothing() -> None:
    logits = random(3, 4)
    assert disagreement(logits, logits + 5).item() == pytest.approx(0, abs=1e-12)
    assert disagreement(logits, -logits).item() > 0
    assert disagreement(1e3 * logits, -1e3 * logits).isfinite()


def test_every_data_set_has_all_weights() -> None:
    defaults = [
        value.default
        for name, value in inspect.signature(Scheme).parameters.items()
        if name.endswith("_weight")
    ]
    assert len(defaults) == 3
    assert all(value > 0 for value in defaults)


def test_what_is_refused() -> None:
    with pytest.raises(BadInputError, match="early_weight of cross_x must be 0 or more; got -1"):
        Scheme(CrossEntropy(), early_weight=-1)
    with pytest.raises(BadInputError, match="cross_x needs the early map; got None"):
        head()(random(1, 5, 2, 2))
