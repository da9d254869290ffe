"""Where a run keeps what it makes.

RUN/config.json      the resolved recipe, and with what it ran
RUN/metrics.jsonl    one line for each epoch
RUN/best/            the encoder of the best epoch: what evaluate, index and search take; of
                     recognition a classifier too: what classify and recognise take
RUN/last/            states to resume from
RUN/events/          TensorBoard files, if wanted
RUN/result.json      written when the run is over
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.checkpoints import save_encoder
from retrieval.classifier import Classifier
from retrieval.classifier_folders import save_classifier
from retrieval.encoder import Encoder
from retrieval.encoder_folders import save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import BadInputError, StorageError
from retrieval.exports import Training
from retrieval.files import write_atomically

from .state import State, write_state


class RunFolder:
    """A run folder. Nothing in it is ever replaced by another run.

    Args:
        path: The folder.
        writes: False for a rank that leaves writing to the first one.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.best, self.last = path / "best", path / "last"

    def check_unused(self) -> None:
        """Raise unless nothing is there yet.

        Raises:
            BadInputError: Something is there already.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise BadInputError(
                f"run folder must be new or empty; got {self.path}, which is not. "
                "Choose another --out, or go on with --resume."
            )

    def create(self, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Make the folder and write down what is about to be run."""
        if not self.writes:
            return
        try:
            self.last.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self.path} must be a folder that can be written; got: {error.strerror}."
            ) from error
        self._write_json("config.json", {"config": config, **facts})

    def config(self) -> dict[str, Any]:
        """What :meth:`create` wrote.

        Raises:
            BadInputError: No run folder.
        """
        file = self.path / "config.json"
        try:
            values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(
                f"{self.path} must be a run folder with a config.json; got {error}. "
                "Give the folder that fgir train wrote."
            ) from error
        return values

    def training(self) -> Training:
        """How the best encoder so far was trained.

        Raises:
            BadInputError: No run folder, or one without an encoder yet.
        """
        written = self.config()
        file = self.path / "metrics.jsonl"
        try:
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            best = [line for line in lines if line["best"]][-1]
            counted = written.get("data", {})
            return Training(
                benchmark=counted.get("name", written["config"]["benchmark"]["name"]),
                classes=counted.get("classes"),
                pictures=counted.get("pictures"),
                recipe=written["config"],
                epoch=best["epoch"],
                epochs=best["epochs"],
                hits=best["hits"],
                queries=best["queries"],
                finished=(self.path / "result.json").exists(),
            )
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadInputError(
                f"{file} must tell of the epoch whose encoder was kept; got {error!r}. "
                "Export the encoder by itself: give the folder's best/."
            ) from error

    def write_metrics(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """One JSON object for each epoch so far."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self._write("metrics.jsonl", text)

    def write_best(self, encoder: Encoder | EncoderPair | Classifier) -> None:
        """Put the best encoder so far in place of the one before."""
        if not self.writes:
            return
        if isinstance(encoder, EncoderPair):
            save_pair(encoder, self.best, overwrite=True)
        elif isinstance(encoder, Classifier):
            save_classifier(encoder, self.best, overwrite=True)
        else:
            save_encoder(encoder, self.best, overwrite=True)

    def write_state(self, state: State) -> None:
        """A moment to resume from."""
        if self.writes:
            write_state(state, self.last)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """What came out, when the run is over."""
        self._write_json("result.json", result)

    def _write_json(self, name: str, values: Mapping[str, Any]) -> None:
        self._write(name, json.dumps(values, indent=2) + "\n")

    def _write(self, name: str, text: str) -> None:
        if self.writes:
            write_atomically(self.path / name, text.encode())
