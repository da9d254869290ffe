"""The JSON files that say what a folder of weights holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import BadInputError, DamagedDataError


def parse_description(
    path: Path, data: bytes, what: str, *, format: str, version: int, keys: Mapping[str, type]
) -> dict[str, Any]:
    """What is in a description, checked as far as all kinds of them are alike.

    Args:
        path: Where it is, for messages.
        data: What the file holds.
        what: What it describes, such as "an encoder".
        format: That it must have.
        version: That it must have.
        keys: That must be there, and their types.

    Raises:
        DamagedDataError: It is no such description.
        BadInputError: Another version of this program wrote it.
    """
    try:
        description = json.loads(data)
    except (ValueError, RecursionError) as error:  # no JSON, no text, a thousand brackets
        raise DamagedDataError(f"{path} must be JSON; got {error}.") from error
    if not isinstance(description, dict) or description.get("format") != format:
        raise DamagedDataError(f"{path} must describe {what}; got something else.")
    if description.get("version") != version:
        raise BadInputError(
            f"{path} must have format version {version}; got {description.get('version')!r}. "
            "Another version of this program wrote it; use that one."
        )
    for key, kind in keys.items():
        if not isinstance(description.get(key), kind):
            raise DamagedDataError(f"{path} must describe {what}; it lacks {key!r}.")
    return description
