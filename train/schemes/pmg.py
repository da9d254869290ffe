"""Progressive multi-granularity training: jigsaws of small patches first, the picture last."""

from typing import cast

from torch import Tensor, nn

from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads import pmg as heads

from ._patches import shuffled
from ._scheme import Scheme, Seen


class Pmg(Scheme):
    r"""One step of the weights for each classifier, from what is fine to what is whole.

    .. math::
        \ell\big(g_1(P_4(x)), y\big), \qquad \ell\big(g_2(P_2(x)), y\big), \qquad
        2\,\ell\big(g_3(x), y\big)

    one after the other, each with its own forward pass and step, with :math:`P_n(x)` the picture
    cut into n x n patches that are shuffled. The paper has one step more, of 8 x 8 patches, for an
    earlier stage than backbones here give. Its code shuffles all pictures of a batch alike; here
    each has an order of its own, as the paper's text has it.

    Args:
        loss: :math:`\ell`.
        early_patches: On a side of the jigsaw for the early map's classifier.
        last_patches: For the last map's.
        both_weight: Of the loss of the classifier of both; 2 in the authors' code.

    References:
        Du et al., Fine-grained visual classification via progressive multi-granularity training of
        jigsaw patches, ECCV 2020.
    """

    head = heads.Pmg
    phases = 3
    looks_again = True

    def __init__(
        self,
        loss: nn.Module,
        early_patches: int = 4,
        last_patches: int = 2,
        both_weight: float = 2.0,
    ) -> None:
        super().__init__()
        for name, value in (("early_patches", early_patches), ("last_patches", last_patches)):
            if value < 1:
                raise BadInputError(f"{name} of pmg must be 1 or more; got {value}.")
        if not 0 < both_weight < float("inf"):
            raise BadInputError(
                f"both_weight of pmg must be above 0 and finite; got {both_weight}."
            )
        self.loss, self.both_weight = loss, both_weight
        self.early_patches, self.last_patches = early_patches, last_patches

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        classifiers = cast(heads.Pmg, head)
        if phase == 0:
            _, early = seen.maps(shuffled(seen.inputs, self.early_patches))
            return self._loss(classifiers.of_early(early), seen)
        if phase == 1:
            last, _ = seen.maps(shuffled(seen.inputs, self.last_patches))
            return self._loss(classifiers.of_last(last), seen)
        return self.both_weight * self._loss(classifiers.of_both(*seen.maps(seen.inputs)), seen)

    def _loss(self, logits: Tensor, seen: Seen) -> Tensor:
        loss: Tensor = self.loss(logits, seen.targets)
        return loss
