"""What every backbone offers, whichever library its network comes from."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ..transforms import IMAGENET_MEAN, IMAGENET_STD


class Backbone(nn.Module, ABC):
    """Images (B, 3, H, W) to a feature map (B, C, h, w); the classifier is cut off.

    Attributes:
        name: As ``build_backbone`` takes it, such as "torchvision:mobilenet_v2".
        channels: Of the early and of the last map.
        stride: Pixels of the input for one step in the last map.
        mean: Of each colour, in [0, 1], that the weights were trained with.
        std: Likewise.
        size: Side of the square input the weights were trained with.
        fixed_size: Whether the network takes no other size.
        ignored: Tensors of the weights file that belonged to the classifier.
        last_stride: Stride of the last stage where it is not the network's own.
        keep_layers: After how many of its layers the network was cut, if it was.
    """

    name: str
    channels: tuple[int, int]
    stride: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    size: int = 224
    fixed_size: bool = False
    ignored: tuple[str, ...] = ()
    last_stride: int | None = None
    keep_layers: int | None = None

    @abstractmethod
    def early_and_last(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The maps (B, C_early, h', w') and (B, C, h, w), the early one at least as fine.

        The early map is the one SCDA+ adds: relu5_2 of torchvision's VGG; the end of the stage
        before, which is the last map of a finer resolution, of other networks with stages; the
        output of the block before the last of a transformer, which has one resolution.
        """

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32 to the last map (B, C, h, w)."""
        return self.early_and_last(images)[1]

    def layers(self) -> tuple[list[nn.Module], int]:
        """Layers that run one after the other, and how many of them make the early map.

        Raises:
            BadInputError: The network is no such chain, or keeps its maps in another order of axes.
        """
        raise BadInputError(
            "a network must be a chain of layers to freeze or keep only the first of them; got "
            f"{self.name}. Leave out frozen_layers and keep_layers."
        )

    def set_last_stride(self, stride: int) -> None:
        """Make the last stage keep the resolution, where the network can; the weights stay.

        Raises:
            BadInputError: It cannot, or ``stride`` is not 1.
        """
        raise BadInputError(
            f"last_stride must be 1, for a ResNet of torchvision; got {stride} for {self.name}. "
            "Leave it out, or take a network such as torchvision:resnet50."
        )

    @torch.no_grad()
    def check_size(self, size: int) -> None:
        """Raise unless the network takes squares of ``size`` pixels. Tries it, in eval mode."""
        if size == self.size:
            return
        want = f"size must suit {self.name}, which was trained with {self.size}; got {size}"
        if self.fixed_size:
            raise BadInputError(f"{want}. It takes no other. Leave out --size.")
        was_training = self.training
        try:
            self.eval()(torch.zeros(1, 3, size, size))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise BadInputError(
                f"{want}: {error} Try a multiple of {self.stride}, or leave out --size."
            ) from error
        finally:
            self.train(was_training)
