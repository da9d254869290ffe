"""Joined encoders are their parts side by side: the same numbers, and the mean of their cosines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from retrieval.checkpoints import DESCRIPTION, load_encoder, probe_pictures, save_encoder
from retrieval.data import Modality
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair, fingerprint_for
from retrieval.encoding import encode_drawings, encode_files
from retrieval.energy import PhotoEnergy
from retrieval.errors import BadInputError, DamagedDataError
from retrieval.evaluation import encoder_name
from retrieval.exports import ExportedEncoder, export_encoder
from retrieval.joined import JoinedEncoder, join, join_pairs
from retrieval.joined_transform import JoinedTransform
from retrieval.local_descriptors import local_descriptors
from retrieval.modalities import read_picture
from retrieval.paired import fit_centring, fit_pair
from retrieval.poolings.average import Average
from retrieval.runtimes import with_runtime, worth_trying
from retrieval.strokes import Drawing, Stroke
from retrieval.transforms import Transform

Rows = NDArray[np.float32]


def hog(size: int = 128) -> Encoder:
    return build_encoder("hog", {"name": "grid", "cells": 4}, size=size, fit="object")


def network(seed: int = 0, fit: str = "squash", dim: int | None = None) -> Encoder:
    return build_encoder("small", size=64, fit=fit, dim=dim, seed=seed)


def inked(encoder: Encoder, pen: float) -> Encoder:
    """The encoder with another pen, so that strokes are other pictures to it."""
    settings = encoder.settings()
    other = Encoder.from_settings({**settings, "transform": {**settings["transform"], "pen": pen}})
    other.load_state_dict(encoder.state_dict())
    return other


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Large JPEG files, of which decoders give versions of several sizes, and a small one."""
    folder = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(0)
    for number, size in enumerate([(1200, 900), (400, 500), (800, 1000), (70, 90)]):
        cells = random.integers(0, 255, (9, 12, 3)).astype(np.uint8)
        picture = Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.jpg", quality=90)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    random = np.random.default_rng(1)
    return [
        Drawing(tuple(Stroke(random.uniform(20, 230, (7, 2)).tolist()) for _ in range(3)))
        for _ in range(3)
    ]


def side_by_side(parts: list[Rows], shares: list[float]) -> Rows:
    """The definition, by loops in float64, of parts that all see something."""
    rows = []
    for place in range(len(parts[0])):
        row: list[float] = []
        for part, share in zip(parts, shares, strict=True):
            row += [np.sqrt(share) * float(value) for value in part[place]]
        rows.append(row)
    return np.array(rows, np.float32)


def assert_same(got: Rows, want: Rows) -> None:
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("runtime", ["eager", "auto"])
def test_files_have_the_vectors_of_the_parts(files: list[Path], runtime: str) -> None:
    parts, shares = [inked(network(), 3), hog(), network(1, "pad")], [0.5, 0.3, 0.2]
    joined = JoinedEncoder(parts, shares)
    got = encode_files(joined, files, runtime=runtime)
    alone = [encode_files(part, files, runtime="eager").vectors for part in parts]
    assert_same(got.vectors, side_by_side(alone, shares))
    assert got.kept.tolist() == [0, 1, 2, 3]
    assert joined.dim == got.vectors.shape[1] == sum(part.dim for part in parts)
    np.testing.assert_allclose(np.linalg.norm(got.vectors, axis=1), 1, atol=1e-6)


def test_parts_read_a_file_each_with_its_own_detail(files: list[Path]) -> None:
    # Were it read once, for the larger of them, the smaller one would get another picture.
    small, large = network().transform, hog().transform
    read = [read_picture(files[0], Modality.PHOTO, part).size for part in (small, large)]
    assert read[0] != read[1]
    sheet = JoinedTransform.of([small, large]).read_pixels(
        lambda wanted: read_picture(files[0], Modality.PHOTO, wanted)
    )
    alone = small.pixels(read_picture(files[0], Modality.PHOTO, small))
    np.testing.assert_array_equal(sheet[:64, :64], alone)
    assert not sheet[:64, 64:].any()


