"""What options of the command line make of one another."""

from pathlib import Path

import pytest

from retrieval.checkpoints import save_encoder
from retrieval.encoder import Encoder, build_encoder
from retrieval.errors import BadInputError
from ui.options import chosen_encoder


def chosen(folder: Path | None, pooling: str | None, last_stride: int | None = None) -> Encoder:
    network = "small" if last_stride is None else "resnet18"
    given = (folder, network, None, True, pooling, 32, "squash", False, last_stride)
    encoder = chosen_encoder(*given)
    assert isinstance(encoder, Encoder)
    return encoder


def test_a_saved_encoder_keeps_its_pooling_unless_told(tmp_path: Path) -> None:
    made = build_encoder("small", "maximum", size=32, seed=3)
    save_encoder(made, tmp_path / "a")
    assert chosen(tmp_path / "a", None).fingerprint() == made.fingerprint()
    swapped = chosen(tmp_path / "a", "scda:plus=true")
    want = build_encoder("small", {"name": "scda", "plus": True}, size=32, seed=3)
    assert swapped.fingerprint() == want.fingerprint()
    save_encoder(build_encoder("small", size=32, dim=4), tmp_path / "b")
    with pytest.raises(BadInputError, match="an encoder with a projection"):
        chosen(tmp_path / "b", "scda")


def test_a_frozen_network_has_average_pooling_unless_told() -> None:
    assert chosen(None, None).settings()["pooling"]["name"] == "average"
    assert chosen(None, "gem").settings()["pooling"]["name"] == "gem"
    assert chosen(None, None, 1).settings()["last_stride"] == 1
