"""Turns JSON Logic into Python closures, once per artifact.

A condition becomes a ``Test``: a function that takes the situation (see ``context.Scope``) and says whether the
condition holds. Known are var, and, or, !, ==, !=, <, <=, >, >=, in, substr and literals; values compare as in
JavaScript. Anything else raises ``Undecidable`` here, so that deciding itself cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from target.decisioning.coercion import (
    NUMBERS,
    cut_text,
    is_equal,
    is_in,
    is_less,
    is_less_or_equal,
    is_true,
    to_number,
)
from target.decisioning.comparison import (
    Test,
    Value,
    at_least,
    at_most,
    between,
    equals_text,
    from_to,
    holds_text,
    in_share,
    share_of,
)
from target.decisioning.context import Scope
from target.decisioning.geo import normalize_place
from target.decisioning.operands import Operands, scan_operands
from target.decisioning.variables import Undecidable, read_place, read_variable, root_of, shown

MAX_DEPTH = 64


class Condition(NamedTuple):
    """A compiled condition, and the first words of the variables that it reads (``page``, ``allocation``)."""

    test: Test
    reads: frozenset[str]


def compile_condition(logic: Any, activity_id: str) -> Condition:
    """What ``logic`` says, for a rule of the activity ``activity_id``. Raises Undecidable."""
    compiler = _Compiler(activity_id)
    return Condition(compiler.test(logic, 0), frozenset(compiler.reads))


class _Compiler:
    """Compiles the conditions of one activity: its allocation differs from that of every other."""

    def __init__(self, activity_id: str) -> None:
        self._activity_id = activity_id
        self._reading: bool | None = None  # whether a variable is read in its second way; None: nobody has asked yet
        self._compares_places = False
        self.reads: set[str] = set()

    def test(self, logic: Any, depth: int) -> Test:
        """``logic`` where only its truth counts, which leaves more freedom than where its value does."""
        operator, arguments = _split(logic, depth)
        if operator is None:
            return _always if is_true(_plain(logic)) else _never
        if operator in ("and", "or"):
            return self._junction(operator, arguments, depth)
        if operator == "!":
            inner = self.test(_only(operator, arguments), depth + 1)
            return lambda scope: not inner(scope)
        if share := share_of(logic):
            return self._share(*share)
        if operator in _COMPARISONS:
            return self._comparison(operator, arguments, depth)
        value = self.value(logic, depth)
        return lambda scope: is_true(value(scope))

    def value(self, logic: Any, depth: int) -> Value:
        """``logic`` where its value counts."""
        operator, arguments = _split(logic, depth)
        if operator is None:
            literal = self._literal(logic)
            return lambda _: literal
        if operator == "var":
            return self._variable(arguments)
        if operator == "substr":
            return self._cut(arguments, depth)
        if operator in ("and", "or"):
            return _last_value([self.value(item, depth + 1) for item in _some(operator, arguments)], operator == "or")
        return self.test(logic, depth)

    def _variable(self, arguments: list[Any]) -> Value:
        if not 1 <= len(arguments) <= 2 or not isinstance(arguments[0], str):
            raise Undecidable("var needs the name of a variable")
        default = _plain(arguments[1]) if len(arguments) == 2 else None
        name = arguments[0]
        self.reads.add(root_of(name))
        read = read_variable(name, default, self._activity_id, second=bool(self._reading))
        return read_place(name, read) if self._compares_places else read

    def _literal(self, logic: Any) -> Any:
        return normalize_place(_plain(logic)) if self._compares_places else _plain(logic)

    def _cut(self, arguments: list[Any], depth: int) -> Value:
        if not 1 <= len(arguments) <= 3:
            raise Undecidable(f"substr does not take {len(arguments)} arguments")
        read, *bounds = [self.value(item, depth + 1) for item in arguments]
        return lambda scope: cut_text(read(scope), *[bound(scope) for bound in bounds])

    def _junction(self, operator: str, arguments: list[Any], depth: int) -> Test:
        operands = _flatten(operator, _some(operator, arguments), depth)
        shares = [share for item, _ in operands if operator == "and" and (share := share_of(item))]
        tests = [
            self.test(item, item_depth + 1) for item, item_depth in operands if not shares or share_of(item) is None
        ]
        if shares:
            # Reading a variable has no effect, so that the order of the operands is free: the allocation, which has
            # to be hashed, comes last, and is not even asked for when the audience does not match.
            tests.append(self._share(max(share[0] for share in shares), min(share[1] for share in shares)))
        if len(tests) == 1:
            return tests[0]
        first, second, *rest = tests
        if operator == "and":
            if not rest:
                return lambda scope: first(scope) and second(scope)
            return lambda scope: first(scope) and second(scope) and _all(rest, scope)
        if not rest:
            return lambda scope: first(scope) or second(scope)
        return lambda scope: first(scope) or second(scope) or _any(rest, scope)

    def _share(self, least: float, most: float) -> Test:
        self.reads.add("allocation")
        return in_share(self._activity_id, least, most)

    def _comparison(self, operator: str, arguments: list[Any], depth: int) -> Test:
        if len(arguments) == 3 and operator in ("<", "<="):
            return self._between(operator, arguments, depth)
        if len(arguments) != 2:
            raise Undecidable(f"{operator} does not take {len(arguments)} arguments")
        operands = scan_operands(arguments) if operator in _EQUALITIES else Operands()
        outer, self._compares_places = self._compares_places, operands.are_places
        if self._compares_places:
            arguments = operands.fit_cuts(arguments)
        try:
            if self._reading is None and operands.have_two_readings:
                return self._either_reading(operator, arguments, depth)
            return self._compare(operator, arguments, depth)
        finally:
            self._compares_places = outer

    def _between(self, operator: str, arguments: list[Any], depth: int) -> Test:
        """Each of the three is compiled once: twice at every level would be without end for one in another."""
        outer, self._compares_places = self._compares_places, False
        low, middle, high = (self.value(item, depth + 1) for item in arguments)
        self._compares_places = outer
        least, _, most = arguments
        if operator == "<=" and least.__class__ in NUMBERS and most.__class__ in NUMBERS:  # a range of dates
            return from_to(to_number(least), to_number(most), middle)
        return between(_COMPARISONS[operator], low, middle, high)

    def _either_reading(self, operator: str, arguments: list[Any], depth: int) -> Test:
        """What holds if it holds for one of the two readings of a variable; ``!=`` is the opposite of ``==``."""
        tests = []
        for self._reading in (False, True):  # what is compared inside stays with it, so that this never multiplies
            tests.append(self._compare(operator, arguments, depth))
        self._reading = None
        first, second = tests
        if operator == "!=":
            return lambda scope: first(scope) and second(scope)
        return lambda scope: first(scope) or second(scope)

    def _compare(self, operator: str, arguments: list[Any], depth: int) -> Test:
        left, right = arguments
        if operator in (">", ">="):
            left, right, operator = right, left, {">": "<", ">=": "<="}[operator]
        compare = _COMPARISONS[operator]
        if operator == "==" and isinstance(right, str):
            left, right = right, left
        fast = self._against_literal(operator, left, right, depth)
        if fast is not None:
            return fast
        read_left, read_right = self.value(left, depth + 1), self.value(right, depth + 1)
        return lambda scope: compare(read_left(scope), read_right(scope))

    def _against_literal(self, operator: str, left: Any, right: Any, depth: int) -> Test | None:
        """What real rules consist of, without the detour over a general comparison; None for anything else."""
        if operator == "==" and isinstance(left, str):
            return equals_text(self._literal(left), self.value(right, depth + 1))
        if operator == "in" and isinstance(left, str):
            return holds_text(self._literal(left), self.value(right, depth + 1))
        if operator == "<=" and left.__class__ in NUMBERS:
            return at_least(to_number(left), self.value(right, depth + 1))
        if operator == "<=" and right.__class__ in NUMBERS:
            return at_most(to_number(right), self.value(left, depth + 1))
        return None


def _is_unequal(left: Any, right: Any) -> bool:
    return not is_equal(left, right)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": is_equal,
    "!=": _is_unequal,
    "<": is_less,
    "<=": is_less_or_equal,
    ">": is_less,  # with the sides swapped
    ">=": is_less_or_equal,
    "in": is_in,
}
_EQUALITIES = frozenset({"==", "!=", "in"})
_OPERATORS = frozenset({"var", "and", "or", "!", "substr", *_COMPARISONS})


def _split(logic: Any, depth: int) -> tuple[str | None, list[Any]]:
    """Operator and arguments of an operation; no operator for a literal."""
    if depth > MAX_DEPTH:
        raise Undecidable(f"the condition is nested more than {MAX_DEPTH} deep")
    if not (logic.__class__ is dict or isinstance(logic, Mapping)):
        return None, []
    if len(logic) != 1:
        raise Undecidable("an operation names exactly one operator")
    ((operator, arguments),) = logic.items()
    if operator not in _OPERATORS:
        raise Undecidable(f"the operator {shown(operator)} is not known")
    return operator, arguments if isinstance(arguments, list) else [arguments]


def _plain(value: Any) -> Any:
    """A literal: a plain value, or a list of plain values. Operations inside a list are not known to occur."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping | list):
            raise Undecidable("a literal holds more than plain values")
    return value


