"""One step: pictures in, weights moved, or an error that names what was not finite."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from retrieval.classifier import Classifier
from retrieval.heads import Head, Maps
from retrieval.tensors import device_of

from .config import OptimizerConfig, RunConfig
from .guards import (
    TrainingError,
    first_bad_tensor,
    is_no_memory,
    named_gradients,
    named_state,
    no_memory,
    not_finite,
)
from .network import Network
from .pair_network import PairNetwork
from .pictures import Batch, Named
from .pieces import backward_in_pieces
from .ranks import Ranks
from .schemes import Scheme, Seen


class TrainStep:
    """What is done with the batches of one step.

    Args:
        network: Of an encoder that is in training mode when it is called.
        loss: Of embeddings and targets, or a scheme.
        optimizer: Of the weights of both.
        average: Running average of the encoder's weights, if one is kept.
        run: Precision, pieces.
        optimizer_config: Clipping.
        ranks: Who else works on the step.
    """

    def __init__(
        self,
        network: Network | PairNetwork,
        loss: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: AveragedModel | None,
        run: RunConfig,
        optimizer_config: OptimizerConfig,
        ranks: Ranks,
    ) -> None:
        self.ranks = ranks
        self.network, self.encoder, self.loss = network, network.encoder, loss
        self.optimizer, self.average, self._pieces = optimizer, average, run.pieces
        self._clip = optimizer_config.clip_norm or float("inf")
        self._taught = _taught(network, loss)
        self._learned = [p for group in optimizer.param_groups for p in group["params"]]

    def __call__(
        self,
        batches: Sequence[Batch],
        targets: Tensor,
        pictures: Named,
        epoch: int,
        step: int,
        progress: float,
    ) -> float:
        """Move the weights once; the mean loss of the batches.

        Args:
            batches: Their gradients are averaged.
            targets: (N,) int64 of all pictures.
            pictures: For the names of files.
            epoch: From 1.
            step: For the message, from 1.
            progress: Share of the run that is done.

        Raises:
            TrainingError: Images, embeddings, loss, a gradient or a weight are not finite, or the
                batch does not fit in memory.
        """
        total = 0.0
        for phase in range(1 if self._taught is None else self._taught.scheme.phases):
            for batch in batches:
                features = self._features(batch)
                bad = self.ranks.first_sentence(first_bad_tensor([("images", features)]))
                if bad is not None:
                    raise _stopped(bad, batches, pictures, epoch, step)
                shown = _Shown(features, batch, targets, epoch, progress, phase)
                outputs, loss = self._tried(shown, len(batches))
                total += float(loss)
                if not loss.isfinite():
                    raise _stopped(self._blame(outputs, loss), batches, pictures, epoch, step)
            self.ranks.exchange(self.encoder, self.loss)
            self._leave_out(phase)
            norm = nn.utils.clip_grad_norm_(self._learned, self._clip)
            if not norm.isfinite():
                raise _stopped(self._blame(outputs, loss), batches, pictures, epoch, step)
            self.optimizer.step()
            self.optimizer.zero_grad()
            if not nn.utils.get_total_norm(self._learned).isfinite():
                raise _stopped(self._blame(outputs, loss), batches, pictures, epoch, step)
        if self.average is not None:
            self.average.update_parameters(self.encoder)
        return total / len(batches)

    def _leave_out(self, phase: int) -> None:
        """Take the gradients of weights that a scheme leaves as they are in a phase."""
        if self._taught is None:
            return
        chosen = self._taught.scheme.learned(self._taught.head, phase)
        if chosen is not None:
            kept = set(chosen)
            for parameter in self._learned:
                if parameter not in kept:
                    parameter.grad = None

    def _features(self, batch: Batch) -> Tensor:
        device = device_of(self.encoder)
        inputs = torch.as_tensor(batch.inputs).to(device, non_blocking=True)
        if isinstance(batch.inputs, Tensor):
            return inputs
        return self.network.prepared(inputs)

    def _tried(self, shown: "_Shown", batches: int) -> tuple[Tensor, Tensor]:
        try:
            if self._taught is not None:
                return self._backward_of_scheme(self._taught, shown, batches)
            return self._backward(shown.features, shown.batch.targets(shown.targets), batches)
        except (MemoryError, RuntimeError) as error:
            if is_no_memory(error):
                raise no_memory(error, self._pieces) from error
            raise

    def _backward_of_scheme(
        self, taught: "_Taught", shown: "_Shown", batches: int
    ) -> tuple[Tensor, Tensor]:
        """The loss, twice: a scheme has no single output."""
        seen = Seen(
            inputs=shown.features,
            targets=shown.batch.targets(shown.targets),
            positions=torch.from_numpy(shown.batch.positions),
            maps=taught.maps,
            epoch=shown.epoch - 1,
            progress=shown.progress,
        )
        loss: Tensor = taught.scheme(taught.head, seen, shown.phase) / batches
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), loss.detach() * batches

    def _backward(self, features: Tensor, targets: Tensor, batches: int) -> tuple[Tensor, Tensor]:
        def loss_of(embeddings: Tensor) -> Tensor:
            whole = self.ranks.whole(embeddings, len(targets))
            with self.ranks.random_stream(seed, features.device, common=True):
                loss: Tensor = self.loss(whole, targets) / batches
            return loss

        seed = self.ranks.random_seed()
        with self.ranks.random_stream(seed, features.device, common=False):
            if self._pieces > 1:
                embeddings, loss = backward_in_pieces(
                    self.encoder, self.network.embed, features, self._pieces, loss_of
                )
            else:
                embeddings = self.network.embed(features)
                loss = loss_of(embeddings)
                loss.backward()  # type: ignore[no-untyped-call]
        return embeddings.detach(), loss.detach() * batches

    def _blame(self, embeddings: Tensor, loss: Tensor) -> str:
        """The first tensor that is not finite on the way from weights to gradients."""
        found = first_bad_tensor(
            [
                *named_state("encoder", self.encoder),
                *named_state("loss", self.loss),
                ("embeddings", embeddings),
                ("loss", loss),
                *named_gradients("encoder", self.encoder),
                *named_gradients("loss", self.loss),
            ]
        )
        return found or "the norm of all gradients, too large to be a number"


@dataclass(frozen=True, eq=False)
class _Taught:
    """What a scheme works on."""

    scheme: Scheme
    head: Head
    maps: Maps


def _taught(network: Network | PairNetwork, loss: nn.Module) -> _Taught | None:
    if not isinstance(loss, Scheme):
        return None
    if not isinstance(network, Network) or not isinstance(network.encoder, Classifier):
        raise TypeError(f"a scheme must train a classifier; got {type(network.encoder)}.")
    return _Taught(loss, network.encoder.head, network.maps)


@dataclass(frozen=True, eq=False)
class _Shown:
    """A batch on its way to the loss."""

    features: Tensor
    batch: Batch
    targets: Tensor  # of all pictures
    epoch: int
    progress: float
    phase: int


def _stopped(
    what: str, batches: Sequence[Batch], pictures: Named, epoch: int, step: int
) -> TrainingError:
    files: list[Path] = [pictures.path(int(i)) for batch in batches for i in batch.positions]
    return not_finite(what, epoch, step, files)