def test_a_picture_that_parts_want_alike_is_read_once(files: list[Path]) -> None:
    parts = [Transform(64), Transform(64, "pad"), Transform(64, pen=9), Transform(96)]
    asked: list[Transform] = []

    def read(wanted: Transform) -> Image.Image:
        asked.append(wanted)
        return read_picture(files[0], Modality.PHOTO, wanted)

    sheet = JoinedTransform.of(parts).read_pixels(read)
    assert asked == [parts[0], parts[2], parts[3]]
    assert sheet.shape == (64 * 3 + 96, 96, 3)


def test_drawings_have_the_vectors_of_the_parts(drawings: list[Drawing]) -> None:
    parts = [inked(network(), 12), hog()]
    got = encode_drawings(JoinedEncoder(parts, [0.25, 0.75]), drawings, runtime="eager")
    alone = [encode_drawings(part, drawings, runtime="eager").vectors for part in parts]
    assert_same(got.vectors, side_by_side(alone, [0.25, 0.75]))


def test_a_picture_at_hand_and_a_batch_of_one() -> None:
    parts = [hog(), network()]
    joined = JoinedEncoder(parts, [0.5, 0.5])
    images = torch.stack([joined.transform(picture) for picture in probe_pictures()])
    alone = [
        part.vectors(torch.stack([part.transform(picture) for picture in probe_pictures()]))
        for part in parts
    ]
    assert_same(joined.vectors(images), side_by_side(alone, [0.5, 0.5]))
    assert_same(joined.vectors(images[2:3]), side_by_side(alone, [0.5, 0.5])[2:3])


def test_the_cosine_is_the_mean_of_the_parts(files: list[Path]) -> None:
    parts = [network(), hog()]
    one, other = (encode_files(part, files, runtime="eager").vectors for part in parts)
    got = encode_files(JoinedEncoder(parts, [0.7, 0.3]), files, runtime="eager").vectors
    want = 0.7 * (one @ one.T) + 0.3 * (other @ other.T)
    np.testing.assert_allclose(got @ got.T, want, atol=1e-6)
    first = encode_files(JoinedEncoder(parts, [1, 0]), files, runtime="eager").vectors
    np.testing.assert_allclose(first @ first.T, one @ one.T, atol=1e-6)


def test_what_one_part_does_not_see_is_found_by_the_other(tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (90, 90), (40, 90, 200)).save(plain)
    blind, seeing = hog(), network()
    got = encode_files(JoinedEncoder([blind, seeing], [0.6, 0.4]), [plain], runtime="eager")
    alone = encode_files(seeing, [plain], runtime="eager").vectors
    assert_same(got.vectors, np.hstack([np.zeros((1, blind.dim), np.float32), alone]))
    nothing = JoinedEncoder([hog(), hog(64)], [0.5, 0.5])
    (rejection,) = encode_files(nothing, [plain], runtime="eager").rejected
    assert "plain.png must show something; got no usable features" in rejection.reason
    (rejection,) = encode_files(JoinedEncoder([blind, seeing], [1, 0]), [plain]).rejected
    assert "no usable features" in rejection.reason


