"""Small evaluations that several tests read: vectors by chance, no picture behind them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.data import Benchmark, Relevance, Split
from retrieval.evaluation import EvaluationReport, report


def made_vectors(
    targets: NDArray[np.int64], *, noise: float, seed: int = 0, dim: int = 16
) -> NDArray[np.float32]:
    """Unit rows around a centre for each target."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((int(targets.max()) + 1, dim))
    rows = centres[targets] + noise * rng.standard_normal((len(targets), dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def made_split(count: int, classes: int, *, folder: str = "photos", seed: int = 0) -> Split:
    """Images that exist only as names."""
    targets = np.random.default_rng(seed).integers(0, classes, count)
    paths = tuple(Path(folder) / f"{target:03d}" / f"{i}.jpg" for i, target in enumerate(targets))
    return Split(paths, targets, names={i: f"class {i}" for i in range(classes)})


def made_report(
    *,
    noise: float = 1.0,
    seed: int = 0,
    count: int = 60,
    classes: int = 6,
    name: str = "net a",
    two_sets: bool = False,
    relevance: Relevance = Relevance.CLASS,
) -> EvaluationReport:
    """A whole evaluation in a few milliseconds."""
    query = made_split(count, classes)
    gallery = made_split(2 * count, classes, folder="shelf", seed=5) if two_sets else query
    benchmark = Benchmark("made up", query, gallery, relevance=relevance)
    vectors = made_vectors(query.targets, noise=noise, seed=seed)
    others = made_vectors(gallery.targets, noise=noise, seed=seed + 100) if two_sets else vectors
    return report(benchmark, vectors, others, encoder={"name": name, "fingerprint": "0" * 64})
