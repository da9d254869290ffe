"""MGE-CNN, by its definition."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads._resampling import cut
from retrieval.heads.mge_cnn import MgeCnn
from tests.retrieval.test_every_head import CHANNELS, CLASSES, maps, pictures, seen


def head(**options: float) -> MgeCnn:
    torch.manual_seed(0)
    made = MgeCnn(CHANNELS[1], CHANNELS[0], CLASSES, **options)  # type: ignore[arg-type]
    return made.double().eval()


def test_the_response_map_is_grad_cam_but_for_a_factor() -> None:
    """Before its rectifier: the gradients of a class's logit, averaged, weigh the channels."""
    mge, last = head(), maps()[0].requires_grad_()
    logits, classes = mge(last), torch.tensor([2, 0, 3])
    chosen = logits.gather(1, classes[:, None]).sum()
    weights = torch.autograd.grad(chosen, last)[0].mean(dim=(2, 3))
    want = (weights[:, :, None, None] * last).sum(dim=1) * last.shape[2] * last.shape[3]
    torch.testing.assert_close(mge._response(0, last, classes), want)


def test_boxes_by_their_definition() -> None:
    mge, last, classes = head(threshold=0.7), maps()[0], torch.tensor([2, 0, 3])
    found = mge.boxes(1, last, classes, (12, 15)).numpy()
    weight = mge.wholes[1].get_parameter("weight").detach().numpy()
    for row in range(3):
        response = np.einsum("c,chw->hw", weight[classes[row]], last[row].numpy())
        large = F.interpolate(
            torch.from_numpy(response)[None, None], (12, 15), mode="bilinear", align_corners=True
        )[0, 0].numpy()
        scaled = (large - large.min()) / (large.max() - large.min())
        inside = [(y, x) for y in range(12) for x in range(15) if scaled[y, x] >= 0.7]
        rows, columns = [y for y, _ in inside], [x for _, x in inside]
        want = [
            min(columns) / 15,
            min(rows) / 12,
            (max(columns) + 1) / 15,
            (max(rows) + 1) / 12,
        ]
        np.testing.assert_allclose(found[row], want, atol=1e-6)


def test_an_even_response_keeps_the_picture() -> None:
    last = torch.ones(1, CHANNELS[1], 4, 4, dtype=torch.float64)
    found = head().boxes(0, last, torch.tensor([1]), (8, 8))
    assert found.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("right", [True, False])
def test_logits_by_their_definition(right: bool) -> None:
    """In training of the right class, else of each expert's own answer."""
    mge, images, targets = head(), pictures(2, (16, 16)), torch.tensor([3, 1])
    with torch.no_grad():
        found = mge.asked(images, seen, targets if right else None)[1]
        shares = mge.gate(seen(images)[0].mean(dim=(2, 3))).softmax(dim=1)
        want = torch.zeros(2, CLASSES, dtype=torch.float64)
        for expert in range(3):
            last, early = seen(images)
            mean = last.mean(dim=(2, 3))
            greatest = mge.parts[expert](early).relu().amax(dim=(2, 3))
            both = [10 * one / one.norm(dim=1, keepdim=True) for one in (mean, greatest)]
            want += shares[:, expert, None] * mge.boths[expert](torch.cat(both, dim=1))
            own = mge.wholes[expert](mean).argmax(dim=1)
            boxes = mge.boxes(expert, last, targets if right else own, (16, 16))
            images = cut(images, boxes[:, None], (16, 16))
    torch.testing.assert_close(found, want)
    if not right:
        torch.testing.assert_close(mge.of_images(pictures(2, (16, 16)), seen), want)


def test_only_the_classifiers_of_means_move_the_backbone() -> None:
    images = pictures().requires_grad_()
    opinions, mixed = head().asked(images, seen, None)
    for one in (mixed, opinions[0].both, opinions[0].detectors):
        assert torch.autograd.grad(one.sum(), images, allow_unused=True)[0] is None
    assert torch.autograd.grad(opinions[0].whole.sum(), images)[0].abs().sum() > 0


@pytest.mark.parametrize(
    ("option", "value"), [("experts", 0), ("detectors", 0), ("threshold", 1.5)]
)
def test_what_is_refused(option: str, value: float) -> None:
    with pytest.raises(BadInputError, match=f"{option} of mge_cnn must be .*; got {value}"):
        build_head({"name": "mge_cnn", option: value}, CHANNELS, CLASSES)


def test_the_early_map_is_needed() -> None:
    with pytest.raises(BadInputError, match="mge_cnn needs the early map; got None"):
        head().of_images(pictures(), lambda images: (seen(images)[0], None))
