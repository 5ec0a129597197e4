"""What may happen at every evaluation is logged at once, and then once in a while."""

from __future__ import annotations

import logging

import pytest
from openfeature.evaluation_context import EvaluationContext

from target import TargetClient
from target.integrations.openfeature import TargetProvider, _seldom
from target.integrations.openfeature._seldom import Seldom
from target.loggers import Log
from tests.kit.loopback import LoopbackServer
from tests.unit.integrations.openfeature.pages import json_offer, showing


def test_it_is_told_once_and_later_how_often_it_was(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(_seldom, "monotonic_s", lambda: now_s)
    seldom = Seldom(Log(logging.getLogger("target.openfeature")))
    for number in range(5):
        seldom.warning("It was %s", number)
        seldom.error("Another: %s", number)
    now_s += 10
    seldom.warning("It was %s", 5)
    seldom.warning("It was %s", 6)
    assert caplog.messages == ["It was 0", "Another: 0", "It was 5 (and 4 times in the last while)"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]


def test_a_client_that_was_closed_first_is_told_of_once(
    server: LoopbackServer, client: TargetClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = showing(home=[json_offer({"on": True})])
    provider = TargetProvider(client)
    for number in range(20):
        provider.resolve_boolean_details("home.on", False, EvaluationContext(f"visitor-{number}"))
    client.close()
    provider.shutdown()
    assert len([message for message in caplog.messages if "could not be told" in message]) == 1
