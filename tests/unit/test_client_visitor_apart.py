"""Visitors stay apart: hostile cookies do no harm, no id is told to anyone, and calls made at once never mix."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from target import ApiError, OptionsError, TargetClient, Visitor
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.visitors import (
    ECID,
    METHODS,
    ORGANIZATION,
    Call,
    customer_ids,
    envelope,
    every_method,
    get_offers,
    supplemental_data_id,
    visitor,
)

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


@pytest.mark.waits
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
        result = get_offers(client, visitor=given, **self.OPTIONS)  # type: ignore[arg-type]
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
