r"""Several encoders as one: each sees another likeness, and their cosines are averaged.

A trained network and oriented gradients err on different pictures, so together they find more than
either. With unit rows :math:`v_i` of the parts and shares :math:`s_i \ge 0` of sum 1,

.. math:: v = \big(\sqrt{s_1}\,v_1, \dots, \sqrt{s_n}\,v_n\big),
    \quad v^\top w = \sum_i s_i\, v_i^\top w_i

so ranking by the cosine of joined vectors is ranking by the mean of the parts' cosines, weighted by
their shares, and a collection of joined vectors needs no other search.

A picture in which one part sees nothing, such as a plain one to oriented gradients, has zeros in
that part's place and is scaled to norm 1 again: it is found by what the others see. Only a picture
in which no part of any share sees something has a row of zeros.

The shares are those of all queries; a gate that weighs each query on its own would need a network
that reads the query first. :mod:`retrieval.joined_shares` finds them from pairs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import check_shape
from .encoder import Encoder
from .encoder_pair import EncoderPair
from .errors import BadInputError
from .joined_transform import JoinedTransform
from .poolings import Pooling

REVISION = 1
"""Raised when the same parts and shares come to give other vectors. Part of fingerprints."""

_TOLERANCE = 1e-6
"""How far the sum of shares may be from 1."""

_DIGITS = 12
"""Of a share: 1 - 0.9 and 0.1 are the same one."""


class JoinedEncoder(Encoder):
    """Two or more encoders side by side, each with a share of the cosine; see above.

    It has no one backbone, no one map and no last step of its own: what is fitted or trained is
    fitted to its parts, and what needs maps is asked of them.

    Attributes:
        parts: The encoders. Their weights are shared with those that were given.
        shares: Of each, in the same order.
        transform: Prepares a picture for each of them.
        dim: D, the sum of the parts'.
    """

    transform: JoinedTransform

    def __init__(self, parts: Sequence[Encoder], shares: Sequence[float]) -> None:
        """Join encoders.

        Args:
            parts: Two or more, neither joined nor exported.
            shares: One for each, 0 or more, of sum 1.

        Raises:
            BadInputError: Parts or shares are not what they must be.
        """
        nn.Module.__init__(self)
        _check(parts, shares)
        self.parts = nn.ModuleList(parts)
        self.shares = tuple(round(float(share), _DIGITS) for share in shares)
        self.transform = JoinedTransform.of([part.transform for part in parts])
        self.dim = sum(part.dim for part in parts)
        self.training = any(part.training for part in parts)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float32, a sheet of each picture, to (B, dim) float32, rows of norm 1."""
        check_shape(
            "images",
            images,
            ("B", 3, *self.transform.sheet),
            "Prepare pictures with the transform of the joined encoder.",
        )
        rows = [
            math.sqrt(share) * part(images_of_part)
            for part, share, images_of_part in zip(
                self.parts, self.shares, self.transform.split(images), strict=True
            )
        ]
        return F.normalize(torch.cat(rows, dim=1))

    def encoders(self) -> list[Encoder]:
        """The parts, as encoders."""
        return [part for part in self.parts if isinstance(part, Encoder)]

    def with_encoders(self, parts: Sequence[Encoder]) -> "JoinedEncoder":
        """Others in place of the parts, with the same shares."""
        return JoinedEncoder(parts, self.shares)

    def settings(self) -> dict[str, Any]:
        """Plain values that make this encoder again, except its weights."""
        parts = [
            {"share": share, "encoder": part.settings()}
            for part, share in zip(self.encoders(), self.shares, strict=True)
        ]
        return {"revision": REVISION, "joined": parts}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "JoinedEncoder":
        """The encoder that :meth:`settings` described, in eval mode, with random weights."""
        parts = [Encoder.from_settings(part["encoder"]) for part in settings["joined"]]
        return cls(parts, [part["share"] for part in settings["joined"]]).eval()

    def of_maps(self, last: Tensor, early: Tensor | None = None) -> Tensor:
        """Refused: each part has maps of its own."""
        raise BadInputError(_ASK_PARTS.format("maps"))

    def descriptors(self, images: Tensor) -> Tensor:
        """Refused: each part has descriptors of its own."""
        raise BadInputError(_ASK_PARTS.format("descriptors"))

    def projected(self, images: Tensor) -> Tensor:
        """Refused: each part has descriptors of its own."""
        raise BadInputError(_ASK_PARTS.format("descriptors"))

    def mask(self, images: Tensor) -> Tensor:
        """Refused: each part has maps of its own."""
        raise BadInputError(_ASK_PARTS.format("a mask"))

    def with_parts(self, **parts: Any) -> Encoder:  # noqa: ANN401
        """Refused: the encoders that were joined have parts of their own."""
        _refuse_change()

    def with_pooling(self, pooling: Pooling) -> Encoder:
        """Refused: the parts have poolings of their own."""
        _refuse_change()


