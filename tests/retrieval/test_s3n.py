"""S3N, by its definition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads._resampling import drawn_to
from retrieval.heads.s3n import CELLS, S3n, extremes
from tests.retrieval.test_every_head import CHANNELS, CLASSES, maps, pictures, seen


def head(classes: int = 7, **options: float) -> S3n:
    torch.manual_seed(0)
    return S3n(CHANNELS[1], classes, **options).double().eval()


def response(s3n: S3n, last: NDArray[np.float64], sure: float) -> NDArray[np.float64]:
    """The map that counts, of one picture."""
    weight, bias = s3n.whole.weight.detach().numpy(), s3n.whole.bias.detach().numpy()
    logits = weight @ last.mean(axis=(1, 2)) + bias
    shares = np.exp(logits) / np.exp(logits).sum()
    best = np.argsort(-shares)[:5]
    gate = sum(shares[k] * np.log(shares[k]) for k in best)
    every = np.einsum("kc,chw->khw", weight, last) + bias[:, None, None]
    chosen = every[best[0]] if gate > sure else every[best].mean(axis=0)
    grid = F.interpolate(
        torch.from_numpy(chosen)[None, None], (CELLS, CELLS), mode="bilinear", align_corners=True
    )[0, 0].numpy()
    scaled: NDArray[np.float64] = (grid - grid.min()) / (grid.max() - grid.min())
    return scaled


def peaks(grid: NDArray[np.float64]) -> dict[int, float]:
    found = {}
    for j in range(CELLS):
        for i in range(CELLS):
            near = grid[max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2]
            if grid[j, i] >= near.max() and grid[j, i] >= grid.mean():
                found[j * CELLS + i] = float(grid[j, i])
    return found


@pytest.mark.parametrize("sure", [-0.2, -100.0])
def test_peaks_by_their_definition(sure: float) -> None:
    """Of five classes where the first look is not sure, of one where it is."""
    s3n, last = head(sure=sure), maps()[0]
    scores, places = s3n.peaks(last)
    for row in range(3):
        want = peaks(response(s3n, last[row].numpy(), sure))
        count = len(want)
        found = dict(zip(places[row, :count].tolist(), scores[row, :count].tolist(), strict=True))
        assert found.keys() == want.keys()
        assert all(found[place] == pytest.approx(want[place]) for place in want)
        assert (scores[row, count:] == 0).all()
        assert scores[row].tolist() == sorted(scores[row].tolist(), reverse=True)


def saliency(kept: dict[int, float], radius: float, inverse: bool) -> Tensor:
    grid = np.full((CELLS, CELLS), 0.09)
    for place, score in kept.items():
        for j in range(CELLS):
            for i in range(CELLS):
                distance = (j - place // CELLS) ** 2 + (i - place % CELLS) ** 2
                hill = np.exp(-distance / (2 * (CELLS * radius) ** 2 * score))
                grid[j, i] += hill * (1 / score if inverse else score)
    return torch.from_numpy(grid)


def test_logits_by_their_definition() -> None:
    """The greatest peak is drawn larger in one view, the least in the other."""
    s3n, images = head(), pictures(2, (20, 20))
    with torch.no_grad():
        found, last = s3n.of_images(images, seen), seen(images)[0]
        for row in range(2):
            every = peaks(response(s3n, last[row].numpy(), -0.2))
            greatest, least = max(every, key=every.__getitem__), min(every, key=every.__getitem__)
            described = [last[row].mean(dim=(1, 2))]
            for branch, place, radius in ((0, greatest, 0.09), (1, least, 0.3)):
                grid = saliency({place: every[place]}, radius, inverse=branch == 1)
                view = drawn_to(images[row : row + 1], grid[None], 13.0)
                features = s3n.branches[branch](seen(view)[0])
                described.append(features.mean(dim=(2, 3))[0])
            want = s3n.together(torch.cat(described))
            torch.testing.assert_close(found[row], want)


def test_several_hills_are_added_up() -> None:
    s3n, images = head(), pictures(1, (20, 20))
    last = seen(images)[0]
    scores, places = s3n.peaks(last)
    every = peaks(response(s3n, last[0].detach().numpy(), -0.2))
    both = (scores > 0).double()
    with torch.no_grad():
        found = s3n.views(images, seen, scores, places, both, both)
        for branch, radius in ((0, 0.09), (1, 0.3)):
            grid = saliency(every, radius, inverse=branch == 1)
            features = s3n.branches[branch](seen(drawn_to(images, grid[None], 13.0))[0])
            torch.testing.assert_close(found[branch], features.mean(dim=(2, 3)))


def test_a_map_without_peaks_leaves_the_picture_as_it_is() -> None:
    s3n, images = head(), pictures(2, (20, 20))
    scores, places = s3n.peaks(torch.ones(2, CHANNELS[1], 3, 3, dtype=torch.float64))
    assert (scores == 0).all()
    chosen = extremes(scores)
    assert all((one == 0).all() for one in chosen)
    with torch.no_grad():
        found = s3n.views(images, seen, scores, places, *chosen)
        for view, branch in zip(found, s3n.branches, strict=True):
            torch.testing.assert_close(view, branch(seen(images)[0]).mean(dim=(2, 3)))


def test_two_classes_are_enough() -> None:
    two = head(classes=2)
    assert two.of_images(pictures(), seen).shape == (3, 2)


@pytest.mark.parametrize("option", ["radius", "complementary_radius", "base"])
def test_what_is_refused(option: str) -> None:
    with pytest.raises(BadInputError, match=f"{option} of s3n must be above 0; got 0"):
        build_head({"name": "s3n", option: 0.0}, CHANNELS, CLASSES)
