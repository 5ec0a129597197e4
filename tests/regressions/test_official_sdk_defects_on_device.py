"""The same for decisions made in process: what users of Adobe's own Python SDK ran into there, one test for each."""

from __future__ import annotations

import copy
import io
import logging
import re
import socket
import statistics
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.on_device_cases import Case, build_cases, requests
from target import TargetClient
from target._on_device import artifact_rotation
from tests.kit.calls import ACCOUNT, MakeClient, eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, serving
from tests.kit.processes import run_script
from tests.kit.raw_servers import hang, raw_server
from tests.kit.shop import HOME, PREFETCH, Shop, shown

GEO = {**artifact(), "geoTargetingEnabled": True}
FIXED: dict[str, Any] = {**ACCOUNT, "secure": False, "edge_routing": False}


def asked_from(ip: str | None) -> dict[str, Any]:
    return {**PREFETCH, "context": {"channel": "web", "geo": {} if ip is None else {"ipAddress": ip}}}


def case(prefix: str) -> Case:
    return next(item for item in build_cases() if item.name.startswith(prefix))


def deciding(make_client: MakeClient, wanted: Case) -> TargetClient:
    return make_client(
        decisioning_method="on-device", artifact_payload=wanted.artifact, polling_interval=0, telemetry_enabled=False
    )


def seconds_per_call(call: Callable[[], object], calls: int) -> float:
    """The median of several blocks: other processes use the machine, too."""
    taken = []
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        taken.append((time.perf_counter() - started) / calls)
    return statistics.median(taken)


@pytest.mark.parametrize("payload", [None, artifact()])
def test_19_create_waits_for_no_server_that_hangs(payload: dict[str, Any] | None) -> None:
    """``create`` sent a request of its own and waited for its answer without end, even with a given artifact."""
    with raw_server(hang) as server:
        domain = f"127.0.0.1:{server.port}"
        started = time.monotonic()
        client = TargetClient.create(
            **FIXED,
            decisioning_method="on-device",
            server_domain=domain,
            cdn_base_path=f"http://{domain}",
            artifact_payload=payload,
            maximum_wait_ready=300,
        )
        assert time.monotonic() - started < 5
        assert client.wait_until_ready(0) is (payload is not None)
        assert len(server.connections) == (1 if payload is None else 0)  # that of the download
        client.close()


def test_20_a_geo_lookup_that_fails_holds_up_no_call(shop: Shop, make_client: MakeClient) -> None:
    """A failed geo lookup blocked the call for ever."""
    shop.artifact = GEO
    shop.geo = lambda _: hang_until_closed
    client = make_client(**shop.options, timeout=300)
    started = time.monotonic()
    assert shown(client.get_offers(request=asked_from("203.0.113.7"))) == [{"from": "home"}]
    assert 0.2 < time.monotonic() - started < 5


def hang_until_closed(sock: socket.socket) -> None:
    sock.settimeout(2)
    sock.recv(1)


def test_20_nothing_is_looked_up_without_an_address(shop: Shop, make_client: MakeClient) -> None:
    """The lookup ran even when there was no IP address."""
    shop.artifact = GEO
    client = make_client(**shop.options)
    client.get_offers(request=asked_from(None))
    client.get_offers(request=PREFETCH)
    assert shop.lookups == []
    client.get_offers(request=asked_from("203.0.113.7"))
    assert shop.lookups == ["203.0.113.7"]


