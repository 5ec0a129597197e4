from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.coercion import is_equal, is_in, is_less, is_less_or_equal, is_same, is_true, to_number, to_text

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False),
        (0, False),
        (0.0, False),
        (NAN, False),
        ("", False),
        ([], False),
        ("0", True),
        ({}, True),
        ([0], True),
        (-1, True),
        (math.inf, True),
    ],
)
def test_truth(value: Any, expected: bool) -> None:
    assert is_true(value) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        (" \n\u00a0\ufeff", 0),
        (" 12 ", 12),
        ("-1.5e3", -1500),
        (".5", 0.5),
        ("5.", 5),
        ("0x1F", 31),
        ("0b101", 5),
        ("0o17", 15),
        ("-Infinity", -math.inf),
    ],
)
def test_texts_that_are_numbers(text: str, expected: float) -> None:
    assert to_number(text) == expected


@pytest.mark.parametrize("text", ["1_000", "nan", "inf", "-0x10", "1e", "\u0661", "1 2", ".", "infinity", "+", "0x"])
def test_texts_that_are_none(text: str) -> None:
    assert math.isnan(to_number(text))


def test_other_values_as_numbers() -> None:
    assert [to_number(value) for value in (None, True, False, [], ["7"], 10**400)] == [0, 1, 0, 0, 7, math.inf]
    assert math.isnan(to_number({}))
    assert math.isnan(to_number([1, 2]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1024, "1024"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (10**22, "1e+22"),
        (1.5e300, "1.5e+300"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (0.05, "0.05"),
        (1200.0, "1200"),
        (12.5, "12.5"),
        (1.25, "1.25"),
        (-1.25, "-1.25"),
        (0.0001, "0.0001"),
        (0.0000125, "0.0000125"),
        (999999999999999900000.0, "999999999999999900000"),
        (1.25e22, "1.25e+22"),
        (False, "false"),
        (100.5, "100.5"),
        (1e20, "100000000000000000000"),
        (-(2**53), "-9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (-(2**53) - 1, "-9007199254740992"),
        (-1.25e-9, "-1.25e-9"),
        (NAN, "NaN"),
        (-math.inf, "-Infinity"),
        (True, "true"),
        (None, "null"),
        ([1, None, ["a"]], "1,,a"),
        ({"a": 1}, "[object Object]"),
    ],
)
def test_values_as_text(value: Any, expected: str) -> None:
    assert to_text(value) == expected


def test_whole_number_beyond_all_floats() -> None:
    assert to_text(10**5000) == "Infinity"
    assert to_text(-(10**5000)) == "-Infinity"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_text_of_a_number_reads_back_as_that_number(value: float) -> None:
    assert to_number(to_text(value)) == value


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, None, True),
        (None, 0, False),
        (None, False, False),
        (None, "", False),
        ("1", 1, True),
        ("1.0", "1", False),
        ("", 0, True),
        ("a", 0, False),
        (True, 1, True),
        (True, "1", True),
        (True, "true", False),
        (False, "", True),
        (NAN, NAN, False),
        (1, 1.0, True),
        (["a"], "a", True),
        ([], 0, True),
        ({}, "[object Object]", True),
        ([], {}, False),
        ([], [], False),
    ],
)
def test_loose_equality(left: Any, right: Any, expected: bool) -> None:
    assert is_equal(left, right) is expected
    assert is_equal(right, left) is expected


def test_one_object_equals_itself() -> None:
    value: dict[str, Any] = {}
    assert is_equal(value, value)


def test_strict_equality_keeps_kinds_apart() -> None:
    assert is_same(1, 1.0)
    assert not is_same(1, True)
    assert not is_same("1", 1)


@pytest.mark.parametrize(
    ("left", "right", "less", "equal"),
    [
        ("10", "9", True, False),
        ("10", 9, False, False),
        ("37.70", 37.75, True, False),
        ("a", 1, False, False),
        (None, 1, True, False),
        (None, 0, False, True),
        (False, True, True, False),
        ("\ufb01", "\U0001f600", False, False),  # a surrogate pair comes before U+FB01
        ("\ud83d", "\ude00", True, False),  # each half of one by itself
        ("\ude00", "\ude00", False, True),
        ([2], [10], False, False),
        (NAN, 1, False, False),
    ],
)
def test_order(left: Any, right: Any, less: bool, equal: bool) -> None:
    assert is_less(left, right) is less
    assert is_less_or_equal(left, right) is (less or equal)


@pytest.mark.parametrize(
    ("needle", "haystack", "expected"),
    [
        ("a", "bar", True),
        ("", "bar", True),
        ("", "", False),
        (5, "a5", True),
        (None, "null", True),
        ("a", ["a"], True),
        (1, [True, "1"], False),
        ("a", None, False),
        ("a", 5, False),
        ("a", {"a": 1}, False),
    ],
)
def test_membership(needle: Any, haystack: Any, expected: bool) -> None:
    assert is_in(needle, haystack) is expected
