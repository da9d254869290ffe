"""Labels of objects, learned from their sketches and photos beside what pairs teach."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.plugins import unknown

from .losses.normalised_softmax import NormalisedSoftmax


class LabelHeads(nn.Module):
    r"""The mean cross-entropy of one classifier for each column of labels.

    .. math::
        \mathcal L = \frac1K \sum_k \frac1{2B} \sum_i
            \big[ H(x_i, y_{ik}) + H(x'_i, y_{ik}) \big]

    with H the normalised softmax of a sketch :math:`x_i` and of its photo :math:`x'_i`. One
    classifier reads both, which is what brings a sketch near the photos of its label.

    Args:
        columns: By name, the label of each object, (num objects,) int64, any numbers.
        dim: D, length of an embedding.

    Raises:
        BadInputError: A column has one label only.
    """

    labels: Tensor  # (K, num objects)

    def __init__(self, columns: Mapping[str, NDArray[np.int64]], dim: int) -> None:
        super().__init__()
        numbered, heads = [], []
        for name, values in columns.items():
            different, numbers = np.unique(values, return_inverse=True)
            if len(different) < 2:
                raise BadInputError(
                    f"pairs.labels must name columns with 2 labels or more; got {name!r} with "
                    f"{len(different)} in what is learned from. Leave it out."
                )
            numbered.append(torch.from_numpy(numbers.astype(np.int64)))
            heads.append(NormalisedSoftmax(len(different), dim))
        self.heads = nn.ModuleList(heads)
        self.register_buffer("labels", torch.stack(numbered), persistent=False)

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """(2B, D), sketches and then their photos, and (B,) objects, to a scalar."""
        labels = self.labels[:, targets].repeat(1, 2)  # (K, 2B)
        losses = [head(embeddings, one) for head, one in zip(self.heads, labels, strict=True)]
        return torch.stack(losses).mean()


class Labelled(nn.Module):
    """A loss of pairs and, with a weight, that of label heads.

    Args:
        pairs: Of embeddings and objects.
        heads: Likewise.
        weight: Of the heads.
    """

    def __init__(self, pairs: nn.Module, heads: LabelHeads, weight: float) -> None:
        super().__init__()
        self.pairs, self.heads, self.weight = pairs, heads, weight

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """(2B, D) and (B,) to a scalar."""
        loss: Tensor = self.pairs(embeddings, targets)
        labels: Tensor = self.heads(embeddings, targets)
        return loss + self.weight * labels


def columns_of(names: str, groups: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """The columns that ``pairs.labels`` names.

    Args:
        names: Apart by commas.
        groups: Of the training sketches.

    Raises:
        BadInputError: The benchmark has no such column.
    """
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in chosen:
        if name not in groups:
            raise BadInputError(
                f"pairs.labels must name labels that the benchmark has; got {name!r}: "
                f"{unknown('column of labels', name, groups)} For a column of your own table set "
                "benchmark.groups too."
            )
    return {name: groups[name] for name in chosen}
