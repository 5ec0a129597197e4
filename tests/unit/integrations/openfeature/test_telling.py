"""What is told beside evaluations: together, once, within bounds, before the end of a process, by no child of it."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import time
import weakref
from typing import Any

import pytest

from target import Outbox, TargetClient
from target.integrations.openfeature import TargetProvider, _telling
from target.integrations.openfeature._telling import Teller
from tests.kit.calls import MakeClient, eventually
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import ROOT
from tests.kit.threads import threads_of
from tests.unit.integrations.openfeature.pages import VISITOR, flags_of, json_offer, notified, page, showing

HOME = [json_offer({"a": 1, "b": 2})]


def test_an_mbox_of_an_answer_is_told_once_whatever_is_read_of_it(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=HOME, other=HOME)
    with flags_of(TargetProvider(client)) as flags, page():
        for _ in range(3):
            flags.get_integer_value("home.a", 0, VISITOR)
            flags.get_integer_value("home.b", 0, VISITOR)
        time.sleep(0.25)
        flags.get_integer_value("home.a", 0, VISITOR)
    assert eventually(lambda: notified(server.received))
    assert [(each["type"], each["tokens"]) for each in notified(server.received)] == [("display", ["shown"])]


def test_it_is_told_as_the_visitor_of_the_answer(server: LoopbackServer, client: TargetClient) -> None:
    server.answer = showing(home=HOME)
    TargetProvider(client).resolve_integer_details("home.a", 0, VISITOR)
    assert eventually(lambda: notified(server.received))
    shown, told = server.received
    assert told.session_id == shown.session_id
    assert told.body["id"] == {"tntId": "device", "thirdPartyId": "visitor-1"}


def test_no_evaluation_waits_for_it(server: LoopbackServer, make_client: MakeClient) -> None:
    def slow(received: Any) -> Any:
        if "notifications" in received.body:
            time.sleep(0.5)
        return showing(home=HOME)(received)

    server.answer = slow
    provider = TargetProvider(make_client())
    started = time.monotonic()
    for _ in range(3):
        provider.resolve_integer_details("home.a", 0, VISITOR)
        time.sleep(0.12)
    assert time.monotonic() - started < 1.2
    assert eventually(lambda: len(notified(server.received)) == 3)


def test_a_shutdown_sends_what_waits(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = showing(home=HOME)
    client = make_client()
    with flags_of(TargetProvider(client)) as flags:
        flags.get_integer_value("home.a", 0, VISITOR)
    assert len(notified(server.received)) == 1
    assert client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}}).content("home"), "it is open"


def test_a_failure_is_logged_and_harms_nothing(
    server: LoopbackServer, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=HOME)
    client = make_client(retries=0)
    provider = TargetProvider(client)
    provider.resolve_integer_details("home.a", 0, VISITOR)
    client.close()
    with caplog.at_level(logging.WARNING, "target.openfeature"):
        provider.shutdown()
    assert "could not be told: The client is closed" in caplog.text
    assert "visitor-1" not in caplog.text


def test_what_waits_is_bounded(
    server: LoopbackServer, client: TargetClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=HOME)
    monkeypatch.setattr(_telling, "MOST_WAITING", 2)
    monkeypatch.setattr(_telling, "GATHER_S", 60)
    provider = TargetProvider(client)
    for _ in range(4):
        assert provider.resolve_integer_details("home.a", 0, VISITOR).value == 1
    assert "wait to be told" in caplog.text
    provider.shutdown()
    assert len(notified(server.received)) == 2


def test_a_forgotten_provider_ends_its_thread(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = showing(home=HOME)
    provider = TargetProvider(make_client())
    provider.resolve_integer_details("home.a", 0, VISITOR)
    assert eventually(lambda: notified(server.received))
    teller: weakref.ref[Teller] = weakref.ref(provider._teller)
    del provider

    def is_gone() -> bool:
        gc.collect()
        return teller() is None and threads_of("target-openfeature") == []

    assert eventually(is_gone, 5)


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_a_child_tells_nothing_of_its_parents(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = showing(home=HOME)
    provider = TargetProvider(make_client())
    provider.resolve_integer_details("home.a", 0, VISITOR)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            provider.shutdown()
            provider.resolve_integer_details("home.b", 0, VISITOR)
            provider.shutdown()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    provider.shutdown()
    assert len(notified(server.received)) == 2


END = """
import sys
from openfeature.evaluation_context import EvaluationContext
from target import Outbox, TargetClient
from target.integrations.openfeature import TargetProvider

outbox = Outbox.memory(flush_interval=1) if sys.argv[2] == "outbox" else None
client = TargetClient.create(
    client="acme", organization_id="1@AdobeOrg", server_domain=sys.argv[1],
    secure=False, edge_routing=False, outbox=outbox,
)
provider = TargetProvider(client)
assert provider.resolve_integer_details("home.a", 0, EvaluationContext("v")).value == 1
"""


@pytest.mark.waits
@pytest.mark.parametrize("how", ["outbox", "calls"])
def test_the_end_of_a_process_sends_what_waits(server: LoopbackServer, how: str) -> None:
    server.answer = showing(home=HOME)
    subprocess.run([sys.executable, "-c", END, server.domain, how], cwd=ROOT, check=True, timeout=30)
    assert len(notified(server.received)) == 1


def test_the_outbox_has_it_where_there_is_one(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = showing(home=HOME)
    client = make_client(outbox=Outbox.memory(flush_interval=1))
    with flags_of(TargetProvider(client)) as flags:
        flags.get_integer_value("home.a", 0, VISITOR)
    assert eventually(lambda: client.status().outbox["acknowledged"] == 1)
