"""A recipe (TOML) as one frozen, checked value: everything that decides a training run.

A recipe has one table for each part below. A key nobody knows, and a value of another type, are
errors: a typing slip must not silently train something else. The tables ``benchmark`` and ``loss``
and ``encoder.pooling`` name a file (``name = "proxy_anchor"``) and give its options; those are
checked against the part's own signature when it is built.
"""

import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from retrieval.errors import BadInputError
from retrieval.plugins import unknown

_PARTS = ("benchmark", "loss", "head", "scheme", "pooling")
"""Tables whose options belong to the part that they name."""

RECIPES = Path(__file__).parent / "recipes"

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "bf16")
SHARING = ("all", "all but norms", "nothing")


@dataclass(frozen=True)
class EncoderConfig:
    """Which encoder is trained, and what it starts from.

    Attributes:
        backbone: A network of timm or torchvision, or one of the house.
        pooling: Name of a pooling, or a table with its name and options.
        weights: File the backbone starts from; random weights when empty.
        pretrained: Download the backbone's published weights.
        size: S, side of the network input in pixels; the backbone's own when left out.
        fit: How a picture meets the square, see ``retrieval.transforms.Transform``.
        dim: D, length of a vector, made by a linear layer; the pooling's own when left out. With
            the pooling's own length given, the layer starts as the identity.
        last_stride: 1 keeps the resolution through the last stage of torchvision's ResNets.
        keep_layers: Cut the backbone after so many of its layers.
        centred: Subtract the mean of the modality from descriptors; for sketches and photos.
        start: Folder of an encoder to go on from, instead of the settings above.
    """

    backbone: str = "mobilenet_v2"
    pooling: str | dict[str, Any] = "average"
    weights: str = ""
    pretrained: bool = False
    size: int | None = None
    fit: str = "squash"
    dim: int | None = None
    last_stride: int | None = None
    keep_layers: int | None = None
    centred: bool = False
    start: str = ""


@dataclass(frozen=True)
class SamplerConfig:
    """What a batch is made of.

    Attributes:
        classes: P, classes in a batch.
        images: K, images of each of them; a batch has P x K images. Of sketches: P objects with K
            sketches each, every one with its photo; 1 is enough.
        steps: Batches in an epoch; enough to show each image once when left out.
    """

    classes: int = 16
    images: int = 4
    steps: int | None = None

    def __post_init__(self) -> None:
        _at_least("sampler.classes", self.classes, 2)
        _at_least("sampler.images", self.images, 1)
        if self.steps is not None:
            _at_least("sampler.steps", self.steps, 1)


@dataclass(frozen=True)
class AugmentConfig:
    """How a training picture is varied. The default for a field is a moderate amount of it.

    Attributes:
        crop_share: Smallest share of the area that a crop keeps; 1 keeps every picture whole.
        crop_aspect: Largest change of a crop's aspect ratio, as a factor of 1 or more.
        flip: Mirror every second picture.
        brightness: Largest relative change of brightness, 0 to 1.
        contrast: Largest relative change of contrast, 0 to 1.
        saturation: Largest relative change of saturation, 0 to 1.
        hue: Largest turn of the hue, as a share of the colour circle, 0 to 0.5.
        grey: Share of pictures made grey.
        erase: Share of pictures of which a rectangle is painted over with the mean colour.
        crop_largest: Largest area of a crop over that of the picture. Above 1 a crop may show the
            object smaller than the picture does, which is mirrored at its edges.
    """

    crop_share: float = 0.4
    crop_aspect: float = 4 / 3
    flip: bool = True
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.0
    grey: float = 0.0
    erase: float = 0.0
    crop_largest: float = 1.0

    def __post_init__(self) -> None:
        _in_range("augment.crop_share", self.crop_share, 0.01, 1)
        _in_range("augment.crop_largest", self.crop_largest, 1, 16)
        _in_range("augment.crop_aspect", self.crop_aspect, 1, 10)
        for name in ("brightness", "contrast", "saturation", "grey", "erase"):
            _in_range(f"augment.{name}", getattr(self, name), 0, 1)
        _in_range("augment.hue", self.hue, 0, 0.5)


