"""Options that several subcommands share, and what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import BadInputError

if TYPE_CHECKING:
    from indexer.choice import EngineChoice
    from indexer.filters import Condition
    from retrieval.encoder import Encoder
    from retrieval.encoder_pair import EncoderPair
    from retrieval.reranking import Reranking

_ENCODER = "Encoder"

EncoderFolder = Annotated[
    Path | None,
    typer.Option(
        "--encoder",
        help="A saved or exported encoder, or a pair for photos and sketches (a folder).",
        rich_help_panel=_ENCODER,
    ),
]
BackboneName = Annotated[
    str,
    typer.Option(
        "--backbone",
        help="A torchvision or timm network, such as mobilenet_v2 or timm:vit_small_patch16_224; "
        "or hog, which has no weights.",
        rich_help_panel=_ENCODER,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Its weights, a safetensors state dict; downloaded when left out.",
        rich_help_panel=_ENCODER,
    ),
]
Untrained = Annotated[
    bool,
    typer.Option("--untrained", help="Random weights: the floor.", rich_help_panel=_ENCODER),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        help="average (when left out), maximum, average_maximum, gem, grid, scda, two_layers, "
        "wsl_style; options as in gem:p=4 or scda:plus=true. With --encoder: in place of its own.",
        rich_help_panel=_ENCODER,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(help="Input side in pixels; the network's own.", rich_help_panel=_ENCODER),
]
LastStride = Annotated[
    int | None,
    typer.Option(
        help="1: torchvision's ResNets keep the resolution through their last stage.",
        rich_help_panel=_ENCODER,
    ),
]
KeepLayers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Cut the network after so many layers: 14 of mobilenet_v2 know shapes, not things.",
        rich_help_panel=_ENCODER,
    ),
]
Fit = Annotated[
    str,
    typer.Option(
        help="How a picture meets the square: squash, crop, pad; native keeps its shape; "
        "object cuts to what is on a plain background.",
        rich_help_panel=_ENCODER,
    ),
]
Flip = Annotated[
    bool,
    typer.Option("--flip", help="Join the mirrored picture's vector.", rich_help_panel=_ENCODER),
]
Whiten = Annotated[
    str | None,
    typer.Option(
        help="Whiten the vectors: pca:256 or svd:512; paired:256 is --centred and learned on "
        "training pairs, paired:256:0.3 with another ridge than 1.",
        rich_help_panel=_ENCODER,
    ),
]
Centred = Annotated[
    bool,
    typer.Option(
        "--centred",
        help="Subtract from photos and from sketches what each have in common, learned on training "
        "pairs: a door for each.",
        rich_help_panel=_ENCODER,
    ),
]
Rerank = Annotated[
    str | None,
    typer.Option(
        help="Put the first hits into another order: k_reciprocal, alpha_query_expansion, "
        "local_max_sim; options as in k_reciprocal:k1=20,candidates=200.",
    ),
]
Runtime = Annotated[
    str,
    typer.Option(
        help="auto, eager, bf16, compile or openvino; see fgir doctor.", rich_help_panel=_ENCODER
    ),
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Pictures encoded at once.", rich_help_panel=_ENCODER)
]
Place = Annotated[
    str,
    typer.Argument(help="The collection: a folder, or on a server qdrant://HOST:6333/NAME."),
]
_ENGINE = "Engine"
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Search engine, a file in indexer/backends such as exact or faiss_hnsw; auto (when "
        "left out) chooses by the size of the collection.",
        rich_help_panel=_ENGINE,
    ),
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--engine-option",
        help="An option of the engine, such as ef_search=64; may be given several times.",
        rich_help_panel=_ENGINE,
    ),
]
EngineTable = Annotated[
    Path | None,
    typer.Option(
        "--engine-table",
        help="A TOML file that says which engine is chosen, in place of this program's table.",
        rich_help_panel=_ENGINE,
    ),
]
TargetRecall = Annotated[
    float | None,
    typer.Option(
        "--target-recall",
        help="Share of the true ten nearest that the engine shall find, such as 0.99: measured on "
        "the collection, and looked as far as it takes.",
        rich_help_panel=_ENGINE,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


Where = Annotated[
    str | None,
    typer.Option(
        help="Only items that this holds for, such as 'label = \"shoe\" and price < 50'; "
        "see docs/filters.md.",
        show_default=False,
    ),
]


def chosen_encoder(
    folder: Path | None,
    backbone: str,
    weights: Path | None,
    untrained: bool,
    pooling: str | None,
    size: int | None,
    fit: str,
    flip: bool,
    last_stride: int | None = None,
    keep_layers: int | None = None,
) -> "Encoder | EncoderPair":
    """The encoder that the options above describe: a saved one, or a frozen backbone."""
    if folder is not None:
        from retrieval.encoder import build_pooling
        from retrieval.encoder_folders import open_encoder

        saved = open_encoder(folder)
        if pooling is None:
            return saved
        one = without_doors(saved, "--pooling")
        return one.with_pooling(build_pooling(part(pooling), one.backbone.channels))
    from retrieval.encoder import build_encoder

    return build_encoder(
        backbone,
        part(pooling or "average"),
        weights=weights,
        pretrained=weights is None and not untrained,
        size=size,
        fit=fit,
        flip=flip,
        last_stride=last_stride,
        keep_layers=keep_layers,
    )


def without_doors(encoder: "Encoder | EncoderPair", what: str) -> "Encoder":
    """The encoder, where it is one and not a pair.

    Raises:
        BadInputError: It is a pair, which ``what`` cannot be applied to.
    """
    from retrieval.encoder_pair import EncoderPair

    if isinstance(encoder, EncoderPair):
        raise BadInputError(
            f"{what} must have one encoder to work on; got a pair, for photos and for sketches. "
            "Give the folder of one of its doors."
        )
    return encoder


def condition(text: str | None) -> "Condition | None":
    """What ``--where`` asks for."""
    if text is None:
        return None
    from indexer.filter_text import parse

    return parse(text)


def engine_choice(
    engine: str | None, given: list[str] | None, table: Path | None, recall: float | None
) -> "EngineChoice | None":
    """What the options for engines ask for; None when nothing was said."""
    from indexer.choice import AUTO, EngineChoice
    from indexer.choosing import RECALL, automatic, read_table

    if engine is None and table is None and not given:
        return None
    if engine not in (None, AUTO):
        if table is not None:
            raise BadInputError(
                f"--engine-table must be given where the engine is chosen; got --engine {engine}. "
                "Leave one of them out."
            )
        return EngineChoice(engine, assignments(given or []))
    if given:
        raise BadInputError(
            f"--engine-option must be given with an engine; got {given[0]!r} for auto. "
            "Name the engine with --engine."
        )
    return automatic(read_table(table), RECALL if recall is None else recall)


def reranking(text: str | None) -> "Reranking | None":
    """What ``--rerank`` asks for."""
    if text is None:
        return None
    from retrieval import plugins
    from retrieval import reranking as methods

    made: Reranking = plugins.build(methods, part(text))
    return made


def part(text: str) -> dict[str, Any]:
    """A part and its options as one writes them on a command line.

    Example:
        >>> part("gem:p=4")
        {'name': 'gem', 'p': 4}
    """
    name, _, rest = text.partition(":")
    return {"name": name} | assignments(rest.split(",") if rest else [])


def assignments(texts: list[str]) -> dict[str, Any]:
    """Values from ``name=value`` texts: true and false, whole and decimal numbers, else text.

    Example:
        >>> assignments(["test_share=0.5", "plus=true", "query=test"])
        {'test_share': 0.5, 'plus': True, 'query': 'test'}
    """
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise BadInputError(f"an option must be name=value; got {text!r}.")
        values[name.strip()] = _value(value.strip())
    return values


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
