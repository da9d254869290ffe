"""The generated catalogue of shoes: photos of models that do not exist.

``fgir`` makes it (:func:`retrieval.catalogue.generate`). Half of the models are for learning; every
photo of the others queries all other test photos, and a photo of the same model is a right answer.

Source: generated.
Licence: that of this project.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ..catalogue.generate import CERTIFICATE
from ..data import Benchmark
from ..errors import BadInputError, DamagedDataError
from ..files import sha256_of_file
from . import table


def read(root: Path) -> Benchmark:
    """Read a generated catalogue.

    Args:
        root: The folder that ``generate`` made.

    Raises:
        BadInputError: ``root`` is no catalogue.
        DamagedDataError: A table is not the one that was generated, or a photo is missing.
    """
    root = Path(root)
    certificate = _certificate(root)
    for name, digest in certificate["sha256"].items():
        if not (root / name).is_file():
            raise DamagedDataError(f"{root} must hold {name}; got no such file. {_AGAIN}")
        if sha256_of_file(root / name) != digest:
            raise DamagedDataError(
                f"{root / name} must be the table that was generated; got another. {_AGAIN}"
            )
    found = table.read(root)
    _check_photos(root, found, certificate["photos"])
    return dataclasses.replace(
        found, name=f"catalogue (seed {certificate['seed']}, version {certificate['version']})"
    )


_AGAIN = "Generate the catalogue again."


def _certificate(root: Path) -> dict[str, Any]:
    file = root / CERTIFICATE
    if not file.is_file():
        raise BadInputError(
            f"{root} must hold {CERTIFICATE}; got no such file. Generate a catalogue there."
        )
    try:
        certificate: dict[str, Any] = json.loads(file.read_text())
    except ValueError as error:
        raise DamagedDataError(f"{file} must be JSON; got {error}. {_AGAIN}") from error
    if certificate.get("format") != "fgir catalogue":
        raise BadInputError(f"{file} must be of a catalogue; got {certificate.get('format')!r}.")
    return certificate


def _check_photos(root: Path, found: Benchmark, expected: int) -> None:
    paths = [*found.train.paths, *found.query.paths]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DamagedDataError(
            f"{root} must hold every photo of its table; got {len(missing)} missing, "
            f"such as {missing[0].name} in {missing[0].parent}. {_AGAIN}"
        )
    if len(paths) != expected:
        raise DamagedDataError(f"{root} must have {expected} photos; got {len(paths)}. {_AGAIN}")
