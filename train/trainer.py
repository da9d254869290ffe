"""From a recipe to an encoder.

:func:`train` builds everything from the recipe and the seed; :func:`resume` builds the same, then
puts back the numbers of a state. Because batches, augmentation and learning rates are functions of
seed, epoch and step, a resumed run goes on bit by bit as the uninterrupted one would have on the
same machine. Under ``torchrun`` several processes share a run, see :mod:`train.ranks`.
"""

from collections.abc import Callable
from pathlib import Path

from retrieval.data import Benchmark
from retrieval.errors import BadInputError

from .config import TrainConfig, from_settings
from .data import read_benchmark
from .ranks import Ranks, joined
from .reports import EpochReport, TrainResult
from .run import Listeners, Run
from .run_folder import RunFolder
from .state import read_state, state_files


def train(
    config: TrainConfig,
    out: Path,
    *,
    benchmark: Benchmark | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainResult:
    """Train the encoder of a recipe into a new run folder.

    Args:
        config: What :func:`train.config.read_recipe` gave.
        out: The run folder, new or empty.
        benchmark: Data to use instead of those that ``config.benchmark`` names.
        on_epoch: Called with the report of each epoch; ``str()`` of it is the line to print.
        on_step: Called with the steps done in this epoch and how many it has.
        should_stop: Asked after each step; on True the state is written and the run returns.

    Raises:
        BadInputError: Data or options that do not fit, or ``out`` is in use.
        TrainingError: NaN or collapse; the message names the tensor and the pictures.
        StorageError: The disk is full or read-only.
    """
    listeners = Listeners(on_epoch, on_step, should_stop)
    with joined(config.run.device) as ranks:
        folder = RunFolder(out, writes=ranks.first)
        folder.check_unused()
        ranks.wait()  # all have looked before one writes
        found = read_benchmark(config) if benchmark is None else benchmark
        run = Run(config, found, folder, _heard(listeners, ranks), ranks)
        folder.create(config.settings(), {**run.facts(), "data": run.data.counts(found.name)})
        return run.go_on()


def resume(
    out: Path,
    *,
    previous: bool = False,
    benchmark: Benchmark | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainResult:
    """Go on with a run that was stopped, killed or ended by an error.

    Args:
        out: The run folder.
        previous: Go on from the state before the newest one, when that is damaged.
        benchmark: As it was given to :func:`train`, if it was.
        on_epoch: See :func:`train`.
        on_step: See :func:`train`.
        should_stop: See :func:`train`.

    Raises:
        BadInputError: No run folder, or its data are no longer the same.
        DamagedDataError: The state is not what was written.
        TrainingError: See :func:`train`.
    """
    listeners = Listeners(on_epoch, on_step, should_stop)
    written = RunFolder(out).config()
    config = from_settings(written["config"], str(out / "config.json"))
    with joined(config.run.device) as ranks:
        folder = RunFolder(out, writes=ranks.first)
        ranks.wait()  # nobody is still writing
        states = state_files(folder.last)
        if previous and len(states) < 2:
            raise BadInputError(f"{out} must have two states to go back by one; got {len(states)}.")
        state = read_state(states[-2 if previous else -1]) if states else None
        ranks.wait()  # all have read the same state before one writes the next
        found = read_benchmark(config) if benchmark is None else benchmark
        run = Run(config, found, folder, _heard(listeners, ranks), ranks)
        run.compare(written)
        if state is not None:
            run.load(state)
        return run.go_on()


def _heard(listeners: Listeners, ranks: Ranks) -> Listeners:
    """Only the first rank reports; each may ask to stop."""
    return listeners if ranks.first else Listeners(should_stop=listeners.should_stop)
