"""JSON that came from outside: what may be parsed of it, and what is refused before it is."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import TargetTimeout
from target.reading import (
    LEAST_MOST_VALUES,
    SMALL_BYTES,
    TooManyValues,
    UnreadableJson,
    parse_json,
    usual_most_values,
    weighs_more,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(VALUES, st.booleans())
def test_what_json_can_say_is_read(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert parse_json(text) == value


def weight_of(value: Any) -> int:
    """What a value weighs, counted after it was parsed: its commas, its lists, and four for each object."""
    if isinstance(value, dict):
        return 4 + max(len(value) - 1, 0) + sum(map(weight_of, value.values()))
    if isinstance(value, list):
        return 1 + max(len(value) - 1, 0) + sum(map(weight_of, value))
    return 0


MARKS = st.text(alphabet='ab,[{}]:"\\\n\u00e9\U0001f600')
MARKED = st.recursive(MARKS, lambda inner: st.lists(inner) | st.dictionaries(MARKS, inner), max_leaves=20)


@given(MARKED)
def test_the_weight_is_that_of_the_values_whatever_the_texts_hold(value: Any) -> None:
    text = json.dumps(value).encode()
    weight = weight_of(value)
    assert not weighs_more(text, weight)
    assert weight == 0 or weighs_more(text, weight - 1)


@pytest.mark.parametrize("shift", range(-4, 5))
@pytest.mark.parametrize("text", ['"' + "\\\\" * 9, '"\\"' + '\\"' * 9, '"a,b"', '"\\\\\\","'])
def test_a_text_across_two_slices_is_one_text(text: str, shift: int) -> None:
    closed = text if text.endswith('"') and not text.endswith('\\"') else text + '"'
    content = b"[" + b" " * (2**20 - len(closed) // 2 + shift) + closed.encode() + b",[],[]]"
    value = json.loads(content)
    assert not weighs_more(content, weight_of(value))
    assert weighs_more(content, weight_of(value) - 1)


HOSTILE = {
    "empty lists": b'{"x":[' + b"[]," * 3_000_000 + b"0]}",
    "empty objects": b'{"x":[' + b"{}," * 3_000_000 + b"0]}",
    "numbers": b'{"x":[' + b"0," * 5_000_000 + b"0]}",
    "texts": b'{"x":[' + b'"ab",' * 2_000_000 + b"0]}",
    "texts of punctuation": b'{"x":[' + b'",",' * 2_500_000 + b"0]}",
    "objects": b'{"x":[' + b'{"type":"html"},' * 600_000 + b"0]}",
    "lists in lists": b'{"x":' + b"[[],[]," * 1_000_000,
    "nothing but a bracket": b"[" * 10_000_000,
    "a text without end": b'["' + b',"' * 1 + b"\\" * 9_000_000 + b'\\"' * 900_000 + b"{" * 3_000_000,
    "commas": b"," * 9_000_000,
}


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "a text without end"])
def test_more_values_than_any_honest_answer_holds_are_not_parsed(kind: str) -> None:
    with pytest.raises(TooManyValues, match="more values than may be"):
        parse_json(HOSTILE[kind])


def test_nothing_hides_behind_a_text_in_another_encoding() -> None:
    hidden = '["\\"",' + "{}," * 1_000_000 + "0]"
    for encoding in ("utf-16-le", "utf-16-be", "utf-16", "utf-32"):
        assert weighs_more(hidden.encode(encoding), LEAST_MOST_VALUES)


def test_a_text_without_end_is_not_json() -> None:
    with pytest.raises(UnreadableJson):
        parse_json(HOSTILE["a text without end"])


SENTENCE = 'say "yes", {or} [not], \\ '
PRODUCT = {"id": 12345, "name": "Product 123", "price": 12.5}
HONEST = {
    "html": "<p>" + "a, {b} [c] " * 95_000,
    "script": "f({a:[1,2,3],b:{}});" * 50_000,
    "json in a text": json.dumps([PRODUCT] * 18_000),
    "a list of products": [PRODUCT] * 19_000,
    "a list of texts": ["lorem ipsum"] * 70_000,
    "another script than Latin": "\u65e5\u672c\u8a9e, " * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HONEST)
def test_fifty_offers_of_a_megabyte_are_read(kind: str) -> None:
    option = json.dumps({"options": [{"content": HONEST[kind]}]})
    assert len(option.encode()) >= 900_000
    content = f'{{"execute":{{"mboxes":[{",".join([option] * 50)}]}}}}'.encode()
    assert not weighs_more(content, usual_most_values(len(content)))


def test_what_may_be_can_be_said() -> None:
    assert parse_json(b"[1,2,3]", 3) == [1, 2, 3]
    with pytest.raises(TooManyValues):
        parse_json(b"[1,2,3]", 2)
    with pytest.raises(TooManyValues):
        parse_json(b"[{}]", 4)
    assert len(parse_json(b"[" + b"0," * LEAST_MOST_VALUES + b"0]", 2 * LEAST_MOST_VALUES)) == LEAST_MOST_VALUES + 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b'{"a": "SECRET', "is not complete JSON", id="cut short"),
        pytest.param(b'{"a": SECRET}', "is not complete JSON", id="no JSON"),
        pytest.param(b'"SECRET\xff"', "is not complete JSON", id="no UTF-8"),
        pytest.param(b'"SECRET\xed\xa0\x80"', "is not complete JSON", id="half a character"),
        pytest.param('{"a": "SECRET"}'.encode("utf-16"), "is not complete JSON", id="UTF-16"),
        pytest.param(b'{"SECRET": NaN}', "is not complete JSON", id="not a number"),
        pytest.param(b'{"SECRET": -Infinity}', "is not complete JSON", id="infinity"),
        pytest.param(b'{"SECRET": 1e999}', "is not complete JSON", id="more than a float holds"),
        pytest.param(b'{"SECRET": ' + b"9" * 5000 + b"}", "is not complete JSON", id="more digits than Python reads"),
        pytest.param(b'{"SECRET": ' + b"[" * 60_000, "is not complete JSON", id="deep"),
        pytest.param(b'{"a":' * 60_000 + b"1" + b"}" * 60_000, "is not complete JSON", id="deep objects"),
    ],
)
def test_what_is_no_json_is_refused_without_a_word_of_it(content: bytes, says: str) -> None:
    with pytest.raises(UnreadableJson, match=says) as caught:
        parse_json(content)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="a byte order mark"),
        pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, id="a key twice"),
        pytest.param(b'"\\ud800"', "\ud800", id="half a character, escaped"),
        pytest.param(b" [1.5e3, -0.0, 1E-400] ", [1500.0, 0.0, 0.0], id="numbers"),
    ],
)
def test_what_is_unusual_is_read(content: bytes, value: Any) -> None:
    assert parse_json(content) == value


def test_reading_much_ends_when_its_time_is_over() -> None:
    content = b"[" + b'{"a":"0123456789"},' * (SMALL_BYTES // 10) + b"0]"
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise TargetTimeout("over")

    with pytest.raises(TargetTimeout, match="over"):
        parse_json(content, check=check)
    assert calls == 5  # in the midst of it


def test_a_small_text_is_read_without_looking_at_the_clock() -> None:
    assert parse_json(b"{}", check=lambda: 1 / 0) == {}
