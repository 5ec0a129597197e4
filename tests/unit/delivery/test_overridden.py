"""A call with overrides: whatever is asked, no mbox with an override is left in it, and the answer has all of them."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError, VisitorId
from target.config import default_runtime
from target.delivery.notify import build_notify_options
from target.delivery.overridden import (
    Overridden,
    Shown,
    asked_names,
    asks_nothing,
    ids_of,
    is_same_visitor,
    leave_out,
    options_of,
    parse_visitor,
    show_content,
)
from target.delivery.reply import assemble
from target.reasons import PartDecision
from target.response import Meta
from target_delivery_api.models import DeliveryResponse
from tests.kit.built_calls import offers

NAMES = ["home", "side", "hero"]
names = st.sampled_from(NAMES)
mboxes = st.lists(st.fixed_dictionaries({"name": names}, optional={"index": st.integers(0, 9)}), max_size=5)
overrides = st.dictionaries(names, st.none() | st.text(max_size=5) | st.booleans() | st.just({"a": [1]}))
TOLD = {"id": "n", "type": "click", "timestamp": 1}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for mode in ("execute", "prefetch"):
        part: dict[str, Any] = {"mboxes": draw(mboxes)}
        if draw(st.booleans()):
            part["pageLoad"] = {}
        if mode == "prefetch" and draw(st.booleans()):
            part["views"] = [{"name": "cart"}]
        if any(part.values()) or "pageLoad" in part:
            body[mode] = part
    if draw(st.booleans()):
        body["notifications"] = [TOLD]
    return body or {"execute": {"mboxes": [{"name": "home"}]}}


def pairs(body: Any, mode: str) -> list[tuple[Any, Any]]:
    return [(mbox["name"], mbox["index"]) for mbox in (body.get(mode) or {}).get("mboxes") or ()]


def answer_to(body: dict[str, Any], order: Any) -> dict[str, Any]:
    """As a server answers, in whatever order."""
    answer: dict[str, Any] = {"status": 200}
    for mode in ("execute", "prefetch"):
        if mode in body:
            found = [
                {"name": name, "index": index, "options": [{"type": "html", "content": "theirs", "eventToken": "t"}]}
                for name, index in pairs(body, mode)
            ]
            answer[mode] = {"mboxes": order(found)}
    return answer


@given(requests(), overrides, st.randoms(use_true_random=False), st.booleans())
def test_nothing_overridden_is_sent_and_all_of_it_is_answered(
    request: Any, shown: Any, random: Any, is_answered: bool
) -> None:
    call = offers(request)
    whole = json.loads(call.content)
    left = leave_out(call, shown)
    assert call.content == json.dumps(whole, separators=(",", ":")).encode()  # which is as it was
    assert json.loads(left.content) == left.body
    assert not asked_names(left.body) & shown.keys()
    for mode in ("execute", "prefetch"):
        assert pairs(left.body, mode) == [pair for pair in pairs(whole, mode) if pair[0] not in shown]
        for key in ("pageLoad", "views"):
            assert (left.body.get(mode) or {}).get(key) == (whole.get(mode) or {}).get(key)
        assert left.body.get(mode) != {}
    rest = {key: value for key, value in whole.items() if key not in ("execute", "prefetch")}
    assert {key: value for key, value in left.body.items() if key not in ("execute", "prefetch")} == rest
    assert asks_nothing(left) == (not {"execute", "prefetch", "notifications"} & left.body.keys())

    response = DeliveryResponse.from_dict(answer_to(left.body, lambda found: random.sample(found, len(found))))
    theirs = [
        PartDecision("mbox", name, mode, "split", name)
        for mode in ("execute", "prefetch")
        for name, _ in pairs(left.body, mode)
    ]
    meta = Meta("on-device", [], [], theirs)
    result = assemble(left, response if is_answered else None, default_runtime.now_s(), meta)
    contents = {name: show_content(what) for name, what in shown.items()}
    completed = Overridden(left, whole, contents, "acme").finish(result)
    for mode in ("execute", "prefetch"):
        found = (getattr(completed.response, mode) and getattr(completed.response, mode).mboxes) or []
        asked = pairs(whole, mode)
        expected = asked if is_answered else [pair for pair in asked if pair[0] in shown]
        seen = [(mbox.name, mbox.index) for mbox in found]
        assert seen == expected or (sorted(seen) == sorted(expected) and not shown.keys() & {name for name, _ in asked})
        for mbox in found:
            contents_of = [option.content for option in mbox.options]
            if mbox.name in shown:
                assert contents_of == ([] if shown[mbox.name] is None else [shown[mbox.name]])
                assert all(option.event_token is None for option in mbox.options)
                assert mbox.metrics == []
            else:
                assert contents_of == ["theirs"]
        assert [(part.name, part.reason) for part in completed.meta.decisions if part.mode == mode] == [
            (name, "override" if name in shown else "split") for name, _ in asked
        ]
    for name in shown.keys() & asked_names(whole):
        assert completed.displayed(name) == completed.clicked(name) == []


def test_the_names_of_what_is_asked_are_those_of_both_modes() -> None:
    assert asked_names(offers(WHOLE).body) == {"home", "side", "hero"}
    assert asked_names({"prefetch": {"mboxes": [{"name": "home"}]}, "execute": {"pageLoad": {}}}) == {"home"}


def test_an_answer_of_odd_types_is_put_in_order_all_the_same() -> None:
    call = offers({"execute": {"mboxes": [{"name": "home"}, {"name": "side"}]}})
    left = leave_out(call, {"home"})
    odd = [{"name": ["home"], "index": {}}, {"name": "side", "index": [0]}, {"index": True}]
    response = DeliveryResponse.from_dict({"status": 200, "execute": {"mboxes": odd}})
    whole = Overridden(left, call.body, {"home": show_content("ours")}, "acme")
    mboxes = whole.finish(assemble(left, response, 0.0)).response.execute.mboxes
    assert [mbox.name for mbox in mboxes] == ["home", "side", ["home"], None]
    assert mboxes[0].options[0].content == "ours"


WHOLE: dict[str, Any] = {
    "execute": {"pageLoad": {}, "mboxes": [{"name": "home"}, {"name": "side"}]},
    "prefetch": {"pageLoad": {}, "mboxes": [{"name": "home"}, {"name": "hero"}], "views": [{}]},
    "id": {"tntId": "a.38_0"},
}


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (None, []),
        ("", [{"type": "html", "content": ""}]),
        (0, [{"type": "json", "content": 0}]),
        (["a"], [{"type": "json", "content": ["a"]}]),
    ],
)
def test_what_a_content_is(content: Any, options: Any) -> None:
    assert options_of(content) == options
    assert show_content(content) == Shown(ANY, (None, None, None, None))
    assert show_content(content).options({}) == options


def test_an_answer_that_is_made_says_what_was_asked() -> None:
    call = offers(WHOLE)
    left = leave_out(call, NAMES)
    whole = Overridden(left, call.body, {"home": show_content("ours")}, "acme")
    response = whole.finish(assemble(left, None, 0.0)).response.to_dict()
    home = {"name": "home", "index": 0, "options": [{"type": "html", "content": "ours"}], "metrics": []}
    assert response == {
        "status": 200,
        "requestId": call.body["requestId"],
        "client": "acme",
        "id": {"tntId": "a.38_0"},
        "execute": {"mboxes": [home]},
        "prefetch": {"mboxes": [home]},
    }


def test_an_override_is_told_of_in_its_place_and_the_rest_stays_as_it_is() -> None:
    call = offers(WHOLE)
    left = leave_out(call, {"home"})
    asked: list[Any] = []

    def options(mbox: Any) -> list[dict[str, Any]]:
        asked.append(mbox)
        return [{"type": "html", "content": "ours", "responseTokens": {"experience.name": "B"}}]

    others = [
        PartDecision("pageLoad", "global", "execute", "split", "1"),
        PartDecision("mbox", "side", "execute", "default"),
        PartDecision("pageLoad", "global", "prefetch", "targeting", "2"),
        PartDecision("mbox", "hero", "prefetch", "remote"),
        PartDecision("mbox", "more", "prefetch", "remote"),
        PartDecision("mbox", "most", "prefetch", "remote"),
        PartDecision("view", "cart", "prefetch", "split", "3"),
    ]
    meta = Meta("on-device", ["hero"], ["cart"], others)
    part = {"pageLoad": {"options": [{"responseTokens": {"page": 1}}]}, "mboxes": []}
    response = DeliveryResponse.from_dict({"status": 206, "execute": part, "prefetch": part})
    shown = {"home": Shown(options, ("7", "Summer", "1", "B"))}
    result = Overridden(left, call.body, shown, "acme").finish(assemble(left, response, 0.0, meta))
    assert asked == [{"name": "home", "index": 0}] * 2
    assert result.meta == {"decisioning_method": "on-device", "remote_mboxes": ["hero"], "remote_views": ["cart"]}
    execute, prefetch = (
        PartDecision("mbox", "home", mode, "override", "7", "Summer", "1", "B") for mode in ("execute", "prefetch")
    )
    assert result.meta.decisions == [others[0], execute, others[1], others[2], prefetch, *others[3:]]
    assert result.response.status == 206
    tokens = [{"page": 1}, {"experience.name": "B"}]
    assert result.response_tokens == [*tokens, *tokens]
    assert result.request.id.tnt_id == "a.38_0"
    assert [mbox.name for mbox in result.request.execute.mboxes] == ["side"]


def test_what_nobody_asked_for_comes_last_but_for_what_is_overridden() -> None:
    call = offers({"execute": {"mboxes": [{"name": "home"}, {"name": "side", "index": 5}, {"name": "hero"}]}})
    left = leave_out(call, {"home"})
    found = [{"name": "new", "index": 0}, {"name": "home", "index": 0}, {"name": "hero"}, {"name": "side", "index": 5}]
    response = DeliveryResponse.from_dict({"status": 200, "execute": {"mboxes": found}})
    whole = Overridden(left, call.body, {"home": show_content("ours")}, "acme")
    mboxes = whole.finish(assemble(left, response, 0.0)).response.execute.mboxes
    assert [mbox.name for mbox in mboxes] == ["home", "side", "hero", "new"]


def test_a_part_with_something_else_to_ask_is_left() -> None:
    left = leave_out(offers(WHOLE), {"home", "side", "hero"})
    assert left.body["execute"] == {"pageLoad": {}}
    assert left.body["prefetch"] == {"pageLoad": {}, "views": [{}]}
    assert not asks_nothing(left)
    nothing = leave_out(offers({"execute": {"mboxes": [{"name": "home"}]}}), {"home"})
    assert asks_nothing(nothing)
    assert all(
        not asks_nothing(nothing._replace(body={name: {}}))
        for name in ("execute", "prefetch", "notifications", "telemetry")
    )


@pytest.mark.parametrize(
    ("visitor", "ids"),
    [
        ({"tntId": "a.38_0"}, {"tntId": "a.38_0"}),
        (VisitorId(third_party_id="amy", marketing_cloud_visitor_id=""), {"thirdPartyId": "amy"}),
        ({"thirdPartyId": 7, "tntId": " "}, {"thirdPartyId": "7"}),
        ({"customerIds": [{"id": 1, "integrationCode": "crm"}]},
         {"customerIds": [{"id": "1", "integrationCode": "crm"}]}),
    ],
)  # fmt: skip
def test_a_visitor_is_written_as_in_a_request(visitor: Any, ids: Any) -> None:
    assert parse_visitor(visitor) == ids


@pytest.mark.parametrize(
    ("visitor", "problem"),
    [
        (None, "visitor must name a visitor as a request's 'id' does: tntId, thirdPartyId, marketingCloudVisitorId or "
               "customerIds; leave it out for everybody"),
        ({"customerIds": [{"id": "1"}]}, None),
        ({"tntId": ""}, None),
        ("amy", "visitor must be an object (VisitorId), not str"),
        ({"tntId": []}, "visitor.tntId must be a string or a whole number, not list"),
        ({"TntId": "a"}, "Unknown id of a visitor 'TntId': did you mean 'tntId'?"),
    ],
)  # fmt: skip
def test_what_names_nobody_is_refused(visitor: Any, problem: str | None) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_visitor(visitor)
    if problem is not None:
        assert str(caught.value) == problem
    else:
        assert str(caught.value).startswith("visitor must name a visitor")


def test_what_a_visitor_goes_by() -> None:
    customers = [
        {"id": "1", "integrationCode": "crm"},
        {"id": "", "integrationCode": "shop"},
        {"id": "2"},
        {"integrationCode": "x"},
        {"id": "3", "integrationCode": "loyalty"},
    ]
    ids = {"tntId": "a.38_0", "thirdPartyId": "b.c", "marketingCloudVisitorId": "d.e", "customerIds": customers}
    assert ids_of(ids) == {
        ("tntId", ""): "a",
        ("thirdPartyId", ""): "b.c",
        ("marketingCloudVisitorId", ""): "d.e",
        ("customerIds", "crm"): "1",
        ("customerIds", "loyalty"): "3",
    }
    for tnt_id in ("a", ".38_0", "a.b.38_0", "."):
        assert ids_of({"tntId": tnt_id}) == {("tntId", ""): tnt_id}
    assert ids_of({"tntId": 7, "thirdPartyId": "", "customerIds": None}) == {}


@pytest.mark.parametrize(
    ("asking", "is_same"),
    [({"a": "1"}, True), ({"a": "1", "c": "9"}, True), ({"a": "1", "b": "9"}, False), ({"c": "1"}, False), ({}, False)],
)
def test_who_is_the_same(asking: dict[str, str], is_same: bool) -> None:
    known = {("a", ""): "1", ("b", ""): "2"}
    assert is_same_visitor(known, {(kind, ""): value for kind, value in asking.items()}) is is_same


def test_an_order_is_told_of_what_target_decided_alone() -> None:
    call = offers({"prefetch": {"mboxes": [{"name": "home"}, {"name": "confirm"}]}})
    left = leave_out(call, {"home"})
    answer = {"status": 200, "prefetch": {"mboxes": [{"name": "confirm", "index": 1}]}}
    result = Overridden(left, call.body, {"home": show_content("ours")}, "acme").finish(
        assemble(left, DeliveryResponse.from_dict(answer), 0.0)
    )

    def told(**options: Any) -> list[tuple[Any, Any, Any]]:
        given = build_notify_options(result, options, default_runtime)["request"].get("notifications") or ()
        notifications = [each.to_dict() for each in given]
        return [(each["type"], each.get("mbox", {}).get("name"), each["order"]["id"]) for each in notifications]

    order = {"id": "o"}
    assert told(displayed=["home"], order=order) == []
    assert told(clicked=["home"], order=order) == []
    assert told(displayed=["home", "confirm"], order=order) == [("display", "confirm", "o")]
    assert told(clicked=["home", "confirm"], order=order) == [("click", "confirm", "o")]
    assert told(clicked=["home"], displayed=["confirm"], order=order) == [("display", "confirm", "o")]
