"""Local descriptors of files: what the last map holds, picture by picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from retrieval.images import ImageError, decode
from retrieval.local_descriptors import local_descriptors
from retrieval.poolings.scda import Scda
from tests.retrieval.small_network import small_encoder


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        pixels = rng.integers(0, 256, (64, 64 + 16 * number, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.mark.parametrize("fit", ["squash", "native"])
def test_they_are_the_unit_columns_of_the_last_map(photos: list[Path], fit: str) -> None:
    encoder = small_encoder(fit=fit)
    done: list[int] = []
    maps = local_descriptors(encoder, photos, batch_size=2, on_progress=done.append)
    assert done == [2, 2, 1]
    sizes = set()
    for number, path in enumerate(photos):
        images = encoder.transform.normalise(
            torch.from_numpy(encoder.transform.pixels(decode(path)))[None]
        )
        with torch.inference_mode():
            last = encoder.backbone(images)
        want = last[0].flatten(1).T.numpy()
        want = want / np.linalg.norm(want, axis=1, keepdims=True)
        rows, mask = maps.of(number)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, want, rtol=0, atol=5e-4)
        np.testing.assert_array_equal(mask, Scda().mask(last)[0].flatten().numpy())
        assert 0 < mask.sum() < len(mask)
        sizes.add(len(rows))
    assert len(sizes) == (1 if fit == "squash" else 5)


def test_a_file_that_cannot_be_read_is_named(photos: list[Path]) -> None:
    photos[3].write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"3\.png"):
        local_descriptors(small_encoder(), photos)
