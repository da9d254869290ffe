r"""A learned energy between sketches and photos, as two last layers whose cosine ranks by it.

The energy of a sketch vector s and a photo vector p weighs the square of every difference between
a number of the one and a number of the other,

.. math::
    D(s, p) = \sum_{ij} W_{ij} (s_i - p_j)^2
            = \sum_i r_i s_i^2 + \sum_j c_j p_j^2 - 2 s^\top W p, \qquad
    r_i = \sum_j W_{ij}, \quad c_j = \sum_i W_{ij}

and is the squared distance where W is the identity. All search here is by cosine, and this energy
fits in one: with p of norm 1, t halfway between the smallest and the largest c,
:math:`c' = c - t` and :math:`q(p) = \sum_j c'_j p_j^2`, which is never beyond
:math:`h = \max_j |c'_j|`,

.. math::
    \tilde s = \frac{[2 W^\top s;\; -1;\; 0]}{\sqrt{4 \lVert W^\top s \rVert^2 + 1}}, \qquad
    \tilde p = \frac{[p;\; q(p);\; \sqrt{h^2 - q(p)^2}]}{\sqrt{1 + h^2}}

have norm 1, and :math:`\tilde s^\top \tilde p` is :math:`-D(s, p)` plus and times numbers that only
s and W decide. For each sketch it ranks all photos exactly as the energy does, in any index. The
scores of two sketches are on two scales.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .data import Modality

ADDED = 2
"""Numbers that a vector has more than before."""


def energies(sketches: Tensor, photos: Tensor, weight: Tensor) -> Tensor:
    """Of every sketch with every photo, without an array of differences.

    Args:
        sketches: (B, D).
        photos: (R, D).
        weight: W, (D, D), rows for numbers of sketches.

    Returns:
        (B, R), the smaller the nearer.
    """
    of_sketches = sketches.square() @ weight.sum(dim=1)  # (B,)
    of_photos = photos.square() @ weight.sum(dim=0)  # (R,)
    return of_sketches[:, None] + of_photos - 2 * sketches @ weight @ photos.T


class Energy(nn.Module, ABC):
    """The last layer of a door.

    Attributes:
        dim: D + 2, length of the vectors it gives; D is the length of those it is given.
        door: Of which modality it is; the two layers are different.
    """

    door: Modality

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.given, self.dim = dim, dim + ADDED

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D), rows of norm 1 or of zeros, to (B, D + 2), rows of norm 1 or of zeros."""
        return F.normalize(self._extended(vectors)) * (vectors != 0).any(dim=1, keepdim=True)

    @abstractmethod
    def _extended(self, vectors: Tensor) -> Tensor:
        """(B, D) to (B, D + 2), not normalised."""


class SketchEnergy(Energy):
    """Of the door of sketches: keeps W, the identity until it is loaded or learned.

    Args:
        dim: D.
    """

    weight: Tensor  # (D, D)
    door = Modality.SKETCH

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("weight", torch.eye(dim))

    def _extended(self, vectors: Tensor) -> Tensor:
        products = 2 * vectors @ self.weight  # (B, D)
        return torch.cat([products, products.new_tensor([[-1, 0]]).expand(len(vectors), -1)], 1)


class PhotoEnergy(Energy):
    """Of the door of photos: keeps c', zero for the identity.

    Args:
        dim: D.
    """

    columns: Tensor  # (D,)
    door = Modality.PHOTO

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("columns", torch.zeros(dim))

    def _extended(self, vectors: Tensor) -> Tensor:
        squares = vectors.square() @ self.columns[:, None]  # (B, 1)
        most = self.columns.abs().amax().square()
        return torch.cat([vectors, squares, (most - squares.square()).clamp(min=0).sqrt()], dim=1)


def energy_of_door(dim: int, door: str) -> Energy:
    """The last layer of a door, with W the identity.

    Args:
        dim: D.
        door: "photo" or "sketch".
    """
    return SketchEnergy(dim) if Modality(door) == Modality.SKETCH else PhotoEnergy(dim)


def energy_layers(weight: Tensor) -> tuple[PhotoEnergy, SketchEnergy]:
    """The last layers of both doors for a learned W, (D, D)."""
    weight = weight.detach().float()
    photo, sketch = PhotoEnergy(len(weight)), SketchEnergy(len(weight))
    columns = weight.sum(dim=0)
    photo.columns = columns - (columns.amin() + columns.amax()) / 2
    sketch.weight = weight.clone()
    return photo.eval(), sketch.eval()
