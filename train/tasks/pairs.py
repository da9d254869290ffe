"""A sketch beside the photo it shows, away from all others: encoders with two doors."""

import copy
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from retrieval.centring import Centring
from retrieval.data import Benchmark, Modality
from retrieval.encoder import Encoder
from retrieval.encoder_folders import open_encoder, save_pair
from retrieval.encoder_pair import EncoderPair
from retrieval.encoding import encode_files
from retrieval.errors import BadInputError
from retrieval.metrics import judge
from retrieval.paired import fit_pair

from ..config import TrainConfig
from ..data import TrainingData
from ..losses import LearnedEnergy
from ..optimization import AnyEncoder
from ..pair_labels import LabelHeads, Labelled, columns_of
from ..pair_network import PairNetwork
from ..pair_pictures import PairBatches, PairPictures
from ..ranks import Ranks
from ..validation import ValidationScore
from ._task import Halves, MadeBatches, Task
from .classes import made_encoder


class Pairs(Task):
    """Two doors into one space, learned from sketches and their photos.

    Validated on photos held out with all their sketches: acc@1 and the mean of 1 / rank of each
    sketch's photo among all of them.
    """

    encoder: EncoderPair
    data: TrainingData[PairPictures]
    figures = ("acc@1", "1/rank")
    pictures = 2

    def __init__(
        self, config: TrainConfig, benchmark: Benchmark, device: torch.device, ranks: Ranks
    ) -> None:
        super().__init__(config, benchmark, device, ranks)
        _check(config, benchmark, ranks)
        self.encoder = _pair(config).to(device).to(memory_format=torch.channels_last)
        sketches, photos = benchmark.train_sketches, _photo_of(benchmark)
        learned, held = held_out(sketches.targets, config.validation_share, config.seed)
        self.held = [(sketches.paths[i], photos[i]) for i in held]
        pictures = PairPictures(
            [sketches.paths[i] for i in learned],
            [photos[i] for i in learned],
            self.encoder,
            config.run.threads,
        )
        shown = learned[pictures.kept]
        objects, first, targets = np.unique(
            sketches.targets[shown], return_index=True, return_inverse=True
        )
        above = sketches.groups.get("superclass")
        self.data = TrainingData(
            pictures,
            targets.astype(np.int64),
            len(objects),
            None if above is None else [int(group) for group in above[shown][first]],
            None,
            _sha256(sketches.paths, photos),
            tuple(f"left out: {sentence}" for sentence in pictures.rejected),
        )
        self._learned = [(sketches.paths[i], photos[i]) for i in shown]
        labels = columns_of(config.pairs.labels, sketches.groups)
        self._labels = {name: values[shown][first] for name, values in labels.items()}
        self._energy: LearnedEnergy | None = None

    def loss(self) -> nn.Module:
        made, chosen = super().loss(), self.config.pairs
        if isinstance(made, LearnedEnergy):
            if chosen.whitening:
                raise BadInputError(
                    f"pairs.whitening must be 0 with the loss {self.config.loss['name']}, which "
                    f"learns how vectors are compared; got {chosen.whitening}. "
                    "Set pairs.whitening=0."
                )
            self._energy = made
        if not self._labels:
            return Halves(made)
        heads = LabelHeads(self._labels, self.encoder.dim)
        return Labelled(Halves(made), heads, chosen.label_weight)

    def kept(self, encoder: AnyEncoder) -> AnyEncoder:
        if self._energy is None:
            return encoder
        return cast(EncoderPair, encoder).with_energy(self._energy.energy_weight())

    @cached_property
    def network(self) -> PairNetwork:
        run = self.config.run
        return PairNetwork(
            self.encoder,
            self.config.optimizer.frozen_layers,
            fold=run.freeze_batch_norm,
            bf16=run.precision == "bf16",
        )

    def batches(self, on_step: Callable[[int, int], None]) -> MadeBatches:
        config = self.config
        return PairBatches(
            self.data.pictures,
            self.encoder,
            config.pairs,
            config.augment,
            config.seed,
            config.run.threads,
        )

    def score(self, encoder: AnyEncoder) -> ValidationScore:
        if not self.held:
            return ValidationScore(0, 0, 1.0)
        was_training = encoder.training
        score = self._score(cast(EncoderPair, encoder.eval()))
        encoder.train(was_training)
        return score

    def finish(self, best: Path) -> list[str]:
        """Fit the paired whitening to the training pairs, as they are, and say what it gives."""
        chosen = self.config.pairs
        if not chosen.whitening:
            return []
        pair = open_encoder(best)
        if not isinstance(pair, EncoderPair):
            raise BadInputError(f"{best} must hold a pair of encoders; got one. Train again.")
        photos = list(dict.fromkeys(photo for _, photo in self._learned))
        numbers = {photo: number for number, photo in enumerate(photos)}
        whitened = fit_pair(
            pair,
            photos,
            [sketch for sketch, _ in self._learned],
            np.array([numbers[photo] for _, photo in self._learned], np.int64),
            whiten=(chosen.whitening, chosen.ridge),
        )
        save_pair(whitened, best, overwrite=True)
        note = f"whitened to {chosen.whitening} dimensions on {len(self._learned)} training pairs"
        if not self.held:
            return [note]
        before = EncoderPair(pair.photo.with_whitening(None), pair.sketch.with_whitening(None))
        hits = self._score(before).hits, self._score(whitened).hits
        queries = len(self.held)
        return [f"{note}: validation acc@1 {hits[0]}/{queries} before, {hits[1]}/{queries} after"]

    def _score(self, pair: EncoderPair) -> ValidationScore:
        photos = list(dict.fromkeys(photo for _, photo in self.held))
        numbers = {photo: number for number, photo in enumerate(photos)}
        asked = np.array([numbers[photo] for _, photo in self.held], np.int64)
        queries = _vectors(pair, [sketch for sketch, _ in self.held], Modality.SKETCH)
        gallery = _vectors(pair, photos, Modality.PHOTO)
        outcomes = judge(queries, gallery, asked, np.arange(len(photos)))
        return ValidationScore(
            int(outcomes.found(1).sum()),
            len(queries),
            float(np.sqrt(np.square(queries - queries.mean(axis=0)).sum(axis=1).mean())),
            float((1 / outcomes.first_rank).mean()),
        )


