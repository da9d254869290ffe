"""Triplet loss, from pytorch-metric-learning, with the choice of triplets."""

from pytorch_metric_learning import distances, losses, miners
from torch import nn

from retrieval.errors import BadInputError
from retrieval.plugins import unknown

from ._library import PairLoss

CHOICES = ("all", "batch_hard", "semi_hard", "easy_positive")


class Triplet(PairLoss):
    r"""Mean over violating triplets of :math:`[\lVert a - p \rVert - \lVert a - n \rVert + m]_+`.

    Rows of norm 1, so that distances are 0 to 2.

    Args:
        margin: m, a distance.
        triplets: Which count. ``all``: every violating one. ``batch_hard``: for each anchor the
            farthest positive with the nearest negative. ``semi_hard``: negatives farther than the
            positive, but by less than m. ``easy_positive``: for each anchor the nearest positive
            with the nearest negative farther than it.

    References:
        Schroff et al., FaceNet, CVPR 2015, eq. 2 (there squared distances) and semi-hard
        negatives. Hermans et al., In Defense of the Triplet Loss, 2017, eq. 5 (batch hard). Xuan
        et al., Improved Embeddings with Easy Positive Triplet Mining, WACV 2020. FaceNet has
        m = 0.2.
    """

    def __init__(self, margin: float = 0.2, triplets: str = "batch_hard") -> None:
        if triplets not in CHOICES:
            raise BadInputError(unknown("choice of triplets", triplets, CHOICES))
        super().__init__(losses.TripletMarginLoss(margin), _miner(triplets, margin))


def _miner(triplets: str, margin: float) -> nn.Module | None:
    distance = distances.LpDistance()
    made: dict[str, nn.Module | None] = {
        "all": None,
        "batch_hard": miners.BatchHardMiner(distance=distance),
        "semi_hard": miners.TripletMarginMiner(margin, "semihard", distance=distance),
        "easy_positive": miners.BatchEasyHardMiner("easy", "semihard", distance=distance),
    }
    return made[triplets]
