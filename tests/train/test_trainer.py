"""Runs: what they write, that they repeat, go on as if never stopped, and stop when they must."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import train.run
from retrieval.checkpoints import load_encoder
from retrieval.data import Benchmark, Split
from retrieval.errors import BadInputError, DamagedDataError
from train.config import TrainConfig, from_settings, override, read_recipe
from train.guards import TrainingError
from train.losses.multi_similarity import MultiSimilarity
from train.losses.triplet_softmax import TripletSoftmax
from train.reports import EpochReport, TrainResult
from train.run_folder import RunFolder
from train.samplers import PKSampler
from train.state import State, read_state, state_files
from train.tasks._task import Task
from train.tasks.classes import made_encoder
from train.trainer import resume
from train.trainer import train as train_encoder

RECIPE = {
    "benchmark": {"name": "folder"},
    "loss": {"name": "proxy_anchor"},
    "encoder": {"backbone": "small", "size": 24, "dim": 16},
    "sampler": {"classes": 4, "images": 3},
    "schedule": {"epochs": 2, "warmup": 0.5},
    "validation_share": 0.3,
    "run": {"device": "cpu"},
}


PIECES = (
    "encoder",
    "loss",
    "optimizer",
    "average",
    "random",
    "epoch",
    "step",
    "loss_sum",
    "reports",
)


def recipe(*settings: str) -> TrainConfig:
    return from_settings(override(RECIPE, settings))


def numbers(result: TrainResult) -> dict[str, Tensor]:
    """Everything a run ends with: weights of all kinds, moments, random state."""
    return read_state(state_files(result.folder / "last")[-1]).tensors


def same(first: TrainResult, second: TrainResult) -> bool:
    one, other = numbers(first), numbers(second)
    scores = [[(r.loss, r.hits, r.spread) for r in result.reports] for result in (first, second)]
    files = [(result.encoder_folder / "encoder.json").read_bytes() for result in (first, second)]
    return (
        one.keys() == other.keys()
        and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
        and scores[0] == scores[1]
        and files[0] == files[1]
    )


class Noisy(nn.Module):
    """A loss that draws random numbers, as a network with dropout would."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        noisy = F.dropout(embeddings, 0.2, self.training)
        loss: Tensor = self.loss(noisy, targets)
        return loss


def use_noise(patch: pytest.MonkeyPatch) -> None:
    make = Task.loss
    patch.setattr(Task, "loss", lambda task: Noisy(make(task)))


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_noise(monkeypatch)


