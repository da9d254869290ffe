"""Two layers side by side, beside the definition in plain loops."""

import math

import pytest
import torch

from retrieval.encoder import build_encoder
from retrieval.poolings.two_layers import TwoLayers


def halves(feature_map: torch.Tensor) -> list[float]:
    means = [
        sum(float(value) for row in channel for value in row) / channel.numel()
        for channel in feature_map
    ]
    norm = math.sqrt(sum(value * value for value in means))
    return [value / norm for value in means]


def test_it_is_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    last = torch.rand(2, 3, 2, 4, generator=generator, dtype=torch.float64)
    early = torch.rand(2, 2, 5, 3, generator=generator, dtype=torch.float64)
    found = TwoLayers(weight=0.25)(last, early)
    for row in range(2):
        want = halves(last[row]) + [0.25 * value for value in halves(early[row])]
        assert found[row].tolist() == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("of", ["gem", "maximum", "scda", "average_maximum"])
def test_other_poolings_can_be_doubled(of: str) -> None:
    encoder = build_encoder("small", {"name": "two_layers", "of": of}, size=32)
    vectors = encoder.vectors(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert vectors.shape == (2, encoder.dim)
    assert encoder.settings()["pooling"] == {"name": "two_layers", "of": of, "weight": 0.2}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"of": "two_layers"}, "of of two_layers must be another pooling; got two_layers"),
        ({"of": "gme"}, "Did you mean 'gem'"),
        ({"weight": 0.0}, r"weight of two_layers must be above 0 and finite; got 0\.0"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_encoder("small", {"name": "two_layers", **options}, size=32)
