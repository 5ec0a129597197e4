"""Which host a call of a client goes to, on many threads too."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from target import (
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    TargetClient,
)
from tests.kit.built_calls import PAGE_LOAD
from tests.kit.calls import REQUEST, MakeClient
from tests.kit.loopback import Answer, LoopbackServer, serving

FAR = 9596233214


class TestHosts:
    """Through a proxy on loopback, which is told the host of every call and resolves none."""

    @pytest.fixture
    def routed(self, make_client: MakeClient, server: LoopbackServer) -> TargetClient:
        return make_client(server_domain=None, edge_routing=True, proxy=server.url)

    @staticmethod
    def hosts(server: LoopbackServer) -> list[str]:
        return [received.target.split("/")[2].removesuffix(".tt.omtrdc.net") for received in server.received]

    def test_a_learnt_cluster_serves_the_next_call_that_names_none(
        self, routed: TargetClient, server: LoopbackServer
    ) -> None:
        for _ in range(2):
            routed.get_offers(request=REQUEST)
        assert self.hosts(server) == ["acme", "mboxedge38"]

    @pytest.mark.parametrize(
        "visitor",
        [
            {"target_cookie": f"PC#dev.21_0#{FAR}"},
            {"target_location_hint": "21"},
            {"request": {**REQUEST, "id": {"tntId": "dev.21_0"}}},
        ],
        ids=["cookie", "hint", "tntId"],
    )
    def test_a_cluster_of_one_visitor_never_touches_anothers_call(
        self, visitor: dict[str, Any], routed: TargetClient, server: LoopbackServer
    ) -> None:
        first = routed.get_offers({"request": REQUEST, **visitor})
        second = routed.get_offers(request=REQUEST)
        assert self.hosts(server) == ["mboxedge21", "acme"]
        clusters = [
            cookie and cookie.value
            for cookie in (first["target_location_hint_cookie"], second["target_location_hint_cookie"])
        ]
        assert clusters == ["21", "38"]  # 38 is what the answer says

    def test_a_call_that_names_a_cluster_teaches_the_client_nothing(
        self, routed: TargetClient, server: LoopbackServer
    ) -> None:
        for hint in (None, "21", None):
            server.answer = lambda received, hint=hint: Answer({"edgeHost": f"mboxedge{hint or 38}.tt.omtrdc.net"})  # type: ignore[misc]
            routed.get_offers(request=REQUEST, target_location_hint=hint)
        assert self.hosts(server) == ["acme", "mboxedge21", "mboxedge38"]

    def test_the_clients_own_hint_is_for_calls_that_name_none_until_an_answer_names_one(
        self, make_client: MakeClient, server: LoopbackServer
    ) -> None:
        client = make_client(server_domain=None, edge_routing=True, proxy=server.url, target_location_hint="7")
        for hint in (None, "21", None):
            client.get_offers(request=REQUEST, target_location_hint=hint)
        assert self.hosts(server) == ["mboxedge7", "mboxedge21", "mboxedge38"]

    @pytest.mark.parametrize(
        "edge_host", ["evil.example", "mboxedge1.evil.example/x", "mboxedge12345.tt.omtrdc.net", 5]
    )
    def test_what_an_answer_names_is_checked_too(
        self, edge_host: Any, routed: TargetClient, server: LoopbackServer
    ) -> None:
        server.answer = lambda received: Answer({"edgeHost": edge_host})
        for _ in range(2):
            routed.get_offers(request=REQUEST)
        assert self.hosts(server) == ["acme", "acme"]

    @pytest.mark.parametrize(
        "visitor",
        [
            {"target_cookie": f"PC#abc.@127.0.0.1:1/x?_0#{FAR}"},
            {"target_cookie": f"PC#abc.%40127.0.0.1%3A1%2Fx%3F_0#{FAR}"},
            {"target_location_hint": "x@127.0.0.1:1/"},
            {"target_location_hint": "35.evil.example/"},
            {"request": {**PAGE_LOAD, "id": {"tntId": "abc.@127.0.0.1:1/x?_0"}}},
        ],
        ids=["cookie", "encoded-cookie", "hint-credentials", "hint-domain", "tntId"],
    )
    def test_no_visitor_chooses_a_host(
        self, visitor: dict[str, Any], routed: TargetClient, server: LoopbackServer
    ) -> None:
        routed.get_offers({"request": REQUEST, **visitor})
        assert self.hosts(server) == ["acme"]

    def test_without_edge_routing_every_call_goes_to_the_domain(
        self, make_client: MakeClient, server: LoopbackServer
    ) -> None:
        client = make_client(edge_routing=False, target_location_hint="7")
        for hint in (None, "21", None):
            client.get_offers(request=REQUEST, target_location_hint=hint, target_cookie=f"PC#dev.21_0#{FAR}")
        assert len(server.received) == 3

    def test_two_clients_have_two_hosts(self, client: TargetClient, server: LoopbackServer) -> None:
        with (
            serving() as other,
            TargetClient.create(
                client="other", organization_id="other@AdobeOrg", server_domain=other.domain, secure=False
            ) as other_client,
        ):
            other_client.get_offers(request=REQUEST)
            client.get_offers(request=REQUEST)
            assert [received.query["imsOrgId"] for received in other.received] == ["other@AdobeOrg"]
        assert [received.query["imsOrgId"] for received in server.received] == ["1234@AdobeOrg"]


def test_one_template_shared_by_many_threads_stays_as_it_is_and_keeps_visitors_apart(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    client = make_client(property_token="token", environment_id=5)
    template = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home")]))
    before = copy.deepcopy(template)
    threads, calls = 16, 10
    start = threading.Barrier(threads)
    wrong: list[Any] = []

    def visit(number: int) -> None:
        start.wait(5)
        for _ in range(calls):
            cookie = f"session#s{number}#{FAR}|PC#device{number}.1_0#{FAR}"
            result = client.get_offers(request=template, target_cookie=cookie, customer_ids={"crm": f"c{number}"})
            ids = result.request.id
            got = (ids and ids.tnt_id, ids and ids.customer_ids and ids.customer_ids[0].id)
            set_cookie = result.target_cookie.value if result.target_cookie else ""
            if got != (f"device{number}.1_0", f"c{number}") or f"PC#device{number}.1_0#" not in set_cookie:
                wrong.append((number, got, set_cookie))

    workers = [threading.Thread(target=visit, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert wrong == []
    assert template == before
    arrived = [(received.session_id, received.body["id"]["tntId"]) for received in server.received]
    assert sorted(arrived) == sorted(
        (f"s{number}", f"device{number}.1_0") for number in range(threads) for _ in range(calls)
    )