def test_a_broken_file_is_rejected_by_name(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(files[0].read_bytes()[:500])
    got = encode_files(
        JoinedEncoder([network(), hog()], [0.5, 0.5]),
        [files[0], tmp_path / "broken.jpg", files[1]],
        runtime="eager",
    )
    assert got.kept.tolist() == [0, 2]
    assert "broken.jpg" in got.rejected[0].reason


def test_the_fingerprint_is_of_the_parts_their_order_and_shares() -> None:
    one, other = network(), hog()
    prints = {
        JoinedEncoder(parts, shares).fingerprint()
        for parts, shares in (
            ([one, other], [0.6, 0.4]),
            ([other, one], [0.4, 0.6]),
            ([one, other], [0.4, 0.6]),
            ([network(1), other], [0.6, 0.4]),
            ([inked(one, 9), other], [0.6, 0.4]),
        )
    }
    assert len(prints | {one.fingerprint(), other.fingerprint()}) == 7
    again = JoinedEncoder([network(), hog()], [1 - 0.4, 0.4])
    assert again.fingerprint() == JoinedEncoder([one, other], [0.6, 0.4]).fingerprint()


def test_saved_and_opened(files: list[Path], tmp_path: Path) -> None:
    joined = JoinedEncoder([network(3), hog()], [0.55, 0.45])
    save_encoder(joined, tmp_path / "joined")
    opened = load_encoder(tmp_path / "joined")
    assert isinstance(opened, JoinedEncoder)
    assert not opened.training
    assert (opened.shares, opened.dim) == ((0.55, 0.45), joined.dim)
    assert opened.fingerprint() == joined.fingerprint()
    assert opened.transform == joined.transform
    want = encode_files(joined, files, runtime="eager").vectors
    got = encode_files(opened, files, runtime="eager").vectors
    np.testing.assert_array_equal(got, want)
    assert encoder_name(opened.settings()) == (
        "joined: 0.55 small average 64 squash + 0.45 hog grid(cells=4) 128 object"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: parts.pop(),
        lambda parts: parts[0].update(share=0.9),
        lambda parts: parts[0].pop("share"),
        lambda parts: parts[0].update(encoder={"joined": []}),
    ],
)
def test_a_description_that_makes_no_encoder(
    spoil: Callable[[list[dict[str, Any]]], object], tmp_path: Path
) -> None:
    save_encoder(JoinedEncoder([network(), hog()], [0.5, 0.5]), tmp_path)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    spoil(description["settings"]["joined"])
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(DamagedDataError, match="must hold the settings of an encoder"):
        load_encoder(tmp_path)


def pair_of(photo: Encoder, sketch: Encoder) -> EncoderPair:
    return EncoderPair(photo, sketch)


def test_pairs_are_joined_door_by_door(
    files: list[Path], drawings: list[Drawing], tmp_path: Path
) -> None:
    first, second = pair_of(network(0, dim=9), network(1, dim=9)), pair_of(hog(), hog())
    joined = join_pairs(first, second, 0.6)
    assert not joined.siamese
    save_pair(joined, tmp_path / "pair")
    opened = open_encoder(tmp_path / "pair")
    assert isinstance(opened, EncoderPair)
    assert opened.fingerprint() == joined.fingerprint()
    assert fingerprint_for(opened, joined.photo.fingerprint()) == joined.photo.fingerprint()
    got = encode_files(opened, files, modality=Modality.PHOTO, runtime="eager").vectors
    alone = [encode_files(pair.photo, files, runtime="eager").vectors for pair in (first, second)]
    assert_same(got, side_by_side(alone, [0.6, 0.4]))
    drawn = encode_drawings(opened, drawings, runtime="eager").vectors
    alone = [encode_drawings(pair, drawings, runtime="eager").vectors for pair in (first, second)]
    assert_same(drawn, side_by_side(alone, [0.6, 0.4]))


def test_what_is_joined_with_what() -> None:
    one, other, pair = network(dim=9), hog(), pair_of(network(0), network(1))
    assert isinstance(join([one, other], [0.5, 0.5]), JoinedEncoder)
    mixed = join([pair, other], [0.5, 0.5])
    assert isinstance(mixed, EncoderPair)
    same = join_pairs(pair, pair_of(other, other), 0.5)
    assert mixed.fingerprint() == same.fingerprint()
    siamese = join_pairs(pair_of(one, one), pair_of(other, other), 0.1)
    assert siamese.siamese
    assert siamese.fingerprint() != same.fingerprint()


