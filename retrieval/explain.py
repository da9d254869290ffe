r"""Why this hit: which places of two pictures made their score, and which of them correspond.

A score is :math:`u^\top w`, and all that lies between the map of a picture and its vector u is a
pooling, then affine steps (projection, centring, whitening) and divisions by norms. With the norms
held at what they are for this picture, the score is affine in the descriptor f, so

.. math::
    u^\top w = c + g^\top f, \qquad f = \sum_p f_p, \qquad m_p = g^\top f_p

where :math:`f_p` is what position p of the map put into the descriptor. The contributions
:math:`m_p` and the constant c sum to the score. c is what biases and the means that centring and
whitening subtract add to it, whatever is where. Without those it is 0.

The mean of a map is such a sum as it stands: for ``average``, ``grid`` and ``two_layers`` of means
the contributions are exact. For any other pooling :math:`m_p = x_p^\top \partial (g^\top f) /
\partial x_p`, gradient times feature at the position, and ``exact`` is false: a maximum is credited
to the position that has it, though the next best would nearly do in its place; the mask of ``scda``
is taken as given; a power is taken as its tangent. What this leaves over, such as the floor of
``gem``, is ``remainder``; it is 0 but for rounding wherever a pooling scales with its map.

With ``flip`` the contributions of the mirrored picture are mirrored back and added where they
belong. Contributions of an early map are added to the cells of the last map in which they lie.

The other likeness is of parts: two positions *correspond* where each is the other's nearest by the
cosine of their columns of the last map. It does not enter the score.

References:
    Bach et al., On pixel-wise explanations for non-linear classifier decisions by layer-wise
    relevance propagation, PLoS ONE 2015 (conservation). Stylianou, Souvenir, Pless, Visualizing
    deep similarity networks, WACV 2019 (decomposition of a similarity over positions).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .data import Modality
from .encoder import Encoder
from .encoder_pair import EncoderPair, door_of
from .errors import BadInputError
from .exports import ExportedEncoder
from .joined import JoinedEncoder
from .placement import Placement, placement
from .poolings.scda import Scda
from .tensors import device_of

Position = tuple[int, int]
"""(row, column) of a map."""


@dataclass(frozen=True, eq=False)
class ExplainedPicture:
    """One of two pictures, and what each of its places adds to the score of the two.

    Attributes:
        contributions: (h, w) float64, over the last map; below 0 where a place speaks against.
        constant: What the score has whatever the picture shows.
        remainder: What no place is credited with. Contributions, constant and remainder sum to the
            score.
        exact: Whether the contributions are the score's own parts; else an approximation, see the
            module's docstring.
        mask: (h, w) bool, what SCDA takes for the object.
        placement: Where the map lies in the picture.
    """

    contributions: NDArray[np.float64]
    constant: float
    remainder: float
    exact: bool
    mask: NDArray[np.bool_]
    placement: Placement


@dataclass(frozen=True)
class Correspondence:
    """A position of each picture that are each other's nearest.

    Attributes:
        query: Where in the query's map.
        hit: Where in the hit's map.
        score: Cosine similarity of the two columns.
        on_objects: Whether SCDA selects both.
    """

    query: Position
    hit: Position
    score: float
    on_objects: bool


@dataclass(frozen=True, eq=False)
class ExplainedPair:
    """Why a query and a hit have the score they have.

    Attributes:
        score: Cosine similarity of their vectors.
        query: The query's side.
        hit: The hit's side.
        correspondences: Nearest first.
    """

    score: float
    query: ExplainedPicture
    hit: ExplainedPicture
    correspondences: tuple[Correspondence, ...]


def explain(
    encoder: Encoder | EncoderPair,
    query: Image.Image,
    hit: Image.Image,
    *,
    modality: Modality | None = None,
) -> ExplainedPair:
    """Explain the score of two pictures.

    Args:
        encoder: In eval mode. The hit enters by the door of photos.
        query: RGB, as :func:`retrieval.modalities.read_picture` gives it for the query's door.
        hit: RGB, likewise for the photo door.
        modality: What the query is; a pair must be told.

    Raises:
        BadInputError: The encoder is exported, joined or in training mode, or a picture has no
            features.
    """
    asked = _Seen(door_of(encoder, modality)[0], query, "query")
    found = _Seen(door_of(encoder, Modality.PHOTO)[0], hit, "hit")
    return ExplainedPair(
        float((asked.vector.double() * found.vector.double()).sum()),
        asked.explained(found.vector),
        found.explained(asked.vector),
        correspondences(asked.columns, found.columns, asked.mask, found.mask),
    )


def correspondences(
    query: NDArray[np.float32],
    hit: NDArray[np.float32],
    query_mask: NDArray[np.bool_],
    hit_mask: NDArray[np.bool_],
) -> tuple[Correspondence, ...]:
    """Positions of two maps that are each other's nearest, nearest first.

    Of equally near positions the first one, row by row, is the nearest. A position without any
    feature has no counterpart.

    Args:
        query: (h, w, C) columns of norm 1, or 0.
        hit: (h', w', C).
        query_mask: (h, w), what is object.
        hit_mask: (h', w').
    """
    asked, found = (rows.reshape(-1, rows.shape[-1]).astype(np.float64) for rows in (query, hit))
    cosines = np.round(asked @ found.T, 6)  # (P, P')
    cosines[~asked.any(axis=1)] = -np.inf
    cosines[:, ~found.any(axis=1)] = -np.inf
    forth, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    rows = np.flatnonzero(back[forth] == np.arange(len(forth)))
    pairs = [
        Correspondence(
            _position(int(row), query_mask),
            _position(int(forth[row]), hit_mask),
            float(cosines[row, forth[row]]),
            bool(query_mask.flat[row] and hit_mask.flat[forth[row]]),
        )
        for row in rows
        if np.isfinite(cosines[row, forth[row]])
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.score))


class _Seen:
    """A picture as an encoder sees it.

    Attributes:
        vector: (1, D).
        columns: (h, w, C) of the last map, of norm 1 or 0.
        mask: (h, w), what SCDA selects.
    """

    def __init__(self, encoder: Encoder, picture: Image.Image, name: str) -> None:
        _check(encoder)
        self._encoder = encoder
        self._placement = placement(encoder.transform, picture)
        images = encoder.transform(picture)[None].to(device_of(encoder))
        with torch.no_grad():
            self._maps = [encoder.maps(images)]
            if encoder.flip:
                self._maps.append(encoder.maps(images.flip(3)))
            last = self._maps[0][0]
            self._has_features = (last != 0).flatten(1).any(dim=1, keepdim=True)
            self.vector = encoder.finish(self._descriptors(self._maps), self._has_features)
            self.mask = Scda().mask(last)[0].cpu().numpy()
            self.columns = F.normalize(last[0], dim=0).permute(1, 2, 0).cpu().numpy()
        if not torch.isfinite(self.vector).all() or not self.vector.any():
            raise BadInputError(
                f"{name} must be a picture with usable features; got one without. "
                "Take a picture that shows something."
            )

    def explained(self, other: Tensor) -> ExplainedPicture:
        """What its places add to the cosine with another vector, (1, D)."""
        encoder = self._encoder
        maps = [
            (_followed(last), None if early is None else _followed(early))
            for last, early in self._maps
        ]
        with torch.enable_grad(), _FixedNorms():
            descriptors = self._descriptors(maps)
            vector = encoder.finish(descriptors, self._has_features)
            score = (vector * other.to(vector.device)).sum()
            leaves = [one for pair in maps for one in pair if one is not None]
            slopes = torch.autograd.grad(score, [descriptors, *leaves])
        linear = _sum(descriptors * slopes[0])
        shape = maps[0][0].shape[2:]
        contributions = np.zeros(shape)
        by_map = iter(zip(leaves, slopes[1:], strict=True))
        for place, (_, early) in enumerate(maps):
            for _ in range(1 if early is None else 2):
                features, slope = next(by_map)
                added = _onto((features * slope).sum(dim=1)[0], shape)
                contributions += added[:, ::-1] if place else added  # the second one is mirrored
        return ExplainedPicture(
            contributions,
            score.item() - linear,
            linear - float(contributions.sum()),
            encoder.pooling.linear and encoder.energy is None,
            self.mask,
            self._placement,
        )

    def _descriptors(self, maps: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
        return torch.cat([self._encoder.pooling(*pair) for pair in maps], dim=1)


class _FixedNorms(TorchFunctionMode):
    """Within it, a vector is divided by its norm as by a constant."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        divide = _over_fixed_norm if func is F.normalize else func
        return divide(*args, **(kwargs or {}))


