"""Density, its division into three, and the stages of a curriculum."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.data import Benchmark
from retrieval.errors import BadInputError
from retrieval.heads.softmax import Softmax
from tests.train.test_every_scheme import recipe
from tests.train.test_recognition import same
from tests.train.test_trainer import Stop, numbers
from train.config import AugmentConfig
from train.describing import described
from train.pictures import Batches
from train.ranks import Ranks
from train.schemes import Seen
from train.schemes._density import densities, three_means
from train.schemes.curriculum import Curriculum
from train.tasks.recognition import Recognition
from train.trainer import resume
from train.trainer import train as train_classifier


def noisy_labels(
    classes: int = 6, size: int = 40, noise: float = 0.2
) -> tuple[Tensor, Tensor, Tensor]:
    """Descriptors in a heap for each true class, labels of which some are another class's."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(classes), size)
    rows = 3 * rng.standard_normal((classes, 16))[truth] + rng.standard_normal((len(truth), 16))
    wrong = rng.random(len(truth)) < noise
    labels = np.where(wrong, (truth + rng.integers(1, classes, len(truth))) % classes, truth)
    return torch.from_numpy(rows), torch.from_numpy(labels), torch.from_numpy(wrong)


def prepared(rows: Tensor, labels: Tensor, progress: float = 0.0, **options: float) -> Curriculum:
    scheme = Curriculum(nn.CrossEntropyLoss(), len(rows), **options)
    scheme.prepare(progress, labels, lambda positions: rows[positions])
    return scheme


def test_wrong_labels_are_found_noisy() -> None:
    """Nearly all of them, and few of the clean subset are wrong: far fewer than there are."""
    rows, labels, wrong = noisy_labels()
    subsets = prepared(rows, labels).subsets
    assert wrong.sum() > 40
    assert (subsets[wrong] > 0).float().mean() > 0.95
    assert wrong[subsets == 0].float().mean() < 0.03
    assert (subsets[~wrong] == 0).float().mean() > 0.6
    shares = [wrong[subsets == one].float().mean().item() for one in range(3)]
    assert shares[0] < shares[1] < shares[2] or shares[1] == shares[2]


def test_densities_by_their_definition() -> None:
    rows = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = rows.numpy()
    apart = [[float(((a - b) ** 2).sum() ** 0.5) for b in points] for a in points]
    limit = sorted(value for row in apart for value in row)[int(0.6 * 81)]
    want = [sum(apart[i][j] < limit for j in range(9) if j != i) for i in range(9)]
    assert densities(rows, 0.6).tolist() == want
    assert densities(1000 * rows + 7, 0.6).tolist() == want
    assert len(set(want)) > 2


def test_copies_of_one_picture_are_all_alike() -> None:
    rows = torch.rand(1, 300, generator=torch.Generator().manual_seed(0)).repeat(7, 1)
    assert len(set(densities(rows, 0.6).tolist())) == 1
    two = torch.cat([rows, 5 * rows.flip(1)])  # whose copies are rounded otherwise
    assert len(set(densities(two, 0.4).tolist())) == 1
    assert three_means(densities(rows, 0.6)).tolist() == [0] * 7
    assert three_means(densities(rows[:1], 0.6)).tolist() == [0]


def scatter(values: list[int]) -> float:
    return float(((np.array(values) - np.mean(values)) ** 2).sum()) if values else 0.0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=9))
def test_no_division_into_three_is_better(values: list[int]) -> None:
    found = three_means(torch.tensor(values)).tolist()
    different = sorted(set(values))
    if len(different) < 3:
        assert found == [different[::-1].index(value) for value in values]
        return
    parts = [[v for v, s in zip(values, found, strict=True) if s == one] for one in range(3)]
    assert min(parts[0]) > max(parts[1])
    assert min(parts[1]) > max(parts[2])
    best = min(
        sum(
            scatter([v for v in values if low <= v < high])
            for low, high in ((0, a), (a, b), (b, 61))
        )
        for a, b in combinations(different[1:], 2)
    )
    assert sum(scatter(part) for part in parts) == pytest.approx(best, abs=1e-9)


def head() -> Softmax:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Softmax(5, 3, 4).double()


def seen(progress: float) -> Seen:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(6, 5, 2, 2, generator=generator, dtype=torch.float64)
    positions = torch.tensor([4, 0, 5, 2, 1, 3])
    return Seen(
        inputs, torch.tensor([0, 1, 2, 3, 0, 1]), positions, lambda x: (x, None), 0, progress
    )


