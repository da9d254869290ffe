"""Photos turned, moved and scaled until their objects stand alike.

A similarity keeps angles: it turns, scales and moves, and never mirrors or shears. Fitted from an
object's keypoints to those of a prototype, it brings the object into the prototype's pose as far
as that can be done in the plane.

References:
    Branson, Van Horn, Belongie, Perona: Bird Species Categorization Using Pose Normalized Deep
    Convolutional Nets, BMVC 2014 (similarity models).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .checks import check_shape
from .errors import BadInputError

GREY = (128, 128, 128)
"""What lies outside the photo."""


@dataclass(frozen=True)
class Similarity:
    r"""The map :math:`z \mapsto a z + b` of points :math:`z = x + iy`.

    Attributes:
        a: Its length scales and its angle turns, from the x axis towards the y axis.
        b: What is added.
    """

    a: complex
    b: complex

    def of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points go, (..., 2) to (..., 2)."""
        moved = self.a * (points[..., 0] + 1j * points[..., 1]) + self.b
        return np.stack([moved.real, moved.imag], axis=-1)

    def inverse(self) -> "Similarity":
        """The map back."""
        return Similarity(1 / self.a, -self.b / self.a)


def fit_similarity(keypoints: NDArray[np.float64], prototype: NDArray[np.float64]) -> Similarity:
    r"""The similarity that brings keypoints nearest to a prototype's.

    .. math::
        \min_{a, b} \sum_{p \in V} | a z_p + b - q_p |^2 , \qquad
        a = \frac{\sum_V \overline{(z_p - \bar z)} (q_p - \bar q)}{\sum_V |z_p - \bar z|^2} ,
        \quad b = \bar q - a \bar z

    over the parts V that can be seen in both.

    Args:
        keypoints: (P, 3): x, y, and above 0 where the part can be seen.
        prototype: (P, 3), alike.

    Raises:
        BadInputError: Fewer than two places are seen in both, or all of them would go to one.
    """
    check_shape("prototype", prototype, keypoints.shape, "Take the same parts.")
    seen = (keypoints[:, 2] > 0) & (prototype[:, 2] > 0)
    z, q = (one[seen, 0] + 1j * one[seen, 1] for one in (keypoints, prototype))
    if len(set(z.tolist())) < 2:
        raise BadInputError(
            f"keypoints must be at two places or more that the prototype has too; got "
            f"{len(set(z.tolist()))}. Leave the photo out, or take its box."
        )
    centred = z - z.mean()
    a = complex(np.vdot(centred, q - q.mean()) / np.vdot(centred, centred).real)
    if a == 0:
        raise BadInputError(
            "keypoints must not be brought to a single point by the prototype; got one. Take "
            "another prototype."
        )
    return Similarity(a, complex(q.mean() - a * z.mean()))


def pose_normalised(picture: Image.Image, similarity: Similarity, size: int) -> Image.Image:
    """The part of a photo that a similarity brings into a square.

    Args:
        picture: RGB.
        similarity: From pixels of the photo to those of the square; pixel (0, 0) covers what lies
            between 0 and 1.
        size: Side of the square, pixels.

    Returns:
        RGB, ``size`` x ``size``; grey outside the photo. Photos that shrink are averaged first.
    """
    shrink = max(1, min(int(1 / abs(similarity.a)), *picture.size))
    back = similarity.inverse()
    a, b = back.a / shrink, back.b / shrink
    return picture.reduce(shrink).transform(
        (size, size),
        Image.Transform.AFFINE,
        (a.real, -a.imag, b.real, a.imag, a.real, b.imag),
        Image.Resampling.BICUBIC,
        fillcolor=GREY,
    )
