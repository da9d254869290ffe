"""How hard the generated catalogue is: floors, and a frozen backbone where its weights are at hand.

Example:
    python benchmarks/accuracy/catalogue_difficulty.py CATALOGUE --weights mobilenet_v2.safetensors
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.benchmarks import read
from retrieval.encoder import build_encoder
from retrieval.encoding import encode_files

Rows = NDArray[np.float32]


def colours(path: Path) -> Rows:
    """(512,) square roots of the colour histogram, eight levels a channel."""
    levels = np.asarray(Image.open(path).convert("RGB").resize((64, 64))).astype(int) // 32
    cells = (levels * [64, 8, 1]).sum(2).ravel()
    return np.asarray(np.sqrt(np.bincount(cells, minlength=512)), np.float32)


def pixels(path: Path) -> Rows:
    """(3072,) raw pixels of the picture at 32 x 32, without their mean."""
    values = np.asarray(Image.open(path).convert("RGB").resize((32, 32)), np.float32).ravel()
    return np.asarray(values - values.mean(), np.float32)


def recall_at_one(vectors: Rows, targets: NDArray[np.int64]) -> tuple[int, int]:
    """Queries whose nearest other photo has their target, and all queries."""
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    return int((targets[scores.argmax(1)] == targets).sum()), len(targets)


def main() -> None:
    """Print one line for each way of describing a photo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--weights", type=Path, help="safetensors of torchvision mobilenet_v2")
    parser.add_argument("--size", type=int, default=160)
    given = parser.parse_args()
    query = read("catalogue", given.catalogue).query
    floors: dict[str, Callable[[Path], Rows]] = {"colour histogram": colours, "raw pixels": pixels}
    found = {name: np.stack([of(path) for path in query.paths]) for name, of in floors.items()}
    for name, weights in (("untrained", None), ("frozen", given.weights)):
        if name == "frozen" and weights is None:
            continue
        encoder = build_encoder("mobilenet_v2", weights=weights, size=given.size)
        encoded = encode_files(encoder, query.paths, runtime="eager")
        found[f"mobilenet_v2 {name}"] = encoded.vectors
    for name, vectors in found.items():
        hits, count = recall_at_one(vectors, query.targets)
        family, _ = recall_at_one(vectors, query.groups["superclass"])
        print(
            f"{name:24} R@1 {hits:4}/{count} = {hits / count:6.1%}   family {family / count:6.1%}"
        )


if __name__ == "__main__":
    main()
