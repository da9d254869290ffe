"""What lifts retrieval without training: each step alone, on one encoder, with its cost.

Rows: the encoder as it is, with the mirrored picture, with SCDA in place of its pooling, with a
whitening fitted on training photos, with a second layer, with each re-ranking, and SCDA+ with the
mirrored picture, whitened and re-ranked by local descriptors. Settings of re-rankings are chosen
on the training part, never on the test part: photos of classes that ``fgir train`` holds out by
default query all others; among the held-out classes alone a photo finds its class far more often
than in the test. A row whose run folder is there already is not measured again.

    python benchmarks/accuracy/after_training.py --encoder frozen --data DATA --set birds
    python benchmarks/accuracy/after_training.py --encoder runs/x/best --data DATA --set birds
"""

import argparse
import copy
import itertools
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval import benchmarks, plugins, reranking
from retrieval.checkpoints import load_encoder
from retrieval.comparison import compare
from retrieval.data import Split
from retrieval.data_identity import digest, file_hashes, numbered
from retrieval.encoder import Encoder, build_encoder
from retrieval.encoding import Encoded, encode_files
from retrieval.errors import BadInputError
from retrieval.evaluation import EvaluationReport, report
from retrieval.figures import Score, percent
from retrieval.files import write_atomically
from retrieval.local_descriptors import LocalDescriptors, local_descriptors
from retrieval.metrics import Outcomes, judge
from retrieval.poolings.scda import Scda
from retrieval.poolings.two_layers import TwoLayers
from retrieval.reranker import Reranker
from retrieval.reranking import Reranking
from retrieval.whitening import Whitening, fit_whitening
from train.validation import split_classes

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETS: dict[str, dict[str, Any]] = {
    "birds": {},
    "grocery": {"query_split": "test", "gallery_split": "train"},
}
WHITENINGS = {"whitening_pca_256": ("pca", 256), "whitening_svd_512": ("svd", 512)}
TOGETHER = {
    "scda_plus_flip": (False, ""),
    "scda_plus_flip+local_max_sim": (False, "local_max_sim"),
    "scda_plus_flip+svd_512": (True, ""),
    "scda_plus_flip+svd_512+local_max_sim": (True, "local_max_sim"),
}
"""SCDA+ with the mirrored picture: whether it is whitened, and the re-ranking after it."""

GRIDS: dict[str, dict[str, list[Any]]] = {
    "k_reciprocal": {"k1": [6, 20], "k2": [1, 6], "lambda_value": [0.3, 0.6, 0.85]},
    "alpha_query_expansion": {"n": [1, 3, 10], "alpha": [0.0, 3.0, 6.0], "database": [False, True]},
    "local_max_sim": {"weight": [0.3, 0.6], "mask": [False, True], "symmetric": [False, True]},
}
VALIDATION_SHARE, SEED = 0.15, 0
VALIDATION_PHOTOS = 3000
"""Training photos, evenly spread, among which settings are chosen: as many as birds tests on."""


