"""What variables and values are called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.labels import MAX_LENGTH, describe_value, name_of


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("mbox.cart.total_lc", "parameter cart.total"),
        ("mbox.a b", 'parameter "a b"'),
        ("page.topLevelDomain_lc", "page top-level domain"),
        ("referring.{parameter=utm}_lc", "referring page query parameter utm"),
        ("geo.country", "country"),
        ("profile.visits", "profile.visits"),
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
        (None, None, "nothing"),
        (True, None, "true"),
        (1.0, None, "1"),
        ({"a": [1, None]}, None, '{"a": [1, null]}'),
        ({"substr": [{"var": "page.url"}, 2]}, None, "part (2) of page URL"),
    ],
)
def test_values(value: Any, variable: str | None, words: str) -> None:
    assert describe_value(value, variable) == words


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
