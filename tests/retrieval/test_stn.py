"""Spatial transformers, by their definition."""

import numpy as np
import pytest
import torch
from torch import nn

from retrieval.classifier import build_head
from retrieval.errors import BadInputError
from retrieval.heads.stn import CELLS, Stn
from tests.retrieval.test_every_head import CHANNELS, CLASSES, pictures, seen
from tests.retrieval.test_resampling import bilinear, centres


def head(**options: int) -> Stn:
    torch.manual_seed(0)
    return Stn(CHANNELS[1], CLASSES, **{"transformers": 2, "width": 3, **options}).double().eval()


def test_it_starts_as_the_identity() -> None:
    """The views are the picture, so that what maps alone say is what pictures say."""
    stn = head()
    images = pictures()
    last, _ = seen(images)
    want = torch.eye(2, 3, dtype=torch.float64).expand(3, 2, 2, 3)
    torch.testing.assert_close(stn.transforms(last), want)
    torch.testing.assert_close(stn.of_images(images, seen), stn(last))


def test_views_by_their_definition() -> None:
    stn = head(transformers=3)
    nn.init.normal_(stn.localisation[-1].get_parameter("weight"), std=20)
    images = pictures(2, (28, 28))
    with torch.no_grad():
        found, last = stn.of_images(images, seen).numpy(), seen(images)[0]
        layers = [one.detach().numpy() for one in stn.localisation.parameters()]
    for row in range(2):
        x = last[row].numpy().transpose(1, 2, 0)  # (h, w, C)
        hidden = np.maximum(x @ layers[0][:, :, 0, 0].T + layers[1], 0)
        cells = np.empty((3, CELLS, CELLS))
        for j in range(CELLS):
            for i in range(CELLS):
                rows = slice(j * len(x) // CELLS, -(-(j + 1) * len(x) // CELLS))
                columns = slice(i * len(x) // CELLS, -(-(i + 1) * len(x) // CELLS))
                cells[:, j, i] = hidden[rows, columns].mean(axis=(0, 1))
        units = np.maximum(layers[2] @ cells.reshape(-1) + layers[3], 0)
        moved = (layers[4] @ units + layers[5]).reshape(3, 2, 3)
        described = []
        for n in range(3):
            theta = np.eye(2, 3) + 0.01 * moved[n]
            view = np.empty((3, 28, 28))
            for j, y in enumerate(centres(28)):
                for i, x_place in enumerate(centres(28)):
                    there = theta @ np.array([x_place, y, 1])
                    view[:, j, i] = bilinear(images[row].numpy(), *there)
            described.append(seen(torch.from_numpy(view)[None])[0].mean(dim=(2, 3))[0].numpy())
        weight, bias = stn.classifier.weight.detach().numpy(), stn.classifier.bias.detach().numpy()
        want = weight @ np.concatenate(described) + bias
        np.testing.assert_allclose(found[row], want, atol=1e-9)


def test_the_loss_says_where_to_look() -> None:
    """A localisation at rest has gradients: through the sampler, not only the features."""
    stn = head()
    loss = nn.functional.cross_entropy(stn.of_images(pictures(), seen), torch.arange(3))
    loss.backward()  # type: ignore[no-untyped-call]
    last = stn.localisation[-1]
    assert isinstance(last, nn.Linear)
    assert last.weight.grad is not None
    assert last.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"transformers": 0}, "transformers of stn must be 1 or more; got 0"),
        ({"step": 0.0}, "step of stn must be above 0; got 0"),
    ],
)
def test_what_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        build_head({"name": "stn", **options}, CHANNELS, CLASSES)
