"""Events: what a handler gets, and that nothing a handler does reaches the caller."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any

import pytest

from target.artifact_info import ArtifactInfo
from target.errors import OptionsError, TargetError, TransportError
from target.events import ARTIFACT_CONFIRMED, EVENT_NAMES, Events, emit
from target.loggers import Log

LOGGER = Log(logging.getLogger("target.tests.events"))


def test_the_documented_names() -> None:
    documented = {"client_ready", "artifact_download_succeeded", "artifact_download_failed", "geo_location_updated"}
    ours = {"send_notification_failed", "notification_acknowledged", "notification_dead"}
    assert set(EVENT_NAMES) == documented | ours


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_handler_gets_one_dict_that_carries_the_type(name: str) -> None:
    got: list[Any] = []
    emit({name: got.append, "other": got.append}, name, LOGGER, error="e")
    assert got == [{"type": name, "error": "e"}]


def test_without_a_handler_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    emit({}, "client_ready", LOGGER)
    assert not caplog.records


@pytest.mark.parametrize("error", [ValueError("boom"), KeyError("boom"), OSError("boom")], ids=repr)
def test_what_a_handler_raises_is_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: dict[str, Any]) -> None:
        raise error

    emit({"client_ready": fail}, "client_ready", LOGGER)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "The handler of event client_ready raised" in caplog.text
    (logged,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert isinstance(logged, type(error))
    assert "in fail" in caplog.text, "where it was raised"
    assert "boom" not in caplog.text, "it may quote the event"


class Refused(TargetError):
    """Of the handler's own making."""


@pytest.mark.parametrize("kind", [ValueError, OSError, TargetError, Refused, OptionsError, ExceptionGroup])
def test_what_is_logged_of_a_handler_holds_no_id(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: dict[str, Any]) -> None:
        try:
            raise LookupError(event["error"])
        except LookupError as cause:
            raised = kind(event["error"], [cause]) if kind is ExceptionGroup else kind(event["error"])
            raised.add_note(event["error"])
            raise raised from cause

    emit({"client_ready": fail}, "client_ready", LOGGER, error="session-4711")
    (record,) = caplog.records
    assert "in fail" in caplog.text
    assert "LookupError" in caplog.text
    assert kind.__name__ in caplog.text
    assert "session-4711" not in caplog.text
    assert record.exc_info
    variables = [frame.f_locals for frame, _ in traceback.walk_tb(record.exc_info[2])]
    assert len(variables) >= 2
    assert not any(variables), "which handlers of logs may show"


def test_an_error_in_an_event_tells_of_its_causes_by_class_only() -> None:
    told: list[Any] = []
    error = TransportError("The artifact is not JSON")
    error.__cause__ = ValueError("boom")
    emit({"artifact_download_failed": told.append}, "artifact_download_failed", LOGGER, error=error)
    assert told[0]["error"] is error
    assert repr(error.__cause__) == "ValueError()"


def test_a_bound_method_of_an_object_that_holds_a_lock_is_a_handler() -> None:
    class Owner:
        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.seen: list[str] = []

        def on_ready(self, event: dict[str, Any]) -> None:
            with self.lock:
                self.seen.append(event["type"])

    owner = Owner()
    emit({"client_ready": owner.on_ready}, "client_ready", LOGGER)
    assert owner.seen == ["client_ready"]


def test_who_watches_is_told_of_rules_besides_the_handlers() -> None:
    handled: list[Any] = []
    told: list[ArtifactInfo] = []
    events = Events({"artifact_download_failed": handled.append}, LOGGER)
    end = events.watch(told.append)
    events("client_ready")
    events("artifact_download_failed", error=TransportError("no"), artifact_location="somewhere")
    events(ARTIFACT_CONFIRMED)
    events("artifact_download_succeeded", artifact_payload={}, artifact_location="somewhere")
    assert [event["type"] for event in handled] == ["artifact_download_failed"]
    expected = [ArtifactInfo("failed", "TransportError"), ArtifactInfo("confirmed"), ArtifactInfo("new")]
    assert told == expected
    late: list[ArtifactInfo] = []
    events.watch(late.append)
    assert late == [ArtifactInfo("new")], "what is known by now"
    end()
    end()
    events(ARTIFACT_CONFIRMED)
    assert told == expected


def test_who_watches_and_raises_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    told: list[ArtifactInfo] = []

    word = "bo" + "om"

    def fail(_: ArtifactInfo) -> None:
        raise ValueError(word)

    events = Events({}, LOGGER)
    events.watch(fail)
    events.watch(told.append)
    events(ARTIFACT_CONFIRMED)
    assert told == [ArtifactInfo("confirmed")]
    assert "What watches the rules raised" in caplog.text
    assert word not in caplog.text