def _over_fixed_norm(
    rows: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """What ``F.normalize`` gives; its arguments."""
    norms: Tensor = torch.linalg.vector_norm(rows.detach(), p, dim, keepdim=True)
    return rows / norms.clamp_min(eps)


def _onto(values: Tensor, shape: Sequence[int]) -> NDArray[np.float64]:
    """(h', w') summed into the cells of an (h, w) map over the same picture."""
    fine = values.detach().cpu().double().numpy()
    rows, columns = (
        np.arange(many) * few // many for many, few in zip(fine.shape, shape, strict=True)
    )
    summed = np.zeros(tuple(shape))
    np.add.at(summed, (rows[:, None], columns[None]), fine)
    return summed


def _followed(features: Tensor) -> Tensor:
    """A copy, whose way into the score can be asked for."""
    return features.clone().requires_grad_()


def _sum(values: Tensor) -> float:
    return float(values.detach().double().sum())


def _position(place: int, mask: NDArray[np.bool_]) -> Position:
    row, column = divmod(place, mask.shape[1])
    return row, column


def _check(encoder: Encoder) -> None:
    if isinstance(encoder, ExportedEncoder):
        raise BadInputError(
            "an explanation needs the maps of an encoder; got an exported one, which gives vectors "
            "only. Use the encoder it was made from."
        )
    if isinstance(encoder, JoinedEncoder):
        raise BadInputError(
            "an explanation needs the maps of one encoder; got a joined one, whose parts have "
            "their own. Use one of the encoders that were joined."
        )
    if encoder.training:
        raise BadInputError("encoder must be in eval mode; got train mode. Call .eval().")
