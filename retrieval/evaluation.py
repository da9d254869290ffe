"""From an encoder and a benchmark to a report: figures, how sure they are, and what made them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_unit_rows
from .data import Benchmark, Modality, Split
from .data_identity import digest, file_hashes, list_hash, numbered, relative
from .errors import BadInputError
from .evaluation_report import EvaluationReport, Rejected, table
from .figures import Score, default_ks, scores
from .files import sha256_of_file
from .metrics import Outcomes, judge
from .provenance import provenance
from .reranker import Reranker
from .reranking import Reranking
from .statistics import REPEATS

if TYPE_CHECKING:  # PyTorch is needed to encode, not to read a report
    from .encoder import Encoder
    from .encoder_pair import EncoderPair
    from .local_descriptors import LocalDescriptors

__all__ = ["EvaluationReport", "Rejected", "evaluate", "report", "table"]

KEEP = 10
"""Best hits that a report keeps of each query, to be looked at."""

FEW_CLUSTERS = 20
"""Classes below which the clustered interval is too narrow to be trusted."""

Contents = tuple[NDArray[np.int64], NDArray[np.int64]]
"""A number for the content of each query file and of each gallery file."""


def evaluate(
    encoder: "Encoder | EncoderPair",
    benchmark: Benchmark,
    *,
    ks: Sequence[int] | None = None,
    runtime: str = "auto",
    batch_size: int = 32,
    seed: int = 0,
    listing: Path | None = None,
    notes: Sequence[str] = (),
    reranking: Reranking | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> EvaluationReport:
    """Encode a benchmark's images and score them.

    A file that cannot be encoded is left out and named. A gallery file with the very bytes of the
    query is no answer to it: it is left out for that query, and a note says what Recall would be
    with it.

    Args:
        encoder: In eval mode. Photos and sketches each enter by their door of a pair; one encoder
            takes both, and a note says so.
        benchmark: What to measure on.
        ks: The K of Recall@K; those of :func:`retrieval.figures.default_ks` if left out.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Images encoded at once.
        seed: Of the bootstrap.
        listing: The data set's own table of images; its hash goes into the report.
        notes: More sentences for the report, such as what leaks were found.
        reranking: Puts the first hits into another order.
        on_progress: Called with each count of images that got encoded.
    """
    from .encoding import encode_files

    started = time.perf_counter()

    def encoded(split: Split) -> Any:  # noqa: ANN401  its type would import PyTorch
        return encode_files(
            encoder,
            split.paths,
            modality=split.modality,
            batch_size=batch_size,
            runtime=runtime,
            on_progress=on_progress,
        )

    query = encoded(benchmark.query)
    gallery = query if benchmark.same_images else encoded(benchmark.gallery)
    seconds = round(time.perf_counter() - started, 3)
    kept = _kept(benchmark, query.kept, gallery.kept)
    hashes = file_hashes(kept)
    same_files = numbered(*hashes)
    maps = None
    if reranking is not None and reranking.needs_maps:
        maps = _maps(encoder, kept, batch_size)
    lost = query.rejected if benchmark.same_images else [*query.rejected, *gallery.rejected]
    data = {"contents": digest([*hashes[0], *hashes[1]])}
    return report(
        kept,
        query.vectors,
        gallery.vectors,
        ks=ks,
        seed=seed,
        same_files=same_files,
        reranking=reranking,
        maps=maps,
        encoder=encoder_facts(encoder) | {"runtime": query.runtime},
        data=data | ({} if listing is None else {"listing": sha256_of_file(listing)}),
        rejected=[Rejected(file.path, file.reason) for file in lost],
        encoding_seconds=seconds,
        notes=[*notes, *door_notes(encoder, benchmark)],
    )


def report(
    benchmark: Benchmark,
    query_vectors: NDArray[np.float32],
    gallery_vectors: NDArray[np.float32],
    *,
    ks: Sequence[int] | None = None,
    seed: int = 0,
    same_files: Contents | None = None,
    encoder: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    rejected: Sequence[Rejected] = (),
    encoding_seconds: float | None = None,
    notes: Sequence[str] = (),
    reranking: Reranking | None = None,
    maps: "tuple[LocalDescriptors, LocalDescriptors] | None" = None,
    on_progress: Callable[[int], None] | None = None,
) -> EvaluationReport:
    """Score vectors that were made before.

    Args:
        benchmark: Which image each row belongs to.
        query_vectors: (Q, D) float32, rows of norm 1.
        gallery_vectors: (G, D) float32, rows of norm 1; the same again when every image queries
            all others.
        ks: The K of Recall@K; those of :func:`retrieval.figures.default_ks` if left out. Those
            beyond the gallery are left out with a note.
        seed: Of the bootstrap.
        same_files: See :func:`retrieval.metrics.judge`.
        encoder: What is known of what made the vectors.
        data: What is known of the files.
        rejected: Files without a vector.
        encoding_seconds: What the vectors took.
        notes: Sentences for the reader.
        reranking: Puts the first hits into another order.
        maps: Local descriptors of queries and gallery, where ``reranking`` needs them.
        on_progress: Called with the number of queries judged so far.

    Raises:
        BadInputError: Vectors that are no unit rows or do not fit the benchmark, or no query with a
            right answer.
    """
    check_unit_rows("query_vectors", query_vectors, [str(p) for p in benchmark.query.paths])
    check_unit_rows("gallery_vectors", gallery_vectors, [str(p) for p in benchmark.gallery.paths])
    reranker = None
    if reranking is not None:
        most = _most_left_out(benchmark.same_images, same_files)
        reranker = Reranker(
            reranking, query_vectors, gallery_vectors, most_left_out=most, maps=maps
        )
        reranker.prepare()
    clock = [time.perf_counter()]
    chosen = tuple(default_ks(benchmark.relevance) if ks is None else ks)
    judging = _Judging(benchmark, query_vectors, gallery_vectors, chosen, seed, reranker)
    outcomes = judging.outcomes(same_files, KEEP, on_progress)
    clock.append(time.perf_counter())
    reranked = {} if reranker is None else {"reranking": reranker.facts()}
    figures = judging.scores(outcomes)
    facts = [*benchmark.notes, *notes, *judging.notes(outcomes, same_files)]
    if rejected:
        facts.append(f"{len(rejected)} files could not be encoded and are left out.")
    clock.append(time.perf_counter())
    ranking, intervals = (round(seconds, 3) for seconds in np.diff(clock).tolist())
    seconds = {"encoding": encoding_seconds, "ranking": ranking, "intervals": intervals}
    root, query, gallery = relative(benchmark)
    known = {"root": root, "list": list_hash(query, gallery, benchmark.relevance)}
    return EvaluationReport(
        benchmark.name,
        benchmark.relevance,
        query,
        gallery,
        outcomes,
        figures,
        encoder=dict(encoder or {}),
        data=known | dict(data or {}),
        run=provenance() | {"seconds": seconds, "seed": seed, "repeats": REPEATS} | reranked,
        rejected=tuple(rejected),
        notes=tuple(facts),
    )


@dataclass(frozen=True, eq=False)
class _Judging:
    """Vectors of a benchmark, and what is asked of them."""

    benchmark: Benchmark
    query_vectors: NDArray[np.float32]
    gallery_vectors: NDArray[np.float32]
    ks: tuple[int, ...]
    seed: int
    reranker: Reranker | None = None

    def outcomes(
        self,
        same_files: Contents | None,
        keep: int = 0,
        on_progress: Callable[[int], None] | None = None,
    ) -> Outcomes:
        return judge(
            self.query_vectors,
            self.gallery_vectors,
            self.benchmark.query.targets,
            self.benchmark.gallery.targets,
            same_images=self.benchmark.same_images,
            same_files=same_files,
            keep=keep,
            rescore=self.reranker,
            on_progress=on_progress,
        )

    def scores(self, outcomes: Outcomes) -> tuple[Score, ...]:
        fitting = [k for k in self.ks if k <= outcomes.gallery_size]
        targets, relevance = self.benchmark.query.targets, self.benchmark.relevance
        return scores(outcomes, targets, relevance, fitting, seed=self.seed)

    def notes(self, outcomes: Outcomes, same_files: Contents | None) -> list[str]:
        found = []
        beyond = [k for k in self.ks if k > outcomes.gallery_size]
        if beyond:
            size = outcomes.gallery_size
            found.append(f"K of {beyond} left out: the gallery has {size} images.")
        copied = self._copied(same_files)
        if copied:
            with_copies = self.scores(self.outcomes(None))[0]
            found.append(
                f"{copied} queries have a byte-identical copy in the gallery, which is left out "
                f"for them; with it {with_copies}."
            )
        clusters = len(np.unique(self.benchmark.query.targets[outcomes.judged]))
        if clusters < FEW_CLUSTERS:
            found.append(f"Clustered intervals over {clusters} clusters only are too narrow.")
        unanswerable = int((~outcomes.judged).sum())
        if unanswerable:
            found.append(
                f"{unanswerable} queries have no right answer in the gallery and are left out."
            )
        return found

    def _copied(self, same_files: Contents | None) -> int:
        """Queries that have a copy of their file in the gallery, other than themselves."""
        if same_files is None:
            return 0
        numbers, counts = np.unique(same_files[1], return_counts=True)
        several = numbers[counts > 1] if self.benchmark.same_images else numbers
        return int(np.isin(same_files[0], several).sum())


def _maps(
    encoder: "Encoder | EncoderPair", benchmark: Benchmark, batch_size: int
) -> "tuple[LocalDescriptors, LocalDescriptors]":
    from .local_descriptors import local_descriptors

    def maps(split: Split) -> "LocalDescriptors":
        return local_descriptors(
            encoder, split.paths, modality=split.modality, batch_size=batch_size
        )

    query = maps(benchmark.query)
    return query, query if benchmark.same_images else maps(benchmark.gallery)


def door_notes(encoder: "Encoder | EncoderPair", benchmark: Benchmark) -> list[str]:
    """A sentence where sketches have no door of their own."""
    from .encoder_pair import EncoderPair

    seen = {benchmark.query.modality, benchmark.gallery.modality}
    if Modality.SKETCH not in seen or isinstance(encoder, EncoderPair):
        return []
    return [
        "The encoder has one door: sketches were encoded as photos are, by a network that was not "
        "made for both."
    ]


def _most_left_out(same_images: bool, same_files: Contents | None) -> int:
    """How many gallery images one query leaves out at most: itself and copies."""
    if same_files is None:
        return int(same_images)
    asked = same_files[1][np.isin(same_files[1], same_files[0])]
    return int(np.unique(asked, return_counts=True)[1].max(initial=0))


def _kept(benchmark: Benchmark, query: NDArray[np.int64], gallery: NDArray[np.int64]) -> Benchmark:
    """The benchmark without the images that have no vector."""
    if len(query) == 0 or len(gallery) == 0:
        raise BadInputError(
            f"{benchmark.name}: query and gallery must have images that can be encoded; got "
            f"{len(query)} and {len(gallery)}. See what `fgir evaluate` says of single files."
        )
    kept = _chosen(benchmark.query, query)
    other = kept if benchmark.same_images else _chosen(benchmark.gallery, gallery)
    return replace(benchmark, query=kept, gallery=other)


def _chosen(split: Split, rows: NDArray[np.int64]) -> Split:
    if len(rows) == len(split):
        return split
    return replace(
        split,
        paths=tuple(split.paths[row] for row in rows),
        targets=split.targets[rows],
        groups={name: values[rows] for name, values in split.groups.items()},
    )


def encoder_facts(encoder: "Encoder | EncoderPair") -> dict[str, Any]:
    """Name, length of vectors, fingerprint and settings, for a report."""
    settings = encoder.settings()
    return {
        "name": encoder_name(settings),
        "dim": encoder.dim,
        "fingerprint": encoder.fingerprint(),
        "settings": settings,
    }


def encoder_name(settings: Mapping[str, Any]) -> str:
    """An encoder, joined or not, or a pair of them, in a few words.

    Example:
        >>> encoder_name({
        ...     "backbone": "timm:vit", "pooling": {"name": "gem", "p": 3.0}, "flip": True,
        ...     "transform": {"size": 224, "fit": "squash"}, "projection": None,
        ...     "whitening": {"dim": 256, "method": "pca"}})
        'timm:vit gem(p=3.0) 224 squash flip pca 256'
    """
    if "photo" in settings:
        names = {door: encoder_name(settings[door]) for door in ("photo", "sketch")}
        return "photo: {photo}; sketch: {sketch}".format(**names)
    if "joined" in settings:
        parts = [
            f"{part['share']:g} {encoder_name(part['encoder'])}" for part in settings["joined"]
        ]
        return f"joined: {' + '.join(parts)}"
    pooling = dict(settings["pooling"])
    kept = settings.get("keep_layers")
    words = [settings["backbone"], *([f"first {kept}"] if kept else []), pooling.pop("name")]
    chosen = ", ".join(f"{name}={value}" for name, value in pooling.items() if value is not False)
    if chosen:
        words[-1] += f"({chosen})"
    words += [str(settings["transform"]["size"]), settings["transform"]["fit"]]
    words += ["flip"] if settings["flip"] else []
    if settings["projection"]:
        words.append(f"projected {settings['projection']['out_features']}")
    words += ["centred"] if settings.get("centring") else []
    if settings["whitening"]:
        words.append(f"{settings['whitening']['method']} {settings['whitening']['dim']}")
    words += ["learned energy"] if settings.get("energy") else []
    return " ".join(words)
