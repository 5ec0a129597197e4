"""Single values of a request: how each kind is written, and in which words anything else is refused."""

from __future__ import annotations

import datetime
import json
import math
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import ChannelType, Geo
from target.delivery.wire_values import (
    Misfit,
    mapping_of,
    name_of,
    read_by,
    write_flag,
    write_free,
    write_free_map,
    write_id,
    write_integer,
    write_moment,
    write_number,
    write_own_id,
    write_text,
    write_texts,
    write_time,
)
from target.foreign import shown
from target_delivery_api.types import MAX_INTEGER, MAX_NUMBER
from tests.kit.odd import Disguised, Tier

UTC, DAY = datetime.UTC, datetime.date(2026, 1, 2)
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0)
LONGEST = Decimal(10) ** 39


@pytest.mark.parametrize(
    ("write", "value", "written"),
    [
        (write_text, "a", "a"),
        (write_text, Disguised("a"), "a"),
        (write_text, ChannelType.WEB, "web"),
        (write_text, NOON, "2026-01-02T12:00:00+00:00"),
        (write_id, "a", "a"),
        (write_id, 4711, "4711"),
        (write_id, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (write_id, Decimal("4711"), "4711"),
        (write_id, DAY, "2026-01-02"),
        (write_id, NOON, "2026-01-02T12:00:00+00:00"),
        (write_text, Decimal("19.90"), "19.90"),
        (write_text, Decimal("1E+2"), "100"),
        (write_text, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (write_text, DAY, "2026-01-02"),
        (write_flag, True, True),
        (write_flag, False, False),
        (write_integer, 0, 0),
        (write_integer, 7.0, 7),
        (write_integer, Decimal("7"), 7),
        (write_integer, Decimal("7.0"), 7),
        (write_integer, Decimal(MAX_INTEGER), MAX_INTEGER),
        (write_integer, MAX_INTEGER, MAX_INTEGER),
        (write_integer, -MAX_INTEGER, -MAX_INTEGER),
        (write_number, 1.5, 1.5),
        (write_number, MAX_NUMBER, MAX_NUMBER),
        (write_number, -MAX_NUMBER, -MAX_NUMBER),
        (write_number, 3, 3),
        (write_number, Decimal("1.5"), 1.5),
        (write_time, NOON, "2026-01-02T12:00:00+00:00"),
        (write_time, DAY, "2026-01-02T00:00:00+00:00"),
        (write_time, "2026-01-02T12:00:00Z", "2026-01-02T12:00:00Z"),
        (write_time, Disguised("2026-01-02T12:00:00Z"), "2026-01-02T12:00:00Z"),
        (write_texts, {"a": "b"}, {"a": "b"}),
        (write_texts, {Disguised("a"): "b", "c": None, "d": 1, "e": False}, {"a": "b", "d": 1, "e": False}),
        (write_texts, {"a": Disguised("b"), "c": Tier.GOLD, "d": 1.5}, {"a": "b", "c": "gold", "d": 1.5}),
        (
            write_texts,
            {"a": LONGEST, "b": DAY, "c": Decimal("0.10")},
            {"a": "1" + 39 * "0", "b": "2026-01-02", "c": "0.10"},
        ),
        (write_texts, MappingProxyType({"a": 2}), {"a": 2}),
        (write_free_map, {"a": None, "b": [1, {"c": True}]}, {"a": None, "b": [1, {"c": True}]}),
        (write_free_map, {Disguised("a"): Disguised("b"), "c": 1.5}, {"a": "b", "c": 1.5}),
        (write_free, Geo(zip="1"), {"zip": "1"}),
        (write_free, (1, "a", NOON), [1, "a", "2026-01-02T12:00:00+00:00"]),
        (write_free, (Decimal("0.1"), UUID(int=5), DAY), [0.1, "00000000-0000-0000-0000-000000000005", "2026-01-02"]),
        (write_moment, NOON, 1767355200000),
        (write_moment, NOON.replace(microsecond=1999), 1767355200001),
        (write_moment, NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1))), 1767351600000),
        (write_moment, DAY, 1767312000000),
        (write_moment, 5, 5),
        (write_moment, 5.5, 5.5),
        (write_moment, "now", "now"),
        (write_own_id, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (write_own_id, Decimal("4711"), "4711"),
        (write_own_id, 4711, 4711),
        (mapping_of, OrderedDict(a=1), {"a": 1}),
        (name_of, Disguised("a"), "a"),
    ],
)
def test_what_is_meant_is_written(write: Callable[[Any], Any], value: Any, written: Any) -> None:
    found = write(value)
    assert (repr(found), type(found)) == (repr(written), type(written))


