"""Where calls go: to their cluster while it works, else to the account's host, on every way to call."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from target import ApiError, Outbox, TargetClient, TargetTimeout, TargetUnavailable, TransportError
from target._http import routes as routes_module
from target._http.deadline import Deadline
from target._http.routes import Routes
from target.delivery.attempts import Send
from target.delivery.reply import Reply
from target.delivery.request import Call
from tests.kit.built_calls import FAR_COOKIE, config, offers
from tests.kit.calls import ACCOUNT, REQUEST, eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer, Received
from tests.kit.ways import WAYS, through

HOME = "https://acme.tt.omtrdc.net"
DOWN = TransportError("down")
OK = Reply(200, "OK", b"{}")


def call_to(cluster: str) -> Call:
    return offers(target_location_hint=cluster)


def routes(**options: Any) -> Routes:
    return Routes(config(**options))


def first(known: Routes, call: Call) -> Call:
    """``call`` as it goes out first."""
    step = next(known.attempts(call, Deadline(5)))
    assert isinstance(step, Send)
    return step.call


class TestRoutes:
    def test_a_call_goes_to_its_cluster_until_it_has_failed_three_times_in_a_row(self) -> None:
        known, call = routes(), call_to("38")
        for _ in range(2):
            known.tried(call, DOWN)
        assert first(known, call) is call
        known.tried(call, OK)
        for _ in range(3):
            assert first(known, call) is call
            known.tried(call, DOWN)
        moved = first(known, call)
        assert (moved.base_url, moved.cluster) == (HOME, None)
        assert moved.content is call.content
        assert first(known, call_to("21")).base_url == "https://mboxedge21.tt.omtrdc.net"

    def test_it_is_tried_again_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known, call = routes(), call_to("38")
        for _ in range(3):
            known.tried(call, DOWN)
        monkeypatch.setattr(routes_module, "LEFT_ALONE_S", 0.0)
        assert first(known, call) is call

    @pytest.mark.parametrize(
        ("outcome", "is_failure"),
        [
            (DOWN, True),
            (TargetTimeout("late"), True),
            (Reply(502, "", b""), True),
            (Reply(503, "", b""), True),
            (Reply(504, "", b""), True),
            (Reply(500, "", b""), True),
            (Reply(429, "", b""), False),
            (Reply(400, "", b""), False),
            (Reply(204, "", b""), False),
            (Reply(200, "", b"<html>"), True),
            (Reply(200, "", b""), True),
            (Reply(302, "", b""), True),
            (Reply(403, "", b'{"message": "no"}'), True),
            (Reply(404, "", b""), True),
            (Reply(421, "", b""), True),
            (OK, False),
        ],
    )
    def test_what_counts_as_failure(self, outcome: Any, is_failure: bool) -> None:
        known = routes()
        known.learn("38")
        known.tried(call_to("38"), outcome)
        assert known.cluster == (None if is_failure else "38")

    def test_a_learnt_cluster_that_failed_is_not_learnt_again_for_a_while(self) -> None:
        known = routes(target_location_hint="7")
        known.learn("38")
        assert known.cluster == "38"
        known.tried(call_to("38"), DOWN)
        known.learn("38")
        assert known.cluster == "7"
        known.learn("21")
        assert known.cluster == "21"
        known.learn(None)
        assert known.cluster == "21"
        known.tried(call_to("38"), OK)
        known.learn("38")
        assert known.cluster == "38"

    def test_the_accounts_host_is_never_left(self) -> None:
        known, call = routes(), offers()
        for _ in range(10):
            known.tried(call, DOWN)
        assert first(known, call) is call
        assert known.to_account(call) is call

    def test_a_flood_of_clusters_that_are_none_stays_small(self) -> None:
        known = routes()
        for number in range(1000):
            known.tried(call_to(str(number)), DOWN)
        assert len(known._failed) == 256

    def test_without_edge_routing_there_is_one_host(self) -> None:
        known = routes(edge_routing=False)
        call = offers(client={"edge_routing": False}, target_location_hint="38")
        for _ in range(5):
            known.tried(call, DOWN)
        assert first(known, call) is call


class Edge:
    """A proxy for all hosts; those of clusters do what ``fault`` says, the account's host answers well."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server
        self.fault: Callable[[Received], Any] | None = None
        self.edge_host = "mboxedge38.tt.omtrdc.net"
        self.gives_ids_back = False
        server.answer = self.answer

    def answer(self, received: Received) -> Any:
        if self.fault is not None and "mboxedge38" in received.target:
            return self.fault(received)
        body: dict[str, Any] = {"status": 200, "client": self.host(received), "edgeHost": self.edge_host}
        if self.gives_ids_back:
            body["requestId"] = received.body["requestId"]
        notifications = received.body.get("notifications")
        return Answer({**body, "notifications": [{"id": item["id"]} for item in notifications or []]})

    @staticmethod
    def host(received: Received) -> str:
        return received.target.split("/")[2].removesuffix(".tt.omtrdc.net")

    @property
    def hosts(self) -> list[str]:
        return [self.host(received) for received in self.server.received]

    def options(self, **more: Any) -> dict[str, Any]:
        fixed = {**ACCOUNT, "secure": False, "proxy": self.server.url}
        return {**fixed, "telemetry_enabled": False, "timeout": 5000, **more}


