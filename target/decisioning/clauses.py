"""What one comparison of a condition asks for: which variable, in what relation, to which values. Takes any JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from target.decisioning.ranges import operation_of

IS = "is"
ONE_OF = "is one of"
CONTAINS = "contains"
STARTS = "starts with"
ENDS = "ends with"
BELOW = "is below"
AT_MOST = "is at most"
ABOVE = "is above"
AT_LEAST = "is at least"
FROM_TO = "is from"
BETWEEN = "is between"
HOLDS = "is set"

_RELATIONS = {"==": IS, "!=": IS, "<": BELOW, "<=": AT_MOST, ">": ABOVE, ">=": AT_LEAST}
_KNOWN = frozenset({"and", "or", "!", *_RELATIONS})
_MIRRORED = {BELOW: ABOVE, AT_MOST: AT_LEAST, ABOVE: BELOW, AT_LEAST: AT_MOST}
_MOST_ITEMS = 10_000  # of a condition are looked through for what they name


class Clause(NamedTuple):
    """A comparison, read from the side of what is asked about.

    Attributes:
        subject: What is asked about, as JSON Logic: a variable, as far as there is one.
        relation: In which relation it has to be, of the words above.
        wanted: To what, as JSON Logic.
        is_denied: Whether it must not be so.
    """

    subject: Any
    relation: str
    wanted: tuple[Any, ...]
    is_denied: bool = False


def parse_clause(logic: Any, is_denied: bool = False) -> Clause | None:
    """The comparison that ``logic`` is, or must not be; None for what is none."""
    operator, arguments = operation_of(logic)
    if operator == "var":
        return Clause(logic, HOLDS, (), is_denied)
    if operator in ("<", "<=") and len(arguments) == 3:
        low, middle, high = arguments
        return Clause(middle, FROM_TO if operator == "<=" else BETWEEN, (low, high), is_denied)
    if operator is None or len(arguments) != 2:
        return None
    left, right = arguments
    if operator == "in":
        return _parse_in(left, right, is_denied)
    relation = _RELATIONS.get(operator)
    if relation is None:
        return None
    if operator == "!=":
        is_denied = not is_denied
    if not is_operation(left) and is_operation(right):
        left, right, relation = right, left, _MIRRORED.get(relation, relation)
    if relation == IS and isinstance(right, str) and (cut := _parse_cut(left, right)):
        return Clause(cut[0], cut[1], (right,), is_denied)
    return Clause(left, relation, (right,), is_denied)


def is_operation(logic: Any) -> bool:
    """Whether ``logic`` is no literal."""
    return isinstance(logic, Mapping)


def variable_of(logic: Any) -> str | None:
    """The name of the variable that ``logic`` is, or is cut out of; None where it is anything else."""
    operator, arguments = operation_of(logic)
    for _ in range(8):
        if operator != "substr" or not arguments:
            break
        operator, arguments = operation_of(arguments[0])
    is_named = operator == "var" and bool(arguments) and isinstance(arguments[0], str)
    return arguments[0] if is_named else None


def variables_in(logic: Any) -> Iterator[str]:
    """The variables that ``logic`` names, in any order and as often as it does; not all where it is very large."""
    return (name for item in _operations_in(logic) if (name := variable_of(item)) is not None)


def asks_only_for_share(logic: Any) -> bool:
    """Whether all that ``logic`` asks for is the visitor's place in the activity."""
    found = [(variable_of(item), operation_of(item)[0]) for item in _operations_in(logic)]
    is_known = all(name == "allocation" if operator == "var" else operator in _KNOWN for name, operator in found)
    return is_known and any(operator == "var" for _, operator in found)


def _operations_in(logic: Any) -> Iterator[Any]:
    waiting = [logic]
    for _ in range(_MOST_ITEMS):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, Mapping):
            yield item
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item


def _parse_in(needle: Any, haystack: Any, is_denied: bool) -> Clause:
    if isinstance(haystack, list) and is_operation(needle):
        return Clause(needle, ONE_OF, tuple(haystack), is_denied)
    return Clause(haystack, CONTAINS, (needle,), is_denied)


def _parse_cut(logic: Any, text: str) -> tuple[Any, str] | None:
    """What begins or ends with ``text`` where it equals ``logic``, and which; None for any other cut."""
    operator, arguments = operation_of(logic)
    if operator != "substr" or not 2 <= len(arguments) <= 3:
        return None
    subject, start, *lengths = arguments
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    numbers = [start, *lengths]
    if any(number.__class__ is not int for number in numbers):
        return None
    if numbers == [0, units]:
        return subject, STARTS
    return (subject, ENDS) if units and numbers in ([-units], [-units, units]) else None