@pytest.mark.parametrize(
    ("write", "value", "problem"),
    [
        (write_text, 5, " must be a string, not int"),
        (write_text, None, " must be a string, not None"),
        (write_id, 1.5, " must be a string or a whole number, not float"),
        (write_id, [], " must be a string or a whole number, not list"),
        (write_flag, 1, " must be true or false, not int"),
        (write_flag, "true", " must be true or false, not str"),
        (write_integer, 1.5, " must be a whole number, not float"),
        (write_integer, MAX_INTEGER + 1, " must be a number of at most 64 bits"),
        (write_integer, -MAX_INTEGER - 1, " must be a number of at most 64 bits"),
        pytest.param(write_integer, 10**5000, " must be a number of at most 64 bits", id="huge"),
        (write_integer, Decimal(MAX_INTEGER) + 1, " must be a number of at most 64 bits"),
        (write_integer, Decimal("1.5"), " must be a whole number, not Decimal"),
        (write_integer, Decimal("NaN"), " must be a finite number"),
        (write_text, Decimal("NaN"), " must be a string, not Decimal"),
        (write_free, Decimal("Infinity"), " must be a finite number"),
        (write_integer, 1e300, " must be a number of at most 64 bits"),
        (write_number, math.nan, " must be a finite number"),
        (write_number, -math.inf, " must be a finite number"),
        (write_number, Decimal("sNaN"), " must be a finite number"),
        (write_number, "1", " must be a number, not str"),
        (write_number, True, " must be a number, not bool"),
        (write_time, 5, " must be a datetime or an ISO 8601 text, not int"),
        (write_time, "noon", " must be a datetime or an ISO 8601 date-time, not another text"),
        (write_texts, [], " must be an object, not list"),
        (write_texts, Geo(zip="1"), " must be an object, not Geo"),
        (write_texts, {"a": []}, ".a must be a string, not list"),
        (write_texts, {"a": 10 * LONGEST}, ".a must be a string, not Decimal"),
        (write_texts, {5: "a"}, " must have strings for keys, not int"),
        (write_free_map, {"a": {"b c": [0, object()]}}, ".a['b c'][1] must be JSON, not object"),
        (write_free_map, {"a": {5: 1}}, ".a must have strings for keys, not int"),
        (write_free_map, None, " must be an object, not None"),
        (lambda value: mapping_of(value, "an object (Geo)"), 5, " must be an object (Geo), not int"),
        (lambda value: read_by(int, value), "x", " cannot be read: it raised ValueError"),
    ],
)
def test_anything_else_is_refused_in_words(write: Callable[[Any], Any], value: Any, problem: str) -> None:
    with pytest.raises(Misfit) as caught:
        write(value)
    assert str(caught.value) == f"request{problem}"


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        (["a", 0, "b"], ".b[0].a"),
        (["n" * 40], f".{'n' * 40}"),
        (["n" * 41], f"[{shown('n' * 41)}]"),
        (["a b"], "['a b']"),
        (["x" * 19] * 10, ".xxxxxxxxxxxxxxxxxxx" * 10),
        (["x" * 19] * 9 + ["x" * 20], f".{'x' * 20}" + (".xxxxxxxxxxxxxxxxxxx" * 9)[:179] + "..."),
    ],
)
def test_the_place_of_a_misfit(steps: list[str | int], place: str) -> None:
    misfit = Misfit("is wrong")
    for step in steps:
        assert misfit.within(step) is misfit
    assert str(misfit) == f"request{place} is wrong"


def test_64_levels_of_free_json_are_written() -> None:
    deep: Any = []
    for _ in range(63):
        deep = [deep]
    assert write_free(deep) == deep
    assert write_free_map({"a": deep}) == {"a": deep}
    for write, value in ((write_free, [deep]), (write_free_map, {"a": [deep]})):
        with pytest.raises(Misfit, match=r"is nested more than 64 deep, or holds itself$"):
            write(value)


def test_what_cannot_be_read_says_what_it_raised() -> None:
    class Odd(dict[str, Any]):
        def __iter__(self) -> Any:
            raise ZeroDivisionError

        keys = __iter__

    with pytest.raises(Misfit, match=r"^request cannot be read: it raised ZeroDivisionError$"):
        mapping_of(Odd(a=1))


@given(st.decimals(-(10**13), 10**13, places=2))
def test_money_is_exact_to_the_cent(amount: Decimal) -> None:
    sent = json.loads(json.dumps(write_number(amount)), parse_float=Decimal)
    assert Decimal(sent) == amount
    assert write_text(amount) == f"{amount:f}"


@given(st.integers(-MAX_INTEGER, MAX_INTEGER))
def test_a_whole_decimal_is_exact(number: int) -> None:
    assert write_integer(Decimal(number)) == number


@given(st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30), timezones=st.none() | st.timezones()))
def test_a_moment_is_the_same_as_text_and_in_milliseconds(moment: datetime.datetime) -> None:
    told = datetime.datetime.fromisoformat(write_text(moment))
    assert told.tzinfo is not None
    assert (told - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(milliseconds=1) == write_moment(
        moment
    )
