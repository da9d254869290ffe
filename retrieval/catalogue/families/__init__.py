"""The kinds of shoe in the catalogue, each a function that designs one model."""

from collections.abc import Callable

from ..design import Designer
from ..shapes import Shoe
from .boots import ankle_boot, tall_boot
from .clogs import clog
from .court import ballerina, pump, stiletto
from .loafers import loafer
from .oxfords import oxford
from .sandals import sandal, wedge
from .sport import high_top, sneaker

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
