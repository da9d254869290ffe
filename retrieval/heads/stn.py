"""Spatial transformers: the picture is warped before it is classified."""

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from ..poolings import average
from ._head import Head, Maps
from ._resampling import warped

CELLS = 7
"""Side of the grid that the localisation sees a map as: that of 224 pixels at stride 32."""


class Stn(Head):
    r"""Affine views of the picture that the network chooses itself, classified together.

    .. math::
        \theta_n = I + \eta\, g_n(X(I)), \qquad
        V_n(p) = I(\theta_n p), \qquad
        W [\bar x(V_1); \dots; \bar x(V_N)] + b

    with X the last map, :math:`\bar x` its mean, and g the localisation: a 1 x 1 convolution, its
    means over 7 x 7 cells, and two linear layers, the last of which starts at zero: each
    :math:`\theta` starts as the identity. The views are as large as the picture and zero beyond it.

    The paper has one network for the localisation and one for each view; here all of them share
    the backbone, so that a picture takes N + 1 passes. In the paper's experiment with birds the
    scale is fixed to one half; here all six numbers are learned.

    Args:
        channels: C of the last map.
        num_classes: K.
        transformers: N; 2 and 4 in the paper's experiment with birds.
        width: Channels and units of the localisation; 128 in the paper's appendix (from memory).
        step: :math:`\eta`. Under SGD the localisation learns at :math:`\eta^2` times the rate of
            the head; 1e-4 times in the paper's appendix (from memory).

    Shape:
        (B, 3, H, W) to (B, K); maps alone, (B, C, h, w), are classified as if no view were warped.

    References:
        Jaderberg, Simonyan, Zisserman, Kavukcuoglu, Spatial transformer networks, NIPS 2015,
        section 3 and 4.3.
    """

    looks_again = True

    def __init__(
        self,
        channels: int,
        num_classes: int,
        transformers: int = 2,
        width: int = 128,
        step: float = 0.01,
    ) -> None:
        for name, value in (("transformers", transformers), ("width", width)):
            if value < 1:
                raise BadInputError(f"{name} of stn must be 1 or more; got {value}.")
        if not step > 0:
            raise BadInputError(f"step of stn must be above 0; got {step:g}.")
        super().__init__(average.Average())
        self.transformers, self.width, self.step = transformers, width, step
        self.localisation = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(CELLS),
            nn.Flatten(),
            nn.Linear(CELLS * CELLS * width, width),
            nn.ReLU(),
            nn.Linear(width, 6 * transformers),
        )
        for parameter in self.localisation[-1].parameters():
            nn.init.zeros_(parameter)
        self.classifier = nn.Linear(transformers * channels, num_classes)

    def forward(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        logits: Tensor = self.classifier(self.representation(last).tile(1, self.transformers))
        return logits

    def transforms(self, last: Tensor) -> Tensor:
        """(B, C, h, w) to (B, N, 2, 3), from places of a view to those of the picture."""
        moved: Tensor = self.localisation(last).reshape(-1, self.transformers, 2, 3)
        return torch.eye(2, 3, dtype=last.dtype, device=last.device) + self.step * moved

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        transforms = self.transforms(maps(images)[0])
        views = warped(images, transforms, (images.shape[2], images.shape[3]))
        described = self.representation(maps(views)[0])  # (B N, C)
        logits: Tensor = self.classifier(described.reshape(len(images), -1))
        return logits
