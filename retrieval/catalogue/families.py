"""The kinds of shoe in the catalogue, each a function that designs one model."""

from collections.abc import Callable

from .boots import ankle_boot, tall_boot
from .closed import ballerina, loafer, pump, stiletto
from .design import Designer
from .laced import high_top, oxford, sneaker
from .open_shoes import clog, sandal, wedge
from .shapes import Shoe

FAMILIES: dict[str, Callable[[Designer], Shoe]] = {
    "sneaker": sneaker,
    "high_top": high_top,
    "oxford": oxford,
    "ankle_boot": ankle_boot,
    "tall_boot": tall_boot,
    "loafer": loafer,
    "ballerina": ballerina,
    "pump": pump,
    "stiletto": stiletto,
    "sandal": sandal,
    "wedge": wedge,
    "clog": clog,
}
"""By name; the order is the order of models in a generated catalogue."""
