"""The artifact of a client that decides on the device: where it comes from, when another is used, of what shape."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target import ArtifactNotReady, TargetClient, TargetError
from tests.kit.calls import MakeClient, eventually, timed
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer
from tests.kit.properties import examples
from tests.kit.shop import ETAG, HOME, PREFETCH, Shop, events_of, hang_a_second, shown


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, "/acme/production/v1/rules.json"),
        ({"environment": "My Stage", "property_token": "p-1"}, "/acme/my%20stage/v1/p-1/rules.json"),
        ({"artifact_location": "{url}/own/rules.json?key=1", "environment": "x"}, "/own/rules.json?key=1"),
    ],
)
def test_where_the_artifact_comes_from(shop: Shop, make_client: MakeClient, options: Any, target: str) -> None:
    options = {name: value.format(url=shop.server.url) for name, value in options.items()}
    client = make_client(**shop.options, **options)
    assert shown(client.get_offers(request=PREFETCH)) == [{"from": "home"}]
    assert [item.target for item in shop.server.received] == [target]  # nothing else: no ping


def test_a_given_artifact_is_used_without_a_download(shop: Shop, make_client: MakeClient) -> None:
    client = make_client(**shop.options, artifact_payload=artifact("given"))
    assert client.wait_until_ready(0)
    assert client.get_attributes(["given"]).get_value("given", "from") == "given"
    time.sleep(0.1)
    assert shop.downloads == []


def test_create_waits_for_the_first_artifact(shop: Shop, make_client: MakeClient) -> None:
    def late(received: Any) -> Any:
        time.sleep(0.3)
        return Answer(artifact("late"))

    shop.cdn = late
    client = make_client(**shop.options)
    assert client.get_attributes(["late"]).get_value("late", "from") == "late"


def test_create_waits_no_longer_than_it_may(shop: Shop, make_client: MakeClient) -> None:
    shop.cdn = hang_a_second
    assert 0.15 < timed(lambda: make_client(**shop.options, maximum_wait_ready=200)) < 5


@pytest.mark.waits
@pytest.mark.usefixtures("quick_tries")
@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_a_client_that_is_not_ready_goes_on_trying(shop: Shop, make_client: MakeClient, method: str) -> None:
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


@pytest.mark.waits
@pytest.mark.usefixtures("quick_tries")
def test_a_bad_new_artifact_keeps_the_last_good_one(shop: Shop, make_client: MakeClient) -> None:
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
        return Answer(artifact(), headers={"ETag": ETAG}) if len(asked[name]) == 1 else bad[name]()  # type: ignore[no-untyped-call]

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


@pytest.mark.waits
def test_a_new_artifact_is_used_and_an_unchanged_one_kept(shop: Shop, make_client: MakeClient) -> None:
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
def test_the_cache_serves_a_cold_start_while_the_cdn_is_down(
    shop: Shop, make_client: MakeClient, tmp_path: Path
) -> None:
    options = {**shop.options, "artifact_cache": tmp_path / "rules.json"}
    make_client(**options).close()
    assert (tmp_path / "rules.json").exists()
    well, shop.cdn = shop.cdn, lambda _: Answer(status=503)
    cold = make_client(**options)
    assert shown(cold.get_offers(request=PREFETCH)) == [{"from": "home"}]
    shop.cdn = well  # the ETag of the file is confirmed
    assert make_client(**options).wait_until_ready(0)
    assert shop.downloads[-1].headers["If-None-Match"] == ETAG


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


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
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