def main() -> None:
    """Measure what is missing and write one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", required=True, help="a saved encoder, or frozen")
    parser.add_argument("--data", type=Path, required=True, help="folder with birds/ and grocery/")
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--name", help="of the table; the encoder's folder when left out")
    parser.add_argument("--out", type=Path, default=Path("runs/after_training"))
    chosen = parser.parse_args()
    frozen = chosen.encoder == "frozen"
    name = chosen.name or ("frozen_mobilenet_v2" if frozen else Path(chosen.encoder).name)
    if frozen:
        weights = chosen.data / "weights" / "mobilenet_v2_imagenet.safetensors"
        encoder = build_encoder("mobilenet_v2", "average", weights=weights)
    else:
        encoder = load_encoder(Path(chosen.encoder))
    measuring = Measuring(encoder, chosen.data, chosen.set, chosen.out / f"{chosen.set}_{name}")
    reports = measuring.reports()
    hidden = {str(chosen.data): "DATA", chosen.encoder: "ENCODER", str(chosen.out): "OUT"}
    words = [word if word == "frozen" else hidden.get(word, word) for word in sys.argv[1:]]
    command = shlex.join(["python", "benchmarks/accuracy/after_training.py", *words])
    text = "\n".join(
        [
            f"# After training: {name} on {chosen.set}",
            "",
            *_table(reports),
            "",
            *(f"- {note}" for note in measuring.notes),
            "",
            _facts(reports["plain"]),
            "",
            f"    {command}",
            "",
        ]
    )
    write_atomically(RESULTS / f"after_training_{chosen.set}_{name}.md", text.encode())
    print(text)


@dataclass(eq=False)
class Measuring:
    """One encoder on one data set; nothing is encoded before a missing row needs it."""

    encoder: Encoder
    data: Path
    set: str
    runs: Path

    def __post_init__(self) -> None:
        self._chosen: dict[str, Reranking] = {}
        self.encoder = self.encoder.with_whitening(None)
        self.benchmark = benchmarks.read("table", self.data / self.set, SETS[self.set])
        self.notes = [
            "Each row without a + changes one thing against plain. Ms added: encoding by photo, "
            "and ranking by query, in excess of plain, by the clock on the wall: where other work "
            "shares the processor, a few ms between two encodings are noise. A re-ranking orders "
            "the first 100 hits.",
            "local_max_sim adds the cost of comparing; the gallery's maps are kept (float16), the "
            "query's come with its vector.",
        ]

    def reports(self) -> dict[str, EvaluationReport]:
        """All rows; in the notes how settings were chosen, and what could not be done."""
        reports = {}
        for row, measure in self._rows():
            folder = self.runs / row
            if not (folder / "report.json").exists():
                print(f"measuring {row}", flush=True)
                measure().save(folder)
            reports[row] = EvaluationReport.load(folder)
        self.notes += [self._grid_note(method) for method in GRIDS]
        return reports

    def _rows(self) -> Iterator[tuple[str, Callable[[], EvaluationReport]]]:
        yield "plain", self.plain_report
        yield from self._variants()
        for row, (method, dim) in WHITENINGS.items():
            if dim <= self.encoder.dim:
                yield row, partial(self.whitened, row, method, dim)
        for method in GRIDS:
            yield method, partial(self.reranked, method)
        if self.encoder.projection is None and not self.encoder.flip:
            for row, steps in TOGETHER.items():
                yield row, partial(self.together, row, *steps)

    def _variants(self) -> Iterator[tuple[str, Callable[[], EvaluationReport]]]:
        if self.encoder.projection is not None:
            self.notes.append("No flip, SCDA or second layer: the trained projection fits none.")
            return
        yield "scda", lambda: self.variant("scda", self.encoder.with_pooling(Scda()))
        if not self.encoder.flip:
            yield "flip", lambda: self.variant("flip", self._flipped())
        if not self.encoder.pooling.needs_early:
            yield "two_layers", lambda: self.variant("two_layers", self._two_layers())

    def plain_report(self) -> EvaluationReport:
        """The encoder as it is."""
        seconds, query, gallery = self.plain
        return self._report("plain", query.vectors, gallery.vectors, seconds)

    def variant(self, name: str, encoder: Encoder) -> EvaluationReport:
        """Another encoder of the same weights."""
        seconds, query, gallery = self._encoded(encoder)
        return self._report(name, query.vectors, gallery.vectors, seconds)

    def whitened(self, name: str, method: str, dim: int) -> EvaluationReport:
        """As ``encoder.with_whitening`` gives it: the last step, so nothing is encoded again."""
        seconds, query, gallery = self.plain
        whitening = fit_whitening(self.train_vectors, dim, method)
        started = time.perf_counter()
        vectors = _whitened(whitening, query), _whitened(whitening, gallery)
        return self._report(name, *vectors, seconds + time.perf_counter() - started)

    def reranked(self, method: str) -> EvaluationReport:
        """With the settings that were best on the training part."""
        seconds, query, gallery = self.plain
        chosen = self._choose(method)
        maps = self.maps if chosen.needs_maps else None
        return self._report("plain", query.vectors, gallery.vectors, seconds, chosen, maps)

    def together(self, name: str, whitened: bool, method: str) -> EvaluationReport:
        """SCDA+ and the mirrored picture, and more; a re-ranking as it was chosen for plain."""
        seconds, query, gallery = self.selected
        vectors = query.vectors, gallery.vectors
        if whitened:
            whitening = fit_whitening(self.selected_train_vectors, 512, "svd")
            vectors = _whitened(whitening, query), _whitened(whitening, gallery)
        chosen = self._choose(method) if method else None
        maps = self.maps if method else None
        return self._report(name, *vectors, seconds, chosen, maps)

    @cached_property
    def selected(self) -> tuple[float, Encoded, Encoded]:
        """Of SCDA+ and the mirrored picture."""
        return self._encoded(self._selecting())

    @cached_property
    def selected_train_vectors(self) -> NDArray[np.float32]:
        """Likewise, of the training photos."""
        if self.train is self.benchmark.gallery:
            return self.selected[2].vectors
        return _encoded(self._selecting(), self.train.paths, self.plain[1].runtime).vectors

    @cached_property
    def plain(self) -> tuple[float, Encoded, Encoded]:
        """Seconds, as in the row where there is one, and vectors of queries and gallery."""
        seconds, query, gallery = self._encoded(self.encoder)
        if (self.runs / "plain" / "report.json").exists():
            seconds = EvaluationReport.load(self.runs / "plain").run["seconds"]["encoding"]
        return seconds, query, gallery

    @cached_property
    def same_files(self) -> tuple[list[str], list[str]]:
        """Hashes of all files of the test."""
        return file_hashes(self.benchmark)

    @cached_property
    def maps(self) -> tuple[LocalDescriptors, LocalDescriptors]:
        """Of the queries and of the gallery."""
        query = local_descriptors(self.encoder, self.benchmark.query.paths)
        if self.benchmark.same_images:
            return query, query
        return query, local_descriptors(self.encoder, self.benchmark.gallery.paths)

    @property
    def train(self) -> Split:
        """What may be learned from: where there is no training part, the gallery."""
        return self.benchmark.train if len(self.benchmark.train) else self.benchmark.gallery

    @cached_property
    def train_vectors(self) -> NDArray[np.float32]:
        """Plain vectors of the training photos."""
        if self.train is self.benchmark.gallery:
            return self.plain[2].vectors
        return _encoded(self.encoder, self.train.paths, self.plain[1].runtime).vectors

    @cached_property
    def validation(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of some training photos, and which of those are of held-out classes."""
        count = len(self.train)
        gallery = np.unique(np.linspace(0, count - 1, min(VALIDATION_PHOTOS, count)).astype(int))
        held_out = split_classes(self.train.targets, VALIDATION_SHARE, SEED)[1]
        return gallery, np.flatnonzero(np.isin(gallery, held_out))

    @cached_property
    def validation_maps(self) -> tuple[LocalDescriptors, LocalDescriptors]:
        """Of the queries among those photos, and of all of them."""
        gallery, asked = self.validation
        paths = [self.train.paths[row] for row in gallery]
        queries = [paths[row] for row in asked]
        return local_descriptors(self.encoder, queries), local_descriptors(self.encoder, paths)

    def _choose(self, method: str) -> Reranking:
        """The setting with the best Recall@1 on the training part, then the best mAP."""
        if method in self._chosen:
            return self._chosen[method]
        tried = []
        for setting in _settings(method):
            made: Reranking = plugins.build(reranking, setting)
            score = _scores(self._validated(made))
            print(f"  {made}: {_shown(score)}", flush=True)
            tried.append((score, made))
        best = max(tried, key=lambda one: one[0])
        facts = {
            "queries": len(self.validation[1]),
            "photos": len(self.validation[0]),
            "settings": len(tried),
            "plain": _shown(_scores(self._validated(None))),
            "best": _shown(best[0]),
            "method": str(best[1]),
        }
        write_atomically(self.runs / f"{method}.json", json.dumps(facts).encode())
        self._chosen[method] = best[1]
        return best[1]

    def _grid_note(self, method: str) -> str:
        facts = json.loads((self.runs / f"{method}.json").read_text())
        return (
            f"`{facts['method']}`: best of {facts['settings']} settings where {facts['queries']} "
            f"photos of held-out classes query {facts['photos']} training photos, "
            f"{facts['best']}; plain there {facts['plain']}."
        )

    def _validated(self, method: Reranking | None) -> Outcomes:
        """Photos of held-out classes query all others."""
        rows, asked = self.validation
        gallery, targets = self.train_vectors[rows], self.train.targets[rows]
        queries, files = gallery[asked], (asked, np.arange(len(gallery)))
        rescore = None
        if method is not None:
            maps = self.validation_maps if method.needs_maps else None
            rescore = Reranker(method, queries, gallery, most_left_out=1, maps=maps)
        return judge(queries, gallery, targets[asked], targets, same_files=files, rescore=rescore)

    def _report(
        self,
        name: str,
        query: NDArray[np.float32],
        gallery: NDArray[np.float32],
        seconds: float,
        method: Reranking | None = None,
        maps: tuple[LocalDescriptors, LocalDescriptors] | None = None,
    ) -> EvaluationReport:
        return report(
            self.benchmark,
            query,
            gallery,
            same_files=numbered(*self.same_files),
            encoder={"name": name, "runtime": self.plain[1].runtime},
            data={"contents": digest([*self.same_files[0], *self.same_files[1]])},
            encoding_seconds=round(seconds, 3),
            reranking=method,
            maps=maps,
        )

    def _encoded(self, encoder: Encoder) -> tuple[float, Encoded, Encoded]:
        runtime = "auto" if encoder is self.encoder else self.plain[1].runtime
        started = time.perf_counter()
        query = _encoded(encoder, self.benchmark.query.paths, runtime)
        gallery = query
        if not self.benchmark.same_images:
            gallery = _encoded(encoder, self.benchmark.gallery.paths, query.runtime)
        return time.perf_counter() - started, query, gallery

    def _flipped(self) -> Encoder:
        one = self.encoder
        return Encoder(one.backbone, one.pooling, one.transform, flip=True).eval()

    def _selecting(self) -> Encoder:
        one = self.encoder
        return Encoder(one.backbone, Scda(plus=True), one.transform, flip=True).eval()

    def _two_layers(self) -> Encoder:
        one = self.encoder
        pooling = TwoLayers(of=one.pooling.settings()["name"])
        pooling.last = copy.deepcopy(one.pooling)  # with what it learned
        return Encoder(one.backbone, pooling, one.transform, flip=one.flip).eval()


