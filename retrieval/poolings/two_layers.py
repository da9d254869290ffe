"""One pooling over two layers of the backbone."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import plugins, poolings
from ..errors import BadInputError
from ._pooling import Pooling


class TwoLayers(Pooling):
    r"""What the last map says of parts, beside what an earlier, finer one says of texture.

    .. math:: f = \Big[\tfrac{a}{\|a\|};\ w\,\tfrac{b}{\|b\|}\Big]

    with :math:`a` the pooling ``of`` the last map and :math:`b` the same of the early map. The
    cosine of two descriptors is the mean of the layers' cosines, weighted :math:`1 : w^2`. SCDA+
    gives its early half 0.5, a fifth of the whole; that is too much where no mask keeps the
    background out, so the default is 0.2, chosen on training photos of birds.

    Args:
        of: Another pooling of this folder, with its default options; one that needs no early map.
        weight: w, above 0.

    Shape:
        last (B, C, h, w), early (B, C_early, h', w') to the widths of ``of`` for both, summed.

    References:
        Wei et al., Selective convolutional descriptor aggregation for fine-grained image
        retrieval, TIP 2017, section III-D (multiple layers).
    """

    needs_early = True

    def __init__(self, of: str = "average", weight: float = 0.2) -> None:
        super().__init__()
        if not 0 < weight < float("inf"):
            raise BadInputError(f"weight of two_layers must be above 0 and finite; got {weight}.")
        if of == "two_layers":
            raise BadInputError("of of two_layers must be another pooling; got two_layers.")
        self.of, self.weight = of, weight
        self.last: Pooling = plugins.build(poolings, {"name": of})
        self.early: Pooling = plugins.build(poolings, {"name": of})
        self.linear = self.last.linear

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        if early is None:
            raise BadInputError("two_layers needs the early map; got None. Pass both maps.")
        halves = F.normalize(self.last(last)), self.weight * F.normalize(self.early(early))
        return torch.cat(halves, dim=1)

    def out_dim(self, channels: tuple[int, int]) -> int:
        early, last = channels
        return self.last.out_dim((last, last)) + self.early.out_dim((early, early))