@pytest.fixture
def edge(server: LoopbackServer) -> Edge:
    return Edge(server)


FAULTS: dict[str, Callable[[Received], Any]] = {
    "503": lambda _: Answer({}, 503),
    "502 with a pause that is past the deadline": lambda _: Answer({}, 502, {"Retry-After": "60"}),
    "closes": lambda _: lambda sock: sock.shutdown(socket.SHUT_RDWR),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_learnt_cluster_that_fails_costs_a_retry_once(way: str, fault: str, edge: Edge) -> None:
    client = WAYS[way](**edge.options())
    try:
        ask = _asker(client)
        ask()
        ask()
        edge.fault = FAULTS[fault]
        results = [ask() for _ in range(4)]
    finally:
        client.close()
    assert [result.response.client for result in results] == ["acme"] * 4
    assert edge.hosts == ["acme", "mboxedge38", "mboxedge38", "acme", "acme", "acme", "acme"]


IN_ITS_PLACE: dict[str, Callable[[Received], Any]] = {
    "a page": lambda _: Answer(b"<html>"),
    "a redirect": lambda _: Answer(b"", 302, {"Location": "http://example.com/"}),
    "403": lambda _: Answer({"message": "no"}, 403),
    "404": lambda _: Answer(b"", 404),
    "answers to others": lambda _: Answer({"status": 200, "requestId": str(uuid4())}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", IN_ITS_PLACE)
def test_a_learnt_cluster_in_whose_place_something_else_answers_is_forgotten(way: str, fault: str, edge: Edge) -> None:
    edge.gives_ids_back = True
    client = WAYS[way](**edge.options())
    try:
        ask = _asker(client)
        ask()
        ask()
        edge.fault = IN_ITS_PLACE[fault]
        with contextlib.suppress(ApiError, TransportError):
            ask()
        before = len(edge.hosts)
        results = [ask() for _ in range(4)]
    finally:
        client.close()
    assert [result.response.client for result in results] == ["acme"] * 4
    assert edge.hosts[before:] == ["acme"] * 4


def _asker(client: Any) -> Callable[[], Any]:
    """Calls of visitors who name no cluster: the ways of the other tests have a visitor of cluster 38."""

    def ask() -> Any:
        return through(client, {"request": REQUEST})

    return ask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_visitors_cluster_that_fails_falls_back_to_the_accounts_host(way: str, fault: str, edge: Edge) -> None:
    edge.fault, edge.edge_host = FAULTS[fault], "mboxedge21.tt.omtrdc.net"
    client = WAYS[way](**edge.options())
    try:
        for name in ("cookie", "hint"):
            options = {"target_cookie": FAR_COOKIE} if name == "cookie" else {"target_location_hint": "38"}
            result = through(client, {"request": REQUEST, **options})
            assert result.response.client == "acme"
            assert result.target_location_hint_cookie.value == "21"  # the visitor goes where the answer says
    finally:
        client.close()
    assert edge.hosts == ["mboxedge38", "acme"] * 2
    first, second = edge.server.received[:2]
    assert first.content == second.content


def test_an_answer_that_names_no_cluster_sets_no_cookie_for_the_one_that_failed(edge: Edge) -> None:
    edge.fault, edge.edge_host = FAULTS["503"], ""
    with TargetClient.create(**edge.options()) as client:
        result = client.get_offers(request=REQUEST, target_location_hint="38")
    assert result.target_location_hint_cookie is None


@pytest.mark.parametrize("way", WAYS)
def test_a_cluster_that_hangs_is_left_alone_after_three_calls(way: str, edge: Edge) -> None:
    edge.fault = lambda _: lambda sock: sock.recv(1)
    client = WAYS[way](**edge.options(timeout=250))
    try:
        for _ in range(3):
            with pytest.raises(TargetTimeout):
                through(client, {"request": REQUEST, "target_location_hint": "38"})
        for _ in range(20):
            with contextlib.suppress(TargetTimeout):  # of a machine that is busy
                result = through(client, {"request": REQUEST, "target_location_hint": "38"})
                break
    finally:
        client.close()
    assert result.response.client == "acme"
    assert edge.hosts.count("mboxedge38") <= 5  # a thread may find out a moment after its task that it is too late


@pytest.mark.parametrize("way", WAYS)
def test_an_open_breaker_of_a_cluster_leads_to_the_accounts_host(way: str, edge: Edge) -> None:
    edge.fault = FAULTS["503"]
    client = WAYS[way](**edge.options(breaker_failures=1, retries=0))
    try:
        with pytest.raises(ApiError):
            through(client, {"request": REQUEST, "target_location_hint": "38"})
        for _ in range(3):
            assert through(client, {"request": REQUEST, "target_location_hint": "38"}).response.client == "acme"
    finally:
        client.close()
    assert edge.hosts == ["mboxedge38", "acme", "acme", "acme"]


def test_the_breaker_counts_a_call_that_moved_as_one_that_its_cluster_failed(edge: Edge) -> None:
    edge.fault = FAULTS["503"]
    with TargetClient.create(**edge.options(breaker_failures=2)) as client:
        for _ in range(2):
            client.get_offers(request=REQUEST, target_location_hint="38")
        assert client._services.breaker.rests_s("http://mboxedge38.tt.omtrdc.net") > 0
        assert client._services.breaker.rests_s("http://acme.tt.omtrdc.net") == 0


def test_where_both_are_left_alone_the_call_says_so(edge: Edge) -> None:
    edge.server.answer = lambda _: Answer({}, 503)
    with TargetClient.create(**edge.options(breaker_failures=1, retries=0)) as client:
        for options in ({"target_location_hint": "38"}, {}):
            with pytest.raises(ApiError):
                client.get_offers(request=REQUEST, **options)
        with pytest.raises(TargetUnavailable, match="acme"):
            client.get_offers(request=REQUEST, target_location_hint="38")


def test_without_retries_the_next_call_is_the_one_that_moves(edge: Edge) -> None:
    edge.fault = FAULTS["503"]
    with TargetClient.create(**edge.options(retries=0)) as client:
        for _ in range(3):
            with pytest.raises(ApiError):
                client.get_offers(request=REQUEST, target_location_hint="38")
        assert client.get_offers(request=REQUEST, target_location_hint="38").response is not None
    assert edge.hosts == ["mboxedge38"] * 3 + ["acme"]


@pytest.mark.waits
def test_what_the_outbox_sends_moves_too(edge: Edge) -> None:
    edge.fault = FAULTS["closes"]
    with TargetClient.create(**edge.options(outbox=Outbox.memory())) as client:
        item = {"id": "n1", "type": "display", "timestamp": 1_700_000_000_000}
        client.queue_notifications(request={"notifications": [item]}, target_location_hint="38", session_id="s")
        assert client.outbox is not None
        assert eventually(lambda: client.outbox.pending == 0)
        assert client.outbox.counters["acknowledged"] == 1
    assert edge.hosts == ["mboxedge38", "acme"]


def _settled(client: TargetClient) -> int:
    counts = client.status()["background"]
    return counts["sent"] + counts["failed"]


@pytest.mark.parametrize("more", [{}, {"breaker_failures": 1, "retries": 0}], ids=["retry", "breaker"])
def test_what_is_sent_after_decisions_on_the_device_moves_too(more: dict[str, Any], edge: Edge) -> None:
    edge.fault = FAULTS["closes"]
    options = edge.options(decisioning_method="on-device", artifact_payload=artifact(), polling_interval=0, **more)
    failed: list[Any] = []
    with TargetClient.create(**options, events={"send_notification_failed": failed.append}) as client:
        for number in range(2):
            client.get_offers(request=REQUEST, target_location_hint="38", session_id=f"s{number}")
            assert eventually(lambda: _settled(client) == number + 1)  # noqa: B023
    assert len(failed) == (1 if more else 0)
    assert [host for host in edge.hosts if host == "acme"] == ["acme"] * (1 if more else 2)