@pytest.mark.parametrize(
    ("progress", "want"),
    [
        (0.0, [1, 1, 0, 0, 0, 0]),
        (0.33, [1, 1, 0, 0, 0, 0]),
        (0.34, [1, 1, 0.5, 0.5, 0, 0]),
        (0.66, [1, 1, 0.5, 0.5, 0, 0]),
        (0.67, [1, 1, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_the_stages_and_their_weights(progress: float, want: list[float]) -> None:
    """Of the pictures that are in their stage alone, also when the loss is divided."""
    scheme = Curriculum(nn.CrossEntropyLoss(), 6, highly_noisy_weight=0.25)
    scheme.subsets.copy_(torch.tensor([0, 0, 1, 1, 2, 2]))
    batch, softmax = seen(progress), head()
    weights = [want[position] for position in batch.positions.tolist()]
    assert scheme.weights(batch).tolist() == weights
    each = F.cross_entropy(softmax(batch.inputs), batch.targets, reduction="none").tolist()
    total = sum(w * one for w, one in zip(weights, each, strict=True))
    looked: list[int] = []

    def maps(inputs: Tensor) -> tuple[Tensor, None]:
        looked.append(len(inputs))
        return inputs, None

    found = scheme(softmax, replace(batch, maps=maps), 0)
    kept = sum(w > 0 for w in weights)
    assert found.item() == pytest.approx(total / kept)
    assert looked == [kept], "pictures that are not yet learned from cost nothing"


def test_a_batch_without_clean_pictures_moves_nothing() -> None:
    scheme, softmax = Curriculum(nn.CrossEntropyLoss(), 6), head()
    scheme.subsets.fill_(2)
    loss = scheme(softmax, seen(0.0), 0)
    loss.backward()
    assert loss.item() == 0
    assert all((p.grad == 0).all() for p in softmax.parameters() if p.grad is not None)


def test_before_subsets_are_made_everything_is_learned_from() -> None:
    rows, labels, _ = noisy_labels(4, 8)
    scheme = Curriculum(nn.CrossEntropyLoss(), len(rows), clean_from=0.3)
    describe = rows.__getitem__
    assert scheme.prepare(0.2, labels, describe) == []
    batch, softmax = seen(0.2), head()
    want = F.cross_entropy(softmax(batch.inputs), batch.targets)
    torch.testing.assert_close(scheme(softmax, batch, 0), want)
    (note,) = scheme.prepare(0.3, labels, describe)
    first = scheme.subsets.clone()
    counts = [int((first == one).sum()) for one in range(3)]
    assert note == "curriculum: {} pictures clean, {} noisy, {} highly noisy".format(*counts)
    assert sum(counts) == len(rows)
    assert scheme.prepare(0.5, labels, lambda p: torch.rand(len(p), 3)) == []
    assert torch.equal(scheme.subsets, first), "made once"


def test_training_pictures_are_described_as_they_are(figures: Benchmark) -> None:
    """Whole, in evaluation mode, and nothing of the network is changed by it."""
    task = Recognition(recipe("curriculum"), figures, torch.device("cpu"), Ranks())
    network, pictures = task.network, task.data.pictures
    task.encoder.train()
    before = {name: tensor.clone() for name, tensor in task.encoder.state_dict().items()}
    positions = torch.tensor([7, 0, 3])
    found = described(pictures, network, positions)
    assert task.encoder.training
    assert all(torch.equal(before[name], one) for name, one in task.encoder.state_dict().items())
    plain = AugmentConfig(1.0, 1.0, False, 0.0, 0.0, 0.0)
    batches = Batches(pictures, task.encoder.transform, plain, 0, 1)
    (batch,) = batches.epoch(0, [positions.numpy()])
    task.encoder.eval()
    images = task.encoder.transform.normalise(torch.as_tensor(batch.inputs))
    early, last = task.encoder.backbone.early_and_last(images)
    want = task.encoder.head.representation(last, early)
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-5)


def test_subsets_are_in_the_state_of_a_run(figures: Benchmark, tmp_path: Path) -> None:
    config = recipe("curriculum", "scheme.clean_from=0.5", "scheme.noisy_from=0.5")
    whole = train_classifier(config, tmp_path / "whole", benchmark=figures)
    (note,) = [one for one in whole.notes if one.startswith("curriculum:")]
    subsets = numbers(whole)["loss/subsets"]
    assert f": {int((subsets == 0).sum())} pictures clean" in note
    for step in (1, 2, 3):
        out = tmp_path / f"stopped-{step}"
        assert not train_classifier(config, out, benchmark=figures, should_stop=Stop(step)).finished
        resumed = resume(out, benchmark=figures)
        assert same(whole, resumed), f"stopped after step {step}"
        assert [one for one in resumed.notes if one.startswith("curriculum:")] == [note]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noisy_from": 0.9}, r"must be in \[0, 1\] and in this order; got 0, 0.9 and 0.666667"),
        ({"share": 1.0}, r"curriculum.share must be in \(0, 1\); got 1"),
        ({"noisy_weight": -1.0}, "curriculum.noisy_weight must be 0 or more; got -1"),
    ],
)
def test_what_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        Curriculum(nn.CrossEntropyLoss(), 4, **options)
