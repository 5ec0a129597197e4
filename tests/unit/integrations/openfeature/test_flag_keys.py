"""Flag keys: which mboxes one may mean, and where in an offer its value is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.exception import FlagNotFoundError

from target.integrations.openfeature._flag_keys import MOST_MBOXES, candidates, find, parse_names, path_in


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("home", ("home",)),
        ("home.title", ("home.title", "home")),
        ("a.b.c", ("a.b.c", "a.b", "a")),
        ("a..b", ("a..b", "a.", "a")),
        (".a", (".a",)),
        ("a.", ("a.",)),
        (".", (".",)),
        ("ä.b", ("ä.b", "ä")),
    ],
)
def test_what_a_key_may_mean(key: str, names: tuple[str, ...]) -> None:
    assert candidates(key, None) == names


@pytest.mark.parametrize(
    ("key", "mbox", "path"),
    [("a.b.c", "a.b", "c"), ("a.x", "a", "x"), ("a.b", "a.b", ""), ("a.b.c.d", "a.b", "c.d")],
)
def test_the_longest_name_that_was_given_wins(key: str, mbox: str, path: str) -> None:
    assert candidates(key, frozenset({"a", "a.b", "b"})) == (mbox,)
    assert path_in(key, mbox) == path


@pytest.mark.parametrize("key", ["", " ", "\n", "x" * 251, ".".join("x" * 60), "." * 60])
def test_what_is_no_name_of_an_mbox_is_no_flag(key: str) -> None:
    with pytest.raises(FlagNotFoundError):
        candidates(key, None)


def test_a_key_of_none_of_the_mboxes_is_no_flag_and_the_message_is_short() -> None:
    with pytest.raises(FlagNotFoundError) as caught:
        candidates("z" * 100_000, frozenset({"home"}))
    assert len(caught.value.error_message or "") < 300


@pytest.mark.parametrize("key", ["." * 1_000_000, "home." * 200_000, "home." + "x" * 1_000_000])
def test_a_key_of_any_length_costs_little(key: str) -> None:
    """It may have come from outside. Cut at each dot, it would be more than a machine can hold."""
    for known in (None, frozenset({"home"})):
        with pytest.raises(FlagNotFoundError, match="longer than the 2000 characters"):
            candidates(key, known)


@given(st.text(alphabet="ab. ", max_size=200))
def test_candidates_are_what_one_call_may_ask_for(key: str) -> None:
    try:
        names = candidates(key, None)
    except FlagNotFoundError:
        return
    assert 0 < len(names) <= MOST_MBOXES
    assert all(key == name or key.startswith(f"{name}.") for name in names)
    assert sorted(names, key=len, reverse=True) == list(names)
    assert all(name.strip() for name in names)


OFFER: dict[str, Any] = {"a": {"b": 1, "c": {"d": None}}, "a.b": 2, "a.c": {"x": 3}, "": 4, "l": [1]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", OFFER),
        ("a", OFFER["a"]),
        ("a.b", 2),
        ("a.c", {"x": 3}),
        ("a.c.x", 3),
        ("a.c.d", None),
        ("l", [1]),
    ],
)
def test_the_longest_name_of_an_attribute_wins(path: str, found: Any) -> None:
    assert find(OFFER, path) == (True, found)


@pytest.mark.parametrize("path", ["z", "a.z", "a.b.c", "l.0", "a.", ".", "a.c.d.e"])
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert find(OFFER, path) == (False, None)


def test_names_are_each_there_once() -> None:
    assert parse_names(["a", "b", "a"]) == ("a", "b")
    assert parse_names("a") == ("a",)
    assert parse_names(None) is None


@pytest.mark.parametrize("names", [[""], [" "], ["x" * 251], [1], [None]])
def test_what_is_no_name_is_refused(names: Any) -> None:
    with pytest.raises(ValueError, match="mboxes must hold names"):
        parse_names(names)
