"""What hooks may add to a call, and what becomes of the rest of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.config import Runtime, parse_client_options, parse_request_options
from target.delivery.additions import add_headers, add_parameters, why_no_header, why_no_parameter
from target.delivery.request import Call, build_offers_call
from tests.kit.calls import ACCOUNT

RUNTIME = Runtime(now_s=lambda: 1585098300.0, new_id=lambda: "made-id", utc_offset_minutes=lambda: 0)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


def call_of(request: Any) -> Call:
    return build_offers_call(
        parse_client_options(ACCOUNT), parse_request_options({"request": request}), RUNTIME, None, ()
    )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("X-Shop", "north", None),
        ("Authorization", "Bearer x", None),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("x-a", "a\tb", None),
        ("X" * 256, "", None),
        ("X" * 257, "", "no token"),
        ("", "x", "no token"),
        ("X-A:", "x", "no token"),
        ("X\n", "x", "no token"),
        ("X-Ä", "x", "no token"),
        (b"X-A", "x", "no token"),
        ("HOST", "x", "set already"),
        ("Proxy-Authorization", "x", "set already"),
        ("x-exc-sdk-version", "x", "set already"),
        ("Expect", "100-continue", "set already"),
        ("X-A", "x" * 8192, None),
        ("X-A", "x" * 8193, "not printable ASCII"),
        ("X-A", "ä", "not printable ASCII"),
        ("X-A", "a\nb", "not printable ASCII"),
        ("X-A", "a\n", "not printable ASCII"),
        ("X-A", None, "not printable ASCII"),
    ],
)
def test_which_headers_can_be_added(name: Any, value: Any, why: str | None) -> None:
    found = why_no_header(name, value)
    assert (found is None) == (why is None)
    assert why is None or why in str(found)


@pytest.mark.parametrize(
    ("name", "value", "can"),
    [("plan", "gold", True), ("plan", "", True), ("", "gold", False), (1, "gold", False), ("plan", 1, False)],
)
def test_which_parameters_can_be_added(name: Any, value: Any, can: bool) -> None:
    assert (why_no_parameter(name, value) is None) is can


def test_the_last_to_name_a_header_has_it() -> None:
    call = add_headers(
        add_headers(call_of({"execute": {"pageLoad": {}}}), {"X-One": "1", "x-both": "1"}), {"X-Both": "2"}
    )
    assert call.headers == {"X-One": "1", "X-Both": "2"}


@given(
    own=st.lists(st.none() | st.dictionaries(NAMES, NAMES, max_size=3), min_size=1, max_size=4),
    added=st.dictionaries(NAMES, NAMES, min_size=1, max_size=3),
    parts=st.sets(st.sampled_from(["execute", "prefetch"]), min_size=1),
)
def test_parameters_reach_all_that_is_asked_for_and_change_nothing_else(own: Any, added: Any, parts: Any) -> None:
    mboxes = [
        {"name": f"m{number}", **({} if each is None else {"parameters": each})} for number, each in enumerate(own)
    ]
    request = {part: {"mboxes": mboxes, "pageLoad": {}} for part in parts}
    if "prefetch" in request:
        request["prefetch"]["views"] = [{"name": "cart"}]
    before = call_of(request)
    untouched = copy.deepcopy(before.body)
    after = add_parameters(before, added)
    assert before.body == untouched
    assert json.loads(after.content) == after.body
    for part in parts:
        for mbox, given_own in zip(after.body[part]["mboxes"], own, strict=True):
            assert mbox["parameters"] == {**added, **(given_own or {})}
        assert after.body[part]["pageLoad"]["parameters"] == added
    if "prefetch" in parts:
        assert after.body["prefetch"]["views"][0]["parameters"] == added

    def without(body: Any) -> Any:
        if isinstance(body, dict):
            return {key: without(value) for key, value in body.items() if key != "parameters"}
        return [without(each) for each in body] if isinstance(body, list) else body

    assert without(after.body) == without(untouched)


def test_a_call_that_asks_for_nothing_stays_as_it_is() -> None:
    call = call_of({"execute": {"pageLoad": {}}})
    told = call._replace(body={"notifications": [{"id": "1"}]})
    assert add_parameters(told, {"a": "b"}).body == told.body
