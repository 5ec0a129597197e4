"""A client that decides in process: what it asks the network for, what it answers, and what its owner is told."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import pytest

from target import ArtifactNotReady, AsyncResult, AttributesProvider, OptionsError, TargetClient
from tests.kit.calls import MakeClient, eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer
from tests.kit.shop import HOME, PREFETCH, Shop, events_of, hang_a_second, shown

GEO_RULE = {"==": ["BERN", {"var": "geo.city"}]}


# Deciding


def test_a_call_is_decided_without_the_server(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    result = client.get_offers(request=PREFETCH, session_id="s1", target_cookie="PC#visitor.38_0#9999999999")
    assert shown(result) == [{"from": "home"}]
    assert result.meta == {"decisioning_method": "on-device", "remote_mboxes": [], "remote_views": []}
    assert [part.to_dict() for part in result.meta.decisions] == [
        {
            "kind": "mbox",
            "name": "home",
            "mode": "prefetch",
            "reason": "targeting",
            "activity_id": "100",
            "activity_name": None,
            "experience_id": "0",
            "experience_name": None,
        }
    ]
    assert result.to_dict()["meta"]["decisions"] == [result.meta.decisions[0].to_dict()]
    assert pickle.loads(pickle.dumps(result)).meta.decisions == result.meta.decisions
    assert result.response.status == 200
    assert result.response.client == "acme"
    assert result.request.prefetch.mboxes[0].name == "home"
    assert result.target_cookie.value.startswith("session#s1#")
    assert "|PC#visitor.38_0#" in result.target_cookie.value
    assert result.target_location_hint_cookie.value == "38"
    client.close()
    assert shop.delivered == []


def test_what_only_the_server_can_decide_is_named(shop: Shop, make_client: MakeClient) -> None:
    shop.artifact = artifact(remoteMboxes=["till"], remoteViews=["basket"], localViews=["basket"])
    asked = {"prefetch": {"mboxes": [{"name": "home"}, {"name": "till"}, {"name": "unknown"}], "views": [{}]}}
    result = make_client(**shop.options).get_offers(request=asked)
    assert result.response.status == 206
    assert result.meta.remote_mboxes == ["till", "unknown"]
    assert result.meta.remote_views == ["basket"]
    assert result.meta.decisioning_method == "on-device"


def test_attributes_are_decided_too(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    assert client.get_attributes(["home"]).get_value("home", "from") == "home"
    called: list[AttributesProvider] = []
    handle = client.get_attributes(["home"], callback=called.append)
    assert handle.get(5).as_object("home") == {"from": "home"}
    assert eventually(lambda: called == [handle.get(0)])


def test_callbacks_get_what_get_returns(shop: Shop, make_client: MakeClient) -> None:
    called: list[Any] = []
    handle = make_client(**shop.options).get_offers(request=PREFETCH, callback=called.append)
    assert isinstance(handle, AsyncResult)
    assert shown(handle.get(5)) == [{"from": "home"}]
    assert eventually(lambda: called == [handle.get(0)])
    assert called[0].meta.decisioning_method == "on-device"


def test_an_error_before_there_are_rules_goes_to_err_callback(shop: Shop, make_client: MakeClient) -> None:
    shop.cdn = lambda _: Answer(status=404)
    client = make_client(**shop.options, maximum_wait_ready=0)
    errors: list[Exception] = []
    handle = client.get_offers(request=HOME, callback=print, err_callback=errors.append)
    with pytest.raises(ArtifactNotReady):
        handle.get(5)
    assert eventually(lambda: [type(error) for error in errors] == [ArtifactNotReady])


def test_send_notifications_always_goes_to_the_server(shop: Shop, make_client: MakeClient) -> None:
    notification = {"id": "n1", "type": "click", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}
    result = make_client(**shop.options).send_notifications(request={"notifications": [notification]})
    assert [taken.id for taken in result.response.notifications] == ["n1"]
    assert result.meta.decisioning_method == "server-side"


# Methods


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_call_may_go_to_the_server(shop: Shop, make_client: MakeClient, method: str) -> None:
    client = make_client(**{**shop.options, "decisioning_method": method})
    result = client.get_offers(request=HOME, decisioning_method="server-side")
    assert result.meta.decisioning_method == "server-side"
    assert shown(result) == [{"part": "execute"}]
    assert len(shop.delivered) == 1


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_server_side_client_has_no_rules_to_decide_by(client: TargetClient, method: Any) -> None:
    with pytest.raises(OptionsError, match=f"decisioning_method='{method}'"):
        client.get_offers(request=HOME, decisioning_method=method)


def test_hybrid_decides_what_it_can_decide_completely(shop: Shop, make_client: MakeClient) -> None:
    shop.artifact = artifact(remoteMboxes=["till"])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    local = client.get_offers(request=PREFETCH)
    assert local.meta.decisioning_method == "on-device"
    assert shop.delivered == []
    forced = client.get_offers(request={"prefetch": {"mboxes": [{"name": "till"}]}}, decisioning_method="on-device")
    assert forced.meta.remote_mboxes == ["till"]
    assert shop.delivered == []


@pytest.mark.parametrize(
    "part",
    [
        {"mboxes": [{"name": "home", "index": 1}, {"name": "till", "index": 2}]},
        {"mboxes": [{"name": "home", "index": 1}, {"name": "unknown", "index": 2}]},
        {"mboxes": [{"name": "home", "index": 1}], "pageLoad": {}},
    ],
)
def test_hybrid_sends_the_whole_request_where_a_part_is_remote(shop: Shop, make_client: MakeClient, part: Any) -> None:
    shop.artifact = artifact(remoteMboxes=["till", "g"])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    result = client.get_offers(request={"execute": part})
    assert result.meta == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}
    client.close()
    (sent,) = shop.delivered
    assert sent.body["execute"] == part
    assert "notifications" not in sent.body  # nothing is counted twice


# Events


@pytest.mark.parametrize("method", ["on-device", "hybrid", "server-side"])
def test_client_ready_comes_when_the_client_can_be_used(shop: Shop, make_client: MakeClient, method: str) -> None:
    made: dict[str, TargetClient] = {}
    used: list[Any] = []

    def ready(event: dict[str, Any]) -> None:
        used.append((event, threading.current_thread(), made["client"].get_offers(request=HOME).response.status))

    made["client"] = make_client(**{**shop.options, "decisioning_method": method, "events": {"client_ready": ready}})
    assert eventually(lambda: used)
    assert used[0][0] == {"type": "client_ready"}
    assert used[0][1] is not threading.current_thread()
    assert used[0][2] == 200
    time.sleep(0.15)
    assert len(used) == 1


def test_a_handler_that_raises_harms_nothing(shop: Shop, make_client: MakeClient) -> None:
    names = ("client_ready", "artifact_download_succeeded", "geo_location_updated", "send_notification_failed")
    told: list[str] = []

    def raising(event: dict[str, Any]) -> None:
        told.append(event["type"])
        raise RuntimeError("mine")

    shop.artifact = artifact(geoTargetingEnabled=True)
    shop.delivery = lambda _: Answer(status=400)
    client = make_client(**shop.options, events=dict.fromkeys(names, raising))
    asked = {**HOME, "context": {"channel": "web", "geo": {"ipAddress": "203.0.113.7"}}}
    assert shown(client.get_offers(request=asked)) == [{"from": "home"}]
    assert eventually(lambda: sorted(told) == sorted(names))
    assert shown(client.get_offers(request=asked)) == [{"from": "home"}]


# Geo


def geo_artifact(**changes: Any) -> dict[str, Any]:
    data = artifact(geoTargetingEnabled=True, **changes)
    data["rules"]["mboxes"]["home"][0]["condition"] = GEO_RULE
    return data


def at(**geo: Any) -> dict[str, Any]:
    return {**PREFETCH, "context": {"channel": "web", "geo": geo}}


def test_a_place_is_looked_up_by_the_address_alone(shop: Shop, make_client: MakeClient) -> None:
    shop.artifact = geo_artifact()
    handlers, told = events_of("geo_location_updated")
    client = make_client(**shop.options, events=handlers)
    for _ in range(3):
        assert shown(client.get_offers(request=at(ipAddress="203.0.113.7"))) == [{"from": "home"}]
    assert shop.lookups == ["203.0.113.7"]
    assert [event["geo_context"]["city"] for event in told] == ["BERN"]
    assert shown(client.get_offers(request=at(ipAddress="203.0.113.8", city="THUN"))) == []
    assert shown(client.get_offers(request=at(city="BERN"))) == [{"from": "home"}]
    assert shown(client.get_offers(request=PREFETCH)) == []
    assert shop.lookups == ["203.0.113.7"]


def test_no_place_is_looked_up_for_rules_that_do_not_ask(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options)
    assert shown(client.get_offers(request=at(ipAddress="203.0.113.7"))) == [{"from": "home"}]
    assert shop.lookups == []


@pytest.mark.parametrize("answer", [hang_a_second, lambda _: Answer(status=500), lambda _: Answer(b"{")])
def test_a_lookup_that_fails_delays_no_call_past_its_deadline(shop: Shop, make_client: MakeClient, answer: Any) -> None:
    shop.artifact = geo_artifact()
    shop.geo = answer
    client = make_client(**shop.options, timeout=250)
    started = time.monotonic()
    result = client.get_offers(request=at(ipAddress="203.0.113.7"))
    assert time.monotonic() - started < 5
    assert shown(result) == []
    assert result.meta.decisioning_method == "on-device"
    assert shop.lookups == ["203.0.113.7"]
