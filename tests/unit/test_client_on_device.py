"""A client that decides in process: what it asks the network for, what it answers, and what its owner is told."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target import ArtifactNotReady, AsyncResult, AttributesProvider, OptionsError, TargetClient, TargetError
from target._on_device import artifact_rotation
from tests.kit.calls import eventually, timed
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import ETAG, HOME, PREFETCH, Make, Shop, shown

GEO_RULE = {"==": ["BERN", {"var": "geo.city"}]}


@pytest.fixture
def shop(server: LoopbackServer) -> Shop:
    return Shop(server)


@pytest.fixture
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between the tries of a download have tests of their own."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.01, 0.01))


def events_of(*names: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Handlers of these events, and what they were told."""
    told: list[dict[str, Any]] = []
    return dict.fromkeys(names, told.append), told


def hang(_: Any) -> Any:
    return lambda _: time.sleep(1)


# Deciding


def test_a_call_is_decided_without_the_server(shop: Shop, make_client: Make) -> None:
    client = make_client(**shop.options)
    result = client.get_offers(request=PREFETCH, session_id="s1", target_cookie="PC#visitor.38_0#9999999999")
    assert shown(result) == [{"from": "home"}]
    assert result.meta == {"decisioning_method": "on-device", "remote_mboxes": [], "remote_views": []}
    assert result.response.status == 200
    assert result.response.client == "acme"
    assert result.request.prefetch.mboxes[0].name == "home"
    assert result.target_cookie.value.startswith("session#s1#")
    assert "|PC#visitor.38_0#" in result.target_cookie.value
    assert result.target_location_hint_cookie.value == "38"
    client.close()
    assert shop.delivered == []


def test_what_only_the_server_can_decide_is_named(shop: Shop, make_client: Make) -> None:
    shop.artifact = artifact(remoteMboxes=["till"], remoteViews=["basket"], localViews=["basket"])
    asked = {"prefetch": {"mboxes": [{"name": "home"}, {"name": "till"}, {"name": "unknown"}], "views": [{}]}}
    result = make_client(**shop.options).get_offers(request=asked)
    assert result.response.status == 206
    assert result.meta.remote_mboxes == ["till", "unknown"]
    assert result.meta.remote_views == ["basket"]
    assert result.meta.decisioning_method == "on-device"


def test_attributes_are_decided_too(shop: Shop, make_client: Make) -> None:
    client = make_client(**shop.options)
    assert client.get_attributes(["home"]).get_value("home", "from") == "home"
    called: list[AttributesProvider] = []
    handle = client.get_attributes(["home"], callback=called.append)
    assert handle.get(5).as_object("home") == {"from": "home"}
    assert eventually(lambda: called == [handle.get(0)])


def test_callbacks_get_what_get_returns(shop: Shop, make_client: Make) -> None:
    called: list[Any] = []
    handle = make_client(**shop.options).get_offers(request=PREFETCH, callback=called.append)
    assert isinstance(handle, AsyncResult)
    assert shown(handle.get(5)) == [{"from": "home"}]
    assert eventually(lambda: called == [handle.get(0)])
    assert called[0].meta.decisioning_method == "on-device"


def test_an_error_before_there_are_rules_goes_to_err_callback(shop: Shop, make_client: Make) -> None:
    shop.cdn = lambda _: Answer(status=404)
    client = make_client(**shop.options, maximum_wait_ready=0)
    errors: list[Exception] = []
    handle = client.get_offers(request=HOME, callback=print, err_callback=errors.append)
    with pytest.raises(ArtifactNotReady):
        handle.get(5)
    assert eventually(lambda: [type(error) for error in errors] == [ArtifactNotReady])


def test_send_notifications_always_goes_to_the_server(shop: Shop, make_client: Make) -> None:
    notification = {"id": "n1", "type": "click", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}
    result = make_client(**shop.options).send_notifications(request={"notifications": [notification]})
    assert [taken.id for taken in result.response.notifications] == ["n1"]
    assert result.meta.decisioning_method == "server-side"


# Methods


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_call_may_go_to_the_server(shop: Shop, make_client: Make, method: str) -> None:
    client = make_client(**{**shop.options, "decisioning_method": method})
    result = client.get_offers(request=HOME, decisioning_method="server-side")
    assert result.meta.decisioning_method == "server-side"
    assert shown(result) == [{"part": "execute"}]
    assert len(shop.delivered) == 1


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_server_side_client_has_no_rules_to_decide_by(client: TargetClient, method: Any) -> None:
    with pytest.raises(OptionsError, match=f"decisioning_method='{method}'"):
        client.get_offers(request=HOME, decisioning_method=method)