@dataclass(frozen=True)
class PairsConfig:
    """How sketches and photos are learned together; read where ``task = "pairs"``.

    Amounts of 0 leave something as it is. ``augment`` says how both pictures of a pair are cropped
    and mirrored, alike, and how the colours of photos are varied.

    Attributes:
        sharing: What the two doors share: "all" weights but the mean that is subtracted; "all but
            norms"; or "nothing".
        turned: Standard deviation of the rotation of either picture, degrees.
        scaled: Standard deviation of its size, as a share.
        shifted: Standard deviation of its shift along each axis, as a share of the side.
        bent: Standard deviation of a smooth deformation of the sketch, as a share of the side.
        thickness: Share of sketches drawn with a thicker or a softer pen.
        removed: Share of strokes left out, of sketches that have strokes.
        least_share: Sketches that have strokes stop at a share of their way between this and 1; 1
            shows all of them whole.
        edges: Share of photos that are shown as their edges.
        whitening: Dimensions of a paired whitening fitted to the best encoder at the end; 0 fits
            none.
        ridge: Of that whitening.
        labels: Columns of the benchmark, apart by commas, such as "label": the labels of objects
            that a classifier beside the loss must tell from their sketches and their photos. None
            when empty. Columns of your own table are kept with ``benchmark.groups``.
        label_weight: Of their mean cross-entropy, added to the loss.
    """

    sharing: str = "all"
    turned: float = 4.0
    scaled: float = 0.05
    shifted: float = 0.02
    bent: float = 0.02
    thickness: float = 0.5
    removed: float = 0.1
    least_share: float = 1.0
    edges: float = 0.0
    whitening: int = 0
    ridge: float = 1.0
    labels: str = ""
    label_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.sharing not in SHARING:
            raise BadInputError(unknown("pairs.sharing", self.sharing, SHARING))
        for name in ("turned", "scaled", "shifted", "bent", "ridge", "label_weight"):
            _in_range(f"pairs.{name}", getattr(self, name), 0)
        for name in ("thickness", "removed", "least_share", "edges"):
            _in_range(f"pairs.{name}", getattr(self, name), 0, 1)
        _at_least("pairs.whitening", self.whitening, 0)


