"""What users say of overrides, and tokens in URLs."""

from __future__ import annotations

import pickle
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import Experience, OptionsError, Override
from target.overrides import OVERRIDE_NAME, parse_overrides, parse_what, token_in, without_token
from tests.kit.odd import OddText


def test_an_experience_is_a_value() -> None:
    assert Experience("B") == Experience("B", None)
    assert Experience(1, 100) == Experience("1", activity="100")  # type: ignore[arg-type]
    assert len({Experience("B"), Experience("B"), Experience("B", "Summer")}) == 2
    assert pickle.loads(pickle.dumps(Experience("B", "Summer"))) == Experience("B", "Summer")
    with pytest.raises(AttributeError):
        Experience("B").experience = "C"  # type: ignore[misc]
    assert Experience(str(UUID(int=5))).experience == "00000000-0000-0000-0000-000000000005"


@pytest.mark.parametrize(("name", "value"), [("experience", given) for given in ("", None, {})] + [("activity", "")])
def test_an_experience_is_named(name: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=f"^{name} of an Experience must be its id or its name"):
        Experience(**{"experience": "B", name: value})


def test_what_is_given_is_copied() -> None:
    content: dict[str, Any] = {"a": [1, (2, 3)]}
    given = {
        "home": content,
        "side": Experience("B"),
        "text": OddText("<b>x</b>"),
        "none": None,
        "keys": {1: 2},
    }
    parsed = parse_overrides("overrides", given)
    content["a"].append(4)
    assert parsed == {
        "home": {"a": [1, [2, 3]]},
        "side": Experience("B"),
        "text": "<b>x</b>",
        "none": None,
        "keys": {"1": 2},
    }
    assert type(parsed["text"]) is str
    assert parsed["side"] is given["side"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (7, "Option 'overrides' must be a dict, not int"),
        ({7: "x"}, "An override needs the name of its mbox: a text of 1 to 250 characters"),
        ({" ": "x"}, "An override needs the name of its mbox"),
        ({"home": float("inf")},
         "mbox 'home' must be text (HTML), None (default content), an Experience, or what JSON can hold, not float"),
        ({"home": b"x"}, "not bytes"),
        ({str(number): "x" for number in range(1001)}, "Option 'overrides' must hold at most 1000 items"),
    ],
)  # fmt: skip
def test_what_is_no_override_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_overrides("overrides", given)
    assert problem in str(caught.value)
    assert caught.value.__context__ is None


def test_what_holds_itself_is_refused() -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(OptionsError, match="mbox 'home' is nested more than 64 deep, or holds itself"):
        parse_what("home", itself)


def test_a_listed_override_shows_no_id() -> None:
    assert repr(Override("home", "x", {"tntId": "secret"})) == "Override(mbox='home', what='x')"


@pytest.mark.parametrize(
    ("url", "token", "without"),
    [
        ("https://shop.example/a?b=1", None, "https://shop.example/a?b=1"),
        ("https://shop.example/a?target_override=x.y-z", "x.y-z", "https://shop.example/a"),
        ("https://shop.example/a?target_override=", "", "https://shop.example/a"),
        ("https://shop.example/a?target_override", "", "https://shop.example/a"),
        ("/a?b=%20&target_override=x&c=+#target_override=y", "x", "/a?b=%20&c=+#target_override=y"),
        ("?target_override=x&target_override=y", "x", ""),
        ("https://target_override.example/target_override?a=target_override", None,
         "https://target_override.example/target_override?a=target_override"),
        ("?my_target_override=x", None, "?my_target_override=x"),
    ],
)  # fmt: skip
def test_a_token_is_found_in_a_query(url: str, token: str | None, without: str) -> None:
    assert token_in(url) == token
    assert without_token(url) == without


def test_a_query_of_too_many_fields_has_none() -> None:
    assert token_in(f"?{'a=1&' * 300}{OVERRIDE_NAME}=x") is None
    assert token_in(f"https://[{OVERRIDE_NAME}=x") is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_url_keeps_a_token_or_loses_anything_else(before: str, after: str) -> None:
    url = f"https://shop.example/?a={before}&{OVERRIDE_NAME}=x&b={after}"
    try:
        without = without_token(url)
    except ValueError:
        return
    assert token_in(without) is None or OVERRIDE_NAME in before + after
    assert without_token(without) == without
