"""Noisy labels: what is certain first, what is doubtful later and with less weight."""

import torch
from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.heads import Head

from ._density import NO_SUBSET, SUBSETS, subsets_of_class
from ._scheme import Describe, Scheme, Seen


class Curriculum(Scheme):
    r"""Three subsets of the pictures of each class, by how close together they lie.

    A wrong label puts a picture among others that do not look like it. Before any of them is
    learned from, each picture gets a density, from the distances :math:`D_{ij}` of the descriptors
    of its class:

    .. math::
        \rho_i = |\{j \ne i : D_{ij} < d_c\}|, \qquad
        d_c = \text{the value in the place ``share'' of all } D_{ij} \text{ in order}

    and k-means divides the densities of the class into three subsets: clean (the densest), noisy
    and highly noisy. Training has three stages: the clean pictures; the noisy ones too; all of
    them,

    .. math:: \mathcal L = \frac1{|S|} \sum_{i \in S} w_{s(i)}\, \ell(h(x_i), y_i)

    over the pictures S of the batch that are in their stage.

    Args:
        loss: :math:`\ell`.
        count: N, training pictures.
        clean_from: Share of the run at which subsets are made and the first stage begins. Before it
            everything is learned from alike. Subsets are made by what the network describes by
            then: give one that starts from random weights 0.2 or so.
        noisy_from: Share of the run at which noisy pictures come in.
        all_from: Share at which highly noisy ones do.
        share: Of the distances that are below :math:`d_c`, in (0, 1).
        noisy_weight: :math:`w` of noisy pictures; that of clean ones is 1.
        highly_noisy_weight: Of highly noisy ones.

    Raises:
        BadInputError: An option is out of its range, or the stages are not in order.

    Note:
        Buffer: ``subsets`` (N,) int8; -1 until they are made, 0 clean, 1 noisy, 2 highly noisy. The
        paper trains a first network for the descriptors and another one in stages, and says in
        iterations how long each stage is; here it is one network, and stages are thirds of the run.
        k-means has its best division, which numbers in a row allow. A class whose densities
        differ too little for three subsets has no highly noisy ones, or clean ones alone.

    References:
        Guo et al., CurriculumNet: Weakly Supervised Learning from Large-Scale Web Images, ECCV
        2018, sections 3.2 and 3.3; share 0.6, weights 1, 0.5 and 0.5.
    """

    subsets: Tensor

    def __init__(
        self,
        loss: nn.Module,
        count: int,
        clean_from: float = 0.0,
        noisy_from: float = 1 / 3,
        all_from: float = 2 / 3,
        share: float = 0.6,
        noisy_weight: float = 0.5,
        highly_noisy_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 <= clean_from <= noisy_from <= all_from <= 1:
            raise BadInputError(
                "curriculum.clean_from, noisy_from and all_from must be in [0, 1] and in this "
                f"order; got {clean_from:g}, {noisy_from:g} and {all_from:g}."
            )
        if not 0 < share < 1:
            raise BadInputError(f"curriculum.share must be in (0, 1); got {share}.")
        for name, value in (
            ("noisy_weight", noisy_weight),
            ("highly_noisy_weight", highly_noisy_weight),
        ):
            if not value >= 0:
                raise BadInputError(f"curriculum.{name} must be 0 or more; got {value}.")
        self.loss, self.share = loss, share
        self.clean_from, self.noisy_from, self.all_from = clean_from, noisy_from, all_from
        self.noisy_weight, self.highly_noisy_weight = noisy_weight, highly_noisy_weight
        self.register_buffer("subsets", torch.full((count,), NO_SUBSET, dtype=torch.int8))

    def prepare(self, progress: float, targets: Tensor, describe: Describe) -> list[str]:
        if progress < self.clean_from or (self.subsets != NO_SUBSET).all():
            return []
        subsets = torch.empty_like(self.subsets, device="cpu")
        for target in range(int(targets.max()) + 1):
            positions = torch.nonzero(targets == target)[:, 0]
            subsets[positions] = subsets_of_class(describe(positions), self.share).to(torch.int8)
        self.subsets.copy_(subsets)
        clean, noisy, highly = (int((subsets == one).sum()) for one in range(SUBSETS))
        return [f"curriculum: {clean} pictures clean, {noisy} noisy, {highly} highly noisy"]

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        weights = self.weights(seen)
        chosen = weights > 0
        if chosen.sum() < 2:  # too few for a norm over the batch
            chosen = torch.ones_like(chosen)
        logits = head.of_images(seen.inputs[chosen], seen.maps)
        weights, targets = weights[chosen], seen.targets[chosen]
        total = (0 * logits).sum()
        for weight in sorted(set(weights.tolist())):
            own = weights == weight
            total = total + weight * own.sum() * self.loss(logits[own], targets[own])
        return total / len(weights)

    def weights(self, seen: Seen) -> Tensor:
        """Of each picture of a batch at its stage, (B,) float32."""
        subsets = self.subsets[seen.positions.to(self.subsets.device)].long()
        stages = torch.tensor(
            [
                1.0,
                self.noisy_weight * (seen.progress >= self.noisy_from),
                self.highly_noisy_weight * (seen.progress >= self.all_from),
            ],
            device=subsets.device,
        )  # of clean, noisy and highly noisy pictures
        return torch.where(subsets == NO_SUBSET, 1.0, stages[subsets.clamp(min=0)])
