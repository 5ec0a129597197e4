from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning.artifact_text import ArtifactPayload, Passage, holds_any, list_items, skim, to_utf8
from tests.kit.properties import examples
from tests.kit.rules import build_artifact, build_rule

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
PLACES = st.dictionaries(TEXT, st.lists(JSON, max_size=3) | JSON, max_size=4)
RULES = st.fixed_dictionaries({}, optional={"mboxes": PLACES | JSON, "views": PLACES, "other": JSON})
ARTIFACTS = st.fixed_dictionaries({"rules": RULES | JSON}, optional={"version": TEXT, "é": JSON})
DUMPED = st.sampled_from(
    [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"ensure_ascii": False, "indent": "\t"}]
)


def whole(value: Any) -> Any:
    """What was skimmed, with every passage read."""
    if isinstance(value, Passage):
        return value.read()
    return {key: whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # NaN is what it is, 1 is not True, and the order of names counts


@given(ARTIFACTS | JSON, DUMPED)
@settings(max_examples=examples(200))
def test_a_skimmed_text_says_what_json_says(data: Any, options: dict[str, Any]) -> None:
    text = json.dumps(data, **options).encode()
    assert same(whole(skim(text)), json.loads(text))


@pytest.mark.waits
@given(ARTIFACTS, DUMPED, st.data())
@settings(max_examples=examples(400))
def test_a_damaged_text_is_refused_as_json_refuses_it(data: Any, options: dict[str, Any], draw: st.DataObject) -> None:
    text = json.dumps(data, **options).encode()
    at = draw.draw(st.integers(0, len(text)))
    text = (
        text[:at]
        + draw.draw(st.sampled_from([b"", b",", b":", b'"', b"}", b"]", b"{", b" ", b"\\", b"\x01"]))
        + (text[at + draw.draw(st.integers(0, 2)) :])
    )
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  (what json raises has many names)
            skim(to_utf8(text))
    else:
        assert same(whole(skim(to_utf8(text))), expected)


def test_of_names_that_stand_twice_the_last_counts_as_in_json() -> None:
    text = b'{"rules": {"mboxes": 1}, "rules": {"mboxes": {"a": [1], "b": [2], "a": [3]}}}'
    assert same(whole(skim(text)), json.loads(text))


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{", b'{"rules"', b'{"rules": {"mboxes": {"a": [1, ]}}}', b'{"a": 1,}', b"{} {}", b"{1: 2}"]
)
def test_what_is_not_complete_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (as above)
        skim(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    data = build_artifact(build_rule({"==": ["Zürich", {"var": "mbox.city"}]}))
    text = json.dumps(data, ensure_ascii=False).encode(encoding)
    assert whole(skim(to_utf8(text))) == data
    assert ArtifactPayload(text) == data


@pytest.mark.parametrize("text", [b'{"a": "\xff"}', b'{"a": "\xc3"}', b'{"a": "\xc3'])
def test_what_is_in_no_encoding_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (as above)
        to_utf8(text)


def test_a_character_across_two_steps_is_read() -> None:
    text = b'"' + b"a" * ((1 << 20) - 2) + "é".encode() + b'"'
    assert to_utf8(text) is text


def test_words_are_found_wherever_they_stand() -> None:
    filler = b"x" * ((1 << 20) - 3)
    assert holds_any(filler + b'"page.' + filler, (b'"user.', b'"page.'))
    assert not holds_any(filler * 3, (b'"user.', b'"page.'))
    assert holds_any(filler * 3 + b'"user.', (b'"page.', b'"user.'))


def test_a_payload_is_parsed_when_it_is_looked_into() -> None:
    data = build_artifact(build_rule())
    payload = ArtifactPayload(json.dumps(data).encode())
    assert "KB" not in repr(payload)
    assert sys.getsizeof(repr(payload)) < 200
    assert payload == data
    assert payload["version"] == "1.0.0"
    assert payload["rules"] is payload["rules"]
    assert json.loads(json.dumps(dict(payload))) == data
    with pytest.raises(KeyError):
        payload["no such name"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_half_a_character_is_kept_in_every_encoding_of_json(encoding: str) -> None:
    text = '["\\ud83d \ud83d"]'
    assert to_utf8(text.encode(encoding, "surrogatepass")) == text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("text", [b"\xff[]", b"[]\xe2\x82"])
def test_what_is_no_text_at_its_very_ends_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"utf-?8"):
        to_utf8(text)


def test_what_is_looked_for_may_be_the_first_of_all() -> None:
    assert holds_any(b'"user.', (b'"user.',))


def test_a_payload_shows_its_size_alone() -> None:
    assert repr(ArtifactPayload(b'{"secret": 1}' + b" " * 1000)) == "<ArtifactPayload of 1,013 bytes>"


@pytest.mark.parametrize("data", [{"meta": {"mboxes": {"a": [1]}}}, {"rules": {"other": {"a": [1]}}}])
def test_only_the_rules_of_mboxes_and_views_are_left_as_text(data: Any) -> None:
    assert skim(json.dumps(data).encode()) == data


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a": 1 "b": 2}', "a comma is missing"),
        (b'{"rules": {"mboxes": {"a": [1 2]}}}', "a comma is missing"),
        (b'{"rules": {"mboxes": {"a": [1', "a comma is missing"),
        (b"{1: 2}", "a name or its colon is missing"),
        (b'{"a" 1}', "a name or its colon is missing"),
        (b"{} {}", "something follows the JSON"),
        (b"1 ,", "something follows the JSON"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        skim(text)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[]", []),
        ("[ ]", []),
        ("[1]", ["1"]),
        ('[ {"a": [1, 2]} ,\n"\u00e9",[ ], null ]', ['{"a": [1, 2]}', '"\u00e9"', "[ ]", "null"]),
        ("{}", None),
        ('"[]"', None),
        ("null", None),
    ],
)
@pytest.mark.parametrize("around", ["", "[]\u00e9"])
def test_the_items_of_a_list_stand_where_they_are_read_from(text: str, items: list[str] | None, around: str) -> None:
    whole_text = f"{around}{text}{around}".encode()
    start = len(around.encode())
    found = list_items(Passage(whole_text, start, start + len(text.encode())))
    assert (None if found is None else [item.text[item.start : item.end].decode() for item in found]) == items
    assert found is None or [item.read() for item in found] == json.loads(text)


def test_a_place_is_left_as_its_text_alone() -> None:
    text = b'{"rules": {"mboxes": {"a": [1, {"b": 2}] , "c":\tnull\n}}}'
    (first, second) = skim(text)["rules"]["mboxes"].values()
    assert text[first.start : first.end] == b'[1, {"b": 2}]'
    assert text[second.start : second.end] == b"null"


def test_a_payload_has_the_names_of_its_text() -> None:
    payload = ArtifactPayload(b'{"a": 1, "b": {"c": 2}}')
    assert list(payload) == ["a", "b"]
    assert len(payload) == 2
    assert payload["b"] is payload["b"]
