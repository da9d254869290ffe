"""Event files for TensorBoard, for who looks at runs there."""

from pathlib import Path

from retrieval.errors import BadInputError

from .reports import EpochReport


class EventFiles:
    """Writes what an epoch reports under the names of ``metrics.jsonl``.

    Raises:
        BadInputError: The package ``tensorboard`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise BadInputError(
                "run.tensorboard needs the package tensorboard; got none. "
                "Install it with: pip install tensorboard."
            ) from error
        self._writer = SummaryWriter(str(folder))

    def write(self, report: EpochReport) -> None:
        """Add the numbers of an epoch."""
        for name, value in report.settings().items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._writer.add_scalar(name, value, report.epoch)
        self._writer.flush()
