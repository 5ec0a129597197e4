"""What a client that decides in process tells Target afterwards: what was shown, and how long it took."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import pytest

from target import ApiError, ClientClosed, TargetClient
from target.delivery.telemetry import MOST_ENTRIES
from tests.kit.calls import ACCOUNT, MakeClient, eventually, timed
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, Received, ok, serving
from tests.kit.processes import run_script
from tests.kit.shop import HOME, PREFETCH, Shop, shown

VISITOR: dict[str, Any] = {"session_id": "s1", "target_cookie": "PC#visitor.38_0#9999999999"}


@pytest.fixture
def telling(shop: Shop) -> dict[str, Any]:
    """Options of a client with telemetry, as by default."""
    options = shop.options
    del options["telemetry_enabled"]
    return options


# Notifications


def test_what_was_shown_is_told_in_the_visitors_session_and_property(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options, property_token="p1", environment_id=7)
    asked = {**HOME, "context": {"channel": "web", "userAgent": "Firefox"}}
    result = client.get_offers(request=asked, **VISITOR)
    client.close()
    (sent,) = shop.delivered
    assert sent.session_id == "s1"
    assert sent.query["imsOrgId"] == "1234@AdobeOrg"
    assert sent.body["id"] == {"tntId": "visitor.38_0"}
    assert sent.body["property"] == {"token": "p1"}
    assert sent.body["environmentId"] == 7
    assert sent.body["context"]["userAgent"] == "Firefox"
    assert not {"execute", "prefetch", "telemetry"} & set(sent.body)
    (told,) = shop.notified
    assert (told["type"], told["mbox"]["name"], told["tokens"]) == ("display", "home", ["t"])
    assert abs(told["timestamp"] - time.time() * 1000) < 10_000
    made_up = [told["id"], told["impressionId"], sent.body["requestId"], sent.body["impressionId"]]
    assert len({*made_up, result.response.request_id}) == 5


def test_a_new_visitor_is_told_under_the_id_of_the_answer(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    result = client.get_offers(request=HOME)
    client.close()
    (sent,) = shop.delivered
    assert sent.body["id"]["tntId"] == result.response.id.tnt_id
    assert f"session#{sent.session_id}#" in result.target_cookie.value
    assert f"|PC#{sent.body['id']['tntId']}#" in result.target_cookie.value


def test_nothing_shown_tells_nothing(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    client.get_offers(request=PREFETCH)
    client.get_offers(request={"execute": {"mboxes": [{"name": "unknown"}]}})
    client.close()
    assert shop.delivered == []


def test_notifications_of_the_request_itself_are_sent_along(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    click = {"id": "own", "type": "click", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["c"]}
    client.get_offers(request={**HOME, "notifications": [click]})
    client.close()
    assert [(each["type"], each["tokens"]) for each in shop.notified] == [("click", ["c"]), ("display", ["t"])]


def test_a_slow_server_delays_no_call_and_close_sends_what_is_pending(shop: Shop, make_client: MakeClient) -> None:
    def slow(received: Received) -> Answer:
        time.sleep(0.1)
        return ok(received)

    shop.delivery = slow
    client = make_client(**shop.options)
    client.get_offers(request=HOME)
    assert timed(lambda: [client.get_offers(request=HOME, session_id="s1") for _ in range(5)]) < 0.3
    client.close(timeout=5000)
    assert len(shop.notified) == 6


def test_a_failure_is_retried_and_told_to_nobody(shop: Shop, make_client: MakeClient) -> None:
    answers = [Answer(status=503)]
    shop.delivery = lambda received: answers.pop() if answers else ok(received)
    told: list[Any] = []
    client = make_client(**shop.options, events={"send_notification_failed": told.append})
    client.get_offers(request=HOME)
    client.close(timeout=5000)
    first, second = shop.delivered
    assert first.content == second.content
    assert told == []


def test_a_failure_that_lasts_is_an_event(shop: Shop, make_client: MakeClient) -> None:
    shop.delivery = lambda received: Answer({"message": f"bad {received.session_id}"}, 400)
    told: list[Any] = []
    client = make_client(**shop.options, events={"send_notification_failed": told.append})
    assert shown(client.get_offers(request=HOME, **VISITOR)) == [{"from": "home"}]
    assert eventually(lambda: told)
    (event,) = told
    assert set(event) == {"type", "request", "error", "status", "message"}
    assert event["type"] == "send_notification_failed"
    assert event["request"] == shop.delivered[0].body
    assert isinstance(event["error"], ApiError)
    assert event["error"].status == event["status"] == 400
    assert event["message"] == "bad <hidden>"  # the API's own words, without ids


def test_what_close_has_no_time_to_send_is_an_event(shop: Shop, make_client: MakeClient) -> None:
    shop.delivery = lambda _: lambda _: time.sleep(6)
    told: list[Any] = []
    client = make_client(**shop.options, timeout=700, events={"send_notification_failed": told.append})
    for _ in range(2):
        client.get_offers(request=HOME, session_id="s1")
    assert eventually(lambda: shop.delivered)
    assert timed(lambda: client.close(timeout=200)) < 5
    assert [type(event["error"]) for event in told] == [ClientClosed]
    assert eventually(lambda: own_threads() == [])  # the call in flight ends by its deadline


def test_a_cluster_is_learnt_from_the_first_answer(shop: Shop) -> None:
    options: dict[str, Any] = {**shop.options, "decisioning_method": "hybrid", "cdn_base_path": "http://cdn.test"}
    with TargetClient.create(**ACCOUNT, secure=False, proxy=shop.server.url, **options) as client:
        client.get_offers(request=HOME)
        assert eventually(lambda: shop.notified)
        client.get_offers(request={"execute": {"mboxes": [{"name": "unknown"}]}})
        client.get_offers(request=HOME)
        assert eventually(lambda: len(shop.notified) == 2)
    hosts = [item.headers["Host"] for item in shop.delivered]
    assert hosts == ["acme.tt.omtrdc.net", "acme.tt.omtrdc.net", "mboxedge38.tt.omtrdc.net"]


# Telemetry


def test_switched_off_none_is_sent_ever(shop: Shop, make_client: MakeClient) -> None:
    shop.artifact = artifact(remoteMboxes=["till"])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    for request in (PREFETCH, HOME, {"execute": {"mboxes": [{"name": "till"}]}}):
        client.get_offers(request=request)
        client.get_offers(request=request)
    time.sleep(0.7)
    client.close()
    assert len(shop.delivered) == 4
    assert shop.entries == [[]] * 4


def test_entries_ride_on_a_notification(shop: Shop, make_client: MakeClient, telling: dict[str, Any]) -> None:
    client = make_client(**telling)
    first = client.get_offers(request=PREFETCH)
    second = client.get_offers(request=HOME)
    client.close()
    ((download, *calls),) = shop.entries
    assert download["requestId"] == "ArtifactDownload"
    assert [entry["requestId"] for entry in calls] == [first.response.request_id, second.response.request_id]
    assert [entry["features"] for entry in calls] == [
        {"decisioningMethod": "on-device", "prefetchMboxCount": 1},
        {"decisioningMethod": "on-device", "executeMboxCount": 1},
    ]
    assert {entry["mode"] for entry in calls} == {"local"}


def test_entries_alone_are_sent_within_a_second_in_the_last_visitors_session(
    shop: Shop, make_client: MakeClient, telling: dict[str, Any]
) -> None:
    client = make_client(**telling, property_token="p1")
    for number in range(3):
        client.get_offers(request=PREFETCH, session_id=f"s{number}", target_cookie=f"PC#v{number}.38_0#9999999999")
    assert shop.delivered == []
    assert eventually(lambda: shop.delivered)
    client.close()
    (sent,) = shop.delivered
    assert sent.session_id == "s2"
    assert sent.body["id"] == {"tntId": "v2.38_0"}
    assert sent.body["property"] == {"token": "p1"}
    assert "notifications" not in sent.body
    assert len(sent.body["telemetry"]["entries"]) == 4


def test_an_entry_says_how_long_its_own_call_took(shop: Shop, make_client: MakeClient, telling: dict[str, Any]) -> None:
    client = make_client(**telling)
    before_ms = time.time() * 1000
    time.sleep(0.15)
    started = time.perf_counter()
    client.get_offers(request=PREFETCH)
    took_ms = (time.perf_counter() - started) * 1000
    client.close()
    ((_, entry),) = shop.entries
    assert 0 < entry["parsing"] <= entry["execution"] <= took_ms
    assert before_ms < entry["timestamp"] < time.time() * 1000 + 1


def test_a_thousand_entries_wait_at_most(shop: Shop, make_client: MakeClient, telling: dict[str, Any]) -> None:
    client = make_client(**telling)
    calls = [client.get_offers(request=PREFETCH).response.request_id for _ in range(MOST_ENTRIES + 50)]
    client.close()
    told = [entry["requestId"] for entries in shop.entries for entry in entries]
    assert len(told) >= MOST_ENTRIES
    assert told[-MOST_ENTRIES:] == calls[-MOST_ENTRIES:]
    assert max(len(entries) for entries in shop.entries) <= MOST_ENTRIES


def test_hybrid_tells_of_the_download_and_then_of_each_call(
    shop: Shop, make_client: MakeClient, telling: dict[str, Any]
) -> None:
    client = make_client(**{**telling, "decisioning_method": "hybrid"})
    first = client.get_offers(request={"execute": {"mboxes": [{"name": "unknown"}]}})
    client.get_offers(request={"execute": {"mboxes": [{"name": "unknown"}]}})
    (download,), (call,) = shop.entries
    assert download["requestId"] == "ArtifactDownload"
    assert call["requestId"] == first.response.request_id
    assert call["mode"] == "edge"


def test_entries_that_could_not_be_sent_ride_on_the_next(
    shop: Shop, make_client: MakeClient, telling: dict[str, Any]
) -> None:
    shop.delivery = lambda _: lambda _: None
    failed: list[Any] = []
    client = make_client(**telling, retries=0, events={"send_notification_failed": failed.append})
    client.get_offers(request=HOME)
    assert eventually(lambda: failed)
    shop.delivery = ok
    client.get_offers(request=HOME)
    client.close()
    assert [entry["requestId"] for entry in shop.entries[-1]][:2] == [entry["requestId"] for entry in shop.entries[0]]
    assert len(shop.entries[-1]) == 3


def test_a_failure_shows_nothing_of_the_calls_that_its_request_tells_of(
    shop: Shop, make_client: MakeClient, telling: dict[str, Any]
) -> None:
    shop.delivery = lambda _: lambda _: None
    failed: list[Any] = []
    client = make_client(**telling, retries=0, events={"send_notification_failed": failed.append})
    client.get_offers(request={**HOME, "requestId": "alices-order"}, session_id="alice")
    assert eventually(lambda: failed)
    client.get_offers(request={**HOME, "requestId": "bobs-order"}, session_id="bob")
    assert eventually(lambda: failed[1:])
    assert b"alices-order" in shop.delivered[-1].content, "it did ride"
    assert "alices-order" not in repr(failed[1])


# Threads


def own_threads() -> list[str]:
    """Of clients: an emulator may serve the whole run."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("target-") and not name.startswith("target-emulator")]


