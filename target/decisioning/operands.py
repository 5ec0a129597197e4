"""What a comparison compares: which decides how Target's rules mean it.

Places are compared however they are written, and a variable that has two readings by either of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from target.decisioning.geo import normalize_place
from target.decisioning.user_agent import DEVICES
from target.decisioning.variables import BROWSER, has_two_readings, is_place

# Operators that give one of their operands or a part of it; all others give true or false.
_PASS_ON = frozenset({"and", "or", "substr"})


class Operands(NamedTuple):
    """The variables whose values a comparison compares, and the texts with which."""

    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    @property
    def are_places(self) -> bool:
        """Whether one is the name of a place."""
        return any(is_place(name) for name in self.names)

    @property
    def have_two_readings(self) -> bool:
        """Whether a variable has two readings that the comparison can tell apart."""
        two = {name for name in self.names if has_two_readings(name)}
        return bool(two) and (two != {BROWSER} or bool(self.texts & DEVICES))

    def fit_cuts(self, arguments: list[Any]) -> list[Any]:
        """``arguments`` with each ``substr`` as long as the place without spaces that it is compared with."""
        lengths = {len(text): len(normalize_place(text)) for text in self.texts}
        return [_fit_cut(item, lengths) for item in arguments]


def scan_operands(arguments: list[Any]) -> Operands:
    """What a comparison of ``arguments`` compares. Takes any JSON."""
    names, texts = set(), set()
    waiting = list(arguments)
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            texts.add(item)
        elif isinstance(item, list):
            texts.update(text for text in item if isinstance(text, str))
        elif isinstance(item, Mapping) and len(item) == 1:
            ((operator, inner),) = item.items()
            inner = inner if isinstance(inner, list) else [inner]
            if operator == "var" and inner and isinstance(inner[0], str):
                names.add(inner[0])
            elif operator in _PASS_ON:
                waiting += inner
    return Operands(frozenset(names), frozenset(texts))


def _fit_cut(item: Any, lengths: Mapping[int, int]) -> Any:
    if not isinstance(item, Mapping) or set(item) != {"substr"} or not isinstance(item["substr"], list):
        return item
    read, *bounds = item["substr"] or [None]
    return {"substr": [read, *(_fit(bound, lengths) for bound in bounds)]}


def _fit(bound: Any, lengths: Mapping[int, int]) -> Any:
    if bound.__class__ is not int or abs(bound) not in lengths:
        return bound
    return lengths[abs(bound)] * (-1 if bound < 0 else 1)
