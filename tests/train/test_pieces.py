"""A batch in pieces has the gradient of the whole batch."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.losses.multi_similarity import MultiSimilarity
from train.pieces import backward_in_pieces

TARGETS = torch.arange(7) % 3


class Network(nn.Module):
    def __init__(self, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 8).double()
        self.norm = nn.BatchNorm1d(8).double() if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.dropout(self.norm(self.layer(images.flatten(1)))))


def make(dropout: float = 0.0, norm: bool = False) -> tuple[Network, Tensor]:
    torch.manual_seed(0)
    return Network(dropout, norm), torch.randn(7, 3, 2, 2, dtype=torch.float64)


def loss_of(embeddings: Tensor) -> Tensor:
    loss: Tensor = MultiSimilarity()(embeddings, TARGETS)
    return loss


@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
def test_the_gradient_is_that_of_the_whole_batch(pieces: int) -> None:
    network, images = make()
    loss = loss_of(network(images))
    loss.backward()  # type: ignore[no-untyped-call]
    want = network.layer.weight.grad
    other, _ = make()
    embeddings, got = backward_in_pieces(other, other, images, pieces, loss_of)
    torch.testing.assert_close(got, loss.detach())
    torch.testing.assert_close(other.layer.weight.grad, want)
    torch.testing.assert_close(embeddings, network(images).detach())


def test_dropout_is_the_same_in_both_passes() -> None:
    network, images = make(dropout=0.5)
    torch.manual_seed(1)
    parts = torch.cat([network(part) for part in images.tensor_split(3)])
    loss_of(parts).backward()  # type: ignore[no-untyped-call]
    other, _ = make(dropout=0.5)
    torch.manual_seed(1)
    backward_in_pieces(other, other, images, 3, loss_of)
    torch.testing.assert_close(other.layer.weight.grad, network.layer.weight.grad)


def test_statistics_see_every_piece_once() -> None:
    network, images = make(norm=True)
    for part in images.tensor_split(3):
        network(part)
    other, _ = make(norm=True)
    backward_in_pieces(other, other, images, 3, loss_of)
    assert isinstance(other.norm, nn.BatchNorm1d)
    assert isinstance(network.norm, nn.BatchNorm1d)
    torch.testing.assert_close(other.norm.running_mean, network.norm.running_mean)
    assert other.norm.num_batches_tracked == 3


def test_weights_of_the_loss_learn_too() -> None:
    network, images = make()
    scale = nn.Parameter(torch.ones((), dtype=torch.float64))
    backward_in_pieces(network, network, images, 2, lambda x: loss_of(x) * scale)
    assert scale.grad is not None
    assert scale.grad > 0