def test_threads_are_daemons_and_end_with_close(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**{**shop.options, "polling_interval": 300_000})
    client.get_offers(request=HOME)
    assert {"target-artifact", "target-background"} <= set(own_threads())
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("target-"))
    client.close()
    assert eventually(lambda: own_threads() == [])  # idle ones of the test before, too
    with pytest.raises(ClientClosed):
        client.get_offers(request=HOME)
    with pytest.raises(ClientClosed):
        client.wait_until_ready()


def test_a_forgotten_client_is_collected_and_its_threads_end(shop: Shop) -> None:
    options: dict[str, Any] = {**shop.options, "server_domain": shop.server.domain, "secure": False}
    client = TargetClient.create(**ACCOUNT, edge_routing=False, **{**options, "polling_interval": 300_000})
    client.get_offers(request=HOME)
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None
    assert eventually(lambda: own_threads() == [])
    assert len(shop.notified) == 1


FORKING = """
import os, sys
from target import TargetClient
client = TargetClient.create(
    client="acme", organization_id="1@AdobeOrg", decisioning_method="on-device", cdn_base_path="http://" + sys.argv[1],
    server_domain=sys.argv[1], secure=False, edge_routing=False, telemetry_enabled=False,
)
asked = {"execute": {"mboxes": [{"name": "home"}]}}
client.get_offers(request=asked, session_id="parent")
child = os.fork()
if child == 0:
    client.get_offers(request=asked, session_id="child")
    client.close()
    os._exit(0)
print(os.waitpid(child, 0)[1])
client.close()
"""


def test_a_forked_child_decides_and_tells_its_own() -> None:
    with serving() as server:
        shop = Shop(server)
        assert run_script(FORKING, server.domain).strip() == "0"
        assert sorted(item.session_id for item in shop.delivered) == ["child", "parent"]
        assert len(shop.downloads) == 1