def _only(operator: str, arguments: list[Any]) -> Any:
    if len(arguments) != 1:
        raise Undecidable(f"{operator} does not take {len(arguments)} arguments")
    return arguments[0]


def _some(operator: str, arguments: list[Any]) -> list[Any]:
    if not arguments:
        raise Undecidable(f"{operator} needs an argument")
    return arguments


def _flatten(operator: str, arguments: list[Any], depth: int) -> list[tuple[Any, int]]:
    """The operands of ``and`` in ``and``, or of ``or`` in ``or``, as those of one; each with its depth."""
    operands: list[tuple[Any, int]] = []
    for item in arguments:
        inner_operator, inner = _split(item, depth + 1)
        if inner_operator == operator:
            operands += _flatten(operator, _some(operator, inner), depth + 1)
        else:
            operands.append((item, depth))
    return operands


def _always(_: Scope) -> bool:
    return True


def _never(_: Scope) -> bool:
    return False


def _all(tests: list[Test], scope: Scope) -> bool:
    for test in tests:  # noqa: SIM110 - all() over a generator takes twice as long
        if not test(scope):
            return False
    return True


def _any(tests: list[Test], scope: Scope) -> bool:
    for test in tests:  # noqa: SIM110 - as above
        if test(scope):
            return True
    return False


def _last_value(values: list[Value], stop: bool) -> Value:
    """The first operand whose truth is ``stop``, else the last: what ``and`` and ``or`` give as a value."""

    *earlier, last = values

    def read(scope: Scope) -> Any:
        for value in earlier:
            found = value(scope)
            if is_true(found) is stop:
                return found
        return last(scope)

    return read
