"""Bilinear attention pooling and the heads that look again, each against plain loops in float64."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval.attention_crops import attended_boxes, cropped
from retrieval.errors import BadInputError
from retrieval.heads._attended import AttendedHead
from retrieval.heads.cal import Cal
from retrieval.heads.ws_dan import WsDan
from retrieval.poolings.bilinear_attention import BilinearAttention
from tests.retrieval.small_network import SmallNetwork, disturb_norms

B, C, H, W, M, K = 3, 4, 3, 5, 2, 3


def last_maps() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, C, H, W, generator=generator, dtype=torch.float64)


def pooled(attention: NDArray[np.float64], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, h, w), (C, h, w) to (M C,), number by number."""
    values = []
    for k in range(len(attention)):
        for c in range(len(image)):
            total = 0.0
            for i in range(image.shape[1]):
                for j in range(image.shape[2]):
                    total += attention[k, i, j] * image[c, i, j]
            mean = total / (image.shape[1] * image.shape[2])
            values.append(math.copysign(math.sqrt(abs(mean)), mean))
    return np.asarray(np.array(values) / np.linalg.norm(values))


def test_bilinear_attention_by_its_definition() -> None:
    torch.manual_seed(0)
    pooling = BilinearAttention(C, M).double().eval()
    disturb_norms(pooling)
    convolution, norm = cast(nn.Conv2d, pooling.attend[0]), cast(nn.BatchNorm2d, pooling.attend[1])
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    weight = convolution.weight.detach().numpy()[:, :, 0, 0]
    with torch.no_grad():
        found = pooling(last_maps()).numpy()
    for row, image in zip(found, last_maps().numpy(), strict=True):
        attention = np.zeros((M, H, W))
        for k in range(M):
            scale = norm.weight[k].item() / math.sqrt(variance[k].item() + 1e-3)
            for i in range(H):
                for j in range(W):
                    score = float(weight[k] @ image[:, i, j]) - mean[k].item()
                    attention[k, i, j] = max(0.0, score * scale + norm.bias[k].item())
        np.testing.assert_allclose(row, pooled(attention, image), atol=1e-6)


def network() -> SmallNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return SmallNetwork().eval()


def pictures() -> Tensor:
    return torch.rand(B, 3, 64, 64, generator=torch.Generator().manual_seed(4))


def maps_of(backbone: SmallNetwork):
    def maps(images: Tensor) -> tuple[Tensor, None]:
        return backbone(images), None

    return maps


def look(head: AttendedHead, backbone: SmallNetwork, images: Tensor, share: float) -> Tensor:
    """Logits of one crop, put together by hand."""
    where = head.pooling.attentions(backbone(images)).mean(dim=1)
    logits: Tensor = head(backbone(cropped(images, attended_boxes(where, (64, 64), share))))
    return logits


@torch.no_grad()
def test_ws_dan_is_half_the_picture_and_half_the_crop() -> None:
    torch.manual_seed(0)
    backbone, head = network(), WsDan(24, K, parts=M, share=0.99).eval()
    logits = head.of_images(pictures(), maps_of(backbone))
    whole, crop = head(backbone(pictures())), look(head, backbone, pictures(), 0.99)
    assert (whole - crop).abs().max() > 0.01
    want = (whole.softmax(dim=1) + crop.softmax(dim=1)) / 2
    torch.testing.assert_close(logits.exp(), want)
    scores = head.classifier(100 * head.representation(backbone(pictures())))
    torch.testing.assert_close(whole, scores)


@torch.no_grad()
def test_a_picture_alone_has_the_logits_it_has_in_a_batch() -> None:
    torch.manual_seed(0)
    head, maps = WsDan(24, K, parts=M).eval(), maps_of(network())
    together = head.of_images(pictures(), maps)
    for i in range(B):
        alone = head.of_images(pictures()[i : i + 1], maps)
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parts": 0}, "parts of bilinear_attention must be in 1"),
        ({"share": 0.0}, r"share of ws_dan must be in \(0, 1\]; got 0"),
        ({"share": 1.5}, r"share of ws_dan must be in \(0, 1\]; got 1.5"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        WsDan(C, K, **options)  # type: ignore[arg-type]


@torch.no_grad()
@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("shares", [[0.99, 0.9], []])
def test_cal_is_the_mean_of_all_its_looks(shares: list[float], mirrored: bool) -> None:
    torch.manual_seed(0)
    backbone, head = network(), Cal(24, K, M, shares, mirrored).eval()
    looks = []
    for images in [pictures(), pictures().flip(3)] if mirrored else [pictures()]:
        looks.append(head(backbone(images)))
        looks += [look(head, backbone, images, share) for share in shares]
    assert len(looks) == (1 + len(shares)) * (1 + mirrored)
    found = head.of_images(pictures(), maps_of(backbone))
    torch.testing.assert_close(found, sum(looks) / len(looks))


@pytest.mark.parametrize("shares", [[0.0], [0.1, 2], ["a"]])
def test_shares_that_are_refused(shares: list[float]) -> None:
    with pytest.raises(BadInputError, match=r"shares of cal must all be in \(0, 1\]; got \["):
        Cal(C, K, M, shares)
