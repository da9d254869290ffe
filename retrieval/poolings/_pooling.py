"""What every pooling offers."""

import inspect
from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class Pooling(nn.Module, ABC):
    """Feature maps (B, C, h, w) to descriptors (B, C').

    A part keeps each option of its ``__init__`` under the option's name.

    Attributes:
        needs_early: Whether ``forward`` must be given the backbone's early map too.
        keeps_positions: Whether the descriptor says where on the map something is.
        linear: Whether the descriptor is a fixed weighted sum of the map's positions, but for norms
            that it is divided by.
    """

    needs_early: bool = False
    keeps_positions: bool = False
    linear: bool = False

    def __init__(self) -> None:
        super().__init__()  # hides torch's *args, **kwargs, which are no options

    @abstractmethod
    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """(B, C, h, w) [and (B, C_early, h', w')] float32 to (B, C') float32."""

    def out_dim(self, channels: tuple[int, int]) -> int:
        """C' for an early and a last map of this many channels."""
        return channels[1]

    def settings(self) -> dict[str, Any]:
        """Plain values that make this pooling again: the file's name and every option."""
        options = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        plain = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in options.items()
        }
        return {"name": type(self).__module__.rsplit(".", 1)[-1], **plain}