def test_hybrid_decides_what_it_can_decide_completely(shop: Shop, make_client: Make) -> None:
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
def test_hybrid_sends_the_whole_request_where_a_part_is_remote(shop: Shop, make_client: Make, part: Any) -> None:
    shop.artifact = artifact(remoteMboxes=["till", "g"])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    result = client.get_offers(request={"execute": part})
    assert result.meta == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}
    client.close()
    (sent,) = shop.delivered
    assert sent.body["execute"] == part
    assert "notifications" not in sent.body  # nothing is counted twice


# The artifact


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, "/acme/production/v1/rules.json"),
        ({"environment": "My Stage", "property_token": "p-1"}, "/acme/my%20stage/v1/p-1/rules.json"),
        ({"artifact_location": "{url}/own/rules.json?key=1", "environment": "x"}, "/own/rules.json?key=1"),
    ],
)
def test_where_the_artifact_comes_from(shop: Shop, make_client: Make, options: Any, target: str) -> None:
    options = {name: value.format(url=shop.server.url) for name, value in options.items()}
    client = make_client(**shop.options, **options)
    assert shown(client.get_offers(request=PREFETCH)) == [{"from": "home"}]
    assert [item.target for item in shop.server.received] == [target]  # nothing else: no ping


def test_a_given_artifact_is_used_without_a_download(shop: Shop, make_client: Make) -> None:
    client = make_client(**shop.options, artifact_payload=artifact("given"))
    assert client.wait_until_ready(0)
    assert client.get_attributes(["given"]).get_value("given", "from") == "given"
    time.sleep(0.1)
    assert shop.downloads == []


def test_create_waits_for_the_first_artifact(shop: Shop, make_client: Make) -> None:
    def late(received: Any) -> Any:
        time.sleep(0.3)
        return Answer(artifact("late"))

    shop.cdn = late
    client = make_client(**shop.options)
    assert client.get_attributes(["late"]).get_value("late", "from") == "late"


def test_create_waits_no_longer_than_it_may(shop: Shop, make_client: Make) -> None:
    shop.cdn = hang
    assert 0.15 < timed(lambda: make_client(**shop.options, maximum_wait_ready=200)) < 5


@pytest.mark.usefixtures("quick_tries")
@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_client_that_is_not_ready_goes_on_trying(shop: Shop, make_client: Make, method: str) -> None:
    well, shop.cdn = shop.cdn, lambda _: Answer({"message": "no"}, 403)
    handlers, told = events_of("artifact_download_failed", "artifact_download_succeeded", "client_ready")
    options = {**shop.options, "decisioning_method": method, "events": handlers, "maximum_wait_ready": 150}
    client = make_client(**options)
    assert client.wait_until_ready(20) is False
    if method == "on-device":
        with pytest.raises(ArtifactNotReady, match="wait_until_ready"):
            client.get_offers(request=HOME)
    else:
        assert client.get_offers(request=HOME).meta.decisioning_method == "server-side"
    (failed,) = told
    assert failed["artifact_location"] == f"{shop.server.url}/acme/production/v1/rules.json"
    assert isinstance(failed["error"], TargetError)
    assert "on-device decisioning is off for this client" in str(failed["error"])
    assert len(shop.downloads) == 3
    shop.cdn = well
    assert client.wait_until_ready(5000) is True
    assert client.get_offers(request=PREFETCH).meta.decisioning_method == "on-device"
    assert eventually(lambda: len(told) == 3)
    assert [event["type"] for event in told[1:]] == ["artifact_download_succeeded", "client_ready"]


@pytest.mark.usefixtures("quick_tries")
def test_a_bad_new_artifact_keeps_the_last_good_one(shop: Shop, make_client: Make) -> None:
    bad = {
        "truncated": lambda: lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
        "version": lambda: Answer(artifact("new", version="2.0.0")),
        "text": lambda: Answer(b"<html>"),
        "gone": lambda: Answer(status=404),
        "off": lambda: Answer(status=403),
    }
    asked: dict[str, list[Any]] = {name: [] for name in bad}

    def answer(received: Any) -> Any:
        name = received.target.split("/")[1]
        asked[name].append(received.headers.get("If-None-Match"))
        return Answer(artifact(), headers={"ETag": ETAG}) if len(asked[name]) == 1 else bad[name]()

    shop.cdn = answer
    handlers, told = events_of("artifact_download_failed")
    clients = [
        make_client(
            **{
                **shop.options,
                "artifact_location": f"{shop.server.url}/{name}/rules.json",
                "polling_interval": 1000,
                "events": handlers,
            }
        )
        for name in bad
    ]
    assert eventually(lambda: len(told) == len(bad))
    for client in clients:
        assert shown(client.get_offers(request=PREFETCH)) == [{"from": "home"}]
    assert all(etags == [None, ETAG, ETAG, ETAG] for etags in asked.values())
    (version,) = [str(event["error"]) for event in told if "/version/" in event["artifact_location"]]
    assert "version (2.0.0) is not supported" in version
    assert "compatible with this major version: 1" in version


