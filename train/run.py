"""A run between two steps: everything that is built from the recipe, and the loop over epochs."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, astuple
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from retrieval import plugins
from retrieval.classifier import Classifier
from retrieval.data import Benchmark
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import BadInputError

from . import tasks
from .config import TrainConfig
from .events import EventFiles
from .guards import COLLAPSED, collapsed
from .memory import peak_mib
from .optimization import (
    AnyEncoder,
    backbones_of,
    keep_norms,
    learning_rate_share,
    make_optimizer,
    rest_backbone,
    set_learning_rates,
)
from .pictures import Batch
from .ranks import Ranks
from .reports import EpochReport, TrainResult
from .run_folder import RunFolder
from .state import (
    State,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
)
from .step import TrainStep
from .tasks._task import Task
from .validation import ValidationScore


def _nothing(*_: object) -> None:
    """For a caller who does not listen."""


def _never() -> bool:
    return False


class Listeners:
    """Who wants to know how far a run is.

    Args:
        on_epoch: Called with the report of each epoch; ``str()`` of it is the line to print.
        on_step: Called with the steps done in this epoch and how many it has.
        should_stop: Asked after each step; on True the state is written and the run returns.
    """

    def __init__(
        self,
        on_epoch: Callable[[EpochReport], None] | None = None,
        on_step: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.on_epoch = on_epoch or _nothing
        self.on_step = on_step or _nothing
        self.should_stop = should_stop or _never


class Run:
    """A run of a recipe on a benchmark, kept in a folder."""

    def __init__(
        self,
        config: TrainConfig,
        benchmark: Benchmark,
        folder: RunFolder,
        listeners: Listeners,
        ranks: Ranks,
    ) -> None:
        self.config, self.folder, self.listeners, self.ranks = config, folder, listeners, ranks
        self.started = time.perf_counter()
        self.device = _device(config.run.device)
        kind: type[Task] = plugins.find(tasks, config.task)
        self.task = kind(config, benchmark, self.device, ranks)
        self.encoder, self.data = self.task.encoder, self.task.data
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.loss = self.task.loss().to(self.device)
            self._random_state = torch.get_rng_state()
        self._keep_norms()
        self.network = self.task.network
        self.optimizer = make_optimizer(self.encoder, self.loss, config.optimizer)
        self.average = _average(self.encoder, config.run.average_weights)
        if config.run.compile:
            self.network.compile()
        self.train_step = TrainStep(
            self.network,
            self.loss,
            self.optimizer,
            self.average,
            config.run,
            config.optimizer,
            ranks,
        )
        self.sampler = self.task.sampler()
        self.batches = self.task.batches(listeners.on_step)
        written = config.run.tensorboard and ranks.first
        self.events = EventFiles(folder.path / "events") if written else None
        self.targets = torch.from_numpy(self.data.targets).to(self.device)
        self.epoch, self.step, self.loss_sum = 0, 0, 0.0
        self.reports: list[EpochReport] = []
        self.notes = list(self.data.notes)

    def facts(self) -> dict[str, Any]:
        """What decides the bits of a run besides its recipe."""
        return {
            "data_sha256": self.data.sha256,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": str(self.device),
            "ranks": self.ranks.count,
        }

    def compare(self, written: dict[str, Any]) -> None:
        """Refuse to go on with other pictures; note what else keeps the bits from being equal."""
        for name, now in self.facts().items():
            before = {"ranks": 1, **written}.get(name)
            if name == "data_sha256" and before != now:
                raise BadInputError(
                    f"{self.folder.path} must be resumed with the pictures it was started with; "
                    "got other file names or targets. Train anew into another folder."
                )
            if before != now:
                self.notes.append(f"no longer bit-identical: {name} was {before}, now it is {now}")

    def go_on(self) -> TrainResult:
        """Train what is left, writing a state after each epoch."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.config.seed)
            torch.set_rng_state(self._random_state)
            if not self.reports:
                self._report(self.encoder, None, 0.0, time.perf_counter())
            while self.epoch < self.config.schedule.epochs:
                stopped = not self._train_epoch() or self._should_stop()
                self._write_state()
                if stopped and self.epoch < self.config.schedule.epochs:
                    return self._result(finished=False)
        if self.ranks.first:
            self.notes += self.task.finish(self.folder.best)
        result = self._result(finished=True)
        self.folder.write_result(
            {"best": result.best.settings(), "notes": result.notes, "seconds": result.seconds}
        )
        return result

    def load(self, state: State) -> None:
        """Put back the numbers of a state."""
        load_module("encoder", self.encoder, state.tensors)
        load_module("loss", self.loss, state.tensors)
        load_optimizer(self.optimizer, state.tensors)
        if self.average is not None:
            load_module("average", self.average, state.tensors)
        self._random_state = state.tensors["random"]
        facts = state.facts
        self.epoch, self.step, self.loss_sum = facts["epoch"], facts["step"], facts["loss_sum"]
        self.reports = [
            EpochReport(**{**report, "figures": self.task.figures}) for report in facts["reports"]
        ]
        self._note_changes(facts["config"])
        self.notes = [*facts["notes"], *(n for n in self.notes if n not in facts["notes"])]
        self.folder.write_metrics([report.settings() for report in self.reports])

    def _note_changes(self, before: dict[str, Any]) -> None:
        for table, now in self.config.settings().items():
            if table != "benchmark" and before.get(table) != now:
                self.notes.append(
                    f"no longer bit-identical: {table} was {before.get(table)}, now it is {now}"
                )

    def _write_state(self) -> None:
        tensors = {
            **module_tensors("encoder", self.encoder),
            **module_tensors("loss", self.loss),
            **optimizer_tensors(self.optimizer),
            "random": torch.get_rng_state(),
        }
        if self.average is not None:
            tensors |= module_tensors("average", self.average)
        facts = {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "config": self.config.settings(),
            "reports": [asdict(report) for report in self.reports],
            "notes": self.notes,
        }
        self.folder.write_state(State(tensors, facts))

    def _train_epoch(self) -> bool:
        """Go on to the end of the epoch; False when asked to stop before it."""
        started, images, accumulate = time.perf_counter(), 0, self.config.run.accumulate
        chosen = self.sampler.batches(self.epoch)
        steps = -(-len(chosen) // accumulate)
        if self.step == 0:
            self.notes += self.task.prepare(self.epoch / self.config.schedule.epochs)
        self._training_mode()
        made = self.batches.epoch(self.epoch, chosen, start=self.step * accumulate)
        for batches in _grouped(made, accumulate):
            done = self.epoch * steps + self.step
            share = learning_rate_share(done, steps, self.config.schedule)
            set_learning_rates(self.optimizer, share)
            self.loss_sum += self.train_step(
                batches,
                self.targets,
                self.data.pictures,
                self.epoch + 1,
                self.step + 1,
                done / (self.config.schedule.epochs * steps),
            )
            self.step += 1
            images += self.task.pictures * sum(len(batch.positions) for batch in batches)
            self.listeners.on_step(self.step, steps)
            if self._interrupted(steps):
                made.close()
                return False
        speed = images / (time.perf_counter() - started)
        loss = self.loss_sum / steps
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self._report(self._kept(), loss, speed, started)
        return True

    def _kept(self) -> AnyEncoder:
        """The encoder that is validated and kept."""
        if self.average is None:
            return self.encoder
        averaged = self.average.module
        if not isinstance(averaged, Encoder | EncoderPair | Classifier):
            raise TypeError(f"the average of an encoder must be one; got {type(averaged)}.")
        return averaged

    def _interrupted(self, steps: int) -> bool:
        """Whether to stop inside an epoch; writes a state when it is time for one."""
        if self.step == steps:
            return False  # the end of the epoch has its own state
        every = self.config.run.checkpoint_steps
        if every is not None and self.step % every == 0:
            self._write_state()
        return self._should_stop()

    def _should_stop(self) -> bool:
        return self.ranks.any(self.listeners.should_stop())

    def _training_mode(self) -> None:
        self.encoder.train()
        self.loss.train()
        rest_backbone(self.optimizer, rest=self.epoch < self.config.schedule.backbone_from)
        self._keep_norms()
        if self.config.optimizer.backbone_learning_rate == 0:
            for backbone in backbones_of(self.encoder):
                backbone.eval()
        self.network.keep_frozen()

    def _keep_norms(self) -> None:
        """Those of the backbone stay, where they shall; those of a head have nothing to keep."""
        if self.config.run.freeze_batch_norm:
            for backbone in backbones_of(self.encoder):
                keep_norms(backbone)

    def _report(
        self, encoder: AnyEncoder, loss: float | None, speed: float, started: float
    ) -> None:
        """Validate, keep the encoder if it is the best so far, tell everybody."""
        encoder = self.task.kept(encoder)
        score = self._validated(encoder)
        if self.epoch > self.config.schedule.warmup and score.spread < COLLAPSED:
            raise collapsed(score.spread, self.epoch)
        trained = [report.hits for report in self.reports[1:]]
        best = loss is not None and score.hits >= max(trained, default=0)
        if best:
            self.folder.write_best(encoder)
        self.reports.append(
            EpochReport(
                epoch=self.epoch,
                epochs=self.config.schedule.epochs,
                loss=loss,
                hits=score.hits,
                queries=score.queries,
                spread=score.spread,
                learning_rates={g["name"]: g["lr"] for g in self.optimizer.param_groups},
                images_per_second=speed,
                seconds=time.perf_counter() - started,
                memory_mib=peak_mib(self.device),
                best=best,
                map_at_r=score.map_at_r,
                figures=self.task.figures,
            )
        )
        self.folder.write_metrics([report.settings() for report in self.reports])
        if self.events is not None:
            self.events.write(self.reports[-1])
        self.listeners.on_epoch(self.reports[-1])

    def _validated(self, encoder: AnyEncoder) -> ValidationScore:
        """By the first rank, for all of them."""
        score = ValidationScore(0, 0, 1.0)
        if self.ranks.first:
            score = self.task.score(encoder)
        hits, queries, *others = self.ranks.from_first(list(astuple(score)))
        return ValidationScore(int(hits), int(queries), *others)

    def _result(self, *, finished: bool) -> TrainResult:
        self.ranks.wait()  # the first one has written
        return TrainResult(
            self.folder.path,
            finished,
            tuple(self.reports),
            tuple(self.notes),
            time.perf_counter() - self.started,
        )


def _grouped(batches: Iterable[Batch], count: int) -> Iterator[list[Batch]]:
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInputError("run.device must be here; got 'cuda' and no GPU. Set run.device=cpu.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _average(encoder: AnyEncoder, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(encoder, multi_avg_fn=average)
