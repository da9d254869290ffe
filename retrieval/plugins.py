"""One part, one file: a name on the command line or in a recipe is the name of a file in a folder.

``build(poolings, {"name": "gem", "p": 4.0})`` imports ``retrieval/poolings/gem.py``, takes the one
public class it defines and calls it. The class's ``__init__`` signature is the only schema: its
names are the options, its defaults the defaults, its annotations the types. There is no registry.
"""

import difflib
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from .errors import BadInputError


def names(folder: ModuleType) -> list[str]:
    """Names of the parts in a folder, without importing them."""
    return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if m.name[0] != "_")


def module(folder: ModuleType, name: str) -> ModuleType:
    """The file ``folder/name.py``, imported.

    Raises:
        BadInputError: No such file; the message lists the names and the nearest one.
    """
    if name not in names(folder):
        raise BadInputError(unknown(folder.__name__.rsplit(".", 1)[-1], name, names(folder)))
    return importlib.import_module(f"{folder.__name__}.{name}")


def find(folder: ModuleType, name: str) -> type[Any]:
    """The one public class defined in ``folder/name.py``."""
    found = module(folder, name)
    parts = [
        value
        for key, value in vars(found).items()
        if inspect.isclass(value) and value.__module__ == found.__name__ and key[0] != "_"
    ]
    if len(parts) != 1:
        got = ", ".join(part.__name__ for part in parts) or "none"
        raise TypeError(f"{found.__name__} must define exactly one public class; got {got}.")
    return parts[0]


def build(folder: ModuleType, options: Mapping[str, Any], **facts: Any) -> Any:  # noqa: ANN401
    """Make the part that ``options`` describes.

    Args:
        folder: Package whose files are the parts, such as ``retrieval.poolings``.
        options: ``name`` and what the user chose. An option the part does not have is an error.
        facts: What the caller knows (``dim``, ``num_classes``). Passed on only if the part asks.

    Raises:
        BadInputError: Unknown part, unknown option, missing option, or a value of the wrong type.
    """
    chosen = dict(options)
    name = chosen.pop("name", "")
    part = find(folder, name)
    parameters = inspect.signature(part).parameters
    hints = typing.get_type_hints(part.__init__)
    for option, value in chosen.items():
        if option not in parameters or option in facts:
            free = [parameter for parameter in parameters if parameter not in facts]
            raise BadInputError(unknown(f"option of {name}", option, free))
        _check_type(f"{name}.{option}", value, hints.get(option))
    chosen |= {fact: value for fact, value in facts.items() if fact in parameters}
    missing = [p.name for p in parameters.values() if p.default is p.empty and p.name not in chosen]
    if missing:
        given = ", ".join(chosen) or "none"
        raise BadInputError(f"{name} needs {', '.join(missing)}; got {given}.")
    return part(**chosen)


def unknown(what: str, got: str, known: Iterable[str]) -> str:
    """The sentence for a name nobody knows, with the nearest one that somebody does.

    Example:
        >>> unknown("pooling", "gme", ["average", "gem"])
        "no pooling called 'gme'; known: average, gem. Did you mean 'gem'?"
    """
    known = list(known)
    close = difflib.get_close_matches(got, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"no {what} called {got!r}; known: {', '.join(known) or 'none'}.{hint}"


def _check_type(name: str, value: object, hint: object) -> None:
    if hint not in (bool, int, float, str):
        return
    if type(value) is not hint and not (hint is float and type(value) is int):
        want = getattr(hint, "__name__", str(hint))
        raise BadInputError(f"{name} must be {want}; got {value!r}.")
