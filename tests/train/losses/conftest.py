"""Batches that every loss is tried on."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

C, D = 4, 6
"""Classes and dimensions of the batch."""


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Nine unit vectors in float64 of classes 0, 1 and 3; class 2 is not in the batch."""
    generator = torch.Generator().manual_seed(0)
    embeddings = F.normalize(torch.randn(9, D, dtype=torch.float64, generator=generator))
    return embeddings, torch.tensor([0, 1, 0, 3, 1, 0, 3, 3, 0])
