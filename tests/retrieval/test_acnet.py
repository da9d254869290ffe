"""ACNet, by its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads.acnet import Acnet, mixed
from tests.retrieval.test_every_head import CHANNELS, CLASSES, maps


def head(depth: int = 3) -> Acnet:
    torch.manual_seed(0)
    made = Acnet(CHANNELS[1], CLASSES, depth=depth, width=8).double().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.normal_(module.running_mean)
    return made


def walk(tree: Acnet, features: Tensor, node: int, level: int) -> tuple[Tensor, list[Tensor]]:
    """Probabilities (B, K) below a node and those of its leaves, by recursion."""
    if level == tree.depth:
        leaf = tree.leaves[node - len(tree.routers)](features).softmax(dim=1)
        return leaf, [leaf]
    right = torch.sigmoid(tree.routers[node](features))[:, None]
    first, below_first = walk(tree, tree.edges[2 * node](features), 2 * node + 1, level + 1)
    second, below = walk(tree, tree.edges[2 * node + 1](features), 2 * node + 2, level + 1)
    return (1 - right) * first + right * second, below_first + below


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_tree_by_recursion(depth: int) -> None:
    tree, last = head(depth), maps()[0]
    with torch.no_grad():
        want, leaves = walk(tree, tree.narrow(last), 0, 1)
        _, logits = tree.votes(last)
        torch.testing.assert_close(tree(last).exp(), want)
        torch.testing.assert_close(logits.softmax(dim=2), torch.stack(leaves, dim=1))
    assert len(leaves) == 2 ** (depth - 1)


def test_the_paths_share_a_whole() -> None:
    paths, _ = head(4).votes(maps()[0])
    torch.testing.assert_close(paths.exp().sum(dim=1), torch.ones(3, dtype=torch.float64))


def test_a_mixture_of_certain_leaves_is_finite() -> None:
    """Where the product of probabilities is no number any more, its logarithm is."""
    paths = torch.tensor([[-300.0, 0.0]])
    logits = torch.tensor([[[200.0, 0.0], [0.0, 200.0]]])
    torch.testing.assert_close(mixed(paths, logits), torch.tensor([[-200.0, 0.0]]))


def test_two_transformers_to_the_left_and_one_to_the_right() -> None:
    sizes = [len(edge) for edge in head().edges if isinstance(edge, nn.Sequential)]
    assert sizes == [2, 1, 2, 1, 2, 1]


def root_and_norm(values: Tensor) -> Tensor:
    rooted = values.sign() * values.abs().sqrt()
    return rooted / rooted.square().sum(dim=1, keepdim=True).sqrt()


def test_a_router_by_its_definition() -> None:
    """With the context added at every place, as the block is drawn."""
    router, features = head().routers[0], torch.rand(2, 8, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        x = router.get_submodule("first")(features)
        weights = router.get_submodule("where")(x).flatten(1).softmax(dim=1)
        pooled = torch.stack(
            [sum(weights[b, n] * x[b].flatten(1)[:, n] for n in range(12)) for b in range(2)]
        )
        x = x + router.get_submodule("context")(pooled)[:, :, None, None]
        want = router.get_submodule("turn")(root_and_norm(x.mean(dim=(2, 3))))[:, 0]
        torch.testing.assert_close(router(features), want, rtol=1e-5, atol=1e-6)


def test_a_transformer_by_its_definition() -> None:
    transformer, x = head().edges[1][0], torch.rand(1, 8, 9, 9, dtype=torch.float64)  # type: ignore[index]
    parts = []
    with torch.no_grad():
        for layer, rate in zip(transformer.wide, (1, 6, 12, 18), strict=True):
            weight, bias = layer.weight.numpy(), layer.bias.numpy()
            out = np.zeros((len(bias), 9, 9)) + bias[:, None, None]
            reach = weight.shape[2] // 2
            for j in range(9):
                for i in range(9):
                    for v in range(-reach, reach + 1):
                        for u in range(-reach, reach + 1):
                            y, z = j + v * rate, i + u * rate
                            if 0 <= y < 9 and 0 <= z < 9:
                                tap = weight[:, :, v + reach, u + reach]
                                out[:, j, i] += tap @ x[0, :, y, z].numpy()
            parts.append(torch.from_numpy(out))
        joined = transformer.join(torch.cat(parts)[None])
        weights = transformer.weigh(transformer.norm(joined).mean(dim=(2, 3)))
        torch.testing.assert_close(transformer(x), joined * weights[:, :, None, None])
        assert ((weights > 0) & (weights < 1)).all()


def test_a_leaf_by_its_definition() -> None:
    leaf, x = head().leaves[0], torch.rand(2, 8, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        seen = leaf.get_submodule("last")(leaf.get_submodule("norm")(x))
        greatest = torch.stack([seen[b].flatten(1).max(dim=1).values for b in range(2)])
        weight = leaf.get_parameter("classifier.weight")
        want = F.linear(root_and_norm(greatest), weight, leaf.get_parameter("classifier.bias"))
        torch.testing.assert_close(leaf(x), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("option", "value"), [("depth", 1), ("depth", 7), ("width", 0)])
def test_what_is_refused(option: str, value: int) -> None:
    with pytest.raises(BadInputError, match=f"{option} of acnet must be .*; got {value}"):
        build_head({"name": "acnet", option: value}, CHANNELS, CLASSES)
