"""TASN, by its definition."""

import numpy as np
import pytest
import torch

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads.tasn import DILATIONS, Tasn, structure
from tests.retrieval.test_every_head import CHANNELS, CLASSES, maps, pictures, seen


def head(**options: float) -> Tasn:
    torch.manual_seed(0)
    return Tasn(CHANNELS[1], CLASSES, **{"width": 3, **options}).double().eval()  # type: ignore[arg-type]


def test_trilinear_attention_by_its_definition() -> None:
    last = maps()[0]
    found = head().trilinear(last).numpy()
    for b in range(3):
        rows = last[b].flatten(1).numpy()
        width = len(rows)
        focus = np.array([np.exp(7 * row) / np.exp(7 * row).sum() for row in rows])
        alike = np.array([[focus[c] @ rows[d] for d in range(width)] for c in range(width)])
        for c in range(width):
            shares = np.exp(alike[c]) / np.exp(alike[c]).sum()
            want = sum(shares[d] * rows[d] for d in range(width))
            np.testing.assert_allclose(found[b, c].reshape(-1), want)


def test_dilated_layers_share_their_weights() -> None:
    tasn, last = head(), maps()[0]
    want = last.numpy()
    with torch.no_grad():
        found = tasn.features(last).numpy()
    for layer, dilations in zip(tasn.dilated, DILATIONS, strict=True):
        weight = layer.get_parameter("weight").detach().numpy()
        bias = layer.get_parameter("bias").detach().numpy()
        _, _, height, width = want.shape
        total = np.zeros((3, 3, height, width))
        for d in dilations:
            wide = np.pad(want, ((0, 0), (0, 0), (d, d), (d, d)))
            one = np.zeros_like(total) + bias[:, None, None]
            for j in range(3):
                for i in range(3):
                    part = wide[:, :, j * d : j * d + height, i * d : i * d + width]
                    one += np.einsum("oc,bchw->bohw", weight[:, :, j, i], part)
            total += np.maximum(one, 0)
        want = total
    np.testing.assert_allclose(found, want, atol=1e-12)


def test_an_even_attention_leaves_the_picture_as_it_is() -> None:
    images = pictures(2, (16, 16))
    found = head(share=1.0).stretched(images, torch.zeros(2, 3, 3, dtype=torch.float64))
    torch.testing.assert_close(found, images)


def test_what_is_attended_to_is_drawn_larger() -> None:
    images = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    images[:, :, 2:6, 2:6] = 1
    attention = torch.zeros(1, 16, 16, dtype=torch.float64)
    attention[:, 2:6, 2:6] = 1
    attention += 0.1
    assert head(share=1.0).stretched(images, attention).sum() > 3 * images.sum()


def test_logits_by_their_definition() -> None:
    tasn, images = head(share=0.5), pictures(2, (16, 16))
    with torch.no_grad():
        found = tasn.of_images(images, seen)
        small = torch.nn.functional.avg_pool2d(images, 2)  # bilinear at the middle of four pixels
        last = seen(small)[0]
        attention = structure(tasn.trilinear(tasn.features(last)))
        want = tasn.classifier(seen(tasn.stretched(images, attention))[0].mean(dim=(2, 3)))
    torch.testing.assert_close(found, want)
    assert tasn.stretched(images, attention).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 0}, "width of tasn must be 1 or more; got 0"),
        ({"share": 1.5}, r"share of tasn must be in \(0, 1\]; got 1.5"),
        ({"sharpness": 0.0}, "sharpness of tasn must be above 0; got 0"),
    ],
)
def test_what_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        build_head({"name": "tasn", **options}, CHANNELS, CLASSES)
