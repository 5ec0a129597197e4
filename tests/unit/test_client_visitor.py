"""What the three methods send of a visitor, over real HTTP: which source wins, what an opt-out silences."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target import CustomerId, DeliveryRequest, OptionsError, TargetClient, TargetError, Visitor, VisitorId
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.visitors import (
    BLOB,
    COOKIE,
    ECID,
    OPTED_OUT,
    ORGANIZATION,
    OWN_SDID,
    SDID,
    Call,
    customer_id,
    customer_ids,
    envelope,
    every_method,
    get_offers,
    supplemental_data_id,
    visitor,
)


@every_method
class TestPrecedence:
    def test_the_visitor_fills_what_nobody_else_says(
        self, call: Call, client: TargetClient, server: LoopbackServer
    ) -> None:
        call(client, visitor=visitor(crm={"id": "1", "authState": 1}))
        body = server.received[0].body
        assert body["id"] == {
            "marketingCloudVisitorId": ECID,
            "customerIds": [customer_id("crm", "1", "authenticated")],
        }
        assert body["experienceCloud"]["audienceManager"] == {"locationHint": 9, "blob": BLOB}
        assert SDID.fullmatch(body["experienceCloud"]["analytics"]["supplementalDataId"])

    def test_a_cookie_is_as_good_as_a_visitor(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        call(client, visitor=visitor())
        call(client, visitor_cookie=COOKIE)
        by_visitor, by_cookie = (received.body for received in server.received)
        for body in (by_visitor, by_cookie):
            assert SDID.fullmatch(body["experienceCloud"]["analytics"].pop("supplementalDataId"))
        assert by_cookie["id"] == by_visitor["id"]
        assert by_cookie["experienceCloud"] == by_visitor["experienceCloud"]

    def test_the_request_says_it_first(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        own = {
            "id": {"marketingCloudVisitorId": "own", "tntId": "t.38_0"},
            "experienceCloud": {
                "audienceManager": {"locationHint": 7},
                "analytics": {"supplementalDataId": OWN_SDID, "trackingServer": "t.example"},
            },
        }
        call(client, own, visitor=visitor(), target_cookie="PC#cookie.38_0#9585281503")
        body = server.received[0].body
        assert body["id"] == own["id"]
        assert body["experienceCloud"] == {
            "audienceManager": {"locationHint": 7, "blob": BLOB},
            "analytics": {
                "supplementalDataId": OWN_SDID,
                "trackingServer": "t.example",
                "logging": "server_side",
            },
        }

    def test_customer_ids_in_order(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        own = {"id": {"customerIds": [customer_id("own", "4"), customer_id("b", "22")]}}
        call(client, own, visitor=visitor(a="1", b="2"), customer_ids={"b": {"id": "22", "authState": 2}, "c": "3"})
        assert customer_ids(server.received[0]) == [("a", "1"), ("b", "22"), ("c", "3"), ("own", "4")]

    def test_customer_ids_in_a_list(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        given = [CustomerId(id="2", integration_code="a", authenticated_state="authenticated")]
        call(client, visitor=visitor(a="1"), customer_ids=given)
        assert server.received[0].body["id"]["customerIds"] == [customer_id("a", "2", "authenticated")]

    def test_a_visitor_outweighs_a_cookie(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        call(client, visitor=visitor(), visitor_cookie="1|MCMID|another")
        call(client, visitor=visitor(None), visitor_cookie=COOKIE)
        assert server.received[0].body["id"]["marketingCloudVisitorId"] == ECID
        assert "id" not in server.received[1].body

    @pytest.mark.parametrize(
        ("options", "stitched"),
        [
            ({}, False),
            ({"customer_ids": {"crm": "1"}}, False),
            ({"target_cookie": "PC#t.38_0#9585281503"}, False),
            ({"visitor": None, "consumer_id": None}, False),
            ({"visitor_cookie": ""}, True),
            ({"visitor_cookie": None}, True),
            ({"visitor_cookie": COOKIE}, True),
            ({"visitor_cookie": "garbage"}, True),
            ({"consumer_id": "top"}, True),
        ],
        ids=repr,
    )
    def test_a_supplemental_data_id_needs_a_visitor(
        self, call: Call, client: TargetClient, server: LoopbackServer, options: dict[str, Any], stitched: bool
    ) -> None:
        result = envelope(call(client, **options))
        assert (supplemental_data_id(server.received[0]) is not None) == stitched
        assert (result.visitor_state is not None) == stitched

    def test_a_request_is_not_changed(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        own: dict[str, Any] = {"id": {"customerIds": [customer_id("own", "1")]}, "experienceCloud": {"analytics": {}}}
        before = json.dumps(own)
        call(client, own, visitor=visitor(crm="2"))
        assert json.dumps(own) == before
        assert customer_ids(server.received[0]) == [("crm", "2"), ("own", "1")]


@every_method
class TestResult:
    def test_the_state_is_the_visitors_after_the_call(self, call: Call, client: TargetClient) -> None:
        given = visitor(crm={"id": "1", "authState": "1"})
        result = envelope(call(client, visitor=given, consumer_id="top"))
        assert result.visitor_state == given.state()
        [(organization, state)] = result.visitor_state.items()
        assert organization == ORGANIZATION
        assert state["customerIDs"] == {"crm": {"id": "1", "authState": 1}}
        assert state["sdid"]["supplementalDataIDCurrentConsumed"] == {"payload:top": True}

    def test_the_state_of_a_visitor_from_a_cookie(
        self, call: Call, client: TargetClient, server: LoopbackServer
    ) -> None:
        result = envelope(call(client, visitor_cookie=COOKIE, customer_ids={"crm": {"id": "1", "authState": 1}}))
        assert result.visitor_state == {
            ORGANIZATION: {
                "customerIDs": {"crm": {"id": "1", "authState": 1}},
                "sdid": {
                    "supplementalDataIDCurrent": supplemental_data_id(server.received[0]),
                    "supplementalDataIDCurrentConsumed": {"payload:target-global-mbox": True},
                },
            }
        }

    def test_the_request_is_what_was_sent(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        result = envelope(call(client, visitor=visitor(crm="1"), customer_ids={"shop": "2"}))
        assert isinstance(result.request, DeliveryRequest)
        assert result.request.to_dict() == server.received[0].body
        assert result.request.id == VisitorId.from_dict(server.received[0].body["id"])
        assert result.request.experience_cloud.analytics.supplemental_data_id in json.dumps(result.visitor_state)

    def test_a_callback_gets_the_same(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        given = visitor(crm="1")
        seen: list[Any] = []
        handle = call(client, visitor=given, consumer_id="top", customer_ids={"shop": "2"}, callback=seen.append)
        result = envelope(handle.get(5))
        assert [envelope(answered) for answered in seen] == [result]
        assert result.visitor_state == given.state()
        assert result.request.to_dict() == server.received[0].body
        assert customer_ids(server.received[0]) == [("crm", "1"), ("shop", "2")]
        assert supplemental_data_id(server.received[0]) in json.dumps(given.state())


@every_method
class TestOptOut:
    OWN = {  # noqa: RUF012  (only read)
        "id": {"marketingCloudVisitorId": "MARKER", "customerIds": [customer_id("own", "MARKER")]},
        "experienceCloud": {"audienceManager": {"locationHint": 777, "blob": "MARKER"}},
    }

    @pytest.mark.parametrize("source", ["visitor", "visitor_cookie"])
    def test_silences_every_source(self, call: Call, client: TargetClient, server: LoopbackServer, source: str) -> None:
        cookie = OPTED_OUT.replace(ECID, "MARKER").replace(BLOB, "MARKER")
        given = visitor(cookie, crm="MARKER") if source == "visitor" else cookie
        result = envelope(call(client, self.OWN, **{source: given}, customer_ids={"shop": "MARKER"}))
        assert b"MARKER" not in server.received[0].content
        assert "audienceManager" not in server.received[0].body["experienceCloud"]
        assert "MARKER" not in json.dumps(result.visitor_state)

    def test_other_ids_still_go_out(self, call: Call, client: TargetClient, server: LoopbackServer) -> None:
        call(client, {"id": {"thirdPartyId": "p"}}, visitor_cookie=OPTED_OUT, target_cookie="PC#t.38_0#9585281503")
        assert server.received[0].body["id"] == {"tntId": "t.38_0", "thirdPartyId": "p"}


@every_method
class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"visitor": COOKIE}, "'visitor' must be a Visitor, not str"),
            ({"visitor": {"MCMID": ECID}}, "'visitor' must be a Visitor, not dict"),
            ({"visitor": ""}, "'visitor' must be a Visitor, not str"),
            ({"visitor": Visitor}, "'visitor' must be a Visitor, not type"),
            ({"visitor_cookie": COOKIE.encode()}, "'visitor_cookie' must be a string, not bytes"),
            ({"visitor_cookie": 5}, "'visitor_cookie' must be a string, not int"),
            ({"visitor_cookie": [COOKIE]}, "'visitor_cookie' must be a string, not list"),
            ({"visitor": visitor(), "visitor_cookie": 5}, "'visitor_cookie' must be a string, not int"),
            ({"consumer_id": 5}, "'consumer_id' must be a string, not int"),
            ({"customer_ids": "crm"}, "'customer_ids' must be a list of CustomerId or a dict"),
            ({"customer_ids": {"crm": {}}}, "needs 'id' as a string"),
            ({"visitor_cookie": COOKIE, "customer_ids": {"crm": {"id": "1", "authState": 3}}}, "unknown authState"),
            ({"visitor": visitor(), "customer_ids": [{"id": "1"}]}, "needs 'integrationCode' as a string"),
        ],
        ids=lambda value: type(next(iter(value.values()))).__name__ if isinstance(value, dict) else "",
    )
    def test_raise_at_once_and_nothing_is_sent(
        self,
        call: Call,
        client: TargetClient,
        server: LoopbackServer,
        options: dict[str, Any],
        message: str,
    ) -> None:
        for callback in (None, print):
            with pytest.raises(OptionsError, match=message):
                call(client, **options, callback=callback)
        assert server.received == []


def test_a_failed_call_has_still_used_its_consumer(client: TargetClient, server: LoopbackServer) -> None:
    """Target may have logged it: the same consumer must not use the id twice."""
    given = visitor()
    server.answer = lambda _: Answer({"status": 500, "message": "x"}, 500)
    with pytest.raises(TargetError):
        get_offers(client, visitor=given, consumer_id="top")
    server.answer = ok
    get_offers(client, visitor=given, consumer_id="top")
    first, second = (supplemental_data_id(received) for received in server.received)
    assert first != second


def test_a_retry_sends_the_same_id(client: TargetClient, server: LoopbackServer) -> None:
    answers = iter([Answer({"status": 503, "message": "x"}, 503), None])
    server.answer = lambda received: next(answers) or ok(received)
    given = visitor()
    get_offers(client, visitor=given, consumer_id="top")
    first, second = server.received
    assert first.content == second.content
    assert supplemental_data_id(first) == given.state()[ORGANIZATION]["sdid"]["supplementalDataIDCurrent"]


def test_name_of_the_cookie() -> None:
    assert TargetClient.visitor_cookie_name("1234@AdobeOrg") == "AMCV_1234@AdobeOrg"
    assert TargetClient.visitor_cookie_name("1234") == "AMCV_1234@AdobeOrg"
