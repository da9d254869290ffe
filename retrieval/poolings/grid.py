"""Average pooling in each cell of a grid: where a feature is counts as much as that it is there."""

from torch import Tensor
from torch.nn import functional as F

from ..errors import BadInputError
from ._pooling import Pooling


class Grid(Pooling):
    r"""The mean of each channel in each cell of a grid over the map, one after the other.

    .. math:: f_{c,i,j} = \frac1{|R_{ij}|} \sum_{(y,x) \in R_{ij}} X_{c,y,x}

    A global mean forgets where things are. Where objects are aligned, as a product on white and its
    drawing after ``fit="object"``, the place of a line is most of what tells two of them apart.

    Args:
        cells: n, along each side. :math:`R_{ij}` holds the steps that the cell touches: cells share
            steps where n does not divide the map, and repeat them where n exceeds it.

    Shape:
        (B, C, h, w) to (B, C n n), the cells of channel 0 first, row by row.
    """

    keeps_positions = True
    linear = True

    def __init__(self, cells: int = 7) -> None:
        super().__init__()
        if not 1 <= cells <= 64:
            raise BadInputError(f"cells of grid must be in 1..64; got {cells}.")
        self.cells = cells

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return F.adaptive_avg_pool2d(last, self.cells).flatten(1)

    def out_dim(self, channels: tuple[int, int]) -> int:
        return channels[1] * self.cells**2
