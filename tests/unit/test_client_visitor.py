"""What the three methods send of a visitor, over real HTTP: which source wins, what stays private, who shares what."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from target import (
    ApiError,
    AttributesProvider,
    CustomerId,
    DeliveryRequest,
    OptionsError,
    TargetClient,
    TargetError,
    Visitor,
    VisitorId,
)
from tests.loopback import Answer, LoopbackServer, Received, ok

ORGANIZATION = "1234@AdobeOrg"
ECID = "07327024324407615852294135870030620007"
BLOB = "RKhpRz8krg2tLO6pguXWp5olkAcUniQYPHaMWWgdJ3xzPWQmdj0y"
COOKIE = f"1|MCMID|{ECID}|MCAAMLH-9585281503|9|MCAAMB-9585281503|{BLOB}"
OPTED_OUT = f"{COOKIE}|MCOPTOUT-9585281503s|1"
OWN_SDID = "2C9C1AA0B5A3D8F1-0123456789ABCDEF"
SDID = re.compile(r"[0-9A-F]{16}-[0-9A-F]{16}")

#: Makes a call whose request has these further parts, with these options.
Call = Callable[..., Any]


def get_offers(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    return client.get_offers({"request": {"execute": {"pageLoad": {}}, **(own or {})}, **options})  # type: ignore[misc,typeddict-item]


def get_attributes(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    return client.get_attributes(["flag"], {"request": {"context": {}, **(own or {})}, **options})  # type: ignore[misc,typeddict-item]


def send_notifications(client: TargetClient, own: dict[str, Any] | None = None, **options: Any) -> Any:
    click = {"id": "n1", "type": "click", "timestamp": 1570320000000}
    return client.send_notifications({"request": {"notifications": [click], **(own or {})}, **options})  # type: ignore[misc,typeddict-item]


METHODS = [get_offers, get_attributes, send_notifications]
every_method = pytest.mark.parametrize("call", METHODS, ids=lambda method: method.__name__)


def envelope(answered: Any) -> Any:
    """The result, also of a method that wraps it."""
    return answered.get_response() if isinstance(answered, AttributesProvider) else answered


def visitor(cookie: str | None = COOKIE, **customer_ids: Any) -> Visitor:
    made = Visitor(ORGANIZATION, cookie)
    made.set_customer_ids(customer_ids)
    return made


def customer_id(code: str, id_: str, state: str = "unknown") -> dict[str, str]:
    return {"id": id_, "integrationCode": code, "authenticatedState": state}


def customer_ids(received: Received) -> list[tuple[str, str]]:
    return [(entry["integrationCode"], entry["id"]) for entry in received.body["id"].get("customerIds", ())]


def supplemental_data_id(received: Received) -> str | None:
    return received.body["experienceCloud"]["analytics"].get("supplementalDataId")


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
            ({"visitor_cookie": ""}, False),
            ({"visitor": None, "visitor_cookie": None, "consumer_id": None}, False),
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
    @pytest.mark.parametrize("callback", [None, print], ids=["sync", "callback"])
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
        callback: Any,
    ) -> None:
        with pytest.raises(OptionsError, match=message):
            call(client, **options, callback=callback)
        assert server.received == []


MEGABYTE = 1_000_000
HOSTILE = {
    "empty-ish": " ",
    "separators": "|" * MEGABYTE,
    "percent": "%" * MEGABYTE,
    "encoded-separators": "%7C" * (MEGABYTE // 3),
    "long-id": "MCMID|" + "9" * MEGABYTE,
    "long-hint": "MCAAMLH|" + "0" * MEGABYTE + "1",
    "long-blob": "MCAAMB|" + "x" * MEGABYTE,
    "long-expiry": "MCMID-" + "9" * MEGABYTE + "|1",
    "many-expiries": "MCMID" + "-1" * (MEGABYTE // 2) + "|1",
    "many-keys": "".join(f"k{number}|1|" for number in range(MEGABYTE // 8)),
    "many-ids": f"MCMID|{ECID}|" * (MEGABYTE // 45),
    "surrogates": "MCMID|" + "\udc80" * 1000,
    "controls": "MCMID|\r\nX-Evil: 1\x00",
    "bytes": "".join(map(chr, range(256))) * 100,
    "unicode": "MCMID|١٢٣|MCAAMLH|٩|MCAAMB|\u2028" * 100,
    "script": "MCMID|</script><script>alert(1)</script>",
}


@every_method
@pytest.mark.parametrize("cookie", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_cookie_neither_raises_nor_takes_long(
    call: Call, client: TargetClient, server: LoopbackServer, cookie: str
) -> None:
    begun = time.thread_time()  # what other work on the machine takes is not the point
    result = envelope(call(client, visitor_cookie=cookie))
    assert time.thread_time() - begun < 1
    received = server.received[0]
    assert len(received.content) < 2000
    assert set(received.body.get("id", ())) <= {"marketingCloudVisitorId"}
    assert all(re.fullmatch("[!-~]{1,128}", text) for text in received.body.get("id", {}).values())
    assert "X-Evil" not in received.headers
    assert set(result.visitor_state) == {ORGANIZATION}


class TestPrivacy:
    SECRETS = ("ECIDMARKER", "CUSTOMERMARKER", "BLOBMARKER", "DEVICEMARKER", "SESSIONMARKER", "SDIDMARKER")
    OPTIONS = {  # noqa: RUF012  (only read)
        "customer_ids": {"shop": "CUSTOMERMARKER2"},
        "target_cookie": "session#SESSIONMARKER#9585281503|PC#DEVICEMARKER.38_0#9585281503",
        "consumer_id": "top",
    }

    def given(self) -> Visitor:
        return visitor("1|MCMID|ECIDMARKER|MCAAMLH|9|MCAAMB|BLOBMARKER|vVersion|5", crm="CUSTOMERMARKER1")

    def check(self, texts: list[str], given: Visitor) -> None:
        [state] = given.state().values()
        for secret in (*self.SECRETS, state["sdid"]["supplementalDataIDCurrent"]):
            assert not any(secret in text for text in texts), secret

    @every_method
    def test_no_log_line_names_an_id(self, call: Call, client: TargetClient, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "target")
        given = self.given()
        call(client, visitor=given, **self.OPTIONS)
        call(client, visitor_cookie="MCMID|ECIDMARKER\x00|MCAAMB|BLOBMARKER\x7f|MCAAMLH|x", consumer_id="top")
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("target")]
        assert lines, "a call is logged at DEBUG, or this test would hold for nothing"
        self.check(lines, given)

    @every_method
    def test_no_error_names_an_id_that_the_answer_repeats(
        self, call: Call, client: TargetClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(received: Received) -> Answer:
            return Answer({"status": 400, "message": f"bad: {json.dumps(received.body)} {received.session_id}"}, 400)

        server.answer = refuse
        caplog.set_level(logging.DEBUG, "target")
        given = self.given()
        with pytest.raises(ApiError) as caught:
            call(client, visitor=given, **self.OPTIONS)
        assert "ECIDMARKER" in caught.value.body, "the body is as it came, and says so"
        self.check([str(caught.value), repr(caught.value), *(record.getMessage() for record in caplog.records)], given)

    @every_method
    def test_no_mistake_names_an_id(self, call: Call, client: TargetClient) -> None:
        for options in (
            {"customer_ids": {"crm": {"id": "CUSTOMERMARKER", "authState": "9"}}},
            {"customer_ids": [{"id": "CUSTOMERMARKER"}]},
            {"customer_ids": ["CUSTOMERMARKER"]},
            {"customer_ids": "CUSTOMERMARKER"},
            {"visitor": "ECIDMARKER"},
            {"visitor_cookie": b"ECIDMARKER"},
            {"own": {"id": {"customerIds": "CUSTOMERMARKER"}}, "customer_ids": {"crm": "CUSTOMERMARKER"}},
            {"own": {"experienceCloud": {"analytics": "SDIDMARKER"}}},
        ):
            with pytest.raises(OptionsError) as caught:
                call(client, **options)
            assert "MARKER" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"

    def test_no_repr_names_an_id(self, client: TargetClient) -> None:
        given = self.given()
        result = get_offers(client, visitor=given, **self.OPTIONS)
        self.check([repr(given), repr(result), str(result), repr(result.target_cookie)], given)


class TestManyVisitors:
    """One client, many visitors at once; the loopback server says afterwards who was sent with whom."""

    THREADS = 16
    CALLS = 10

    def test_never_mix(self, make_client: Callable[..., TargetClient], server: LoopbackServer) -> None:
        client = make_client(timeout=20_000)
        together = threading.Barrier(self.THREADS)

        def serve(number: int) -> None:
            for turn in range(self.CALLS):
                together.wait(10)
                name = f"{number}-{turn}"
                given = visitor(f"MCMID|e{name}|MCAAMLH|{number + 1}|MCAAMB|b{name}", crm=f"c{name}")
                call = METHODS[turn % 3]
                own = {"id": {"thirdPartyId": name}}
                result = envelope(call(client, own, visitor=given, customer_ids={"shop": f"s{name}"}))
                assert result.visitor_state == given.state()
                assert result.request.id.third_party_id == name
                assert result.response.id.marketing_cloud_visitor_id == f"e{name}"
                seen[name] = result.visitor_state[ORGANIZATION]["sdid"]["supplementalDataIDCurrent"]

        seen: dict[str, str] = {}
        with ThreadPoolExecutor(self.THREADS) as threads:
            for done in [threads.submit(serve, number) for number in range(self.THREADS)]:
                done.result(30)
        assert len(server.received) == len(set(seen.values())) == self.THREADS * self.CALLS
        for received in server.received:
            ids = received.body["id"]
            name = ids["thirdPartyId"]
            assert ids["marketingCloudVisitorId"] == f"e{name}"
            assert customer_ids(received) == [("crm", f"c{name}"), ("shop", f"s{name}")]
            cloud = received.body["experienceCloud"]
            assert cloud["audienceManager"] == {"locationHint": int(name.partition("-")[0]) + 1, "blob": f"b{name}"}
            assert supplemental_data_id(received) == seen[name]

    def test_calls_of_one_page_share_an_id_when_made_at_once(
        self, make_client: Callable[..., TargetClient], server: LoopbackServer
    ) -> None:
        client = make_client(timeout=20_000)
        given = visitor()
        with ThreadPoolExecutor(self.THREADS) as threads:
            calls = [
                threads.submit(METHODS[number % 3], client, visitor=given, consumer_id=f"part-{number}")
                for number in range(self.THREADS)
            ]
            for call in calls:
                call.result(30)
        [state] = given.state().values()
        shared = state["sdid"]["supplementalDataIDCurrent"]
        assert {supplemental_data_id(received) for received in server.received} == {shared}
        consumed = state["sdid"]["supplementalDataIDCurrentConsumed"]
        assert set(consumed) == {f"payload:part-{number}" for number in range(self.THREADS)}
        assert "supplementalDataIDLast" not in state["sdid"]

    def test_two_with_callbacks_never_mix(self, client: TargetClient, server: LoopbackServer) -> None:
        arrived = threading.Barrier(2)

        def both_at_once(received: Received) -> Answer:
            arrived.wait(5)
            return ok(received)

        server.answer = both_at_once
        visitors = [visitor("MCMID|one", crm="1"), visitor("MCMID|two", crm="2")]
        handles = [get_offers(client, visitor=given, callback=lambda _: None) for given in visitors]
        results = [handle.get(5) for handle in handles]
        assert [result.response.id.marketing_cloud_visitor_id for result in results] == ["one", "two"]
        assert [result.visitor_state for result in results] == [given.state() for given in visitors]
        for received in server.received:
            number = "1" if received.body["id"]["marketingCloudVisitorId"] == "one" else "2"
            assert customer_ids(received) == [("crm", number)]

    def test_nothing_is_kept_for_the_next_call(self, client: TargetClient, server: LoopbackServer) -> None:
        get_offers(client, visitor=visitor(crm="1"), consumer_id="top")
        get_offers(client)
        body = server.received[1].body
        assert "id" not in body
        assert body["experienceCloud"] == {"analytics": {"logging": "server_side"}}


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
