"""k-means that gives the same clusters every time."""

import torch
from torch import Tensor

ROUNDS = 10


def clusters(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Centres (count, D) of points (P, D), and the number of each point's centre, (P,).

    Starts from the first point and, again and again, the one farthest from all chosen. A cluster
    that loses all its points keeps its centre.

    Args:
        points: As many as clusters, or more.
        count: Of clusters.
    """
    centres = points[:count].clone()
    away = torch.cdist(points, points[:1])[:, 0]
    for number in range(1, count):
        centres[number] = points[away.argmax()]
        away = torch.minimum(away, torch.cdist(points, centres[number : number + 1])[:, 0])
    for _ in range(ROUNDS):
        owners = torch.cdist(points, centres).argmin(dim=1)
        sizes = torch.bincount(owners, minlength=count)[:, None]
        sums = torch.zeros_like(centres).index_add(0, owners, points)
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres, torch.cdist(points, centres).argmin(dim=1)
