"""NTS-Net, by its definition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads.nts_net import NtsNet, anchors
from tests.retrieval.test_every_head import CHANNELS, CLASSES, maps, pictures, seen
from tests.retrieval.test_resampling import bilinear


def head(**options: float) -> NtsNet:
    torch.manual_seed(0)
    return NtsNet(CHANNELS[1], CLASSES, **{"width": 3, **options}).double().eval()  # type: ignore[arg-type]


def test_anchors_of_the_papers_picture() -> None:
    """448 pixels at stride 32: 6 boxes of 14 x 14 places, 6 of 7 x 7, 9 of 4 x 4, in pixels."""
    found = (anchors(14, 14) * 448).numpy()
    want = []
    for stride, size, scales in (
        (32, 48, (2 ** (1 / 3), 2 ** (2 / 3))),
        (64, 96, (2 ** (1 / 3), 2 ** (2 / 3))),
        (128, 192, (1, 2 ** (1 / 3), 2 ** (2 / 3))),
    ):
        for scale in scales:
            for ratio in (0.667, 1, 1.5):
                height, width = size * scale / ratio**0.5, size * scale * ratio**0.5
                for row in range(-(-448 // stride)):
                    for column in range(-(-448 // stride)):
                        x, y = stride / 2 + column * stride, stride / 2 + row * stride
                        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                        want.append(box)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-3)


def test_a_score_belongs_to_its_box() -> None:
    """Levels of an uneven map have as many places as the navigator's convolutions leave."""
    nts = head()
    for size in ((1, 1), (2, 3), (5, 7)):
        last = torch.rand(2, CHANNELS[1], *size, dtype=torch.float64)
        sizes = [one.shape[1] * one.shape[2] * one.shape[3] for one in nts._score_maps(last)]
        assert sum(sizes) == len(anchors(*size))
        assert nts.navigated(last, 6)[0].shape == (2, 6, 4)


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(common / (areas - common))


def suppressed(boxes: NDArray[np.float64], scores: NDArray[np.float64], number: int) -> list[int]:
    kept: list[int] = []
    order = [int(i) for i in np.argsort(-scores, kind="stable")]
    for i in order:
        if all(overlap(boxes[i], boxes[j]) <= 0.25 for j in kept):
            kept.append(i)
    return (kept + [i for i in order if i not in kept])[:number]


@pytest.mark.parametrize("size", [(6, 7), (1, 1)])
def test_boxes_by_plain_suppression(size: tuple[int, int]) -> None:
    nts = head()
    last = torch.rand(3, CHANNELS[1], *size, dtype=torch.float64)
    found, scored = nts.navigated(last, 6)
    boxes = anchors(*size).double().numpy()
    for row in range(3):
        scores = np.concatenate(
            [one[row].detach().numpy().reshape(-1) for one in nts._score_maps(last)]
        )
        want = suppressed(boxes, scores, 6)
        np.testing.assert_allclose(found[row].numpy(), boxes[want])
        np.testing.assert_allclose(scored[row].detach().numpy(), scores[want])


def test_logits_by_their_definition() -> None:
    nts = head(parts=2)
    images = pictures(2, (16, 16))
    with torch.no_grad():
        found = nts.of_images(images, seen).numpy()
        boxes = nts.navigated(seen(images)[0], 2)[0].numpy()
    weight, bias = nts.together.weight.detach().numpy(), nts.together.bias.detach().numpy()
    for row, image in enumerate(images):
        views = [image.numpy()]
        for left, top, right, bottom in boxes[row]:
            view = np.empty((3, 8, 8))
            for j in range(8):
                for i in range(8):
                    x = left + (i + 0.5) / 8 * (right - left)
                    y = top + (j + 0.5) / 8 * (bottom - top)
                    view[:, j, i] = bilinear(image.numpy(), 2 * x - 1, 2 * y - 1)
            views.append(view)
        described = [seen(torch.from_numpy(view)[None])[0].mean(dim=(2, 3))[0] for view in views]
        want = weight @ torch.cat(described).numpy() + bias
        np.testing.assert_allclose(found[row], want, atol=1e-6)


def test_the_navigator_leaves_the_backbone_alone() -> None:
    last = maps()[0].requires_grad_()
    _, scores = head().navigated(last, 6)
    assert scores.requires_grad
    assert torch.autograd.grad(scores.sum(), last, allow_unused=True)[0] is None


def test_the_first_parts_of_many_are_the_parts_of_few() -> None:
    nts = head()
    last: Tensor = maps()[0]
    torch.testing.assert_close(nts.navigated(last, 6)[0][:, :4], nts.navigated(last, 4)[0])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parts": 7}, "parts and proposals of nts_net must be .*; got 7 and 6"),
        ({"proposals": 22}, "parts <= proposals <= 21; got 4 and 22"),
        ({"width": 0}, "width of nts_net must be 1 or more; got 0"),
        ({"share": 0.0}, r"share of nts_net must be in \(0, 1\]; got 0"),
        ({"overlap": 1.5}, r"overlap of nts_net must be in \(0, 1\]; got 1.5"),
    ],
)
def test_what_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        build_head({"name": "nts_net", **options}, CHANNELS, CLASSES)
