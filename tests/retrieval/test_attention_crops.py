"""Boxes of attention, and what is cut out or left of pictures by it."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.attention_crops import attended_boxes, cropped, dropped, enlarged

H, W = 12, 20


def images(batch: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, H, W, generator=generator, dtype=dtype)


def attention(batch: int = 3) -> Tensor:
    return torch.rand(batch, 3, 5, generator=torch.Generator().manual_seed(1)).double() ** 3


@pytest.mark.parametrize("padding", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_box_by_its_definition(share: float, padding: float) -> None:
    boxes = attended_boxes(attention(), (H, W), share, padding)
    for row, box in zip(enlarged(attention(), (H, W)).tolist(), boxes.tolist(), strict=True):
        top = max(max(line) for line in row)
        seen = [(i, j) for i in range(H) for j in range(W) if row[i][j] >= share * top]
        want = [
            max(0, min(i for i, _ in seen) - round(padding * H)),
            min(H, max(i for i, _ in seen) + 1 + round(padding * H)),
            max(0, min(j for _, j in seen) - round(padding * W)),
            min(W, max(j for _, j in seen) + 1 + round(padding * W)),
        ]
        assert box == want


def test_each_picture_has_its_own_share() -> None:
    shares = torch.tensor([0.9, 0.2, 0.6])
    together = attended_boxes(attention(), (H, W), shares)
    alone = [attended_boxes(attention()[i : i + 1], (H, W), float(shares[i])) for i in range(3)]
    assert torch.equal(together, torch.cat(alone))
    assert not torch.equal(together, attended_boxes(attention(), (H, W), 0.2))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 5)])
def test_no_attention_at_all_is_the_whole_picture(size: tuple[int, int]) -> None:
    nothing = torch.zeros(3, *size, dtype=torch.float64)
    boxes = attended_boxes(nothing, (H, W), 0.5)
    assert boxes.tolist() == [[0, H, 0, W]] * 3
    torch.testing.assert_close(cropped(images(), boxes), images())
    assert torch.equal(dropped(images(), nothing, 0.5), images())


def test_a_crop_is_the_box_alone_enlarged() -> None:
    boxes = torch.tensor([[0, H, 0, W], [3, 8, 11, 20], [11, 12, 0, 1]])
    found = cropped(images(), boxes)
    for image, box, one in zip(images(), boxes.tolist(), found, strict=True):
        part = image[None, :, box[0] : box[1], box[2] : box[3]]
        want = F.interpolate(part, (H, W), mode="bilinear", align_corners=False)
        torch.testing.assert_close(one[None], want)


def test_what_is_dropped_is_the_mean_colour_and_the_rest_is_as_it_was() -> None:
    shares = torch.tensor([0.2, 0.5, 1.0])
    found = dropped(images(), attention(), shares)
    for number, row in enumerate(enlarged(attention(), (H, W)).tolist()):
        limit = float(shares[number]) * max(max(line) for line in row)
        for i in range(H):
            for j in range(W):
                if math.isclose(row[i][j], limit):
                    continue
                want = torch.zeros(3) if row[i][j] > limit else images()[number, :, i, j]
                assert torch.equal(found[number, :, i, j].float(), want.float())
    assert torch.equal(found[2], images()[2])