def held_out(
    targets: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to learn from and positions to validate on; an object is on one side only.

    Args:
        targets: (N,) the object that each sketch shows.
        share: Of the objects that is held out, 0 to 0.5.
        seed: Another one holds others out.

    Raises:
        BadInputError: The share leaves fewer than 2 objects on either side.

    Example:
        >>> learned, held = held_out(np.array([0, 0, 1, 2, 3, 3]), share=0.5, seed=0)
        >>> len(learned) + len(held)
        6
    """
    everything = np.arange(len(targets))
    if share == 0:
        return everything, everything[:0]
    objects = np.unique(targets)
    count = round(share * len(objects))
    if not 2 <= count <= len(objects) - 2:
        raise BadInputError(
            f"validation_share must leave 2 objects on both sides; got {share} of {len(objects)} "
            "objects. Set validation_share = 0."
        )
    chosen = np.random.default_rng([seed, len(objects)]).permutation(objects)[:count]
    held = np.isin(targets, chosen)
    return everything[~held], everything[held]


def tied(photo: Encoder, sharing: str) -> EncoderPair:
    """A pair that starts as one encoder at both doors.

    Args:
        photo: That encoder; it becomes the photo door.
        sharing: See :class:`train.config.PairsConfig`. With "all" an encoder that is not centred
            serves both doors, and one that is has a mean of its own at each.
    """
    if sharing == "all":
        if photo.centring is None:
            return EncoderPair(photo, photo)
        return EncoderPair(photo, photo.with_centring(Centring(photo.dim)))
    sketch = copy.deepcopy(photo)
    if sharing == "all but norms":
        twins = dict(photo.named_modules())
        for name, module in sketch.named_modules():
            if not isinstance(module, _BatchNorm):
                for leaf in dict(module.named_parameters(recurse=False)):
                    setattr(module, leaf, getattr(twins[name], leaf))
    return EncoderPair(photo, sketch)


def _pair(config: TrainConfig) -> EncoderPair:
    if not config.encoder.start:
        return tied(made_encoder(config), config.pairs.sharing)
    begun = open_encoder(Path(config.encoder.start))
    if not isinstance(begun, EncoderPair):
        return tied(begun.with_whitening(None), config.pairs.sharing)
    photo = begun.photo.with_whitening(None)
    pair = tied(photo, config.pairs.sharing)
    if not pair.siamese:
        pair.sketch.load_state_dict(begun.sketch.with_whitening(None).state_dict())
    return pair


def _check(config: TrainConfig, benchmark: Benchmark, ranks: Ranks) -> None:
    if not len(benchmark.train_sketches):
        raise BadInputError(
            f"{benchmark.name} must have training sketches with their photos; got none. "
            "Take a benchmark of pairs, such as qmul_shoe or pairs."
        )
    unfit = {
        "run.pieces": config.run.pieces > 1,
        "run.cached_views": config.run.cached_views > 0,
        "several processes": ranks.count > 1,
    }
    for name, asked in unfit.items():
        if asked:
            raise BadInputError(
                f"{name} must be left out where pairs are learned; got it. "
                "Only photo encoders are trained with it."
            )


def _photo_of(benchmark: Benchmark) -> list[Path]:
    """The photo of each training sketch; the first one where an object has several."""
    first: dict[int, Path] = {}
    for path, target in zip(benchmark.train.paths, benchmark.train.targets.tolist(), strict=True):
        first.setdefault(target, path)
    return [first[target] for target in benchmark.train_sketches.targets.tolist()]


def _vectors(pair: EncoderPair, paths: Sequence[Path], modality: Modality) -> NDArray[np.float32]:
    """(N, D); a picture that cannot be encoded has a row of zeros, which finds nothing."""
    encoded = encode_files(pair, paths, runtime="eager", modality=modality)
    rows = np.zeros((len(paths), pair.dim), np.float32)
    rows[encoded.kept] = encoded.vectors
    return rows


def _sha256(sketches: Sequence[Path], photos: Sequence[Path]) -> str:
    root = os.path.commonpath([str(path.parent) for path in (*sketches, *photos)])
    digest = hashlib.sha256()
    for pair in zip(sketches, photos, strict=True):
        for path in pair:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
    return digest.hexdigest()
