"""On what grounds a condition holds or does not: each clause of it, compiled by itself as the whole is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from target.decisioning.clauses import Clause, asks_only_for_share, variables_in
from target.decisioning.compile import compile_condition
from target.decisioning.context import SECOND_READINGS, Scope
from target.decisioning.explanation import ExplainedClause
from target.decisioning.labels import as_short_json, describe_ranges
from target.decisioning.ranges import in_percent, operation_of, reach_of
from target.decisioning.user_agent import DEVICES
from target.decisioning.variables import BROWSER, Undecidable, read_variable, root_of
from target.decisioning.words import EVERYBODY, describe, read_condition

_MAX_VARIABLES = 50  # of one clause that are shown
_SHARE = "allocation"
_ALL_OR_ANY = {"and": "all of these", "or": "any of these"}


class Grounds(NamedTuple):
    """What a condition comes to for one visitor.

    Attributes:
        clauses: Those of its audience; all have to hold.
        place: The visitor's place in the activity, in percent; None where the condition does not ask for it.
        ranges: Where that has to be.
        fits_audience: Whether there is a place at which the condition would hold; None where it cannot be decided.
    """

    clauses: tuple[ExplainedClause, ...]
    place: float | None
    ranges: tuple[tuple[float, float], ...]
    fits_audience: bool | None


def explain_condition(condition: Any, activity_id: str, scope: Scope) -> Grounds:
    """On what grounds ``condition`` holds in ``scope`` or does not.

    Args:
        condition: Of a rule of the activity ``activity_id``: nested no deeper than ``rules.copy_json`` takes.
        activity_id: Whose places count.
        scope: What is asked.
    """
    reader = _Reader(activity_id, scope)
    has_share = _names_share(condition)
    return Grounds(
        reader.clauses(condition),
        scope.allocations[activity_id] if has_share else None,
        in_percent(reach_of(condition, _SHARE).perhaps) if has_share else (),
        reader.test(_at_its_best(condition, True))[0],
    )


class _Reader:
    """Explains the conditions of one activity to one visitor."""

    def __init__(self, activity_id: str, scope: Scope) -> None:
        self._activity_id = activity_id
        self._scope = scope

    def test(self, logic: Any) -> tuple[bool | None, str | None]:
        """Whether ``logic`` holds, or why that cannot be decided."""
        try:
            return bool(compile_condition(logic, self._activity_id).test(self._scope)), None
        except Undecidable as error:
            return None, str(error)

    def clauses(self, condition: Any) -> tuple[ExplainedClause, ...]:
        """Those of which all have to hold, without what asks for the share alone."""
        operands = _operands("and", condition, False)
        return tuple(self._clause(*each) for each in operands if not _is_of_everybody(*each))

    def _clause(self, logic: Any, is_denied: bool) -> ExplainedClause:
        """One, or several that belong together."""
        asked = _deny(logic, is_denied)
        holds, why = self.test(asked)
        if asks_only_for_share(logic):
            ranges = in_percent(reach_of(asked, _SHARE).perhaps)
            words, seen = f"place in the activity is in {describe_ranges(ranges)}", self._seen(logic, ())
            return ExplainedClause(words=words, holds=holds, seen=seen, wanted=ranges, why=why)
        read = read_condition(asked)
        clause = read if isinstance(read, Clause) and not _names_share(logic) else None
        operator, arguments = operation_of(logic)
        joint = _joint(operator, is_denied) if arguments else None
        if joint and clause is None:
            operands = _operands(joint, logic, is_denied)
            parts = tuple(self._clause(*each) for each in operands)
            words = describe(asked) or _ALL_OR_ANY[joint]
            return ExplainedClause(words=words, holds=holds, seen={}, joint=joint, parts=parts, why=why)
        wanted = () if clause is None else tuple(map(_as_wanted, clause.wanted))
        words = describe(asked) or EVERYBODY
        return ExplainedClause(words=words, holds=holds, seen=self._seen(logic, wanted), wanted=wanted, why=why)

    def _seen(self, logic: Any, wanted: tuple[Any, ...]) -> dict[str, Any]:
        """What the visitor has where ``logic`` looks."""
        seen: dict[str, Any] = {}
        for name in variables_in(logic):
            if name in seen or not name or len(seen) >= _MAX_VARIABLES:
                continue
            try:
                root_of(name)
            except Undecidable:
                continue
            seen[name] = self._read(name)
            has_two = name in SECOND_READINGS and (name != BROWSER or not DEVICES.isdisjoint(map(str, wanted)))
            if has_two and (other := self._read(name, second=True)) != seen[name]:
                seen[SECOND_READINGS[name]] = other
        return seen

    def _read(self, name: str, *, second: bool = False) -> Any:
        return read_variable(name, None, self._activity_id, second=second)(self._scope)


def _joint(operator: str | None, is_denied: bool) -> str | None:
    if operator not in ("and", "or"):
        return None
    return operator if not is_denied else {"and": "or", "or": "and"}[operator]


def _names_share(logic: Any) -> bool:
    return _SHARE in set(variables_in(logic))


def _is_of_everybody(logic: Any, is_denied: bool) -> bool:
    if _names_share(logic):
        return asks_only_for_share(logic)
    return read_condition(_deny(logic, is_denied)) is True


def _deny(logic: Any, is_denied: bool) -> Any:
    return {"!": logic} if is_denied else logic


def _operands(joint: str, logic: Any, is_denied: bool) -> list[tuple[Any, bool]]:
    """What ``logic``, or its denial, joins by ``joint``, however it is nested: each and whether that is denied."""
    operator, arguments = operation_of(logic)
    if asks_only_for_share(logic):
        return [(logic, is_denied)]
    if operator == "!" and len(arguments) == 1:
        return _operands(joint, arguments[0], not is_denied)
    if arguments and _joint(operator, is_denied) == joint:
        found = [_operands(joint, item, is_denied) for item in arguments]
        return [operand for each in found for operand in each]
    return [(logic, is_denied)]


def _as_wanted(value: Any) -> Any:
    return as_short_json(value) if isinstance(value, Mapping | list) else value


def _at_its_best(logic: Any, is_wanted: bool) -> Any:
    """``logic`` for a visitor whose place in the activity is right, whatever it is: what that asks for is so."""
    operator, arguments = operation_of(logic)
    if asks_only_for_share(logic):
        return is_wanted
    if operator in ("and", "or") and arguments:
        return {operator: [_at_its_best(item, is_wanted) for item in arguments]}
    if operator == "!" and len(arguments) == 1:
        return {operator: _at_its_best(arguments[0], not is_wanted)}
    return logic
