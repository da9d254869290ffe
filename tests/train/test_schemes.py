"""How a step asks a scheme what to learn."""

from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from retrieval.data import Benchmark
from retrieval.errors import BadInputError
from retrieval.heads import Head, Maps
from retrieval.heads.softmax import Softmax
from tests.train.test_every_scheme import recipe, seen
from tests.train.test_recognition import recipe as without_scheme
from tests.train.test_recognition import same
from tests.train.test_trainer import numbers
from train.ranks import Ranks
from train.schemes import Scheme, Seen
from train.tasks.recognition import Recognition
from train.trainer import train as train_classifier


def test_plain_learns_what_the_loss_alone_does(figures: Benchmark, tmp_path: Path) -> None:
    alone = train_classifier(
        without_scheme("sampler.steps=2"), tmp_path / "alone", benchmark=figures
    )
    plain = train_classifier(recipe("plain"), tmp_path / "plain", benchmark=figures)
    assert same(alone, plain)


class InTurns(Scheme):
    """The backbone in one phase, the head in the other; what it was told is kept."""

    phases = 2

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int, float]] = []

    def forward(self, head: Head, seen: Seen, phase: int) -> Tensor:
        self.told.append((phase, seen.epoch, seen.progress))
        logits = head.of_images(seen.inputs, seen.maps)
        return nn.functional.cross_entropy(logits, seen.targets)

    def learned(self, head: Head, phase: int) -> Collection[nn.Parameter] | None:
        return list(head.parameters()) if phase == 1 else None


def test_phases_follow_each_other_in_every_step(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = InTurns()
    monkeypatch.setattr(Recognition, "scheme", scheme)
    train_classifier(recipe("plain"), tmp_path / "run", benchmark=figures)
    want = [(p, e, (2 * e + s) / 4) for e in range(2) for s in range(2) for p in range(2)]
    assert scheme.told == want


def test_a_phase_moves_the_weights_it_names(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = InTurns()
    scheme.learned = lambda head, phase: list(head.parameters())  # type: ignore[method-assign]
    monkeypatch.setattr(Recognition, "scheme", scheme)
    changes = ("schedule.warmup=0", "optimizer.weight_decay=0.1")
    task = Recognition(recipe("plain", *changes), figures, torch.device("cpu"), Ranks())
    before = {name: tensor.clone() for name, tensor in task.encoder.named_parameters()}
    result = train_classifier(recipe("plain", *changes), tmp_path / "run", benchmark=figures)
    after = numbers(result)
    for name, tensor in before.items():
        moved = not torch.equal(after[f"encoder/{name}"], tensor)
        assert moved == name.startswith("head."), name


class Mirrored(Softmax):
    """Looks at the picture and its mirror image."""

    looks_again = True

    def of_images(self, images: Tensor, maps: Maps) -> Tensor:
        assert images.shape[1] == 3
        logits: Tensor = self(*maps(images)) + self(*maps(images.flip(3)))
        return logits


@pytest.mark.parametrize("frozen", [0, 2])
def test_a_head_that_looks_again_is_given_pictures(
    figures: Benchmark, frozen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Softmax, "looks_again", True)
    monkeypatch.setattr(Softmax, "of_images", Mirrored.of_images)
    config = recipe("plain", f"optimizer.frozen_layers={frozen}")
    task = Recognition(config, figures, torch.device("cpu"), Ranks())
    task.encoder.eval()
    batch = seen(task)
    assert batch.inputs.shape[1:] == (3, 24, 24)
    found = task.network.embed(batch.inputs)
    torch.testing.assert_close(found, task.encoder(batch.inputs), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        task.network.vectors(task.encoder, batch.inputs), found, rtol=1e-4, atol=1e-5
    )
    wished = batch.inputs.clone().requires_grad_()
    task.network.embed(wished).sum().backward()  # type: ignore[no-untyped-call]
    assert wished.grad is not None
    assert wished.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["scheme.name=plian"], r"no schemes called 'plian'.*Did you mean 'plain'"),
        (["task=classes", "loss.name=triplet", "head={}"], "scheme must be left out with task"),
    ],
)
def test_what_is_refused(
    figures: Benchmark, tmp_path: Path, changes: list[str], sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        train_classifier(recipe("plain", *changes), tmp_path / "run", benchmark=figures)


def test_kept_maps_have_no_pictures_to_look_at_again(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Softmax, "looks_again", True)
    changes = ("optimizer.frozen_layers=2", "run.cached_views=2")
    with pytest.raises(BadInputError, match=r"run.cached_views must be 0 with softmax.*; got 2"):
        train_classifier(recipe("plain", *changes), tmp_path / "run", benchmark=figures)
