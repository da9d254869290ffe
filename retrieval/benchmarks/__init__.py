"""One data set a file, each ``read(root, **options) -> Benchmark``.

``read("cub200", root)`` imports ``cub200.py`` and calls its ``read``. The signature of that
function is the only schema: its names are the options, its defaults the defaults.
"""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..data import Benchmark
from ..errors import BadInputError
from ..plugins import module, unknown

Option = str | int | float | bool


def read(name: str, root: Path, options: Mapping[str, Option] | None = None) -> Benchmark:
    """Read a data set by the name of its file, with options as a command line gives them.

    A whole number given for a text (``query_split=1``) or for a decimal number is taken as such.

    Raises:
        BadInputError: Unknown data set or option, a value of the wrong kind, or what the data set
            itself finds wrong.
    """
    reader = module(sys.modules[__name__], name).read
    hints = get_type_hints(reader)
    known = [option for option in inspect.signature(reader).parameters if option != "root"]
    chosen: dict[str, Any] = {}
    for option, value in (options or {}).items():
        if option not in known:
            raise BadInputError(unknown(f"option of {name}", option, known))
        chosen[option] = _fitted(f"{name} option {option}", value, hints[option])
    benchmark: Benchmark = reader(root, **chosen)
    return benchmark


def _fitted(name: str, value: Option, hint: object) -> Option:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    if type(value) in kinds:
        return value
    if str in kinds:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if float in kinds and type(value) is int:
        return float(value)
    want = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise BadInputError(f"{name} must be {want}; got {value!r}.")
