"""Events: what a handler gets, and that nothing a handler does reaches the caller."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from target.errors import TransportError
from target.events import EVENT_NAMES, emit

LOGGER = logging.getLogger("target.tests.events")


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
