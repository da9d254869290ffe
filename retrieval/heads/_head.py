"""What every head offers."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..poolings import Pooling

FACTS = ("channels", "early_channels", "num_classes")
"""What whoever builds a head knows of network and classes: no options of a recipe."""


Maps = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Pictures to the last map and, where the pooling asks for it, the early one, float32."""


class Head(nn.Module, ABC):
    """Feature maps to class logits.

    A part keeps each option of its ``__init__`` under the option's name. It may ask there for what
    its builder knows: ``channels`` of the last map, ``early_channels``, and ``num_classes``.

    Attributes:
        pooling: Makes the descriptor that stands for a picture where it is searched for: with it
            a trained classifier becomes an encoder.
        looks_again: Whether ``of_images`` passes more than the picture itself through the backbone:
            crops of it, parts, or the picture drawn otherwise.
    """

    pooling: Pooling
    looks_again: bool = False

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling

    @abstractmethod
    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """(B, C, h, w) [and (B, C_early, h', w')] float32 to logits (B, K) float32."""

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        """Logits of pictures, (B, K), as the head gives them when it is asked for a class.

        Args:
            images: (B, 3, H, W), normalised; of a head that does not look again whatever ``maps``
                takes, such as the output of frozen layers.
            maps: What the backbone makes of them.
        """
        last, early = maps(images)
        logits: Tensor = self(last, early)
        return logits

    def attention(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """Where on the map the head looks, (B, h, w), 0 or more.

        Without an attention of its own, all channels added up, as in SCDA.
        """
        return last.sum(dim=1).clamp(min=0)

    def representation(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """The descriptor of a picture, (B, C'): what the trained pooling gives."""
        descriptors: Tensor = self.pooling(last, early)
        return descriptors

    def settings(self) -> dict[str, Any]:
        """The file's name and every option; what the builder knows is left out."""
        options = [name for name in inspect.signature(type(self)).parameters if name not in FACTS]
        values = {name: getattr(self, name) for name in options}
        return {"name": type(self).__module__.rsplit(".", 1)[-1], **values}


class LinearHead(Head):
    r"""A linear classifier of a descriptor: :math:`W f(X) + b`.

    Args:
        pooling: f.
        channels: Of the early and of the last map.
        num_classes: K.
    """

    def __init__(self, pooling: Pooling, channels: tuple[int, int], num_classes: int) -> None:
        super().__init__(pooling)
        self.classifier = nn.Linear(pooling.out_dim(channels), num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.classifier(self.representation(last, early))
        return logits
