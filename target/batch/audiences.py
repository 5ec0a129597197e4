"""The conditions of rules, taken apart for whole columns: what each reads, and which share of visitors it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from target.batch.sources import MOMENT, Source
from target.decisioning.allocation import Allocations
from target.decisioning.comparison import Test, share_of
from target.decisioning.compile import compile_condition
from target.decisioning.context import Scope, Visit, build_parameters
from target.decisioning.ranges import PLACES, operation_of, places_in
from target.decisioning.rules import Rule

_CLOCK = ("current_timestamp", "current_time", "current_day")
_LOWER_CASE = "_lc"
_MOST_PLACE = PLACES / 100


class Audience(NamedTuple):
    """What a rule asks of a visitor, but for the share.

    Attributes:
        key: The same for two that ask for the same.
        test: What says whether a visitor is in it; None where everybody is.
        reads: The numbers of the sources that it reads.
        activity_id: Where it asks for the place in an activity in another way than by a share, that activity.
    """

    key: str
    test: Test | None
    reads: tuple[int, ...]
    activity_id: str | None


class Asks(NamedTuple):
    """What a rule asks for: an audience, and the places from ``first`` up to and without ``stop``; None for all."""

    audience: Audience
    places: tuple[int, int] | None


def take_apart(rule: Rule, sources: list[Source]) -> Asks | None:
    """What ``rule`` asks for; None where no place is in its share, so that nobody gets it."""
    condition = rule.look_up().condition
    rest: list[Any] = []
    shares: list[tuple[float, float]] = []
    for operand in _operands(condition):
        share = share_of(operand)
        shares.append(share) if share else rest.append(operand)
    names = set(_variables(rest))
    if names & {"", "allocation"}:
        reads = _read_by(set(_variables(condition)), sources)
        key = json.dumps([rule.activity_id, condition], sort_keys=True)
        return Asks(Audience(key, rule.test, reads, rule.activity_id), None)
    places = None
    if shares:
        least, most = max(share[0] for share in shares), min(share[1] for share in shares)
        runs = places_in(((least, min(most, _MOST_PLACE)),)) if least <= most else []
        if not runs:
            return None
        places = runs[0]
    if not rest:
        return Asks(Audience("", None, (), None), places)
    logic = rest[0] if len(rest) == 1 else {"and": rest}
    test = compile_condition(logic, rule.activity_id).test
    return Asks(Audience(json.dumps(logic, sort_keys=True), test, _read_by(names, sources), None), places)


def named_parameters(names: Iterable[str], sources: list[Source]) -> tuple[int, ...]:
    """The numbers of the sources that are parameters of these names."""
    wanted = {("parameters", name) for name in names}
    return tuple(number for number, source in enumerate(sources) if source.path in wanted)


def scope_maker(
    numbers: tuple[int, ...], sources: list[Source], now_s: float, activity_id: str | None
) -> Callable[[tuple[Any, ...]], Scope]:
    """What makes of a set of values, those of the sources of these ``numbers``, what tests are asked about."""
    paths = [sources[number].path for number in numbers]
    if activity_id is None and all(path[0] == "parameters" for path in paths):
        names = [path[1] for path in paths]
        scope = Scope(Visit({}, {}, Allocations("", ""), now_s), {})

        def make_of_parameters(values: tuple[Any, ...]) -> Scope:
            given = {name: value for name, value in zip(names, values) if value is not None}  # noqa: B905 - half the time
            scope["mbox"] = build_parameters(given)
            return scope  # always the same one, since a test keeps nothing of it

        return make_of_parameters

    def make(values: tuple[Any, ...]) -> Scope:
        request = build_request(zip(paths, values, strict=False))  # the place, where there is one, stands behind
        context = request.get("context", {})
        places = Allocations("", "")
        if activity_id is not None:
            places[activity_id] = values[-1] / 100
        visit = Visit(context, context.get("geo", {}), places, request.get("at", now_s))
        return Scope(visit, request)

    return make


def build_request(items: Iterable[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """Values at their paths, as they stand in a request in wire form; without those that are None."""
    request: dict[str, Any] = {}
    for path, value in items:
        if value is not None:
            holder = request
            for key in path[:-1]:
                holder = holder.setdefault(key, {})
            holder[path[-1]] = value
    return request


def _operands(condition: Any) -> Iterator[Any]:
    """The operands of ``and``, and of each ``and`` in it; a condition that is no ``and`` is the only one."""
    operator, arguments = operation_of(condition)
    if operator != "and":
        yield condition
        return
    for argument in arguments:
        yield from _operands(argument)


def _variables(logic: Any) -> Iterator[str]:
    """The names of all variables that are in ``logic``."""
    if isinstance(logic, Mapping):
        operator, arguments = operation_of(logic)
        if operator == "var" and arguments and isinstance(arguments[0], str):
            yield arguments[0]
            return
        for value in logic.values():
            yield from _variables(value)
    elif isinstance(logic, list | tuple):
        for item in logic:
            yield from _variables(item)


def _read_by(names: set[str], sources: list[Source]) -> tuple[int, ...]:
    return tuple(number for number, source in enumerate(sources) if any(_is_read(source, name) for name in names))


def _is_read(source: Source, name: str) -> bool:
    """Whether the variable ``name`` may depend on a column; when in doubt it does."""
    if not name:
        return source.root != "id"
    root, _, rest = name.partition(".")
    if source.kind == MOMENT:
        return root in _CLOCK
    if source.root != root or root != "mbox" or not rest:
        return source.root == root
    # A parameter a.b is b in a, and one named a is told in lower case, too, as a_lc.
    parameter, asked = source.path[1], rest.partition(".")[0]
    whole_or_first = (parameter, parameter.partition(".")[0])
    return asked in whole_or_first or asked.removesuffix(_LOWER_CASE) in whole_or_first
