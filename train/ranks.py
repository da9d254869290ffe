"""One run on several processes, one for each GPU or group of cores: its ranks.

The batch of a metric-learning loss is one thing, so it stays one: all ranks draw the same batch,
each embeds its own rows of it, and every rank takes the loss of all of them.

1. Embeddings meet on all ranks; the gradient of the loss reaches each rank's own rows.
2. Gradients of the encoder are those of its rows: they are summed. Those of the loss's own weights
   (proxies, centres) are of the whole batch already: they are averaged, which only makes them
   bit-equal.
3. All ranks take the same step from the same weights to the same weights.

So a run is the same on any number of ranks, up to rounding, as long as images of a batch do not
influence one another: BatchNorm in training mode sees the rows of a rank, as it sees pieces in
:mod:`train.pieces`; running statistics are averaged. On GPUs it is made synchronous instead and
sees the whole batch.

References:
    Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020,
    section 2.2 and appendix B (a loss over the batch of all devices).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

from retrieval.errors import BadInputError

from .guards import TrainingError

PATIENCE = timedelta(hours=2)
"""How long a rank waits for the others: they wait while the first one validates. A rank that died
is noticed at once."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, seen from one of them. One process alone is the default.

    Attributes:
        number: Which of them this is, from 0. The first one validates, reports and writes.
        count: How many there are.
    """

    number: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that validates, reports and writes."""
        return self.number == 0

    def rows(self, size: int) -> range:
        """Rows of a batch of this size that this rank embeds; sizes differ by one at most.

        Example:
            >>> [Ranks(number, 3).rows(8) for number in range(3)]
            [range(0, 3), range(3, 6), range(6, 8)]
        """
        share, left = divmod(size, self.count)
        start = self.number * share + min(self.number, left)
        return range(start, start + share + (self.number < left))

    def check_batch(self, size: int) -> None:
        """Raise unless a batch of this size has a row for every rank.

        Raises:
            BadInputError: It has not.
        """
        if size < self.count:
            raise BadInputError(
                f"a batch must have a picture for every rank; got {size} pictures for "
                f"{self.count} ranks. Raise sampler.classes or sampler.images, or start fewer "
                "processes."
            )

    def whole(self, own: Tensor, size: int) -> Tensor:
        """Embeddings of this rank's rows (b, D) to those of the whole batch (size, D).

        The gradient of a row flows to the rank that embedded it, and nowhere else.
        """
        if self.count == 1:
            return own
        embeddings: Tensor = _Whole.apply(own, self, size)
        return embeddings

    def exchange(self, encoder: nn.Module, loss: nn.Module) -> None:
        """Sum gradients of the encoder, average those of the loss and the running statistics."""
        if self.count == 1:
            return
        summed = [p.grad for p in encoder.parameters() if p.grad is not None]
        averaged = [p.grad for p in loss.parameters() if p.grad is not None]
        averaged += _running_statistics(encoder)
        for tensor in averaged:
            tensor.div_(self.count)
        tensors = summed + averaged
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._sum(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def any(self, wish: bool) -> bool:
        """Whether any rank wishes it."""
        if self.count == 1:
            return wish
        wishes = torch.tensor(int(wish))
        self._sum(wishes)
        return bool(wishes)

    def first_sentence(self, sentence: str | None) -> str | None:
        """The sentence of the first rank that has one, on all ranks; None when none has."""
        if self.count == 1:
            return sentence
        data = (sentence or "").encode()
        lengths = torch.zeros(self.count, dtype=torch.int64)
        lengths[self.number] = len(data)
        self._sum(lengths)
        if not lengths.any():
            return None
        speaker = int(lengths.nonzero()[0])
        text = torch.zeros(int(lengths[speaker]), dtype=torch.uint8)
        if speaker == self.number:
            text.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        self._broadcast(text, speaker)
        return bytes(text.tolist()).decode()

    def from_first(self, values: Sequence[float]) -> list[float]:
        """The values that the first rank has, on all ranks; the others wait for it here."""
        if self.count == 1:
            return list(values)
        sent = torch.tensor(values, dtype=torch.float64)
        self._broadcast(sent, 0)
        return sent.tolist()

    def wait(self) -> None:
        """Go on when every rank has come here."""
        self.any(False)

    def random_seed(self) -> int:
        """For :meth:`random_stream`; drawn from the generator, which is the same on all ranks."""
        return 0 if self.count == 1 else int(torch.randint(2**31, ()))

    @contextmanager
    def random_stream(self, seed: int, device: torch.device, *, common: bool) -> Iterator[None]:
        """Random numbers that do not depend on how many were drawn before.

        Ranks draw different ones for their rows (dropout) and the same ones for the loss; after
        the block the generator is where it was, on all ranks alike. One process alone just goes
        on drawing.

        Args:
            seed: The same on all ranks.
            device: Whose generator is used too.
            common: Whether all ranks draw the same.
        """
        if self.count == 1:
            yield
            return
        devices = [torch.cuda.current_device()] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed * (self.count + 1) + (0 if common else 1 + self.number))
            yield

    def _sum(self, tensor: Tensor) -> None:
        with _spoken():
            dist.all_reduce(tensor)

    def _broadcast(self, tensor: Tensor, source: int) -> None:
        with _spoken():
            dist.broadcast(tensor, source)


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks of this process: those that ``torchrun`` started, or this one alone.

    Args:
        device: ``run.device`` of the recipe.

    Raises:
        BadInputError: More ranks on this machine than GPUs, or ranks that cannot find each other.
    """
    if dist.is_available() and dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    backend = "gloo"
    if device != "cpu" and torch.cuda.is_available():
        _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise BadInputError(
            f"ranks must find each other; got {type(error).__name__}: {_first_line(error)} "
            "Start them with torchrun."
        ) from error
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def synchronous_norms(encoder: nn.Module) -> None:
    """Make every BatchNorm one that sees the rows of all ranks; a GPU is needed to train it."""
    nn.SyncBatchNorm.convert_sync_batchnorm(encoder)  # type: ignore[no-untyped-call]


def is_first() -> bool:
    """Whether this process is the one that speaks, before and after a run too."""
    return int(os.environ.get("RANK", "0")) == 0


class _Whole(torch.autograd.Function):
    """Rows of all ranks from those of each."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, own: Tensor, ranks: Ranks, size: int
    ) -> Tensor:
        rows = ranks.rows(size)
        embeddings = own.new_zeros(size, own.shape[1])
        embeddings[rows.start : rows.stop] = own
        ranks._sum(embeddings)  # zeros of the others leave every value as it is
        ctx.rows = rows  # type: ignore[attr-defined]
        return embeddings

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, None, None]:
        rows = ctx.rows  # type: ignore[attr-defined]
        return gradient[rows.start : rows.stop], None, None


def _running_statistics(module: nn.Module) -> list[Tensor]:
    return [
        statistic
        for part in module.modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training
        for statistic in (part.running_mean, part.running_var)
        if statistic is not None
    ]


def _take_gpu(number: int) -> None:
    count = torch.cuda.device_count()
    if number >= count:
        raise BadInputError(
            f"ranks of one machine must be at most its GPUs, {count}; got rank {number} there. "
            "Start fewer processes, or set run.device=cpu."
        )
    torch.cuda.set_device(number)


@contextmanager
def _spoken() -> Iterator[None]:
    """A rank that is gone, as a sentence."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            f"every rank must go on to the end; got {type(error).__name__}: {_first_line(error)} "
            "Another rank has ended; look at what it said, then go on with --resume."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
