"""Whether two evaluations saw the same images: hashes of lists and of files, relative paths."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .data import Benchmark, Relevance, Split


def file_hashes(benchmark: Benchmark) -> tuple[list[str], list[str]]:
    """SHA-256 of every query picture and of every gallery picture.

    A sketch may be an entry of a file of strokes; then its strokes count, not the whole file.

    Raises:
        StorageError: A file is missing or cannot be read.
    """
    from .sketches import sha256_of_picture  # brings Pillow, which a saved report does not need

    query = [sha256_of_picture(path) for path in benchmark.query.paths]
    if benchmark.same_images:
        return query, query
    return query, [sha256_of_picture(path) for path in benchmark.gallery.paths]


def numbered(
    query: Sequence[str], gallery: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same numbers for equal texts.

    Example:
        >>> numbered(["a", "b"], ["b", "c"])
        (array([0, 1]), array([1, 2]))
    """
    numbers = {text: number for number, text in enumerate(dict.fromkeys([*query, *gallery]))}
    return (
        np.array([numbers[text] for text in query], np.int64),
        np.array([numbers[text] for text in gallery], np.int64),
    )


def relative(benchmark: Benchmark) -> tuple[str, Split, Split]:
    """The folder that holds all images, and query and gallery with paths relative to it.

    A data set that lies elsewhere on another machine is still the same data set.
    """
    parents = {str(path.parent) for path in (*benchmark.query.paths, *benchmark.gallery.paths)}
    try:
        root = os.path.commonpath(sorted(parents))
    except ValueError:  # absolute and relative paths, or two drives
        return "", benchmark.query, benchmark.gallery

    def below(split: Split) -> Split:
        return replace(split, paths=tuple(path.relative_to(root) for path in split.paths))

    query = below(benchmark.query)
    return root, query, query if benchmark.same_images else below(benchmark.gallery)


def list_hash(query: Split, gallery: Split, relevance: Relevance) -> str:
    """SHA-256 of which image plays which part under which label.

    Labels enter by name, where they have one: two readers may number the classes differently.
    """
    parts = {"query": query} if query is gallery else {"query": query, "gallery": gallery}
    lines = [f"{relevance}, {' and '.join(parts)}"]
    for part, split in parts.items():
        lines += [
            f"{part}\t{split.modality}\t{path.as_posix()}\t{split.name(row)}"
            for row, path in enumerate(split.paths)
        ]
    return digest(lines)


def digest(lines: Sequence[str]) -> str:
    """SHA-256 of some lines of text."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
