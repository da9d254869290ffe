"""What every file of ``train/schemes`` must do, found without a list."""

import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

from retrieval import heads, plugins
from retrieval.data import Benchmark
from retrieval.heads import Head
from tests.train.test_recognition import RECIPE, same
from tests.train.test_trainer import Stop
from train import schemes
from train.config import TrainConfig, from_settings, override
from train.ranks import Ranks
from train.schemes import Scheme, Seen
from train.tasks.recognition import Recognition
from train.trainer import resume
from train.trainer import train as train_classifier

NAMES = plugins.names(schemes)
SMALL = {"dim": 12, "reduced": 6, "width": 3, "groups": 2, "parts": 2}


def head_of(name: str) -> str:
    """The head of the scheme's name, or the first one of the kind that it trains."""
    if name in plugins.names(heads):
        return name
    kind = plugins.find(schemes, name).head
    return next(
        h for h in ["softmax", *plugins.names(heads)] if issubclass(plugins.find(heads, h), kind)
    )


def recipe(name: str, *changes: str) -> TrainConfig:
    head = head_of(name)
    known = inspect.signature(plugins.find(heads, head)).parameters
    sizes = [f"head.{option}={size}" for option, size in SMALL.items() if option in known]
    made = [f"scheme.name={name}", f"head.name={head}", *sizes, "sampler.steps=2", *changes]
    return from_settings(override(RECIPE, made))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def task(name: str, figures: Benchmark) -> Recognition:
    torch.manual_seed(0)
    return Recognition(recipe(name), figures, torch.device("cpu"), Ranks())


def seen(task: Recognition, phase_of_run: float = 0.0) -> Seen:
    batch = next(task.batches(lambda *_: None).epoch(0, task.sampler().batches(0)))
    return Seen(
        inputs=task.network.prepared(torch.as_tensor(batch.inputs)),
        targets=torch.from_numpy(task.data.targets[batch.positions]),
        positions=torch.from_numpy(batch.positions),
        maps=task.network.maps,
        epoch=0,
        progress=phase_of_run,
    )


def test_a_phase_has_a_loss_that_moves_its_weights(task: Recognition) -> None:
    scheme, head = task.loss(), task.encoder.head
    assert isinstance(scheme, Scheme)
    batch = seen(task)
    task.encoder.train()
    moved: set[nn.Parameter] = set()
    weights = [*task.encoder.parameters(), *scheme.parameters()]
    for phase in range(scheme.phases):
        loss = scheme(head, batch, phase)
        assert loss.shape == ()
        assert loss.isfinite()
        loss.backward()
        chosen = scheme.learned(head, phase)
        for weight in weights:
            if weight.grad is not None and (chosen is None or weight in set(chosen)):
                assert weight.grad.isfinite().all()
                moved.add(weight)
            weight.grad = None
    names = {id(p): n for n, p in [*task.encoder.named_parameters(), *scheme.named_parameters()]}
    left = [names[id(weight)] for weight in weights if weight not in moved]
    assert left == [], "weights that nothing moves"


def test_a_stopped_run_goes_on_as_if_never_stopped(
    name: str, figures: Benchmark, tmp_path: Path
) -> None:
    config = recipe(name)
    whole = train_classifier(config, tmp_path / "whole", benchmark=figures)
    out = tmp_path / "stopped"
    assert not train_classifier(config, out, benchmark=figures, should_stop=Stop(3)).finished
    assert same(whole, resume(out, benchmark=figures))


def test_a_scheme_is_left_behind_by_the_classifier(task: Recognition) -> None:
    assert not any(isinstance(module, Scheme) for module in task.encoder.modules())
    scheme = task.loss()
    shared = {id(p) for p in task.encoder.parameters()} & {id(p) for p in scheme.parameters()}
    assert shared == set()


def test_frozen_layers_and_half_precision(name: str, figures: Benchmark, tmp_path: Path) -> None:
    changes = ("optimizer.frozen_layers=2", "run.freeze_batch_norm=true", "run.precision=bf16")
    result = train_classifier(recipe(name, *changes), tmp_path / "run", benchmark=figures)
    assert result.finished


def test_what_a_scheme_does_not_share(name: str, figures: Benchmark, tmp_path: Path) -> None:
    for change, sentence in (
        ("run.pieces=2", f"run.pieces must be 1 with scheme {name}, .*; got 2"),
        ("recognition.mixup=0.2", f"recognition.mixup must be 0 with scheme {name}, .*; got 0.2"),
    ):
        with pytest.raises(Exception, match=sentence):
            train_classifier(recipe(name, change), tmp_path / "run", benchmark=figures)


def test_every_kind_of_head_that_a_scheme_asks_for_exists(name: str) -> None:
    assert issubclass(plugins.find(schemes, name).head, Head)
    assert head_of(name) in plugins.names(heads)
