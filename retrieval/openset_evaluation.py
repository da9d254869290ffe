"""How well an encoder and a gallery know what they do not know.

Half of a benchmark's classes are known: photos of theirs are the gallery, others of theirs are
queries. Photos of the other half are queries, too, and right is to refuse them. Where a benchmark
has a gallery apart from its queries, the gallery's photos of known classes are the gallery and all
queries are asked; where every photo queries all others, the photos of each known class are dealt
out, the larger half to the gallery.

Which classes and photos these are is drawn with a seed, and does not depend on the encoder.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_unit_rows
from .data import Benchmark, Split
from .errors import BadInputError
from .evaluation import door_notes, encoder_facts
from .evaluation_report import Rejected
from .nearest_labels import UNKNOWN_SHARE, K, NearestLabels
from .openset import Openset
from .openset_report import P_BY_CLASS, PROBABILITY, OpensetReport, P
from .provenance import provenance

if TYPE_CHECKING:  # PyTorch is needed to encode, not to judge
    from .encoder import Encoder
    from .encoder_pair import EncoderPair

KNOWN_SHARE = 0.5
"""Share of classes that the gallery knows."""


@dataclass(frozen=True)
class Roles:
    """Which photos of a benchmark do what.

    Attributes:
        gallery: (G,) int64 positions among the benchmark's gallery.
        query: (Q,) int64 positions among its queries.
        known: (Q,) bool, whether the class of a query is known.
    """

    gallery: NDArray[np.int64]
    query: NDArray[np.int64]
    known: NDArray[np.bool_]


def roles(benchmark: Benchmark, *, known_share: float = KNOWN_SHARE, seed: int = 0) -> Roles:
    """Deal classes and photos out.

    Args:
        benchmark: Targets of 0 or more take part.
        known_share: Share of the classes that are known, in (0, 1); at least one is and one is not.
        seed: Of the draw.

    Raises:
        BadInputError: The share is outside, or there are fewer than two classes.
    """
    if not 0 < known_share < 1:
        raise BadInputError(f"known_share must be in (0, 1); got {known_share}.")
    targets = benchmark.query.targets
    classes = np.unique(targets[targets >= 0])
    if len(classes) < 2:
        raise BadInputError(
            f"{benchmark.name}: queries must be of two classes or more, to know some of them; got "
            f"{len(classes)}."
        )
    generator = np.random.default_rng(seed)
    count = min(max(1, round(known_share * len(classes))), len(classes) - 1)
    chosen = generator.permutation(classes)[:count]
    if benchmark.same_images:
        gallery = _larger_halves(targets, np.sort(chosen), generator)
        query = np.setdiff1d(np.flatnonzero(targets >= 0), gallery)
    else:
        gallery = np.flatnonzero(np.isin(benchmark.gallery.targets, chosen))
        query = np.flatnonzero(targets >= 0)
    known = np.isin(targets[query], benchmark.gallery.targets[gallery])
    return Roles(gallery, query, known)


def openset(
    encoder: "Encoder | EncoderPair",
    benchmark: Benchmark,
    *,
    known_share: float = KNOWN_SHARE,
    k: int = K,
    unknown_share: float = UNKNOWN_SHARE,
    seed: int = 0,
    runtime: str = "auto",
    batch_size: int = 32,
    notes: Sequence[str] = (),
    on_progress: Callable[[int], None] | None = None,
) -> OpensetReport:
    """Encode the photos that take part and judge p-values and probabilities on them.

    Args:
        encoder: In eval mode. Queries and gallery each enter by their door of a pair.
        benchmark: See :func:`roles`.
        known_share: Share of the classes that are known.
        k: Neighbours that vote, see :class:`retrieval.nearest_labels.NearestLabels`.
        unknown_share: Share of queries of unknown classes that probabilities expect.
        seed: Of the roles, and of the bootstrap.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Images encoded at once.
        notes: More sentences for the report.
        on_progress: Called with each count of images that got encoded.

    Raises:
        BadInputError: Too few classes or photos, or an option out of range.
    """
    from .encoding import encode_files

    started = time.perf_counter()
    dealt = roles(benchmark, known_share=known_share, seed=seed)

    def encoded(split: Split, rows: NDArray[np.int64]) -> Any:  # noqa: ANN401  brings PyTorch
        return encode_files(
            encoder,
            [split.paths[row] for row in rows.tolist()],
            modality=split.modality,
            batch_size=batch_size,
            runtime=runtime,
            on_progress=on_progress,
        )

    gallery = encoded(benchmark.gallery, dealt.gallery)
    query = encoded(benchmark.query, dealt.query)
    kept = Roles(dealt.gallery[gallery.kept], dealt.query[query.kept], dealt.known[query.kept])
    seconds = round(time.perf_counter() - started, 3)
    lost = [Rejected(one.path, one.reason) for one in (*gallery.rejected, *query.rejected)]
    return openset_report(
        benchmark,
        kept,
        gallery.vectors,
        query.vectors,
        k=k,
        unknown_share=unknown_share,
        seed=seed,
        settings={"known_share": known_share},
        encoder=encoder_facts(encoder) | {"runtime": query.runtime},
        rejected=lost,
        encoding_seconds=seconds,
        notes=[*notes, *door_notes(encoder, benchmark)],
    )


def openset_report(
    benchmark: Benchmark,
    dealt: Roles,
    gallery_vectors: NDArray[np.float32],
    query_vectors: NDArray[np.float32],
    *,
    k: int = K,
    unknown_share: float = UNKNOWN_SHARE,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    encoder: dict[str, Any] | None = None,
    rejected: Sequence[Rejected] = (),
    encoding_seconds: float | None = None,
    notes: Sequence[str] = (),
) -> OpensetReport:
    """Judge vectors that were made before.

    Args:
        benchmark: What the roles are of.
        dealt: Which photo each row is of.
        gallery_vectors: (G, D) float32, rows of norm 1.
        query_vectors: (Q, D) float32, rows of norm 1.
        k: Neighbours that vote; fewer where the gallery is smaller.
        unknown_share: Share of queries of unknown classes that probabilities expect.
        seed: Of fitting and of the bootstrap.
        settings: More of them, for the report.
        encoder: What is known of what made the vectors.
        rejected: Files without a vector.
        encoding_seconds: What the vectors took.
        notes: Sentences for the reader.

    Raises:
        BadInputError: No known or no unknown query, or no class with two photos in the gallery.
    """
    _check(benchmark, dealt, query_vectors)
    started = time.perf_counter()
    targets = benchmark.gallery.targets[dealt.gallery]
    conformal = Openset.fit(gallery_vectors, targets, seed=seed)
    neighbours = NearestLabels.fit(
        gallery_vectors,
        targets,
        k=min(k, len(targets) - 1),
        unknown_share=unknown_share,
        seed=seed,
    )
    labels, p = conformal.p_values(query_vectors)
    likely = neighbours.probabilities(query_vectors)
    told = {P: p}
    facts = [*benchmark.notes, *notes]
    if conformal.singles:
        facts.append(
            f"{conformal.singles} gallery photos are alone in their class: their nearest photo is "
            "of another one, and there are no p-values by class."
        )
    else:
        told[P_BY_CLASS] = conformal.p_values_by_class(query_vectors).p
        facts.append(_least_by_class(targets))
    told[PROBABILITY] = 1 - likely.none
    if rejected:
        facts.append(f"{len(rejected)} files could not be encoded and are left out.")
    judging = round(time.perf_counter() - started, 3)
    return OpensetReport(
        benchmark=benchmark.name,
        targets=benchmark.query.targets[dealt.query],
        known=dealt.known,
        surely_known=told,
        labels=labels,
        votes=likely.labels[:, 0],
        confidences=likely.probabilities[:, 0],
        gallery={
            "photos": len(targets),
            "classes": len(np.unique(targets)),
            "singles": conformal.singles,
        },
        settings={
            **(settings or {}),
            "seed": seed,
            "k": neighbours.k,
            "unknown_share": unknown_share,
            "temperature": neighbours.temperature,
            "none_similarity": neighbours.none_similarity,
            "none_temperature": neighbours.none_temperature,
        },
        encoder=dict(encoder or {}),
        run=provenance() | {"seconds": {"encoding": encoding_seconds, "judging": judging}},
        rejected=tuple(rejected),
        notes=tuple(facts),
    )


def _larger_halves(
    targets: NDArray[np.int64], classes: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of one half of each class, the larger one where they are not equal."""
    taken = []
    for target in classes.tolist():
        rows = generator.permutation(np.flatnonzero(targets == target))
        taken.append(rows[: (len(rows) + 1) // 2])
    return np.sort(np.concatenate(taken))


def _least_by_class(targets: NDArray[np.int64]) -> str:
    fewest = int(np.unique(targets, return_counts=True)[1].min())
    return f"No p-value by class is below 1/{fewest + 1}: the smallest class has {fewest} photos."


def _check(benchmark: Benchmark, dealt: Roles, query_vectors: NDArray[np.float32]) -> None:
    check_unit_rows(
        "query_vectors",
        query_vectors,
        [str(benchmark.query.paths[row]) for row in dealt.query.tolist()],
    )
    known = int(dealt.known.sum())
    if not 0 < known < len(dealt.known):
        raise BadInputError(
            f"{benchmark.name}: queries must be of known and of unknown classes; got {known} and "
            f"{len(dealt.known) - known}. Change the share of known classes, or add photos."
        )
