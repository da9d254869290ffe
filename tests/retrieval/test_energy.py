"""The learned energy against its definition, and the cosine that ranks as it does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.data import Modality
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.energy import PhotoEnergy, energies, energy_layers
from retrieval.errors import BadInputError
from retrieval.evaluation import encoder_name
from retrieval.runtimes import with_runtime
from tests.retrieval.small_network import disturb_norms

D = 6


def vectors(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, D, generator=generator, dtype=torch.float64))


def learned(seed: int = 0, dim: int = D) -> Tensor:
    """Far from the identity, with negative weights too."""
    generator = torch.Generator().manual_seed(seed)
    return torch.eye(dim, dtype=torch.float64) + 0.4 * torch.randn(
        dim, dim, generator=generator, dtype=torch.float64
    )


def energy_by_loops(sketch: Tensor, photo: Tensor, weight: Tensor) -> float:
    weight = weight.detach()
    return sum(
        float(weight[i, j]) * (float(sketch[i]) - float(photo[j])) ** 2
        for i in range(len(sketch))
        for j in range(len(photo))
    )


def images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def pair() -> EncoderPair:
    encoder = build_encoder("small", size=32, dim=D)
    disturb_norms(encoder)
    return EncoderPair(encoder, encoder)


def test_the_definition() -> None:
    sketches, photos, weight = vectors(4, 0), 2 * vectors(5, 1), learned()
    want = [[energy_by_loops(s, p, weight) for p in photos] for s in sketches]
    np.testing.assert_allclose(energies(sketches, photos, weight), want, rtol=1e-10)


def test_the_identity_is_the_squared_distance() -> None:
    sketches, photos = vectors(4, 0), vectors(5, 1)
    found = energies(sketches, photos, torch.eye(D, dtype=torch.float64))
    torch.testing.assert_close(found, torch.cdist(sketches, photos).square())


@pytest.mark.parametrize("seed", range(5))
def test_the_cosine_of_the_last_layers_is_the_energy_on_another_scale(seed: int) -> None:
    sketches, photos, weight = vectors(7, seed), vectors(40, seed + 9), learned(seed)
    photo, sketch = (layer.double() for layer in energy_layers(weight))
    photo.columns, sketch.weight = _exact(weight)
    rows, columns = sketch(sketches), photo(photos)
    for made, count in ((rows, 7), (columns, 40)):
        assert made.shape == (count, D + 2)
        torch.testing.assert_close(made.norm(dim=1), torch.ones(count, dtype=torch.float64))
    energy = energies(sketches, photos, weight)
    for number, scores in enumerate(rows @ columns.T):
        slope, _ = np.polyfit(energy[number].numpy(), scores.numpy(), 1)
        assert slope < 0
        assert np.corrcoef(energy[number].numpy(), scores.numpy())[0, 1] == pytest.approx(-1)
        assert scores.argsort(descending=True).tolist() == energy[number].argsort().tolist()


def _exact(weight: Tensor) -> tuple[Tensor, Tensor]:
    """What the layers keep, in float64: they round to float32."""
    columns = weight.sum(dim=0)
    return columns - (columns.min() + columns.max()) / 2, weight


def test_the_energy_ranks_otherwise_than_the_cosine_it_started_from() -> None:
    sketches, photos = vectors(7, 0), vectors(40, 1)
    energy, cosines = energies(sketches, photos, learned()), sketches @ photos.T
    assert energy.argmin(dim=1).tolist() != cosines.argmax(dim=1).tolist()


def test_of_the_identity_scores_are_cosines_in_another_unit() -> None:
    photo, sketch = energy_layers(torch.eye(D))
    sketches, photos = vectors(4, 0).float(), vectors(5, 1).float()
    scores = sketch(sketches) @ photo(photos).T
    torch.testing.assert_close(scores, sketches @ photos.T * 2 / 5**0.5)


def test_a_row_of_zeros_stays_one() -> None:
    for layer in energy_layers(learned()):
        assert not layer(torch.zeros(2, D)).any()


def test_a_pair_keeps_it(tmp_path: Path) -> None:
    weight = learned()
    plain = pair()
    ranked = plain.with_energy(weight)
    assert ranked.dim == D + 2
    sketches, photos = images(3), images(20, 1)
    vectors_of = {
        door: (plain.door(door).vectors(images_), ranked.door(door).vectors(images_))
        for door, images_ in ((Modality.SKETCH, sketches), (Modality.PHOTO, photos))
    }
    (before_s, after_s), (before_p, after_p) = vectors_of.values()
    energy = energies(torch.from_numpy(before_s), torch.from_numpy(before_p), weight.float())
    scores = torch.from_numpy(after_s @ after_p.T)
    for one, other in zip(energy, scores, strict=True):
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(-1, abs=1e-4)
    save_pair(ranked, tmp_path)
    again = open_encoder(tmp_path)
    assert isinstance(again, EncoderPair)
    assert again.fingerprint() == ranked.fingerprint()
    np.testing.assert_array_equal(again.sketch.vectors(sketches), after_s)
    np.testing.assert_array_equal(again.photo.vectors(photos), after_p)
    assert "learned energy" in encoder_name(again.settings())
    folded = with_runtime(again.photo, "folded")
    np.testing.assert_allclose(folded.vectors(photos), after_p, atol=1e-5)


def test_it_is_named_only_where_there_is_one() -> None:
    both = pair()
    plain, ranked = both.photo, both.with_energy(learned())
    assert "energy" not in plain.settings()
    assert ranked.photo.settings()["energy"] == "photo"
    assert ranked.sketch.settings()["energy"] == "sketch"
    assert ranked.photo.with_whitening(None).settings() == plain.settings()
    assert ranked.photo.with_whitening(None).fingerprint() == plain.fingerprint()
    assert Encoder.from_settings(ranked.sketch.settings()).dim == D + 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"must be of vectors of 6 numbers; got one of 5"):
        pair().photo.with_energy(PhotoEnergy(5))
    ranked = EncoderPair(*(build_encoder("small", size=32) for _ in range(2)))
    ranked = ranked.with_energy(torch.eye(ranked.dim))
    with pytest.raises(BadInputError, match="an encoder with a learned energy, which was made for"):
        ranked.photo.with_pooling(ranked.photo.pooling)
