"""What variables and values are called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.labels import MAX_LENGTH, describe_ranges, describe_value, name_of


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("mbox.cart.total_lc", "parameter cart.total"),
        ("mbox.a b", 'parameter "a b"'),
        ("page.topLevelDomain_lc", "page top-level domain"),
        ("referring.{parameter=utm}_lc", "referring page query parameter utm"),
        ("geo.country", "country"),
        ("profile.visits", "profile.visits"),
        ("page.height", "page.height"),
        ("screen.path", "screen.path"),
        ("mbox.größe in cm", 'parameter "größe in cm"'),
        ("no\nname", "no\\nname"),
    ],
)
def test_names(variable: str, name: str) -> None:
    assert name_of(variable) == name


@pytest.mark.parametrize(
    ("value", "variable", "words"),
    [
        ("x" * 1000, None, f'"{"x" * 59}…"'),
        (3, "current_day", "Wednesday"),
        (8, "current_day", "8"),
        ("0900", "current_time", "09:00 UTC"),
        ("2500", "current_time", '"2500"'),
        (1_640_995_200_000, "current_timestamp", "2022-01-01 00:00 UTC"),
        (-1, "current_timestamp", "-1"),
        (0, "current_timestamp", "1970-01-01 00:00 UTC"),
        ([0], "current_timestamp", "[0]"),
        (253_402_300_799_999, "current_timestamp", "9999-12-31 23:59:59 UTC"),
        (253_402_300_800_000, "current_timestamp", "253402300800000"),
        (1.5, "current_day", "1.5"),
        ("1", "current_day", "Monday"),
        (7, "current_day", "Sunday"),
        (True, "current_day", "true"),
        ([1], "current_day", "[1]"),
        ("x" * 60, None, f'"{"x" * 60}"'),
        ("größer", None, '"größer"'),
        ({"substr": [{"var": "page.url"}]}, None, "page URL"),
        ({"substr": [{"var": "page.url"}, 1, 2, 3]}, None, "part (1, 2) of page URL"),
        ([["a", [[[["deep"]]]]], "b"], None, '[["a", [[[…]]]], "b"]'),
        (list(range(10)), None, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
        ({"größe": {1}}, None, '{"größe": "set"}'),
        (list(range(11)), None, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …]"),
        (None, None, "nothing"),
        (True, None, "true"),
        (1.0, None, "1"),
        ({"a": [1, None]}, None, '{"a": [1, null]}'),
        ({"substr": [{"var": "page.url"}, 2]}, None, "part (2) of page URL"),
    ],
)
def test_values(value: Any, variable: str | None, words: str) -> None:
    assert describe_value(value, variable) == words


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ((), "no range"),
        (((0, 50),), "0 to 50 %"),
        (((0, 12.5), (90.0, 100)), "0 to 12.5 or 90 to 100 %"),
        (((0, 1),) * 10, f"{' or '.join(['0 to 1'] * 10)} %"),
        (((0, 1),) * 11, f"{' or '.join(['0 to 1'] * 10)} … %"),
    ],
)
def test_ranges(ranges: Any, words: str) -> None:
    assert describe_ranges(ranges) == words


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
VARIABLES = st.sampled_from([None, "current_day", "current_time", "current_timestamp", "mbox.a"])


@given(value=JSON, variable=VARIABLES)
def test_any_value_is_short(value: Any, variable: str | None) -> None:
    words = describe_value(value, variable)
    assert len(words) <= MAX_LENGTH
    assert words.isprintable()


@given(name=st.text())
def test_any_name_is_short(name: str) -> None:
    assert len(name_of(name)) <= MAX_LENGTH
    assert name_of(name).isprintable()
