"""TargetProvider: flags of a server and of rules; one call for a page; Target hears what was shown, once."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import copy_context
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from target import TargetClient
from target.integrations.openfeature import TargetProvider
from target.testing import FakeTargetClient
from tests.kit.calls import MakeClient, eventually, timed
from tests.kit.loopback import LoopbackServer, slowly
from tests.kit.shop import Shop
from tests.unit.integrations.openfeature.pages import VISITOR, asked, flags_of, json_offer, notified, page, showing

FLAGS = json_offer(
    {"new": True, "title": "Hi", "most": 3, "share": 0.5, "nested": {"deep": {"on": True}}, "a.b": "dot"}
)
NAMES = [f"flag{number}" for number in range(10)]


def test_a_flag_is_a_value_of_an_offer(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=[FLAGS], banner=[{"type": "html", "content": "<b>hi</b>", "eventToken": "t"}])
    with flags_of(TargetProvider(client)) as flags:
        assert flags.get_boolean_value("home.new", False, VISITOR) is True
        assert flags.get_string_value("home.title", "", VISITOR) == "Hi"
        assert flags.get_integer_value("home.most", 0, VISITOR) == 3
        assert flags.get_float_value("home.share", 0.0, VISITOR) == 0.5
        assert flags.get_float_value("home.most", 0.0, VISITOR) == 3.0
        assert flags.get_object_value("home", {}, VISITOR) == FLAGS["content"]
        assert flags.get_object_value("home.nested.deep", {}, VISITOR) == {"on": True}
        assert flags.get_boolean_value("home.nested.deep.on", False, VISITOR) is True
        assert flags.get_string_value("home.a.b", "", VISITOR) == "dot"
        assert flags.get_string_value("banner", "", VISITOR) == "<b>hi</b>"


@pytest.mark.parametrize(
    ("kind", "key", "default", "code"),
    [
        ("boolean", "home.title", False, ErrorCode.TYPE_MISMATCH),
        ("integer", "home.new", 7, ErrorCode.TYPE_MISMATCH),
        ("integer", "home.share", 7, ErrorCode.TYPE_MISMATCH),
        ("float", "home.new", 7.0, ErrorCode.TYPE_MISMATCH),
        ("string", "home", "d", ErrorCode.TYPE_MISMATCH),
        ("object", "banner", {}, ErrorCode.TYPE_MISMATCH),
        ("boolean", "home.none", True, ErrorCode.FLAG_NOT_FOUND),
        ("boolean", "", True, ErrorCode.FLAG_NOT_FOUND),
        ("string", "banner.title", "d", ErrorCode.PARSE_ERROR),
        ("string", "actions", "d", ErrorCode.PARSE_ERROR),
    ],
)
def test_what_is_no_such_flag_is_the_default_and_an_error(
    server: LoopbackServer, client: TargetClient, kind: str, key: str, default: Any, code: ErrorCode
) -> None:
    actions = [{"type": "actions", "content": [{"type": "setHtml"}]}]
    server.answer = showing(home=[FLAGS], banner=[{"type": "html", "content": "<b>hi</b>"}], actions=actions)
    with flags_of(TargetProvider(client)) as flags:
        details = getattr(flags, f"get_{kind}_details")(key, default, VISITOR)
    assert (details.value, details.reason, details.error_code) == (default, Reason.ERROR, code)
    time.sleep(0.1)
    assert notified(server.received) == []


def test_a_page_with_ten_flags_makes_one_call(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(**{name: [FLAGS] for name in NAMES})
    with flags_of(TargetProvider(client, mboxes=NAMES)) as flags:
        with page():
            reasons = [flags.get_boolean_details(f"{name}.new", False, VISITOR).reason for name in NAMES]
        assert reasons == [Reason.TARGETING_MATCH] + [Reason.CACHED] * 9
        assert asked(server.received) == [NAMES]
        assert eventually(lambda: len(notified(server.received)) == 10)
        assert len(server.received) < 6, "they travel together"
        with page("2"):
            assert flags.get_boolean_value("flag3.new", False, VISITOR)
        assert len(asked(server.received)) == 2


def test_threads_of_one_page_make_one_call(server: LoopbackServer, client: TargetClient) -> None:
    answer = showing(**{name: [FLAGS] for name in NAMES})

    def late(received: Any) -> Any:
        time.sleep(0.05)
        return answer(received)

    server.answer = late
    found: list[bool] = []
    with flags_of(TargetProvider(client, mboxes=NAMES)) as flags, page():
        contexts = [copy_context() for _ in NAMES]
        threads = [
            threading.Thread(
                target=lambda at: found.append(
                    contexts[at].run(flags.get_boolean_value, f"{NAMES[at]}.new", False, VISITOR)
                ),
                args=(at,),
            )
            for at in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 10
        assert len(asked(server.received)) == 1


def test_to_await_a_flag_keeps_no_event_loop(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = slowly(0.3)
    client = make_client()

    async def ticks() -> int:
        count = 0
        with flags_of(TargetProvider(client, mboxes=["home"])) as flags:
            waiting = asyncio.create_task(flags.get_string_details_async("home.part", "", VISITOR))
            while not waiting.done():
                await asyncio.sleep(0.01)
                count += 1
            assert waiting.result().value == "prefetch"
        return count

    assert asyncio.run(ticks()) > 15


def test_a_service_that_is_away_costs_a_page_one_timeout(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = slowly(2)
    client = make_client(timeout=100, retries=0)
    with flags_of(TargetProvider(client)) as flags, page():

        def read() -> None:
            for name in NAMES:
                details = flags.get_boolean_details(name, True, VISITOR)
                assert (details.value, details.error_code) == (True, ErrorCode.GENERAL)

        assert timed(read) < 0.8


def test_visitors_of_one_page_share_nothing(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=[FLAGS])
    with flags_of(TargetProvider(client)) as flags, page():
        for key in ("a", "b", None):
            flags.get_boolean_value("home.new", False, EvaluationContext(key))
    ids = [item.body.get("id") for item in server.received if "prefetch" in item.body]
    assert ids == [{"thirdPartyId": "a"}, {"thirdPartyId": "b"}, None]


def test_a_hybrid_client_decides_in_process_where_mboxes_are_named(
    shop: Shop, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    shop.delivery = showing(home=[json_offer({"from": "the server"})])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    named = TargetProvider(client, mboxes=["home"])
    assert caplog.records == []
    assert named.resolve_string_details("home.from", "", VISITOR).flag_metadata["decisioning_method"] == "on-device"
    unnamed = TargetProvider(client)
    assert "Name them: mboxes=" in caplog.text
    assert unnamed.resolve_string_details("home.from", "", VISITOR).flag_metadata["decisioning_method"] == "server-side"
    assert unnamed.resolve_object_details("home", {}, VISITOR).flag_metadata["decisioning_method"] == "on-device"


def test_a_fake_client_will_do_for_tests() -> None:
    fake = FakeTargetClient(offers={"mboxes": {"flags": {"new": True}}})
    provider = TargetProvider(fake)
    assert provider.resolve_boolean_details("flags.new", False, VISITOR).value is True
    provider.shutdown()
    assert [each["mbox"]["name"] for each in fake.notifications] == ["flags"]
    fake.close()


def test_rules_are_decided_for_who_awaits_them(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    names = ("boolean", "string", "integer", "float", "object")

    async def run() -> list[Any]:
        with flags_of(TargetProvider(client)) as flags:
            asked = [getattr(flags, f"get_{name}_details_async")("home.from", None, VISITOR) for name in names]
            return await asyncio.gather(*asked)

    details = asyncio.run(run())
    assert [each.value for each in details] == [None, "home", None, None, None]
    assert {each.error_code for each in details} == {None, ErrorCode.TYPE_MISMATCH}
