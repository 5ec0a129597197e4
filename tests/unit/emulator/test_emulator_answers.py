"""What the emulator answers: shape, tokens, ids, and the same text for the same offers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target.emulator import parse_offers
from target.emulator.answers import answer, known_tokens

OFFERS: dict[str, Any] = json.loads(Path(__file__).with_name("served.json").read_text(encoding="utf-8"))
WEB = {"context": {"channel": "web"}}
HOME = OFFERS["mboxes"]["home"]["options"][0]


def answered(body: dict[str, Any], offers: dict[str, Any] = OFFERS, session_id: str = "s1") -> dict[str, Any]:
    return answer(WEB | body, parse_offers(offers), session_id=session_id, request_id="minted")


def test_execute_answers_options_without_event_tokens_and_without_state() -> None:
    execute = answered({"execute": {"mboxes": [{"name": "home", "index": 3}], "pageLoad": {}}})["execute"]
    (home,) = execute["mboxes"]
    assert (home["index"], home["name"], home["options"]) == (3, "home", [HOME])
    assert "state" not in home
    assert execute["pageLoad"] == {"options": [{"type": "redirect", "content": "https://example.com/"}]}


def test_prefetch_answers_an_event_token_per_option_and_a_state_per_place() -> None:
    prefetch = answered({"prefetch": {"mboxes": [{"name": "flags"}, {"name": "home"}], "pageLoad": {}, "views": [{}]}})[
        "prefetch"
    ]
    places = [*prefetch["mboxes"], prefetch["pageLoad"], *prefetch["views"]]
    tokens = [option["eventToken"] for place in places for option in place["options"]]
    assert len(tokens) == len(set(tokens)) == 6
    assert len({place["state"] for place in places}) == 5
    assert all(len(text) == 88 for text in tokens + [place["state"] for place in places])


def test_click_metrics_carry_their_own_tokens_in_both() -> None:
    body = {"mboxes": [{"name": "home"}]}
    both = answered({"execute": body, "prefetch": body})
    (executed,), (prefetched,) = both["execute"]["mboxes"], both["prefetch"]["mboxes"]
    assert executed["metrics"] == prefetched["metrics"]
    assert executed["metrics"][0]["type"], executed["metrics"][0]["selector"] == ("click", "#buy")
    assert executed["metrics"][0]["eventToken"] != prefetched["options"][0]["eventToken"]


def test_an_unknown_mbox_is_answered_without_options() -> None:
    body = {"mboxes": [{"name": "nowhere", "index": 1}]}
    both = answered({"execute": body, "prefetch": body})
    assert both["execute"]["mboxes"] == [{"index": 1, "name": "nowhere"}]
    assert both["prefetch"]["mboxes"][0].keys() == {"index", "name", "state"}


def test_default_content_is_a_token_in_prefetch_and_nothing_in_execute() -> None:
    body = {"mboxes": [{"name": "default"}]}
    both = answered({"execute": body, "prefetch": body})
    assert "options" not in both["execute"]["mboxes"][0]
    assert [option.keys() for option in both["prefetch"]["mboxes"][0]["options"]] == [{"eventToken"}]


def test_mboxes_without_an_index_are_answered_with_their_position() -> None:
    mboxes = answered({"execute": {"mboxes": [{"name": "home"}, {"name": "home", "index": 7}, {"name": "flags"}]}})
    assert [mbox["index"] for mbox in mboxes["execute"]["mboxes"]] == [0, 7, 2]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([{}], ["cart", "checkout"]),
        ([], []),
        ([{"name": "checkout"}], ["checkout"]),
        ([{"key": "k1"}], ["cart"]),
        ([{"name": "cart", "key": "other"}], []),
        ([{"name": "nowhere"}], []),
        ([{"name": "cart"}, {}], ["cart", "checkout"]),
    ],
)
def test_views_by_name_by_key_and_all(asked: list[Any], names: list[str]) -> None:
    views = answered({"prefetch": {"views": asked}})["prefetch"]["views"]
    assert [view["name"] for view in views] == names
    assert {view["name"]: view.get("key") for view in views if view["name"] == "cart"} in ({}, {"cart": "k1"})


@pytest.mark.parametrize(
    ("given", "answered_id"),
    [
        ({"tntId": "abc.21_5"}, {"tntId": "abc.21_5"}),
        ({"tntId": "abc"}, {"tntId": "abc.38_0"}),
        (
            {"tntId": "abc", "thirdPartyId": "t", "marketingCloudVisitorId": "m", "unknown": 1},
            {"tntId": "abc.38_0", "thirdPartyId": "t", "marketingCloudVisitorId": "m"},
        ),
    ],
)
def test_the_visitor_id_is_echoed_with_its_cluster(given: dict[str, Any], answered_id: dict[str, Any]) -> None:
    assert answered({"id": given}, {"edgeHost": "mboxedge38.tt.omtrdc.net"})["id"] == answered_id


def test_without_a_cluster_no_answer_leads_the_next_call_elsewhere() -> None:
    for given in ({}, {"tntId": "abc"}, {"tntId": "abc.21_5"}, {"thirdPartyId": "t"}):
        response = answered({"id": given})
        assert "." not in response["id"]["tntId"] + response["edgeHost"]


def test_customer_ids_are_echoed() -> None:
    customer = {"id": "1", "integrationCode": "crm", "authenticatedState": "authenticated"}
    assert answered({"id": {"customerIds": [customer | {"more": 1}]}})["id"]["customerIds"] == [customer]


def test_a_new_visitor_gets_a_tnt_id_that_lasts_as_long_as_the_session() -> None:
    first, again, other = (answered({}, session_id=session)["id"]["tntId"] for session in ("s1", "s1", "s2"))
    assert first == again != other


def test_the_edge_host_is_the_one_of_the_offers_and_gives_the_cluster() -> None:
    response = answered({}, {"edgeHost": "mboxedge7.tt.omtrdc.net", "client": "acme"})
    assert (response["edgeHost"], response["client"]) == ("mboxedge7.tt.omtrdc.net", "acme")
    assert response["id"]["tntId"].endswith(".7_0")


def test_the_request_id_is_echoed_or_made() -> None:
    assert answered({"requestId": "mine"})["requestId"] == "mine"
    assert answered({})["requestId"] == "minted"


def test_an_answer_holds_only_what_was_asked_for() -> None:
    assert answered({}).keys() == {"status", "requestId", "client", "id", "edgeHost"}
    assert answered({"execute": {}, "prefetch": {"mboxes": []}, "notifications": []}).keys() == {
        *("status", "requestId", "client", "id", "edgeHost", "execute", "prefetch")
    }


def test_notifications_are_acknowledged_by_id_in_order() -> None:
    notifications = [{"id": name, "type": "display", "timestamp": 1} for name in "ba"]
    assert answered({"notifications": notifications})["notifications"] == [{"id": "b"}, {"id": "a"}]


def test_analytics_payload_only_for_client_side_logging_and_only_with_options() -> None:
    body: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}, {"name": "nowhere"}]}}
    assert all("analytics" not in mbox for mbox in answered(body)["execute"]["mboxes"])
    body["experienceCloud"] = {"analytics": {"logging": "client_side"}}
    home, nowhere = answered(body)["execute"]["mboxes"]
    assert home["analytics"] == {"payload": {"pe": "tnt", "tnta": "7:2:0|2"}}
    assert "analytics" not in nowhere


def test_trace_only_when_asked_for() -> None:
    body: dict[str, Any] = {"prefetch": {"mboxes": [{"name": "home"}]}}
    assert "trace" not in answered(body)["prefetch"]["mboxes"][0]
    traced = answered(body | {"trace": {"authorizationToken": "t"}})["prefetch"]["mboxes"][0]
    assert traced["trace"] == {"emulator": {"kind": "mbox", "name": "home", "options": 1}}


@pytest.mark.parametrize(
    ("request_property", "served"), [(None, False), ({"token": "wrong"}, False), ({"token": "right"}, True)]
)
def test_without_the_right_property_token_there_is_no_content(request_property: Any, served: bool) -> None:
    body = {"property": request_property, "execute": {"mboxes": [{"name": "home"}]}, "prefetch": {"views": [{}]}}
    response = answered(body, OFFERS | {"properties": ["right"]})
    assert ("options" in response["execute"]["mboxes"][0]) is served
    assert bool(response["prefetch"]["views"]) is served


def test_tokens_depend_on_the_offers_alone() -> None:
    body = {"prefetch": {"mboxes": [{"name": "home"}]}}
    first = answered(body, session_id="s1")["prefetch"]
    assert first == answered(body, session_id="s2")["prefetch"]
    changed = answered(body, {"mboxes": {"home": [{"type": "html", "content": "other"}]}})["prefetch"]
    assert first["mboxes"][0]["state"] != changed["mboxes"][0]["state"]
    assert first["mboxes"][0]["options"][0]["eventToken"] != changed["mboxes"][0]["options"][0]["eventToken"]


def test_known_tokens_are_those_it_answers() -> None:
    prefetch = answered(
        {"prefetch": {"mboxes": [{"name": name} for name in OFFERS["mboxes"]], "views": [{}], "pageLoad": {}}}
    )["prefetch"]
    places = [*prefetch["mboxes"], prefetch["pageLoad"], *prefetch["views"]]
    assert known_tokens(parse_offers(OFFERS)) == {
        "display": {option["eventToken"] for place in places for option in place["options"]},
        "click": {metric["eventToken"] for place in places for metric in place.get("metrics", [])},
    }