_ASK_PARTS = (
    "{} must be asked of one encoder; got a joined one, whose parts have their own. "
    "Ask one of the encoders that were joined."
)


def encoder_from_settings(settings: Mapping[str, Any]) -> Encoder:
    """The encoder, joined or not, that its ``settings()`` described, with random weights."""
    kind = JoinedEncoder if "joined" in settings else Encoder
    return kind.from_settings(settings)


def join(
    encoders: Sequence[Encoder | EncoderPair], shares: Sequence[float]
) -> JoinedEncoder | EncoderPair:
    """Encoders joined into one, or pairs into a pair, door by door.

    Args:
        encoders: Two or more. One without doors among pairs serves both.
        shares: One for each, 0 or more, of sum 1.

    Raises:
        BadInputError: Encoders or shares are not what they must be.
    """
    alone = [one for one in encoders if not isinstance(one, EncoderPair)]
    if len(alone) == len(encoders):
        return JoinedEncoder(alone, shares)
    pairs = [one if isinstance(one, EncoderPair) else EncoderPair(one, one) for one in encoders]
    photo = JoinedEncoder([pair.photo for pair in pairs], shares)
    if all(pair.siamese for pair in pairs):
        return EncoderPair(photo, photo)
    return EncoderPair(photo, JoinedEncoder([pair.sketch for pair in pairs], shares))


def join_pairs(first: EncoderPair, second: EncoderPair, share: float) -> EncoderPair:
    """Two pairs as one: photo doors joined, and sketch doors.

    Args:
        first: Has ``share`` of the cosine.
        second: Has the rest.
        share: 0..1, such as :func:`retrieval.joined_shares.fit_shares` finds.

    Raises:
        BadInputError: The share is outside, or a door cannot be joined.
    """
    joined = join([first, second], [share, 1 - share])
    if not isinstance(joined, EncoderPair):
        raise BadInputError("pairs must have doors; got encoders. Call join.")
    return joined


def _check(parts: Sequence[Encoder], shares: Sequence[float]) -> None:
    if len(parts) < 2:
        raise BadInputError(f"parts must be two encoders or more; got {len(parts)}. Add another.")
    for part in parts:
        if type(part) is not Encoder:
            kind = "a joined" if isinstance(part, JoinedEncoder) else "an exported"
            raise BadInputError(
                f"parts must be encoders with weights of their own; got {kind} one. "
                "Join the encoders that it was made from."
            )
    if len(shares) != len(parts):
        raise BadInputError(
            f"shares must be one for each of {len(parts)} encoders; got {len(shares)}."
        )
    for share in shares:
        if not 0 <= share <= 1:
            raise BadInputError(f"share must be in 0..1; got {share}. Take 0.5 for each of two.")
    if not abs(sum(shares) - 1) <= _TOLERANCE:
        raise BadInputError(f"shares must have sum 1; got {sum(shares):g}. Change one of them.")


def _refuse_change() -> NoReturn:
    raise BadInputError(
        "what is fitted or trained must be an encoder of one part; got a joined one. "
        "Fit or train the encoders that were joined, then join them."
    )