@pytest.mark.waits
def test_21_a_client_becomes_ready_after_a_failed_first_download(
    shop: Shop, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later downloads succeeded, and the client never became ready."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.01, 0.01))
    well, shop.cdn = shop.cdn, lambda _: Answer(status=500)
    failures: list[Any] = []
    client = make_client(**shop.options, maximum_wait_ready=100, events={"artifact_download_failed": failures.append})
    assert eventually(lambda: failures)
    assert not client.wait_until_ready(0)
    shop.cdn = well
    assert client.wait_until_ready(5000)
    assert shown(client.get_offers(request=PREFETCH)) == [{"from": "home"}]


@pytest.mark.waits
def test_22_the_process_can_exit_without_close() -> None:
    """A timer that was no daemon kept the process alive, and nothing could be closed."""
    script = """
import sys
from target import TargetClient
client = TargetClient.create(client="acme", organization_id="1@AdobeOrg", decisioning_method="on-device",
    server_domain=sys.argv[1], secure=False, cdn_base_path="http://" + sys.argv[1], edge_routing=False)
client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
"""
    with serving() as server:
        shop = Shop(server)
        started = time.monotonic()
        run_script(script, server.domain, within_s=20)
        assert time.monotonic() - started < 6
        assert len(shop.notified) == 1  # what was pending is sent all the same


def test_23_an_mbox_counts_no_impression_of_the_page(shop: Shop, make_client: MakeClient) -> None:
    """A request for one mbox also decided the page load, and told of one or two displays that never were."""
    shop.artifact = artifact("g")  # the name of the global mbox
    shop.artifact["rules"]["mboxes"]["home"] = artifact("home")["rules"]["mboxes"]["home"]
    client = make_client(**shop.options)
    result = client.get_offers(request=HOME)
    client.close()
    assert result.response.execute.page_load is None
    assert [each["mbox"]["name"] for each in shop.notified] == ["home"]


@pytest.mark.waits
def test_24_the_artifact_is_not_copied_for_each_call(make_client: MakeClient) -> None:
    """All of the artifact was copied on every call: thousands of rules elsewhere made a call 50 times slower."""
    taken = []
    for prefix in ("10 activities, one mbox each", "1,000 activities, one mbox each"):
        wanted = case(prefix)
        client, asked = deciding(make_client, wanted), requests(wanted, new_visitors=True)
        taken.append(seconds_per_call(lambda c=client, a=asked: c.get_offers(request=next(a)), 20))  # type: ignore[misc]
    few_s, many_s = taken
    assert many_s < 10 * few_s  # which no other load of the machine makes of it


@pytest.mark.waits
def test_24_a_decision_is_fast_with_thousands_of_rules(make_client: MakeClient) -> None:
    """One decision took 1.4 ms with 2 rules and 311 ms with 2,000 on one mbox."""
    wanted = case("1,000 activities, same mbox")
    asked = requests(wanted, new_visitors=True)
    client = deciding(make_client, wanted)
    assert seconds_per_call(lambda: client.get_offers(request=next(asked)), 3) < 0.031


def test_24_the_callers_objects_are_left_alone(make_client: MakeClient) -> None:
    wanted = case("10 activities, same mbox")
    before = copy.deepcopy(wanted)
    client = deciding(make_client, wanted)
    client.get_offers(request=wanted.request)
    assert wanted == before


@pytest.mark.slow
def test_25_new_visitors_leave_nothing_behind(make_client: MakeClient) -> None:
    """Tables of earlier results grew with every new visitor, without bound."""
    wanted = case("10 activities, same mbox")
    asked = requests(wanted, new_visitors=True)
    client = deciding(make_client, wanted)

    def visit(count: int) -> int:
        for _ in range(count):
            client.get_offers(request=next(asked))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = visit(300)
        assert visit(1500) - before < 1500 * 8
    finally:
        tracemalloc.stop()


def test_25_telemetry_says_how_long_a_call_took(shop: Shop, make_client: MakeClient) -> None:
    """``execution`` was the time since the process began."""
    client = make_client(**{**shop.options, "telemetry_enabled": True})
    took_ms = []
    for _ in range(3):
        started = time.perf_counter()
        client.get_offers(request=PREFETCH)
        took_ms.append((time.perf_counter() - started) * 1000)
    client.close()
    told = [entry for entries in shop.entries for entry in entries if entry["requestId"] != "ArtifactDownload"]
    assert len(told) == 3
    assert all(0 < entry["execution"] <= most for entry, most in zip(told, took_ms, strict=True))


def test_26_hybrid_sees_that_the_page_load_needs_the_server(shop: Shop, make_client: MakeClient) -> None:
    """Only mboxes and views were looked at: a page load that the rules cannot decide came back empty."""
    shop.artifact = artifact(remoteMboxes=["g"])
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"})
    for part in ("execute", "prefetch"):
        result = client.get_offers(request={part: {"pageLoad": {}}})
        assert result.meta.decisioning_method == "server-side"
    assert len(shop.delivered) == 2


class Owner:
    """Holds a lock, as most objects with threads do: it can be neither copied nor pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.told: list[str] = []

    def hear(self, event: dict[str, Any]) -> None:
        with self.lock:
            self.told.append(event["type"])


def test_27_events_may_be_methods_of_any_object(shop: Shop, make_client: MakeClient) -> None:
    """``TypeError: cannot pickle``: the options were copied to their bottom."""
    owner = Owner()
    make_client(**shop.options, events={"client_ready": owner.hear, "artifact_download_succeeded": owner.hear})
    assert eventually(lambda: owner.told == ["artifact_download_succeeded", "client_ready"])


def test_27_the_logger_is_the_callers_and_no_other_is_touched(
    shop: Shop, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``logger`` was ignored, and the first call reset the level of urllib3's."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.01, 0.01))
    shop.cdn = lambda _: Answer(status=403)
    written = io.StringIO()
    own = logging.Logger("own")
    own.addHandler(logging.StreamHandler(written))
    urllib3 = logging.getLogger("urllib3")
    before = (urllib3.level, list(urllib3.handlers), urllib3.propagate)
    client = make_client(**{**shop.options, "decisioning_method": "hybrid"}, logger=own, maximum_wait_ready=100)
    client.get_offers(request=HOME)
    assert eventually(lambda: re.search("decisioning is off for this client", written.getvalue()))
    assert (urllib3.level, list(urllib3.handlers), urllib3.propagate) == before
