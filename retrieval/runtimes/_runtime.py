"""What every runtime offers."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from ..backbones import Backbone


@dataclass(frozen=True)
class Job:
    """What a runtime is made for.

    Attributes:
        early: Whether ``early_and_last`` will be called; else ``forward``.
        native: Whether images differ in height and width; else they are squares of ``size``.
        size: Side of the images in pixels.
        lanes: Threads that call at the same time.
        threads: Threads that each of them may use.
    """

    early: bool = False
    native: bool = False
    size: int = 224
    lanes: int = 1
    threads: int = 1


class Runtime(Backbone, ABC):
    """A backbone that computes another one's maps in its own way.

    An encoder whose backbone is replaced by a runtime is still that encoder: pooling, projection
    and whitening stay in torch, so that every pooling works with every runtime, and the vectors
    are of the same space. Several threads may call a runtime at once.

    Attributes:
        summary: What it is, for people.
        reduced: Whether numbers are rounded more than float32 rounds them. Such a runtime is only
            chosen by itself after its vectors were compared with float32's.
        pays_from: Work for each lane, in GFLOP, from which the start-up is repaid by what each
            image saves. What was measured is in docs/performance.md.
        chunk: Images that a processor computes fastest at once.
    """

    summary: ClassVar[str]
    reduced: ClassVar[bool] = False
    pays_from: ClassVar[float] = 0.0
    chunk: ClassVar[int] = 1

    def __init__(self, backbone: Backbone, job: Job) -> None:
        """Prepare ``backbone``, which is in eval mode and on the device where it will run."""
        super().__init__()
        self.job = job
        for name in ("name", "channels", "stride", "mean", "std", "size", "fixed_size"):
            setattr(self, name, getattr(backbone, name))
        self.last_stride, self.keep_layers = backbone.last_stride, backbone.keep_layers

    @classmethod
    def why_not(cls, device: str) -> str:
        """Why this machine cannot run it on ``device``, "cpu" or "cuda"; empty where it can."""
        return ""
