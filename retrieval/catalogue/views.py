"""How a model is photographed: one catalogue picture, then whatever customers would take."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .backgrounds import KINDS, Background
from .camera import Pose
from .photo import Light, View
from .shapes import Colour

_GROUNDS: dict[str, tuple[Colour, ...]] = {
    "plain": ((1.0, 1.0, 1.0), (0.93, 0.93, 0.94), (0.85, 0.82, 0.78), (0.70, 0.76, 0.82)),
    "gradient": ((0.86, 0.86, 0.88), (0.62, 0.66, 0.72), (0.80, 0.70, 0.62), (0.45, 0.48, 0.52)),
    "wood": ((0.72, 0.52, 0.34), (0.52, 0.36, 0.24), (0.80, 0.68, 0.52), (0.40, 0.32, 0.28)),
    "carpet": ((0.62, 0.58, 0.54), (0.42, 0.44, 0.50), (0.70, 0.62, 0.50), (0.50, 0.32, 0.30)),
    "stone": ((0.72, 0.72, 0.70), (0.55, 0.56, 0.58), (0.80, 0.76, 0.70), (0.42, 0.41, 0.42)),
    "room": ((0.66, 0.62, 0.58), (0.50, 0.54, 0.58), (0.72, 0.66, 0.56), (0.40, 0.42, 0.40)),
}

_SHARES = (0.3, 0.14, 0.14, 0.14, 0.14, 0.14)
"""How often each of ``KINDS`` occurs."""


def catalogue_pose(random: np.random.Generator) -> Pose:
    """The shop's pose: toe to the right, a little turned to the viewer, from slightly above."""
    return Pose(
        azimuth=random.uniform(0.28, 0.5),
        elevation=random.uniform(0.2, 0.34),
        fill=random.uniform(0.86, 0.93),
    )


def remembered(pose: Pose, random: np.random.Generator) -> Pose:
    """A pose as it is drawn: nearly the one of the picture that was shown."""
    return replace(
        pose,
        azimuth=pose.azimuth + random.normal(0, 0.06),
        elevation=pose.elevation + random.normal(0, 0.04),
        fill=random.uniform(0.78, 0.94),
    )


def views(count: int, random: np.random.Generator) -> Iterator[View]:
    """The views of one model; the first is the catalogue picture."""
    yield View(
        pose=catalogue_pose(random),
        light=Light(azimuth=random.uniform(1.7, 2.5), elevation=random.uniform(0.8, 1.1)),
        shadow=random.uniform(0.35, 0.6),
        noise=1.0,
        quality=90,
        seed=int(random.integers(1 << 31)),
    )
    for _ in range(count - 1):
        yield _snapshot(random)


def _snapshot(random: np.random.Generator) -> View:
    kind = KINDS[int(random.choice(len(KINDS), p=_SHARES))]
    colours = _GROUNDS[kind]
    colour = np.asarray(colours[int(random.integers(len(colours)))])
    red, green, blue = np.clip(colour * random.uniform(0.85, 1.12), 0, 1).tolist()
    from_rear = random.uniform() < 0.15
    turned = random.uniform(-0.9, -0.3) if from_rear else random.uniform(-0.15, 0.95)
    key = random.uniform(0.45, 0.95)
    return View(
        pose=Pose(
            azimuth=turned,
            elevation=random.uniform(0.10, 0.60),
            roll=random.normal(0, 0.05),
            mirrored=bool(random.uniform() < 0.5),
            fill=random.uniform(0.68, 0.98),
            shift=(random.normal(0, 0.03), random.normal(0, 0.03)),
        ),
        light=Light(
            azimuth=random.uniform(0.4, 2.8),
            elevation=random.uniform(0.55, 1.3),
            key=key,
            room=1.25 - key + random.uniform(-0.15, 0.1),
            warmth=random.normal(0, 0.06),
        ),
        background=Background(kind, (red, green, blue), random.choice([-0.4, -0.4, 0.15, 0.3])),
        shadow=random.uniform(0.5, 0.85),
        exposure=random.uniform(0.82, 1.15),
        noise=random.uniform(1.0, 5.0),
        blur=max(0.0, random.normal(0.15, 0.35)),
        quality=int(random.integers(45, 92)),
        seed=int(random.integers(1 << 31)),
    )