@dataclass(frozen=True)
class RecognitionConfig:
    """How classes are learned as such; read where ``task = "recognition"``.

    Attributes:
        mixup: a of the Beta(a, a) distribution from which the share of a second picture is drawn
            that each picture of a batch is blended with, labels alike; 0 blends nothing. 0.2 is
            usual.
    """

    mixup: float = 0.0

    def __post_init__(self) -> None:
        _in_range("recognition.mixup", self.mixup, 0)


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move.

    Attributes:
        name: "adamw" or "sgd" (with Nesterov momentum 0.9).
        backbone_learning_rate: Peak for the backbone. 0 leaves the backbone as it is, in
            evaluation mode, and costs no gradients.
        head_learning_rate: Peak for pooling and projection.
        loss_learning_rate: Peak for weights of the loss (proxies, centres).
        frozen_layers: First layers of the backbone that stay as they are, norms included. What they
            compute costs no gradients, and little time: early layers have the largest maps.
        weight_decay: For weights of layers; biases, norms and the loss's weights are left alone.
        clip_norm: Largest norm of all gradients together; no limit when left out.
    """

    name: str = "adamw"
    backbone_learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    loss_learning_rate: float = 1e-2
    frozen_layers: int = 0
    weight_decay: float = 1e-4
    clip_norm: float | None = 10.0

    def __post_init__(self) -> None:
        if self.name not in ("adamw", "sgd"):
            raise BadInputError(unknown("optimizer", self.name, ("adamw", "sgd")))
        for name in ("backbone", "head", "loss"):
            _in_range(f"optimizer.{name}_learning_rate", getattr(self, f"{name}_learning_rate"), 0)
        _at_least("optimizer.frozen_layers", self.frozen_layers, 0)
        _in_range("optimizer.weight_decay", self.weight_decay, 0)
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise BadInputError(f"optimizer.clip_norm must be above 0; got {self.clip_norm}.")


@dataclass(frozen=True)
class ScheduleConfig:
    """How long, and how learning rates rise and fall.

    Attributes:
        epochs: How often the whole training part is gone through.
        warmup: Epochs in which learning rates rise from 0; may be a fraction.
        final_share: Share of the peak at the end of the cosine; 1 keeps the peak.
        decay_epochs: Fall in steps instead, each after so many epochs; a cosine when left out.
        decay: What a step multiplies learning rates by.
        backbone_from: Epochs in which only head and loss learn; after them the backbone too.
    """

    epochs: int = 20
    warmup: float = 1.0
    final_share: float = 0.0
    decay_epochs: int | None = None
    decay: float = 0.5
    backbone_from: int = 0

    def __post_init__(self) -> None:
        _at_least("schedule.epochs", self.epochs, 1)
        _in_range("schedule.warmup", self.warmup, 0, self.epochs)
        _in_range("schedule.final_share", self.final_share, 0, 1)
        if self.decay_epochs is not None:
            _at_least("schedule.decay_epochs", self.decay_epochs, 1)
        _in_range("schedule.decay", self.decay, 0, 1)
        _at_least("schedule.backbone_from", self.backbone_from, 0)


@dataclass(frozen=True)
class RunConfig:
    """How the work is done; of these only some change what is learned.

    Attributes:
        device: "cpu", "cuda", or "auto": a GPU where there is one.
        precision: "fp32", or "bf16": matrix products and convolutions in bfloat16.
        freeze_batch_norm: Keep the statistics and scales of BatchNorm as the weights had them; a
            step is then a third faster, because they are folded into the convolutions.
        average_weights: Decay of a running average of all weights that is validated and kept in
            place of the last ones, such as 0.999; none when left out.
        pieces: Pass a batch through the network in this many pieces, with the loss of the whole
            batch: more images than memory holds, for one more forward pass. BatchNorm sees pieces.
        accumulate: Batches whose gradients make one step.
        compile: Compile the network first: tens of seconds once, then faster.
        threads: Threads that decode and augment pictures.
        cache_mib: Memory for decoded training pictures; what does not fit is decoded every time.
        cached_views: Variations of each picture whose output of the frozen layers is computed once
            and kept, in memory up to ``cache_mib`` again. 0 varies pictures at every step.
        views_seed: Of the variations that are kept: the same for runs that share them.
        maps_folder: Folder to keep them in instead, for this run and others.
        checkpoint_steps: Steps between resume states inside an epoch; only at its end when left
            out.
        tensorboard: Write event files too (needs the package ``tensorboard``).
    """

    device: str = "auto"
    precision: str = "fp32"
    freeze_batch_norm: bool = False
    average_weights: float | None = None
    pieces: int = 1
    accumulate: int = 1
    compile: bool = False
    threads: int = 2
    cache_mib: int = 2048
    cached_views: int = 0
    views_seed: int = 0
    maps_folder: str = ""
    checkpoint_steps: int | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise BadInputError(unknown("device", self.device, DEVICES))
        if self.precision not in PRECISIONS:
            raise BadInputError(unknown("precision", self.precision, PRECISIONS))
        if self.average_weights is not None:
            _in_range("run.average_weights", self.average_weights, 0, 1)
        for name in ("pieces", "accumulate", "threads"):
            _at_least(f"run.{name}", getattr(self, name), 1)
        _at_least("run.cache_mib", self.cache_mib, 0)
        _at_least("run.cached_views", self.cached_views, 0)
        if self.checkpoint_steps is not None:
            _at_least("run.checkpoint_steps", self.checkpoint_steps, 1)


@dataclass(frozen=True)
class TrainConfig:
    """A whole run. Written beside its checkpoints as JSON.

    Attributes:
        benchmark: ``name`` of a file in ``retrieval/benchmarks``, ``root``, and its options.
        loss: ``name`` of a file in ``train/losses`` and its options; of recognition, in
            ``train/logit_losses``.
        head: Of recognition: ``name`` of a file in ``retrieval/heads`` and its options.
        scheme: Of recognition: ``name`` of a file in ``train/schemes`` and its options. Left
            out, the one of the head's name where there is one, else nothing but the loss.
        validation_share: Share of the training classes that is held out to choose the best epoch;
            of recognition, of the pictures of each class. 0 holds nothing out and keeps the last
            epoch.
        seed: Of every random choice of the run.
        task: ``name`` of a file in ``train/tasks``: "classes" for photo encoders, "pairs" for
            sketches with the photos they show, "recognition" for classifiers.
    """

    benchmark: dict[str, Any]
    loss: dict[str, Any]
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    run: RunConfig = field(default_factory=RunConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    head: dict[str, Any] = field(default_factory=dict)
    scheme: dict[str, Any] = field(default_factory=dict)
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)
    validation_share: float = 0.15
    seed: int = 0
    task: str = "classes"

    def __post_init__(self) -> None:
        for name in ("benchmark", "loss"):
            if not isinstance(getattr(self, name).get("name"), str):
                raise BadInputError(
                    f"{name} must be a table with a name; got {getattr(self, name)}. "
                    f'Write [{name}] and name = "..." in the recipe.'
                )
        if self.run.cached_views and not self.optimizer.frozen_layers:
            raise BadInputError(
                f"run.cached_views needs frozen layers; got {self.run.cached_views} and none. "
                "Set optimizer.frozen_layers."
            )
        _in_range("validation_share", self.validation_share, 0, 0.5)
        if self.schedule.backbone_from and self.encoder.dim is None and not self.head:
            raise BadInputError(
                "schedule.backbone_from must be 0 without encoder.dim, or nothing would learn; got "
                f"{self.schedule.backbone_from}. Set encoder.dim."
            )
        _in_range("seed", self.seed, 0, 2**32 - 1)

    def with_root(self, root: Path) -> "TrainConfig":
        """The same run on another copy of the data."""
        return replace(self, benchmark={**self.benchmark, "root": str(root)})

    def settings(self) -> dict[str, Any]:
        """Plain values that make this config again with :func:`from_settings`."""
        return asdict(self)


def read_recipe(recipe: Path | str, settings: Sequence[str] = ()) -> TrainConfig:
    """Read a recipe and check it.

    Args:
        recipe: A TOML file, or the name of a file in ``train/recipes`` such as "catalogue".
        settings: Changes such as "loss.margin=0.2", later ones on top of earlier ones.

    Raises:
        BadInputError: No such recipe, not TOML, an unknown key or a value of the wrong type.

    Example:
        >>> read_recipe("catalogue", ["sampler.images=3"]).sampler.images
        3
    """
    path = _recipe_path(recipe)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} must be a TOML file; got {error}. Mend that line.") from error
    return from_settings(override(values, settings), str(path))


def from_settings(settings: Mapping[str, Any], source: str = "recipe") -> TrainConfig:
    """A config of plain tables and values, checked.

    Raises:
        BadInputError: An unknown key, a missing table or a value of the wrong type; the message
            names ``source`` and the key.
    """
    config: TrainConfig = _build(TrainConfig, settings, source, "")
    return config


def override(values: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """``values`` with changes such as "loss.margin=0.2" applied.

    The right side is a TOML value; what is none is taken as a string, so that
    ``encoder.backbone=resnet50`` needs no quotes. Another part by ``loss.name`` takes the place of
    the one before with all its options; of a benchmark the ``root`` stays.

    Example:
        >>> override({"loss": {"name": "triplet"}}, ["loss.margin=0.2", "seed=7"])
        {'loss': {'name': 'triplet', 'margin': 0.2}, 'seed': 7}
        >>> override({"loss": {"name": "triplet", "margin": 0.2}}, ["loss.name=circle"])
        {'loss': {'name': 'circle'}}
    """
    changed = dict(values)
    for setting in settings:
        key, equals, text = setting.partition("=")
        *tables, name = key.strip().split(".")
        if not equals or not all([*tables, name]):
            raise BadInputError(
                f"--set must be KEY=VALUE; got {setting!r}. Write for example loss.margin=0.2."
            )
        table = changed
        for step in tables:
            inner = table.get(step, {})
            if not isinstance(inner, Mapping):
                inner = {"name": inner}  # pooling = "gem" and then --set encoder.pooling.p=4
            table[step] = table = dict(inner)
        value = _value(text.strip())
        if name == "name" and tables and tables[-1] in _PARTS and table.get(name) != value:
            for option in table.keys() - {"root"}:
                del table[option]
        table[name] = value
    return changed


def _value(text: str) -> Any:  # noqa: ANN401
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _recipe_path(recipe: Path | str) -> Path:
    path = Path(recipe)
    if path.is_file():
        return path
    known = sorted(file.stem for file in RECIPES.glob("*.toml"))
    if path.name == str(recipe) and path.stem in known:
        return RECIPES / f"{path.stem}.toml"
    if path.suffix == ".toml":
        raise BadInputError(f"recipe must be a file; got {path}, which is not there.")
    raise BadInputError(unknown("recipe", str(recipe), known))


def _build(kind: Any, values: Mapping[str, Any], source: str, prefix: str) -> Any:  # noqa: ANN401
    known = [part.name for part in fields(kind)]
    for key in values:
        if key not in known:
            full = [prefix + name for name in known]
            raise BadInputError(f"{source}: {unknown('setting', prefix + key, full)}")
    hints = typing.get_type_hints(kind)
    chosen = {
        key: _checked(value, hints[key], source, prefix + key) for key, value in values.items()
    }
    missing = [name for name in ("benchmark", "loss") if name in known and name not in values]
    if missing:
        raise BadInputError(
            f"{source}: recipe must have the table [{missing[0]}]; got none. "
            f'Write [{missing[0]}] and name = "...".'
        )
    return kind(**chosen)


def _checked(value: Any, hint: Any, source: str, key: str) -> Any:  # noqa: ANN401
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise BadInputError(f"{source}: {key} must be a table; got {value!r}. Write [{key}].")
        return _build(hint, value, source, f"{key}.")
    if value is None and _allows_none(hint):
        return None
    allowed = _plain_types(hint)
    if float in allowed and type(value) is int:
        return float(value)
    if type(value) not in allowed:
        want = " or ".join(kind.__name__ for kind in allowed)
        raise BadInputError(f"{source}: {key} must be {want}; got {value!r}.")
    return value


def _allows_none(hint: Any) -> bool:  # noqa: ANN401
    return types.NoneType in typing.get_args(hint)


def _plain_types(hint: Any) -> list[type]:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return [kind for part in parts for kind in _plain_types(part)]
    return [typing.get_origin(hint) or hint]


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise BadInputError(f"{name} must be {least} or more; got {value}.")


def _in_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    if not low <= value <= high:
        raise BadInputError(f"{name} must be in [{low:g}, {high:g}]; got {value:g}.")