def _whitened(whitening: Whitening, encoded: Encoded) -> NDArray[np.float32]:
    vectors = torch.nn.functional.normalize(whitening(torch.from_numpy(encoded.vectors)))
    return np.asarray(vectors.numpy())


def _encoded(encoder: Encoder, paths: tuple[Path, ...], runtime: str) -> Encoded:
    encoded = encode_files(encoder, paths, runtime=runtime)
    if encoded.rejected:
        raise BadInputError(f"all photos must be readable; got {encoded.rejected[0].reason}")
    return encoded


def _settings(method: str) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*GRIDS[method].values()):
        yield {"name": method, **dict(zip(GRIDS[method], values, strict=True))}


def _scores(outcomes: Outcomes) -> tuple[float, float]:
    average = outcomes.average_precision[outcomes.judged]
    return float(outcomes.found(1)[outcomes.judged].mean()), float(average.mean())


def _shown(score: tuple[float, float]) -> str:
    return f"Recall@1 {percent(score[0])}, mAP {percent(score[1])}"


def _table(reports: dict[str, EvaluationReport]) -> Iterator[str]:
    plain = reports["plain"]
    names = ["Recall@1", "Recall@2", "Recall@4", "Recall@8", "mAP"]
    head = ["row", *names, "Recall@1 against plain: won, lost, p", "ms added"]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row, one in reports.items():
        scores = {score.name: score for score in one.scores}
        cells = [row, *(_cell(scores[name]) for name in names)]
        pair = compare(plain, one)
        won = f"{len(pair.won_rows)}, {len(pair.lost_rows)}, {pair.p_value:.2g}"
        cells += ["", ""] if one is plain else [won, f"{_cost(one) - _cost(plain):.1f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "Percent; hits/n; [95 % Wilson interval, as if queries were independent]; (95 % bootstrap "
        f"interval over whole classes). Plain takes {_cost(plain):.1f} ms: encoding a photo and "
        "ranking for it."
    )


def _cell(score: Score) -> str:
    parts = [f"**{percent(score.value)}**"]
    if score.hits is not None:
        parts.append(f"{score.hits}/{score.count}")
    parts += [f"[{percent(*score.interval)}]"] if score.interval else []
    parts += [f"({percent(*score.clustered)})"] if score.clustered else []
    return " ".join(parts)


def _cost(one: EvaluationReport) -> float:
    """Milliseconds for one query: its encoding, and its ranking."""
    seconds = one.run["seconds"]
    photos = len(one.query) + (0 if one.same_images else len(one.gallery))
    return 1000 * float(seconds["encoding"] / photos + seconds["ranking"] / len(one.query))


def _facts(plain: EvaluationReport) -> str:
    run = plain.run
    hardware = ", ".join(f"{name} {value}" for name, value in run["hardware"].items())
    runtime = plain.encoder["runtime"]
    return f"Measured {run['date']} at commit {run['commit']}, runtime {runtime}: {hardware}."


if __name__ == "__main__":
    main()
