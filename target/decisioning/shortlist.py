"""Which rules of a place a visitor could match, found without asking each of them.

A condition may ask that a variable is a certain text, or for nothing but a share of the activity's visitors. Of many
rules like that one look finds those whose text a visitor has, and one number those in whose share a visitor is.

A shortlist leaves out only rules that would not match, and keeps the order of the others. It is no decision: whoever
has it still asks each rule on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from target.decisioning.allocation import murmur, to_units
from target.decisioning.comparison import Value, share_of
from target.decisioning.context import Scope
from target.decisioning.ranges import PLACES, operation_of, places_in
from target.decisioning.rules import Gap, Rule
from target.decisioning.variables import has_two_readings, read_variable

AnyRule = Rule | Gap
Shortlist = Callable[[Scope], Iterable[AnyRule]]

FEWEST = 8  # of fewer rules it is as quick to ask each

_ROOTS = frozenset({"mbox", "page", "referring"})  # of variables that are compared as they are, whatever the activity


class Demand(NamedTuple):
    """What a condition asks for, whatever else it asks for.

    Attributes:
        texts: By variable, the texts of which it has to be one.
        places: The first place in the activity, and the first not, where the condition asks for nothing else.
    """

    texts: dict[str, frozenset[str]]
    places: tuple[int, int] | None


_NOTHING = Demand({}, None)


def read_demand(condition: Any) -> Demand:
    """What ``condition``, which was compiled, asks for."""
    shares = _shares(condition)
    if shares is None:
        return Demand(_texts(condition), None)
    least, most = max(share[0] for share in shares), min(share[1] for share in shares)
    runs = places_in(((least, most),)) if least <= most else []
    return Demand({}, runs[0] if runs else (0, 0))


def make_shortlist(rules: Sequence[AnyRule], demands: Iterable[Demand | None]) -> Shortlist | None:
    """The shortlist of ``rules``, of which each makes one of ``demands``; None where it would leave out nothing."""
    demanded = [demand or _NOTHING for demand in demands]
    variables = _chosen_variables(demanded)
    asked = zip(rules, demanded, variables, strict=True)
    blocks = [_MAKERS[kind](list(items)) for kind, items in itertools.groupby(asked, _kind_of)]
    if all(isinstance(block, _Everything) for block in blocks):
        return None
    if len(blocks) == 1:
        return blocks[0].find
    return lambda scope: _chain(blocks, scope)


def _shares(logic: Any) -> list[tuple[float, float]] | None:
    """The shares that ``logic`` asks for; None where it asks for anything else."""
    if share := share_of(logic):
        return [share]
    operator, arguments = operation_of(logic)
    if operator != "and" or not arguments:
        return None
    found: list[tuple[float, float]] = []
    for item in arguments:
        shares = _shares(item)
        if shares is None:
            return None
        found += shares
    return found


def _texts(logic: Any) -> dict[str, frozenset[str]]:
    """By variable, the texts of which it has to be one for ``logic`` to hold."""
    operator, arguments = operation_of(logic)
    if operator == "==" and len(arguments) == 2:
        text, variable = arguments if arguments[0].__class__ is str else reversed(arguments)
        name = _name_of(variable)
        return {} if name is None or text.__class__ is not str else {name: frozenset((text,))}
    if operator not in ("and", "or") or not arguments:
        return {}
    first, *others = map(_texts, arguments)
    for other in others:
        if operator == "and":
            first = {**other, **first}
        else:
            first = {name: first[name] | other[name] for name in first if name in other}
    return first


def _name_of(logic: Any) -> str | None:
    """The name of the variable that ``logic`` is, where it is compared as it is."""
    operator, arguments = operation_of(logic)
    if operator != "var" or len(arguments) != 1:
        return None
    name = arguments[0]
    is_plain = isinstance(name, str) and name.partition(".")[0] in _ROOTS and not has_two_readings(name)
    return name if is_plain else None


def _chosen_variables(demands: list[Demand]) -> list[str | None]:
    """Of the variables that each demand names, the one that tells most rules apart."""
    texts: dict[str, set[str]] = {}
    for demand in demands:
        for name, wanted in demand.texts.items():
            texts.setdefault(name, set()).update(wanted)
    return [max(demand.texts, key=lambda name: len(texts[name]), default=None) for demand in demands]


_Asked = tuple[AnyRule, Demand, str | None]


def _kind_of(asked: _Asked) -> str:
    _, demand, variable = asked
    if variable is not None:
        return "text"
    return "" if demand.places is None else "share"


class _Everything:
    """Rules of which any may match."""

    __slots__ = ("_rules",)

    def __init__(self, asked: list[_Asked]) -> None:
        self._rules = tuple(rule for rule, *_ in asked)

    def find(self, _: Scope) -> Iterable[AnyRule]:
        return self._rules


class _ByText:
    """Rules that each ask for a text."""

    __slots__ = ("_rules", "_tables")

    def __init__(self, asked: list[_Asked]) -> None:
        self._rules = tuple(rule for rule, *_ in asked)
        tables: dict[str, dict[str, list[int]]] = {}
        for position, (_, demand, variable) in enumerate(asked):
            assert variable is not None  # by _kind_of
            table = tables.setdefault(variable, {})
            for text in demand.texts[variable]:
                table.setdefault(text, []).append(position)
        self._tables: list[tuple[Value, dict[str, tuple[int, ...]]]] = [
            (read_variable(name, None, "", second=False), {text: tuple(found) for text, found in table.items()})
            for name, table in tables.items()
        ]

    def find(self, scope: Scope) -> Iterable[AnyRule]:
        rules = self._rules
        positions: list[int] = []
        for read, by_text in self._tables:
            value = read(scope)
            if value.__class__ is str:
                positions += by_text.get(value, ())
            elif value is not None:  # what else equals a text is for the rules to say
                return rules
        positions.sort()
        return [rules[position] for position in positions]


class _ByShare:
    """Rules that each ask for a share, those of one activity together."""

    __slots__ = ("_activities", "_prepared", "_rules", "_runs")

    def __init__(self, asked: list[_Asked]) -> None:
        self._rules = tuple(rule for rule, *_ in asked)
        self._activities: list[str] = []
        self._runs: list[tuple[int, int, tuple[AnyRule, ...]]] = []
        for activity_id, items in itertools.groupby(asked, lambda each: _activity_of(each[0])):
            run = list(items)
            places = [demand.places for _, demand, _ in run if demand.places is not None]
            self._activities.append(activity_id)
            self._runs.append(
                (min(first for first, _ in places), max(stop for _, stop in places), tuple(rule for rule, *_ in run))
            )
        self._prepared: tuple[str, list[bytes]] = ("", [])

    def find(self, scope: Scope) -> Iterable[AnyRule]:
        allocations = scope.allocations
        return self._rules if allocations.are_given else self._find(allocations.client, allocations.visitor_units())

    def _find(self, client: str, visitor: bytes) -> Iterator[AnyRule]:
        digest_of = murmur()
        for activity, (first, stop, rules) in zip(self._prepare(client), self._runs, strict=True):
            if first <= abs(digest_of(activity + visitor, 0)) % PLACES < stop:
                yield from rules

    def _prepare(self, client: str) -> list[bytes]:
        """What is hashed before the visitor, for each activity; kept for the client that last asked."""
        prepared = self._prepared
        if prepared[0] != client or not prepared[1]:
            prepared = client, [to_units(f"{client}.{activity_id}.") for activity_id in self._activities]
            self._prepared = prepared
        return prepared[1]


_Block = _Everything | _ByText | _ByShare
_MAKERS: dict[str, Callable[[list[_Asked]], _Block]] = {"": _Everything, "text": _ByText, "share": _ByShare}


def _activity_of(rule: AnyRule) -> str:
    return rule.activity_id if isinstance(rule, Rule) else ""


def _chain(blocks: list[_Block], scope: Scope) -> Iterator[AnyRule]:
    for block in blocks:
        yield from block.find(scope)
