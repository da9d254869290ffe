"""Schemes that work on descriptors of any head, by their definitions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval import heads, plugins
from retrieval.classifier import build_head
from retrieval.data import Benchmark
from retrieval.errors import BadInputError
from retrieval.heads import Head
from retrieval.heads.isqrt_cov import IsqrtCov
from retrieval.heads.softmax import Softmax
from tests.retrieval.test_every_head import CHANNELS, CLASSES, made
from tests.train.test_every_scheme import recipe
from train.ranks import Ranks
from train.schemes import Seen
from train.schemes._described import described
from train.schemes.center import Center
from train.schemes.triplet_softmax import TripletSoftmax
from train.tasks.recognition import Recognition
from train.trainer import train as train_classifier

TARGETS = torch.tensor([0, 1, 0, 3, 1, 0, 3, 2])


def pictures(batch: int = len(TARGETS)) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(batch, CHANNELS[1], 4, 5, generator=generator, dtype=torch.float64)


def seen(inputs: Tensor, targets: Tensor = TARGETS) -> Seen:
    """Pictures that are their own maps."""
    early = torch.rand(
        len(inputs), CHANNELS[0], 8, 10, generator=torch.Generator().manual_seed(1)
    ).double()
    return Seen(inputs, targets, torch.arange(len(inputs)), lambda x: (x, early), 0, 0.0)


def softmax() -> Softmax:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return build_head({"name": "softmax"}, CHANNELS, CLASSES).double()  # type: ignore[return-value]


@pytest.mark.parametrize("name", plugins.names(heads))
def test_logits_and_descriptors_of_every_head(name: str) -> None:
    head = made(name).double()
    if head.looks_again:
        pytest.skip("its pictures are not maps; see the next test")
    batch = seen(pictures(3), TARGETS[:3])
    logits, descriptors = described(head, batch)
    torch.testing.assert_close(logits, head.of_images(batch.inputs, batch.maps))
    torch.testing.assert_close(descriptors, head.representation(*batch.maps(batch.inputs)))


class Thrice(Softmax):
    """Pools a part before the picture itself, and a part after it."""

    looks_again = True

    def of_images(self, images: Tensor, maps: heads.Maps) -> Tensor:
        parts = (images[..., :2], images, images[..., 2:])
        logits: Tensor = sum(self(*maps(part)) for part in parts)
        return logits


def test_of_a_head_that_looks_again_the_picture_itself_is_described() -> None:
    head = Thrice(CHANNELS[1], CHANNELS[0], CLASSES).double()
    batch = seen(pictures())
    torch.testing.assert_close(described(head, batch)[1], batch.inputs.mean(dim=(2, 3)))


def test_neither_backbone_nor_norms_are_passed_twice() -> None:
    head = IsqrtCov(CHANNELS[1], CLASSES, reduced=4).double().train()
    looked: list[Tensor] = []
    batch = seen(pictures())
    described(head, replace(batch, maps=lambda x: (looked.append(x), batch.maps(x))[1]))  # type: ignore[func-returns-value]
    assert len(looked) == 1
    counts = [int(b) for n, b in head.named_buffers() if n.endswith("num_batches_tracked")]
    assert counts == [1]
    assert not head.pooling._forward_hooks


def unit(rows: Tensor) -> np.ndarray:
    return np.stack([row / np.linalg.norm(row) for row in rows.detach().numpy()])


def test_center_by_its_definition() -> None:
    """Two steps; a class that occurs three times in the batch moves by all three."""
    head = softmax()
    scheme = Center(nn.CrossEntropyLoss(), CLASSES, CHANNELS[1], weight=0.6, rate=0.5).double()
    means = np.zeros((CLASSES, CHANNELS[1]))
    for step in range(2):
        batch = seen(pictures() + 0.1 * step)
        vectors = unit(head.representation(batch.inputs))
        scattered = [
            ((v - means[t]) ** 2).sum() / 2 for v, t in zip(vectors, TARGETS.tolist(), strict=True)
        ]
        want = F.cross_entropy(head(batch.inputs), TARGETS).item() + 0.6 * np.mean(scattered)
        assert scheme(head, batch, 0).item() == pytest.approx(want)
        for k in range(CLASSES):
            own = [v for v, t in zip(vectors, TARGETS.tolist(), strict=True) if t == k]
            means[k] -= 0.5 * sum(means[k] - v for v in own) / (1 + len(own))
        np.testing.assert_allclose(scheme.means.numpy(), means, atol=1e-12)


def test_centers_are_in_the_state_and_carry_no_gradient() -> None:
    head, scheme = softmax(), Center(nn.CrossEntropyLoss(), CLASSES, CHANNELS[1]).double()
    for _ in range(2):
        scheme(head, seen(pictures()), 0).backward()
    assert not scheme.means.requires_grad
    again = Center(nn.CrossEntropyLoss(), CLASSES, CHANNELS[1]).double()
    again.load_state_dict(scheme.state_dict())
    assert torch.equal(scheme(head, seen(pictures()), 0), again(head, seen(pictures()), 0))


def mean_above_0(values: Sequence[float]) -> float:
    above = [value for value in values if value > 0]
    return sum(above) / len(above) if above else 0.0


def ranked_by_loops(
    x: np.ndarray, y: list[int], above: list[int] | None, m: float, m2: float
) -> float:
    size = range(len(x))
    kin = list(range(CLASSES)) if above is None else above
    inner, outer, alone, lonely = [], [], [], 0
    for r in size:
        relatives = [k for k in size if y[k] != y[r] and kin[y[k]] == kin[y[r]]]
        lonely += not relatives
        for p in size:
            for n in size:
                gap = ((x[r] - x[p]) ** 2).sum() - ((x[r] - x[n]) ** 2).sum()
                own = p != r and y[p] == y[r]
                if not relatives and own and y[n] != y[r]:
                    alone.append(m + gap)
                if own and n in relatives:
                    inner.append(m - m2 + gap)
                if p in relatives and kin[y[n]] != kin[y[r]]:
                    outer.append(m2 + gap)
    share = lonely / len(x)
    both = (mean_above_0(inner) + mean_above_0(outer)) / 2
    return (1 - share) * both + share * mean_above_0(alone)


@pytest.mark.parametrize("above", [None, [0, 0, 1, 2], [5, 5, 7, 7], [0, 1, 2, 3], [4, 4, 4, 4]])
def test_triplets_by_their_definition(above: list[int] | None) -> None:
    head = softmax()
    scheme = TripletSoftmax(
        nn.CrossEntropyLoss(), CLASSES, above, softmax_share=0.3, margin=0.5, super_margin=0.2
    ).double()
    batch = seen(pictures())
    vectors = unit(head.representation(batch.inputs))
    ranked = ranked_by_loops(vectors, TARGETS.tolist(), above, 0.5, 0.2)
    assert ranked > 0
    want = 0.3 * F.cross_entropy(head(batch.inputs), TARGETS).item() + 0.7 * ranked
    assert scheme(head, batch, 0).item() == pytest.approx(want)


@pytest.mark.parametrize("above", [None, [0, 0, 1, 1]])
@pytest.mark.parametrize("kind", ["center", "triplet_softmax"])
def test_the_gradient_is_the_slope(kind: str, above: list[int] | None) -> None:
    head, loss = softmax(), nn.CrossEntropyLoss()

    def value(inputs: Tensor) -> Tensor:
        scheme = (
            Center(loss, CLASSES, CHANNELS[1]).double()
            if kind == "center"
            else TripletSoftmax(loss, CLASSES, above, margin=1.0).double()
        )
        made: Tensor = scheme(head, seen(inputs), 0)
        return made

    assert torch.autograd.gradcheck(value, (pictures().requires_grad_(),))


def test_the_task_tells_of_superclasses(figures: Benchmark) -> None:
    above = figures.train.targets // 4 * 10
    split = replace(figures.train, groups={"superclass": above})
    config = recipe("triplet_softmax")
    for given, want in ((split, [0] * 4 + [10] * 4 + [20] * 4), (figures.train, list(range(12)))):
        benchmark = replace(figures, train=given)
        scheme = Recognition(config, benchmark, torch.device("cpu"), Ranks()).scheme
        assert isinstance(scheme, TripletSoftmax)
        assert scheme.superclasses.tolist() == want


def test_a_ranking_needs_two_pictures_of_a_class(figures: Benchmark, tmp_path: Path) -> None:
    config = recipe("triplet_softmax", "sampler.images=1")
    with pytest.raises(BadInputError, match=r"sampler.images must be 2 or more with scheme trip"):
        train_classifier(config, tmp_path / "run", benchmark=figures)


def test_what_is_refused() -> None:
    loss = nn.CrossEntropyLoss()
    with pytest.raises(BadInputError, match=r"center.weight must be 0 or more; got -1"):
        Center(loss, 4, 5, weight=-1)
    with pytest.raises(BadInputError, match=r"center.rate must be in \[0, 1\]; got 2"):
        Center(loss, 4, 5, rate=2)
    with pytest.raises(BadInputError, match=r"softmax_share must be in \[0, 1\]; got 1.5"):
        TripletSoftmax(loss, 4, None, softmax_share=1.5)
    with pytest.raises(BadInputError, match=r"super_margin must be in \[0, margin = 0.2\]; got 0"):
        TripletSoftmax(loss, 4, None, super_margin=0.3)


def test_a_head_is_given_back_as_it_was() -> None:
    head: Head = softmax()
    with pytest.raises(RuntimeError):
        described(head, replace(seen(pictures()), maps=lambda x: (x[:, :1], None)))
    assert not head.pooling._forward_hooks
