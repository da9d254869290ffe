"""Encoding of files is compared with the plainest loop that means the same."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from retrieval import encoding, runtimes
from retrieval.encoder import Encoder
from retrieval.encoding import encode_batches, encode_files
from retrieval.errors import BadInputError
from retrieval.images import decode
from retrieval.poolings.scda import Scda
from tests.retrieval.small_network import SIZE, small_encoder


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    """Two lanes, however many cores there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eleven pictures of several formats and shapes."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    paths = []
    for number in range(11):
        height, width = random.integers(40, 300, 2)
        grid = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        path = folder / f"{number:02d}.{('jpg', 'png', 'webp')[number % 3]}"
        Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def plain_loop(encoder: Encoder, paths: list[Path]) -> NDArray[np.float32]:
    rows = []
    with torch.no_grad():
        for path in paths:
            image = decode(path, draft_size=encoder.transform.draft_size)
            rows.append(encoder(encoder.transform(image)[None])[0].numpy())
    return np.array(rows)


def test_vectors_are_those_of_the_plain_loop_in_the_order_of_the_files(
    encoder: Encoder, photos: list[Path]
) -> None:
    encoded = encode_files(encoder, photos[::-1], batch_size=3)
    assert encoded.kept.tolist() == list(range(11))
    assert encoded.kept.dtype == np.int64
    assert encoded.vectors.dtype == np.float32
    assert encoded.rejected == []
    assert encoded.runtime == "eager"
    np.testing.assert_allclose(encoded.vectors, plain_loop(encoder, photos[::-1]), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_a_vector_does_not_depend_on_the_batch(
    encoder: Encoder, photos: list[Path], batch_size: int
) -> None:
    together = encode_files(encoder, photos, batch_size=batch_size).vectors
    alone = np.concatenate([encode_files(encoder, [photo]).vectors for photo in photos])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_lanes_that_only_decode_lead_to_the_same(
    encoder: Encoder, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [*photos, tmp_path / "missing.jpg"]
    want = encode_files(encoder, paths, batch_size=4)
    monkeypatch.setattr(encoding._Job, "_in_cores", encoding._Job._on_card)
    got = encode_files(encoder, paths, batch_size=4)
    assert got.vectors.tobytes() == want.vectors.tobytes()
    assert got.rejected == want.rejected


def test_two_encodings_are_equal_to_the_bit(encoder: Encoder, photos: list[Path]) -> None:
    first, second = (encode_files(encoder, photos).vectors for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("chunk", [1, 8])
def test_native_pictures_keep_their_shapes(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(runtimes, "chunk_of", lambda name: chunk)
    native = small_encoder(Scda(), fit="native")
    mixed = [*photos[:4], *photos[:4], *photos]
    encoded = encode_files(native, mixed, batch_size=8)
    np.testing.assert_allclose(encoded.vectors, plain_loop(native, mixed), atol=1e-6)


def test_a_bad_file_is_named_and_stops_nothing(
    encoder: Encoder, photos: list[Path], tmp_path: Path
) -> None:
    text, missing = tmp_path / "notes.jpg", tmp_path / "missing.png"
    text.write_text("no picture")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photos[0].read_bytes()[:-200])
    paths = [text, *photos[:3], missing, photos[3], cut]
    encoded = encode_files(encoder, paths, batch_size=2)
    assert encoded.kept.tolist() == [1, 2, 3, 5]
    np.testing.assert_allclose(encoded.vectors, plain_loop(encoder, photos[:4]), atol=1e-6)
    assert [rejection.path for rejection in encoded.rejected] == [str(text), str(missing), str(cut)]
    for rejection in encoded.rejected:
        assert rejection.reason.startswith(f"{rejection.path} must be ")


def test_every_file_may_be_bad(encoder: Encoder, tmp_path: Path) -> None:
    encoded = encode_files(encoder, [tmp_path / "a.jpg", tmp_path / "b.jpg"])
    assert encoded.vectors.shape == (0, encoder.dim)
    assert len(encoded.rejected) == 2


def test_nothing_gives_nothing(encoder: Encoder) -> None:
    encoded = encode_files(encoder, [])
    assert encoded.vectors.shape == (0, encoder.dim)
    assert encoded.kept.shape == (0,)
    assert list(encode_batches(encoder, [])) == []


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_picture_without_features_is_rejected(
    photos: list[Path], tmp_path: Path, value: float
) -> None:
    dead = small_encoder()
    for parameter in dead.parameters():
        torch.nn.init.constant_(parameter, value)
    paths = [photos[0], tmp_path / "missing.jpg", photos[1]]
    encoded = encode_files(dead, paths)
    assert encoded.kept.tolist() == []
    assert [rejection.path for rejection in encoded.rejected] == list(map(str, paths))
    assert encoded.rejected[0].reason.endswith(
        "must show something; got no usable features. Look at the picture."
    )


def test_paths_are_relative_to_the_root(encoder: Encoder, photos: list[Path]) -> None:
    names = [Path(photo.name) for photo in photos[:2]] + [Path("missing.jpg")]
    encoded = encode_files(encoder, names, root=photos[0].parent)
    assert encoded.kept.tolist() == [0, 1]
    assert encoded.rejected[0].path == "missing.jpg"
    assert encoded.rejected[0].reason.startswith("missing.jpg must be ")


def test_batches_come_in_order_and_progress_counts_every_file(
    encoder: Encoder, photos: list[Path], tmp_path: Path
) -> None:
    counts: list[int] = []
    paths = [*photos, tmp_path / "missing.jpg"]
    batches = list(encode_batches(encoder, paths, batch_size=4, on_progress=counts.append))
    assert [batch.kept.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert [len(batch.rejected) for batch in batches] == [0, 0, 1]
    assert counts == [4, 4, 4]


def test_work_runs_ahead_of_the_caller_by_a_few_batches_only(
    encoder: Encoder, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []

    def counting(path: Path, *given: object, **options: object) -> Image.Image:
        decoded.append(path)
        return Image.new("RGB", (SIZE, SIZE), "red")

    monkeypatch.setattr(encoding, "read_picture", counting)
    batches = encode_batches(encoder, photos * 20, batch_size=1, runtime="eager")
    assert decoded == []
    for taken in range(1, 4):
        next(batches)
        most = taken + encoding.AHEAD * 2
        while len(decoded) < most:
            time.sleep(0.01)
        time.sleep(0.05)  # in which a lane without bounds would go on
        assert len(decoded) == most


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_ends_the_lanes(
    encoder: Encoder, photos: list[Path], failure: type[BaseException]
) -> None:
    def interrupt(count: int) -> None:
        raise failure

    with pytest.raises(failure):
        encode_files(encoder, photos * 20, batch_size=2, runtime="eager", on_progress=interrupt)
    assert not [one for one in threading.enumerate() if one.name.startswith("encoding")]


def test_closing_the_iterator_ends_the_lanes(encoder: Encoder, photos: list[Path]) -> None:
    batches = encode_batches(encoder, photos * 20, batch_size=2, runtime="eager")
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if one.name.startswith("encoding")]


def test_threads_of_others_are_left_alone(encoder: Encoder, photos: list[Path]) -> None:
    encode_files(encoder, photos)
    seen: list[int] = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *seen] == [2, 2]


class ShortOfMemory(torch.nn.Module):
    """A whitening that fails as PyTorch does when the memory is not enough."""

    def __init__(self, enough_for: int) -> None:
        super().__init__()
        self.enough_for = enough_for
        self.sizes: list[int] = []

    def forward(self, vectors: Tensor) -> Tensor:
        self.sizes.append(len(vectors))
        if len(vectors) > self.enough_for:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")
        return vectors


@pytest.mark.parametrize("enough_for", [2, 0])
def test_a_batch_that_is_too_large_for_the_memory_is_halved(
    encoder: Encoder, photos: list[Path], monkeypatch: pytest.MonkeyPatch, enough_for: int
) -> None:
    short = small_encoder()
    memory = ShortOfMemory(enough_for)
    short.whitening = memory  # type: ignore[assignment]
    monkeypatch.setattr(runtimes, "with_runtime", lambda encoder, name, **shares: encoder)
    monkeypatch.setattr(runtimes, "chunk_of", lambda name: 8)
    if enough_for == 0:
        with pytest.raises(RuntimeError, match="can't allocate memory"):
            encode_files(short, photos, runtime="eager")
        return
    vectors = encode_files(short, photos, runtime="eager").vectors
    np.testing.assert_allclose(vectors, plain_loop(encoder, photos), atol=1e-6)
    assert max(memory.sizes) > 2


def test_auto_is_the_fastest_runtime_that_keeps_the_vectors(
    encoder: Encoder, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [tmp_path / "missing.jpg", *photos, *photos, tmp_path / "missing too.jpg"]
    monkeypatch.setattr(runtimes, "FASTEST_FIRST", ("folded",))
    assert encode_files(encoder, many).runtime == "eager"
    monkeypatch.setattr("retrieval.runtimes.folded.Folded.pays_from", 0.0)
    assert encode_files(encoder, photos).runtime == "eager"
    encoded = encode_files(encoder, many)
    assert encoded.runtime == "folded"
    np.testing.assert_allclose(encoded.vectors, plain_loop(encoder, photos * 2), atol=1e-5)


def test_training_mode_is_refused(photos: list[Path]) -> None:
    training = small_encoder().train()
    with pytest.raises(BadInputError, match=r"encoder must be in eval mode; got training mode"):
        encode_files(training, photos)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 0}, r"batch_size must be at least 1; got 0\."),
        ({"runtime": "bf61"}, r"no runtime called 'bf61'; known: auto, .* Did you mean 'bf16'\?"),
    ],
)
def test_arguments_are_checked_before_any_work(
    encoder: Encoder, photos: list[Path], options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        encode_batches(encoder, photos, **options)  # type: ignore[arg-type]