def test_what_can_be_joined() -> None:
    one, other = network(), hog()
    joined = JoinedEncoder([one, other], [0.5, 0.5])
    exported = ExportedEncoder.__new__(ExportedEncoder)  # refused for what it is, unopened
    refused: list[tuple[list[Encoder], list[float], str]] = [
        ([one], [1], "parts must be two encoders or more; got 1"),
        ([one, joined], [0.5, 0.5], "weights of their own; got a joined one"),
        ([exported, one], [0.5, 0.5], "weights of their own; got an exported one"),
        ([one, other], [1], "shares must be one for each of 2 encoders; got 1"),
        ([one, other], [1.5, -0.5], r"share must be in 0..1; got 1.5"),
        ([one, other], [0.5, float("nan")], r"share must be in 0..1; got nan"),
        ([one, other], [0.5, 0.6], "shares must have sum 1; got 1.1"),
        ([one, network(0, "native")], [0.5, 0.5], "fit must make squares where encoders are"),
    ]
    for parts, shares, sentence in refused:
        with pytest.raises(BadInputError, match=sentence):
            JoinedEncoder(parts, shares)
    with pytest.raises(BadInputError, match=r"share must be in 0..1; got 2"):
        join_pairs(pair_of(one, one), pair_of(other, other), 2)


def test_a_part_in_training_is_a_whole_in_training(files: list[Path]) -> None:
    joined = JoinedEncoder([network().train(), hog()], [0.5, 0.5])
    with pytest.raises(BadInputError, match="encoder must be in eval mode"):
        encode_files(joined, files)
    assert len(encode_files(joined.eval(), files, runtime="eager").vectors) == 4


def test_what_a_joined_encoder_cannot_do(files: list[Path], tmp_path: Path) -> None:
    joined = JoinedEncoder([network(), hog()], [0.5, 0.5])
    images = torch.zeros(1, 3, *joined.transform.sheet)
    asked: list[Callable[[], object]] = [
        lambda: joined.mask(images),
        lambda: joined.descriptors(images),
        lambda: joined.projected(images),
        lambda: joined.of_maps(images),
    ]
    for ask in asked:
        with pytest.raises(BadInputError, match="must be asked of one encoder; got a joined one"):
            ask()
    changed: list[Callable[[], object]] = [
        lambda: joined.with_whitening(None),
        lambda: joined.with_centring(fit_centring(np.ones((2, joined.dim), np.float32))),
        lambda: joined.with_energy(PhotoEnergy(joined.dim)),
        lambda: joined.with_pooling(Average()),
        lambda: fit_pair(joined, files, files, np.arange(4)),
    ]
    for change in changed:
        with pytest.raises(BadInputError, match="must be an encoder of one part; got a joined one"):
            change()
    for kind in ("onnx", "torch"):
        with pytest.raises(BadInputError, match="exported must be one encoder; got a joined one"):
            export_encoder(joined, tmp_path / "out", kind, probe_pictures(), "")
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInputError, match="need the maps of one encoder; got a joined one"):
        local_descriptors(joined, files)
    with pytest.raises(BadInputError, match=r"images must be \('?B'?, 3, 192, 128\); got"):
        joined(images[..., :64])


def test_runtimes_compute_each_part() -> None:
    joined = JoinedEncoder([network(), hog()], [0.5, 0.5])
    images = torch.stack([joined.transform(picture) for picture in probe_pictures()])
    folded = with_runtime(joined, "folded")
    assert isinstance(folded, JoinedEncoder)
    assert [type(part.backbone).__name__ for part in folded.encoders()] == ["Folded", "Folded"]
    np.testing.assert_allclose(folded.vectors(images), joined.vectors(images), atol=1e-4)
    # Both parts count: together they are worth what neither is alone, or more.
    for count in (1, 10**9):
        alone = set(worth_trying(network(), count, 1)) | set(worth_trying(hog(), count, 1))
        assert set(worth_trying(joined, count, 1)) >= alone
    with pytest.raises(BadInputError, match="no runtime called 'fast'"):
        with_runtime(joined, "fast")
