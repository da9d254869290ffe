"""ACNet: a binary tree of convolutions whose leaves vote, each by the path to it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInputError
from ..poolings import average
from ._head import Head

RATES = (1, 6, 12, 18)
"""Dilations of a transformer's convolutions, the first of which is 1 x 1."""
DEEPEST = 6


class Acnet(Head):
    r"""A soft decision tree over the last map.

    .. math::
        \log p(k) = \log \sum_l r_l\, p_l(k), \qquad
        r_l = \prod_{n \text{ on the path to } l} \begin{cases}
            \phi_n & \text{to the right} \\ 1 - \phi_n & \text{to the left} \end{cases}

    The map is brought to C' channels. A node's :math:`\phi` is a sigmoid of a linear function of:
    a 1 x 1 convolution, a global context block, the mean, signed root and unit norm. Along an edge
    the map passes attention transformers, two to the left and one to the right: parallel dilated
    convolutions joined by 1 x 1 (atrous spatial pyramid), then weights of channels, which a
    normalised mean gives through two linear layers and a sigmoid. A leaf's :math:`p_l` is the
    softmax of a linear function of: normalisation, a 1 x 1 convolution, the maximum, signed root
    and unit norm. The logits are :math:`\log p`, so that their softmax is p itself.

    Sizes that we found nowhere in the paper: a dilated convolution has a quarter of C' channels,
    the context block and the linear layers of a transformer a sixteenth in the middle.

    Args:
        channels: C of the last map.
        num_classes: K.
        depth: Levels of nodes with the leaves, so that there are :math:`2^{depth - 1}` of these; 3
            in the paper.
        width: C'; 512 in the paper.

    Shape:
        (B, C, h, w) to (B, K), rows whose exponentials sum to 1.

    References:
        Ji et al., Attention convolutional binary neural tree for fine-grained visual
        categorization, CVPR 2020, section 3.
    """

    def __init__(self, channels: int, num_classes: int, depth: int = 3, width: int = 512) -> None:
        if not 2 <= depth <= DEEPEST:
            raise BadInputError(f"depth of acnet must be in 2..{DEEPEST}; got {depth}.")
        if width < 1:
            raise BadInputError(f"width of acnet must be 1 or more; got {width}.")
        super().__init__(average.Average())
        self.depth, self.width = depth, width
        self.narrow = nn.Conv2d(channels, width, 1)
        inner = 2 ** (depth - 1) - 1
        self.routers = nn.ModuleList(_Router(width) for _ in range(inner))
        self.edges = nn.ModuleList(
            nn.Sequential(*(_Transformer(width) for _ in range(2 if left else 1)))
            for _ in range(inner)
            for left in (True, False)
        )
        self.leaves = nn.ModuleList(_Leaf(width, num_classes) for _ in range(inner + 1))

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        return mixed(*self.votes(last))

    def votes(self, last: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of :math:`r_l`, (B, L), and logits of the leaves, (B, L, K), left to right."""
        features = [self.narrow(last)]
        paths = [features[0].new_zeros(len(last))]
        for node, router in enumerate(self.routers):  # by levels, each from left to right
            turn = router(features[node])
            paths += [paths[node] + F.logsigmoid(-turn), paths[node] + F.logsigmoid(turn)]
            features += [edge(features[node]) for edge in self.edges[2 * node : 2 * node + 2]]
        first = len(self.routers)
        leaves = zip(self.leaves, features[first:], strict=True)
        logits = torch.stack([leaf(reached) for leaf, reached in leaves], dim=1)
        return torch.stack(paths[first:], dim=1), logits


def mixed(paths: Tensor, logits: Tensor) -> Tensor:
    r""":math:`\log p` of :meth:`Acnet.votes`, (B, K)."""
    return torch.logsumexp(paths[:, :, None] + logits.log_softmax(dim=2), dim=1)


def _root_and_norm(values: Tensor) -> Tensor:
    """Signed root, with a finite slope at 0, and rows of norm 1."""
    return F.normalize(values / (values.abs() + 1e-8).sqrt())


class _Router(nn.Module):
    """The logit of going to the right, (B, C, h, w) to (B,)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        middle = max(1, width // 16)
        self.first = nn.Conv2d(width, width, 1)
        self.where = nn.Conv2d(width, 1, 1, bias=False)  # even a bias would change no softmax
        self.context = nn.Sequential(
            nn.Linear(width, middle), nn.LayerNorm(middle), nn.ReLU(), nn.Linear(middle, width)
        )
        self.turn = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> Tensor:
        features = self.first(features).flatten(2)  # (B, C, N)
        shares = self.where(features[:, :, :, None])[:, :, :, 0].softmax(dim=2)  # (B, 1, N)
        context = self.context((features * shares).sum(dim=2))
        # What is added at every place is added to the mean.
        turn: Tensor = self.turn(_root_and_norm(features.mean(dim=2) + context))[:, 0]
        return turn


class _Transformer(nn.Module):
    """An attention transformer, (B, C, h, w) to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        part, middle = max(1, width // 4), max(1, width // 16)
        self.wide = nn.ModuleList(
            nn.Conv2d(width, part, 1)
            if rate == 1
            else nn.Conv2d(width, part, 3, padding=rate, dilation=rate)
            for rate in RATES
        )
        self.join = nn.Conv2d(len(RATES) * part, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.weigh = nn.Sequential(
            nn.Linear(width, middle), nn.ReLU(), nn.Linear(middle, width), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        joined = self.join(torch.cat([one(features) for one in self.wide], dim=1))
        weights = self.weigh(self.norm(joined).mean(dim=(2, 3)))
        weighed: Tensor = joined * weights[:, :, None, None]
        return weighed


class _Leaf(nn.Module):
    """Logits (B, K) of (B, C, h, w)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm2d(width), nn.Conv2d(width, width, 1)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        greatest = self.last(self.norm(features)).amax(dim=(2, 3))
        logits: Tensor = self.classifier(_root_and_norm(greatest))
        return logits