class Stop:
    """Asks to stop once, after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.fixture(scope="module")
def finished(figures: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    out = tmp_path_factory.mktemp("runs") / "run"
    lines: list[EpochReport] = []
    result = train_encoder(recipe(), out, benchmark=figures, on_epoch=lines.append)
    assert tuple(lines) == result.reports
    return result


def test_what_a_run_writes(finished: TrainResult) -> None:
    assert finished.finished
    assert [report.epoch for report in finished.reports] == [0, 1, 2]
    config = json.loads((finished.folder / "config.json").read_text())
    assert from_settings(config["config"]) == recipe()
    assert config["torch"] == torch.__version__
    lines = (finished.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]
    assert json.loads(lines[1])["loss"] == finished.reports[1].loss
    assert json.loads((finished.folder / "result.json").read_text())["best"]["best"] is True
    assert len(state_files(finished.folder / "last")) == 2


def test_a_run_tells_how_its_encoder_was_trained(finished: TrainResult, tmp_path: Path) -> None:
    training, best = RunFolder(finished.folder).training(), finished.best
    assert (training.benchmark, training.classes, training.pictures) == ("figures", 8, 48)
    assert (training.hits, training.queries) == (best.hits, best.queries)
    assert (training.epoch, training.epochs, training.finished) == (best.epoch, 2, True)
    assert training.recipe["seed"] == 0
    shutil.copy(finished.folder / "config.json", tmp_path)
    for lines in (None, "", "{}", "[", json.dumps({"best": False})):
        if lines is not None:
            (tmp_path / "metrics.jsonl").write_text(lines)
        with pytest.raises(BadInputError, match=r"metrics\.jsonl must tell of the epoch"):
            RunFolder(tmp_path).training()


def test_the_best_epoch_is_kept(finished: TrainResult) -> None:
    trained = finished.reports[1:]
    assert finished.best.hits == max(report.hits for report in trained)
    assert finished.untrained.loss is None
    assert not finished.untrained.best
    encoder = load_encoder(finished.encoder_folder)
    assert encoder.dim == 16
    assert encoder.transform.size == 24


def test_the_line_of_an_epoch(finished: TrainResult) -> None:
    report = replace(
        finished.reports[2], epochs=20, loss=1.25, hits=3, queries=8, best=True,
        images_per_second=99.6, seconds=1.26, memory_mib=512.0, map_at_r=0.25,
    )  # fmt: skip
    assert str(report) == (
        "epoch  2/20  loss  1.250  Recall@1  37.5%*(3/8)  MAP@R 25.0%    100 images/s  0.5 GiB"
        "  1.3 s"
    )
    assert str(finished.untrained).startswith("epoch 0/2  untrained    Recall@1")


def test_the_same_seed_makes_the_same_run(
    figures: Benchmark, finished: TrainResult, tmp_path: Path
) -> None:
    torch.manual_seed(1234)  # the caller's generator is neither used nor moved
    before = torch.get_rng_state()
    again = train_encoder(recipe("run.threads=1"), tmp_path / "again", benchmark=figures)
    assert same(finished, again)
    assert torch.equal(torch.get_rng_state(), before)
    other = train_encoder(recipe("seed=1"), tmp_path / "other", benchmark=figures)
    assert not same(finished, other)


@pytest.mark.usefixtures("noisy")
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("run.accumulate=2", "run.average_weights=0.9", "optimizer.name=sgd"),
        ("run.pieces=2", "run.precision=bf16", "run.freeze_batch_norm=true"),
    ],
    ids=["plain", "accumulated", "pieces"],
)
def test_a_stopped_run_goes_on_as_if_never_stopped(
    figures: Benchmark, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    config = recipe(*settings, "sampler.steps=4")
    whole = train_encoder(config, tmp_path / "whole", benchmark=figures)
    for step in (1, 3) if config.run.accumulate > 1 else (1, 4, 6):
        out = tmp_path / f"stopped-{step}"
        stopped = train_encoder(config, out, benchmark=figures, should_stop=Stop(step))
        assert not stopped.finished
        assert same(whole, resume(out, benchmark=figures)), f"stopped after step {step}"


@pytest.mark.usefixtures("noisy")
def test_a_killed_run_goes_on_from_its_last_state(figures: Benchmark, tmp_path: Path) -> None:
    config = recipe("run.checkpoint_steps=2", "sampler.steps=5")
    whole = train_encoder(config, tmp_path / "whole", benchmark=figures)

    for kill in (1, 3, 5, 8):
        out = tmp_path / f"killed-{kill}"
        done: list[int] = []

        def count(step: int, steps: int, kill: int = kill, done: list[int] = done) -> None:
            done.append(step)
            if len(done) == kill:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            train_encoder(config, out, benchmark=figures, on_step=count)
        assert same(whole, resume(out, benchmark=figures)), f"killed after step {kill}"


@pytest.fixture(scope="module")
def stopped(
    figures: Benchmark, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainResult, State, Path]:
    """A whole run, its state after one step, and the folder of one stopped in its second epoch."""
    config, runs = (
        recipe("run.average_weights=0.9", "sampler.steps=3"),
        tmp_path_factory.mktemp("r"),
    )
    with pytest.MonkeyPatch.context() as patch:
        use_noise(patch)
        whole = train_encoder(config, runs / "whole", benchmark=figures)
        train_encoder(config, runs / "early", benchmark=figures, should_stop=Stop(1))
        train_encoder(config, runs / "late", benchmark=figures, should_stop=Stop(5))
    return whole, read_state(state_files(runs / "early" / "last")[-1]), runs / "late"


@pytest.mark.usefixtures("noisy")
@pytest.mark.parametrize(
    "lost",
    [*PIECES, "nothing"],
)
def test_every_piece_of_a_state_counts(
    stopped: tuple[TrainResult, State, Path],
    figures: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    whole, first, folder = stopped
    out = shutil.copytree(folder, tmp_path / "run")
    state = read_state(state_files(out / "last")[-1])
    assert (state.facts["epoch"], state.facts["step"]) == (1, 2)
    if lost in state.facts:
        state.facts[lost] = first.facts[lost]
    for name in state.tensors:
        if name.split("/")[0] == lost:
            state.tensors[name] = first.tensors[name]
    monkeypatch.setattr("train.trainer.read_state", lambda _: state)
    assert same(whole, resume(out, benchmark=figures)) == (lost == "nothing")


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_backbone_rests_at_first(figures: Benchmark, tmp_path: Path, pieces: int) -> None:
    config = recipe("schedule.backbone_from=1", "schedule.epochs=3", f"run.pieces={pieces}")

    def weight(run: str) -> Tensor:
        state = read_state(state_files(tmp_path / run / "last")[-1])
        return state.tensors["encoder/backbone.stem.0.weight"]

    steps = len(PKSampler(np.repeat(np.arange(8), 6), 4, 3).batches(0))
    for run, done in (("begun", 1), ("rested", steps), ("awake", steps + 1)):
        train_encoder(config, tmp_path / run, benchmark=figures, should_stop=Stop(done))
    assert torch.equal(weight("begun"), weight("rested"))
    assert not torch.equal(weight("rested"), weight("awake"))
    whole = train_encoder(config, tmp_path / "whole", benchmark=figures)
    for run in ("begun", "awake"):
        assert same(whole, resume(tmp_path / run, benchmark=figures))


def test_a_run_folder_is_never_overwritten(figures: Benchmark, finished: TrainResult) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in finished.folder.rglob("*"))
    with pytest.raises(BadInputError, match=r"run folder must be new or empty; got .*--resume"):
        train_encoder(recipe(), finished.folder, benchmark=figures)
    assert sorted((p, p.stat().st_mtime_ns) for p in finished.folder.rglob("*")) == before


def test_a_finished_run_is_resumed_to_itself(figures: Benchmark, finished: TrainResult) -> None:
    assert same(finished, resume(finished.folder, benchmark=figures))


def test_other_pictures_are_refused(
    figures: Benchmark, finished: TrainResult, tmp_path: Path
) -> None:
    out = shutil.copytree(finished.folder, tmp_path / "run")
    train_split = figures.train
    moved = shutil.copytree(train_split.paths[0].parents[1], tmp_path / "train")
    paths = [moved / path.relative_to(path.parents[1]) for path in train_split.paths]
    elsewhere = replace(figures, train=Split(tuple(paths), train_split.targets))
    assert same(finished, resume(out, benchmark=elsewhere))
    renamed = Split((paths[0].rename(paths[0].with_name("z.png")), *paths[1:]), train_split.targets)
    fewer = Split(tuple(paths[1:]), train_split.targets[1:])
    for other in (renamed, fewer):
        with pytest.raises(BadInputError, match="must be resumed with the pictures it was started"):
            resume(out, benchmark=replace(figures, train=other))


def test_another_machine_is_noted(
    figures: Benchmark, finished: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(finished.folder, tmp_path / "run")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    result = resume(out, benchmark=figures)
    assert any("no longer bit-identical: threads was" in note for note in result.notes)
    assert json.loads((out / "result.json").read_text())["notes"] == list(result.notes)


def test_a_damaged_state_is_refused_and_the_one_before_taken_when_told(
    figures: Benchmark, finished: TrainResult, tmp_path: Path
) -> None:
    out = shutil.copytree(finished.folder, tmp_path / "run")
    newest = state_files(out / "last")[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    with pytest.raises(DamagedDataError, match=newest.name):
        resume(out, benchmark=figures)
    assert same(finished, resume(out, previous=True, benchmark=figures))


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"must be a run folder with a config\.json"):
        resume(tmp_path)


def poison_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiSimilarity, "forward", lambda _, x, y: x.sum() * torch.nan)


def poison_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(_: nn.Module, embeddings: Tensor, targets: Tensor) -> Tensor:
        return (embeddings - embeddings.detach()).square().sum().sqrt()  # 0 / 0 at 0

    monkeypatch.setattr(MultiSimilarity, "forward", forward)


def poison_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    make = train.pictures.Batches._make

    def spoiled(self: Any, *args: Any) -> train.pictures.Batch:
        batch = make(self, *args)
        batch.inputs[2, 3, 4, 1] = np.nan
        return batch

    monkeypatch.setattr(train.pictures.Batches, "_make", spoiled)


def poison_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    step = torch.optim.AdamW.step

    def spoiled(self: Any) -> None:
        step(self)
        self.param_groups[0]["params"][1].data[0] = torch.nan

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiled)


@pytest.mark.parametrize(
    ("poison", "name"),
    [
        (poison_loss, "loss (1 of 1 values"),
        (poison_gradient, "gradient of encoder.backbone.stem.0.weight ("),
        (poison_pictures, "images (1 of "),
        (poison_weights, "encoder.backbone.first.0.branch.0.weight ("),
    ],
    ids=["loss", "gradient", "pictures", "weights"],
)
def test_numbers_that_are_none_stop_the_run(
    figures: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    poison: Callable[[pytest.MonkeyPatch], None],
    name: str,
) -> None:
    config = recipe("loss.name=multi_similarity", "run.checkpoint_steps=1")
    out = tmp_path / "run"
    train_encoder(config, out, benchmark=figures, should_stop=Stop(2))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    poison(monkeypatch)
    with pytest.raises(TrainingError) as caught:
        resume(out, benchmark=figures)
    sentence = str(caught.value)
    assert sentence.startswith(f"training must stay finite; got {name}")
    assert "in epoch 1, step " in sentence
    assert str(figures.train.paths[0].parent.parent) in sentence
    assert "and 4 more" in sentence
    assert {path: path.read_bytes() for path in before} == before


def test_collapse_stops_the_run(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.AdamW.step

    def spoiled(self: Any) -> None:
        step(self)
        for group in self.param_groups:
            if group["name"] == "projection" and group["weight_decay"]:
                group["params"][0].data.zero_()  # only the bias is left, one for all pictures

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiled)
    with pytest.raises(TrainingError, match=r"vectors must differ between pictures; .*collapsed"):
        train_encoder(recipe(), tmp_path / "run", benchmark=figures)


def test_a_frozen_backbone_stays_as_it_was(figures: Benchmark, tmp_path: Path) -> None:
    config = recipe("optimizer.backbone_learning_rate=0", "schedule.epochs=1")
    result = train_encoder(config, tmp_path / "run", benchmark=figures)
    trained, start = load_encoder(result.encoder_folder), made_encoder(config)
    for name, tensor in start.backbone.state_dict().items():
        assert torch.equal(tensor, trained.backbone.state_dict()[name]), name
    assert trained.projection is not None
    assert start.projection is not None
    assert not torch.equal(trained.projection.weight, start.projection.weight)


def test_a_class_is_shown_more_than_once(figures: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"sampler\.images must be 2 or more; got 1"):
        train_encoder(recipe("sampler.images=1"), tmp_path / "run", benchmark=figures)


def test_classes_go_on_from_no_other_encoder(figures: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"encoder\.start must be left out .*; got 'there'"):
        train_encoder(recipe("encoder.start=there"), tmp_path / "run", benchmark=figures)


def test_without_validation_the_last_epoch_is_kept(figures: Benchmark, tmp_path: Path) -> None:
    result = train_encoder(recipe("validation_share=0"), tmp_path / "run", benchmark=figures)
    assert [report.best for report in result.reports] == [False, True, True]
    assert result.best.recall_at_1 is None
    assert "Recall" not in str(result.best)


def test_a_benchmark_without_a_training_part(figures: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="figures must have a training part; got none"):
        train_encoder(
            recipe(), tmp_path / "run", benchmark=Benchmark("figures", figures.query, figures.query)
        )
    assert not (tmp_path / "run").exists()


def test_a_recipe_without_a_root(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"benchmark\.root must be the folder of the data"):
        train_encoder(recipe(), tmp_path / "run")


def test_the_average_is_what_is_kept(figures: Benchmark, tmp_path: Path) -> None:
    config = recipe("run.average_weights=0.99", "schedule.epochs=1", "validation_share=0")
    result = train_encoder(config, tmp_path / "run", benchmark=figures)
    kept, ended = load_encoder(result.encoder_folder).state_dict(), numbers(result)
    for name, tensor in kept.items():
        assert torch.equal(tensor, ended[f"average/module.{name}"])
    name = "backbone.stem.0.weight"
    assert not torch.equal(kept[name], ended[f"encoder/{name}"])


def test_the_loss_learns_of_superclasses(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = figures.train.targets // 3
    split = replace(figures.train, groups={"superclass": above})
    given: list[list[int]] = []
    init = TripletSoftmax.__init__

    def spy(self: TripletSoftmax, num_classes: int, dim: int, superclasses: list[int]) -> None:
        given.append(superclasses)
        init(self, num_classes, dim, superclasses)

    monkeypatch.setattr(TripletSoftmax, "__init__", spy)
    config = recipe("loss.name=triplet_softmax", "schedule.epochs=1", "validation_share=0")
    benchmark = replace(figures, train=split)
    assert train_encoder(config, tmp_path / "run", benchmark=benchmark).finished
    assert given == [[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]


def test_event_files_hold_the_metrics(figures: Benchmark, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = recipe("run.tensorboard=true", "schedule.epochs=1")
    result = train_encoder(config, tmp_path / "run", benchmark=figures)
    events = EventAccumulator(str(tmp_path / "run" / "events"))
    events.Reload()
    [loss] = events.Scalars("loss")
    assert (loss.step, loss.value) == (1, pytest.approx(result.best.loss))
    assert [event.value for event in events.Scalars("recall_at_1")] == pytest.approx(
        [report.recall_at_1 for report in result.reports]
    )


def test_event_files_need_their_package(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(BadInputError, match=r"needs the package tensorboard; .*pip install"):
        train_encoder(recipe("run.tensorboard=true"), tmp_path / "run", benchmark=figures)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(
    figures: Benchmark, finished: TrainResult, tmp_path: Path
) -> None:
    compiled = train_encoder(recipe("run.compile=true"), tmp_path / "run", benchmark=figures)
    assert compiled.best.loss == pytest.approx(finished.best.loss, rel=1e-2)


def test_a_changed_recipe_is_noted(
    figures: Benchmark, finished: TrainResult, tmp_path: Path
) -> None:
    out = shutil.copytree(finished.folder, tmp_path / "run")
    written = json.loads((out / "config.json").read_text())
    written["config"]["sampler"]["classes"] = 3
    (out / "config.json").write_text(json.dumps(written))
    (note,) = resume(out, benchmark=figures).notes
    assert note.startswith("no longer bit-identical: sampler was {'classes': 4, ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"
        ),
    ],
    ids=["numpy", "gpu", "cpu"],
)
def test_a_batch_that_does_not_fit_stops_with_advice(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def forward(*_: object) -> Tensor:
        raise error

    monkeypatch.setattr(MultiSimilarity, "forward", forward)
    with pytest.raises(TrainingError, match=r"must fit in memory; got .*Set run\.pieces above 1"):
        train_encoder(recipe("loss.name=multi_similarity"), tmp_path / "run", benchmark=figures)


def test_other_errors_of_a_step_stay_what_they_are(
    figures: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: object) -> Tensor:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(MultiSimilarity, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train_encoder(recipe("loss.name=multi_similarity"), tmp_path / "run", benchmark=figures)


KILLED = """
import sys
from pathlib import Path
from train.config import read_recipe
from train.trainer import train
train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on(figures: Benchmark, tmp_path: Path) -> None:
    (root,) = {path.parent.parent for path in figures.train.paths}
    file = tmp_path / "recipe.toml"
    file.write_text(
        f'validation_share = 0.3\n[benchmark]\nname = "folder"\nroot = "{root}"\n'
        'test_share = 0.1\n[loss]\nname = "proxy_anchor"\n[encoder]\nbackbone = "small"\n'
        "size = 24\ndim = 16\n[sampler]\nclasses = 4\nimages = 3\nsteps = 20\n"
        "[schedule]\nepochs = 3\n[run]\ncheckpoint_steps = 1\n"
    )
    config = read_recipe(file)
    whole = train_encoder(config, tmp_path / "whole")
    random = np.random.default_rng(0)
    for number in range(5):
        out = tmp_path / f"killed-{number}"
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(file), str(out)])
        while not (out / "metrics.jsonl").exists():
            time.sleep(0.01)
        time.sleep(float(random.uniform(0, 0.8)) * whole.seconds)
        child.kill()
        child.wait()
        assert same(whole, resume(out)), f"kill number {number}"
