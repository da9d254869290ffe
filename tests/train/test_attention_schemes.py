"""Schemes that learn where to look, each against its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.attention_crops import attended_boxes, cropped
from retrieval.errors import BadInputError
from retrieval.heads.cal import Cal as CalHead
from retrieval.heads.ws_dan import WsDan as WsDanHead
from tests.retrieval.small_network import SmallNetwork
from train.logit_losses.cross_entropy import CrossEntropy
from train.schemes import Seen
from train.schemes._attention_augmentation import AttentionAugmentation, drawn_attentions
from train.schemes._center import CenterLoss
from train.schemes.cal import Cal, _by_chance
from train.schemes.ws_dan import WsDan

B, K, M = 4, 3, 2
TARGETS = torch.tensor([2, 0, 2, 1])


def network() -> SmallNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return SmallNetwork().eval().double()


def pictures() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(B, 3, 32, 32, generator=generator, dtype=torch.float64)


def seen(backbone: SmallNetwork, progress: float = 0.5) -> Seen:
    def maps(images: Tensor) -> tuple[Tensor, Tensor]:
        early, last = backbone.early_and_last(images)
        return last, early

    return Seen(pictures(), TARGETS, torch.arange(B), maps, epoch=0, progress=progress)


def test_center_loss_by_its_definition() -> None:
    """Two steps; class 2 occurs twice in each batch and moves by both of its pictures."""
    generator = torch.Generator().manual_seed(0)
    loss = CenterLoss(K, 5, rate=0.3).double()
    centers = np.zeros((K, 5))
    for _ in range(3):
        descriptors = torch.randn(B, 5, generator=generator, dtype=torch.float64)
        before, total = centers.copy(), 0.0
        for f, y in zip(descriptors.numpy(), TARGETS.tolist(), strict=True):
            length = np.linalg.norm(before[y])
            direction = before[y] / length if length else before[y]
            total += ((f - direction) ** 2).sum() / B
            centers[y] += 0.3 * (f - direction)
        assert float(loss(descriptors, TARGETS)) == pytest.approx(total)
        np.testing.assert_allclose(loss.centers.numpy(), centers, atol=1e-12)


def test_centres_stay_when_nothing_is_learned() -> None:
    loss = CenterLoss(K, 5).eval()
    loss(torch.randn(B, 5), TARGETS)
    assert not loss.centers.any()


def test_gradients_of_center_loss_are_right() -> None:
    loss = CenterLoss(K, 5).double()
    loss(torch.randn(B, 5, dtype=torch.float64), TARGETS)
    descriptors = torch.randn(B, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: loss.eval()(f, TARGETS), descriptors)


def test_attentions_are_drawn_by_the_root_of_their_sum() -> None:
    attentions = torch.tensor([1.0, 4.0, 0.0, 9.0])[None, :, None, None].expand(4000, 4, 2, 3)
    drawn = drawn_attentions(attentions, 2)
    assert drawn.shape == (4000, 2, 2, 3)
    for value, want in ((1.0, 1 / 6), (4.0, 2 / 6), (0.0, 0.0), (9.0, 3 / 6)):
        assert float((drawn[:, :, 0, 0] == value).double().mean()) == pytest.approx(want, abs=0.03)
    nothing = drawn_attentions(torch.zeros(2000, 4, 1, 1) + 0.0, 1)
    assert not nothing.any()


def test_augmented_pictures_are_those_of_drawn_parts_and_shares() -> None:
    attentions = torch.rand(B, 1, 4, 4, generator=torch.Generator().manual_seed(1)).double() ** 3
    made = AttentionAugmentation("it", (0.5, 0.5), (1.0, 1.0))
    crops, drops = made(pictures(), attentions)
    boxes = attended_boxes(attentions[:, 0], (32, 32), 0.5)
    torch.testing.assert_close(crops, cropped(pictures(), boxes))
    assert torch.equal(drops, pictures())
    _, drops = AttentionAugmentation("it", (0.5, 0.5), (0.3, 0.4))(pictures(), attentions)
    gone = (drops == 0).all(dim=1).double().mean(dim=(1, 2))
    assert ((gone > 0) & (gone < 1)).all()


def test_ws_dan_by_its_definition() -> None:
    torch.manual_seed(0)
    backbone, head = network(), WsDanHead(24, K, parts=M).double().eval()
    scheme = WsDan(CrossEntropy(), K, M * 24).double()
    batch = seen(backbone)
    for _ in range(2):  # the second time with centres
        torch.manual_seed(5)
        centers = scheme.centers.centers.clone()
        loss = scheme(head, batch, 0)
        last = backbone(pictures())
        attentions, descriptors = head.pooling.attentions(last), head.pooling(last)
        torch.manual_seed(5)
        made = AttentionAugmentation("it", (0.4, 0.6), (0.2, 0.5))(pictures(), attentions)
        want = (
            sum(
                (f - F.normalize(c, dim=0)).square().sum()
                for f, c in zip(descriptors, centers[TARGETS], strict=True)
            )
            / B
        )
        for images in (pictures(), *made):
            logits = head.classifier(100 * head.pooling(backbone(images)))
            want = want + F.cross_entropy(logits, TARGETS) / 3
        torch.testing.assert_close(loss, want)


@pytest.mark.parametrize("name", ["crop", "drop"])
def test_shares_that_are_refused(name: str) -> None:
    shares = {f"{name}_least": 0.7, f"{name}_most": 0.3}
    with pytest.raises(BadInputError, match=f"{name}_least and {name}_most of ws_dan must be in"):
        WsDan(CrossEntropy(), K, M * 24, **shares)


def test_cal_by_its_definition() -> None:
    """The effect is what attentions change; their gradient is that of all four terms."""
    torch.manual_seed(0)
    backbone, head = network(), CalHead(24, K, parts=M).double().eval()
    scheme = Cal(CrossEntropy(), K, M * 24).double()
    torch.manual_seed(5)
    loss = scheme(head, seen(backbone), 0)
    torch.manual_seed(5)
    attentions = head.pooling.attentions(backbone(pictures()))
    made = AttentionAugmentation("it", (0.4, 0.6), (0.2, 0.5))(pictures(), attentions)
    plain, effects = [], []
    batches = [pictures(), torch.cat(made)]
    for images in batches:
        last = backbone(images)
        chance = 2 * torch.rand(len(images), M, *last.shape[2:], dtype=torch.float64)
        plain.append(head.classifier(100 * head.pooling(last)))
        by_chance = head.classifier(100 * head.pooling.attended(last, chance))
        effects.append(plain[-1] - by_chance)
    twice = torch.cat([TARGETS, TARGETS])
    terms = [
        F.cross_entropy(plain[0], TARGETS) / 3,
        F.cross_entropy(torch.cat(effects), torch.cat([TARGETS, twice])),
        2 / 3 * F.cross_entropy(plain[1], twice),
        head.pooling(backbone(pictures())).square().sum() / B,  # centres are still 0
    ]
    torch.testing.assert_close(loss, sum(terms))


def test_where_attention_changes_nothing_there_is_no_effect() -> None:
    """One attention over a map that is the same everywhere: wherever it looks, it sees the same."""
    head = CalHead(24, K, parts=1).double().eval()
    last = torch.rand(1, 24, 1, 1, dtype=torch.float64).expand(1, 24, 3, 3)
    here = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    here[..., 1, 2] = 1
    answer = head.logits(head.pooling.attended(last, here))
    torch.testing.assert_close(_by_chance(head, last), answer, rtol=1e-4, atol=1e-4)
    scattered = torch.rand_like(last)
    assert not torch.allclose(_by_chance(head, scattered), _by_chance(head, scattered))
