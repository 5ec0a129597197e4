"""Override tokens: what comes out is what went in, for their own client, key and time alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from target import Experience, OptionsError
from target._overrides.tokens import MAX_TOKEN_LENGTH, Permit, Refused, Tokens

NOW_S = 1_700_000_000.0
KEY, OLD_KEY = "the key of this test", "the key of last year"
TOKENS = Tokens([KEY], "acme")
TOKEN = TOKENS.sign(Permit({"home": "<b>ours</b>", "side": Experience("B")}, NOW_S + 60))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
names = st.text(min_size=1, max_size=30).filter(str.strip)
experiences = st.builds(Experience, names, st.none() | names)


def refusal_of(tokens: Tokens, token: object, now_s: float = NOW_S) -> str:
    with pytest.raises(Refused) as caught:
        tokens.read(token, now_s)
    return str(caught.value)


@given(st.dictionaries(names, json_values | experiences, min_size=1, max_size=4), st.floats(0.001, 1e7))
def test_what_goes_in_comes_out(overrides: dict[str, Any], lasts_s: float) -> None:
    try:
        token = TOKENS.sign(Permit(overrides, NOW_S + lasts_s))
    except OptionsError:
        reject()  # it would be too long
    permit = TOKENS.read(token, NOW_S)
    assert permit == Permit(overrides, NOW_S + lasts_s)
    assert [type(what) for what in permit.overrides.values()] == [type(what) for what in overrides.values()]
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x2FF))
def test_no_character_may_be_another(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    try:
        permit = TOKENS.read(changed, NOW_S)
    except Refused:
        return
    # The last character of base64 holds bits that stand for nothing.
    assert permit == TOKENS.read(TOKEN, NOW_S)
    assert changed == TOKEN or place == len(TOKEN) - 1


@given(st.text(max_size=200) | st.binary(max_size=50) | st.none() | st.integers() | st.lists(st.text(max_size=3)))
@example("." * 100)
@example(TOKEN[::-1])
@example(TOKEN.encode())
def test_what_is_no_token_is_refused(token: object) -> None:
    assert refusal_of(TOKENS, token) == "it is no token of this client, or was changed"


def test_a_token_is_of_one_client_and_its_keys() -> None:
    wrong = "it is no token of this client, or was changed"
    assert refusal_of(Tokens([KEY], "other"), TOKEN) == wrong
    assert refusal_of(Tokens([OLD_KEY], "acme"), TOKEN) == wrong
    both = Tokens([KEY, OLD_KEY], "acme")
    assert both.read(TOKEN, NOW_S) == TOKENS.read(TOKEN, NOW_S)
    assert Tokens([OLD_KEY], "acme").read(both.sign(Permit({"home": 1}, NOW_S + 1)), NOW_S).overrides == {"home": 1}


def test_a_token_ends() -> None:
    assert TOKENS.read(TOKEN, NOW_S + 59.9).overrides["home"] == "<b>ours</b>"
    for now_s in (NOW_S + 60, NOW_S + 1e9):
        assert refusal_of(TOKENS, TOKEN, now_s) == "it has expired"


def test_a_long_token_is_neither_made_nor_looked_at() -> None:
    incompressible = "".join(chr(0x4E00 + (number * 7919) % 20000) for number in range(3000))
    with pytest.raises(OptionsError, match="characters, more than 3800: name fewer, or an Experience in the place"):
        TOKENS.sign(Permit({"home": incompressible}, NOW_S))
    assert refusal_of(TOKENS, TOKEN + "x" * MAX_TOKEN_LENGTH) == "it is too long"


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        [1],
        ["soon", {"home": ["content", 1]}],
        [None, {"home": ["content", 1]}],
        [True],
        [NOW_S + 9, []],
        [NOW_S + 9, {"home": "content"}],
        [NOW_S + 9, {"home": []}],
        [NOW_S + 9, {"home": ["content"]}],
        [NOW_S + 9, {"home": ["content", 1, 2]}],
        [NOW_S + 9, {"home": ["experience"]}],
        [NOW_S + 9, {"home": ["experience", {}, None]}],
        [NOW_S + 9, {"": ["content", 1]}],
        [NOW_S + 9, {f"mbox {number}": ["content", None] for number in range(1001)}],
        [float("nan"), {"home": ["content", 1]}],
    ],
)
def test_what_another_version_signed_is_refused_too(said: Any) -> None:
    signed = TOKENS._serializer.dumps(said)
    assert isinstance(signed, str)
    assert refusal_of(TOKENS, signed) in ("it is no token of this client, or was changed", "it has expired")


def test_without_the_package_advice_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itsdangerous", None)
    with pytest.raises(OptionsError, match="override_key needs the package itsdangerous: pip install itsdangerous"):
        Tokens([KEY], "acme")