def test_a_new_artifact_is_used_and_an_unchanged_one_kept(shop: Shop, make_client: Make) -> None:
    handlers, told = events_of("artifact_download_succeeded")
    client = make_client(**{**shop.options, "polling_interval": 1000, "events": handlers})
    assert eventually(lambda: len(shop.downloads) == 2)
    assert [item.headers.get("If-None-Match") for item in shop.downloads] == [None, ETAG]
    assert shown(client.get_offers(request=PREFETCH)) == [{"from": "home"}]
    shop.cdn = lambda _: Answer(artifact("new"))
    assert eventually(lambda: len(told) == 2)
    assert [event["artifact_payload"] for event in told] == [artifact(), artifact("new")]
    assert client.get_attributes(["new"]).get_value("new", "from") == "new"


@pytest.mark.usefixtures("quick_tries")
def test_the_cache_serves_a_cold_start_while_the_cdn_is_down(shop: Shop, make_client: Make, tmp_path: Path) -> None:
    options = {**shop.options, "artifact_cache": tmp_path / "rules.json"}
    make_client(**options).close()
    assert (tmp_path / "rules.json").exists()
    well, shop.cdn = shop.cdn, lambda _: Answer(status=503)
    cold = make_client(**options)
    assert shown(cold.get_offers(request=PREFETCH)) == [{"from": "home"}]
    shop.cdn = well  # the ETag of the file is confirmed
    assert make_client(**options).wait_until_ready(0)
    assert shop.downloads[-1].headers["If-None-Match"] == ETAG


# Events


@pytest.mark.parametrize("method", ["on-device", "hybrid", "server-side"])
def test_client_ready_comes_when_the_client_can_be_used(shop: Shop, make_client: Make, method: str) -> None:
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


def test_a_handler_that_raises_harms_nothing(shop: Shop, make_client: Make) -> None:
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


# Artifacts of any shape


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in ``data``."""
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


WHOLE = artifact(remoteMboxes=["till"], localMboxes=["home"], responseTokens=["activity.id"], geoTargetingEnabled=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(list(places(WHOLE))), value=JSON, method=st.sampled_from(["on-device", "hybrid"]))
def test_no_artifact_fails_a_call_but_by_a_target_error(path: Any, value: Any, method: str, shop: Shop) -> None:
    data = copy.deepcopy(WHOLE)
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    options: dict[str, Any] = {**shop.options, "decisioning_method": method, "artifact_payload": data}
    options |= {"organization_id": "1@AdobeOrg", "server_domain": shop.server.domain, "secure": False}
    options |= {"edge_routing": False, "maximum_wait_ready": 0, "telemetry_enabled": True}
    with (
        TargetClient.create(client="acme", **options) as client,
        contextlib.suppress(TargetError),
    ):
        result = client.get_offers(request={"execute": {"pageLoad": {}, "mboxes": [{"name": "home"}]}})
        assert result.response.status in (200, 206)
        json.dumps(result.to_dict())


# Geo


def geo_artifact(**changes: Any) -> dict[str, Any]:
    data = artifact(geoTargetingEnabled=True, **changes)
    data["rules"]["mboxes"]["home"][0]["condition"] = GEO_RULE
    return data


def at(**geo: Any) -> dict[str, Any]:
    return {**PREFETCH, "context": {"channel": "web", "geo": geo}}


def test_a_place_is_looked_up_by_the_address_alone(shop: Shop, make_client: Make) -> None:
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


def test_no_place_is_looked_up_for_rules_that_do_not_ask(shop: Shop, make_client: Make) -> None:
    client = make_client(**shop.options)
    assert shown(client.get_offers(request=at(ipAddress="203.0.113.7"))) == [{"from": "home"}]
    assert shop.lookups == []


@pytest.mark.parametrize("answer", [hang, lambda _: Answer(status=500), lambda _: Answer(b"{")])
def test_a_lookup_that_fails_delays_no_call_past_its_deadline(shop: Shop, make_client: Make, answer: Any) -> None:
    shop.artifact = geo_artifact()
    shop.geo = answer
    client = make_client(**shop.options, timeout=250)
    started = time.monotonic()
    result = client.get_offers(request=at(ipAddress="203.0.113.7"))
    assert time.monotonic() - started < 5
    assert shown(result) == []
    assert result.meta.decisioning_method == "on-device"
    assert shop.lookups == ["203.0.113.7"]
