"""Decoded pictures and the batches made of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrieval.errors import BadInputError
from retrieval.transforms import Transform
from train.config import AugmentConfig
from train.pictures import Batches, Pictures

TRANSFORM = Transform(size=28)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 255, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        made.append(path)
    return made


def test_memory_changes_nothing(paths: list[Path]) -> None:
    cached = Pictures(paths, TRANSFORM, cache_mib=1, threads=2)
    decoded = Pictures(paths, TRANSFORM, cache_mib=0, threads=2)
    assert len(cached) == len(decoded) == 10
    for position in range(10):
        assert np.array_equal(cached[position], decoded[position])
        assert cached.path(position) == paths[position]
    assert cached[0].shape == (32, 32, 3)
    assert np.array_equal(cached[0], Transform(size=32).pixels(Image.open(paths[0])))


def test_cached_files_are_not_read_again(paths: list[Path]) -> None:
    pictures = Pictures(paths, TRANSFORM, cache_mib=1, threads=1)
    before = pictures[3].copy()
    paths[3].unlink()
    assert np.array_equal(pictures[3], before)


def test_a_rare_unreadable_picture_is_left_out_and_named(paths: list[Path]) -> None:
    many = [paths[0]] * 120
    broken = paths[0].with_name("broken.png")
    broken.write_bytes(b"no picture")
    pictures = Pictures([*many[:5], broken, *many[5:]], TRANSFORM, cache_mib=8, threads=1)
    assert len(pictures) == 120
    assert pictures.kept.tolist() == [*range(5), *range(6, 121)]
    assert "broken.png" in pictures.rejected[0]


def test_many_unreadable_pictures_stop(paths: list[Path]) -> None:
    paths[1].write_bytes(b"no picture")
    with pytest.raises(BadInputError, match=r"must be readable; got 1 of 10 .*1\.png"):
        Pictures(paths, TRANSFORM, cache_mib=1, threads=1)


def test_native_pictures_do_not_fit_a_batch(paths: list[Path]) -> None:
    with pytest.raises(BadInputError, match=r"encoder\.fit must be squash, crop or pad"):
        Pictures(paths, Transform(size=28, fit="native"), cache_mib=1, threads=1)


def test_batches_do_not_depend_on_threads_or_on_where_an_epoch_is_taken_up(
    paths: list[Path],
) -> None:
    pictures = Pictures(paths, TRANSFORM, cache_mib=1, threads=1)
    chosen = [np.array([0, 1, 2]), np.array([3, 4, 3]), np.array([5, 6, 7]), np.array([0, 1, 2])]

    def epoch(threads: int, number: int = 0, start: int = 0) -> list[np.ndarray]:
        batches = Batches(pictures, TRANSFORM, AugmentConfig(), seed=5, threads=threads)
        return [np.asarray(batch.inputs) for batch in batches.epoch(number, chosen, start)]

    whole = epoch(threads=1)
    assert whole[0].shape == (3, 28, 28, 3)
    assert np.array_equal(whole, epoch(threads=3))
    assert np.array_equal(whole[2:], epoch(threads=2, start=2))
    assert not np.array_equal(whole, epoch(threads=1, number=1))
    assert not np.array_equal(whole[1][0], whole[1][2])  # one picture twice, varied differently
    assert not np.array_equal(whole[0], whole[3])


def test_an_error_in_a_thread_arrives(paths: list[Path]) -> None:
    pictures = Pictures(paths, TRANSFORM, cache_mib=0, threads=1)
    paths[4].unlink()
    batches = Batches(pictures, TRANSFORM, AugmentConfig(), seed=0, threads=2)
    with pytest.raises(BadInputError, match=r"4\.png"):
        list(batches.epoch(0, [np.array([3, 4])]))
