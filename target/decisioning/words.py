"""Conditions in words, for people: JSON Logic as a sentence. Takes any JSON, and never says more than fits a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from target.decisioning import clauses
from target.decisioning.clauses import Clause, asks_only_for_share, parse_clause, variable_of
from target.decisioning.coercion import is_true
from target.decisioning.labels import (
    LOWER_CASE,
    MAX_LENGTH,
    MAX_VALUE,
    MORE,
    as_short_json,
    as_value,
    finished,
    shortened,
)
from target.decisioning.ranges import operation_of

NOBODY = "nobody"
EVERYBODY = "everybody"

_MAX_DEPTH = 32
_MAX_VALUES = 10  # of a list that are shown
_DENIED = {
    clauses.IS: "is not",
    clauses.ONE_OF: "is none of",
    clauses.CONTAINS: "does not contain",
    clauses.STARTS: "does not start with",
    clauses.ENDS: "does not end with",
}
_TIMES = frozenset({"current_timestamp", "current_time"})
# Of times, which are never missing, so that what is not before is after.
_OF_TIMES = {
    (clauses.BELOW, False): "is before",
    (clauses.BELOW, True): "is not before",
    (clauses.AT_LEAST, False): "is not before",
    (clauses.AT_LEAST, True): "is before",
    (clauses.ABOVE, False): "is after",
    (clauses.ABOVE, True): "is not after",
    (clauses.AT_MOST, False): "is not after",
    (clauses.AT_MOST, True): "is after",
}


class _Several(NamedTuple):
    """Clauses of which all (``and``) or any (``or``) have to hold."""

    joint: str
    parts: tuple[Any, ...]


#: A clause; several; True for what everybody fulfils, False for nobody; a text for what is shown as it is.
_Read = Clause | _Several | bool | str


def describe(condition: Any) -> str:
    """``condition``, JSON Logic of a rule, in words: ``country is "US" and browser is "chrome"``.

    What asks for the visitor's place in the activity is left out: it is said who may be in it. Empty for everybody.
    Never fails; what is not known is shown as it is. At most ``MAX_LENGTH`` characters.
    """
    read = _read(condition, False, 0)
    if isinstance(read, bool):
        return "" if read else NOBODY
    return finished(_say(read))


def describe_clause(condition: Any) -> str:
    """One clause in words, which may ask for the place in the activity; what is always so, or never, is said."""
    clause = parse_clause(condition)
    return describe(condition) or EVERYBODY if clause is None else finished(_say(clause))


def read_condition(condition: Any) -> Clause | tuple[str, tuple[Any, ...]] | bool | str:
    """``condition`` as it is put in words: a clause; several and what joins them; true for what everybody fulfils,
    false for what nobody does; or a text for what is shown as it is.
    """
    return _read(condition, False, 0)


def _read(logic: Any, is_denied: bool, depth: int) -> _Read:
    """``logic`` with what denies it brought down to its clauses."""
    if depth > _MAX_DEPTH:
        return MORE
    operator, arguments = operation_of(logic)
    if operator in ("and", "or") and arguments:
        joint = operator if not is_denied else {"and": "or", "or": "and"}[operator]
        return _join(joint, [_read(item, is_denied, depth + 1) for item in arguments])
    if operator == "!" and len(arguments) == 1:
        return _read(arguments[0], not is_denied, depth + 1)
    if operator is None and not isinstance(logic, Mapping):
        return is_true(logic) is not is_denied
    if asks_only_for_share(logic):
        return True
    clause = parse_clause(logic, is_denied)
    if clause is None:
        shown = shortened(as_short_json(logic), 2 * MAX_VALUE)
        return f"not {shown}" if is_denied else shown
    return clause


def _join(joint: str, reads: Iterable[_Read]) -> _Read:
    decides = joint == "or"  # what one clause is enough for
    parts: list[Any] = []
    for read in reads:
        if isinstance(read, bool):
            if read is decides:
                return decides
        elif isinstance(read, _Several) and read.joint == joint:
            parts += read.parts
        else:
            parts.append(read)
    parts = _merge(joint, parts)
    if not parts:
        return not decides
    return parts[0] if len(parts) == 1 else _Several(joint, tuple(parts))


def _merge(joint: str, parts: Sequence[Any]) -> list[Any]:
    """``parts`` with those as one that name one thing and several values for it."""
    merged: dict[Any, Any] = {}
    for position, part in enumerate(parts):
        key: Any = position
        name = variable_of(part.subject) if isinstance(part, Clause) else None
        mergeable = isinstance(part, Clause) and part.relation in _DENIED and part.is_denied is (joint == "and")
        if name is not None and mergeable and None not in part.wanted:
            relation = clauses.IS if part.relation == clauses.ONE_OF else part.relation
            key = (relation, as_short_json(part.subject))
        if key in merged:
            part = merged[key]._replace(wanted=(*merged[key].wanted, *part.wanted))
            if part.relation == clauses.IS:
                part = part._replace(relation=clauses.ONE_OF)
        merged[key] = part
    return list(merged.values())


def _say(read: Clause | _Several | str) -> str:
    if isinstance(read, str):
        return read
    if isinstance(read, Clause):
        return _say_clause(read)
    shown, length = [], 0
    for part in read.parts:
        shown.append(f"({_say(part)})" if isinstance(part, _Several) else _say(part))
        length += len(shown[-1])
        if length > MAX_LENGTH:
            break
    return f" {read.joint} ".join(shown)


def _say_clause(clause: Clause) -> str:
    name = variable_of(clause.subject)
    subject = as_value(clause.subject)
    relation, is_denied = clause.relation, clause.is_denied
    if relation == clauses.HOLDS:
        return f"{subject} is {'not ' if is_denied else ''}set"
    if relation == clauses.IS and clause.wanted == (None,):
        return f"{subject} is {'given' if is_denied else 'not given'}"
    verb = relation if not is_denied else _DENIED.get(relation, relation.replace("is", "is not", 1))
    if name in _TIMES:
        verb = _OF_TIMES.get((relation, is_denied), verb)
    values = [as_value(value, name) for value in clause.wanted[: _MAX_VALUES + 1]]
    if relation in (clauses.FROM_TO, clauses.BETWEEN):
        wanted = _range(values, " to " if relation == clauses.FROM_TO else " and ")
    elif len(clause.wanted) > 1 and relation != clauses.ONE_OF:
        wanted = f"any of {_listed(values, len(clause.wanted))}"
    else:
        wanted = _listed(values, len(clause.wanted)) or "nothing"
    return f"{subject} {verb} {wanted}{_case(name, clause.wanted)}"


def _range(values: Sequence[str], joint: str) -> str:
    low, high = values
    return f"{low.removesuffix(' UTC')}{joint}{high}" if high.endswith(" UTC") else f"{low}{joint}{high}"


def _listed(values: Sequence[str], count: int) -> str:
    if count > _MAX_VALUES:
        return f"{', '.join(values[:_MAX_VALUES])} or {count - _MAX_VALUES} more"
    if len(values) < 2:
        return "".join(values)
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _case(name: str | None, wanted: Sequence[Any]) -> str:
    """How case counts: a variable in lower case equals no text that is not."""
    if name is None or not name.endswith(LOWER_CASE):
        return ""
    texts = [value for value in wanted if isinstance(value, str)]
    return " (ignoring case)" if all(text == text.lower() for text in texts) else " (in lower case)"
