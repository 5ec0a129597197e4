"""The notifications of a request: which are sent, and with what impression id."""

from __future__ import annotations

import copy
import itertools
import logging
from typing import Any

import pytest

from target import (
    DeliveryRequest,
    MetricType,
    Notification,
    NotificationMbox,
    NotificationView,
    OptionsError,
    Telemetry,
    TelemetryEntry,
)
from target.delivery.notifications import add_impression_ids, drop_invalid
from target.loggers import Log
from target.notices import Notices
from tests.kit.built_calls import CLICK, PAGE_LOAD, notify, offers

LOGGER = Log(logging.getLogger("target.tests.notifications"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"id": None}, "its id is not a string", id="no-id"),
        pytest.param({"id": ""}, "its id is not a string", id="empty-id"),
        pytest.param({"id": 1}, "its id is not a string", id="id-is-a-number"),
        pytest.param({"timestamp": None}, "its timestamp is not a whole number of milliseconds", id="no-timestamp"),
        pytest.param({"timestamp": "1"}, "its timestamp is not a whole number of milliseconds", id="timestamp-text"),
        pytest.param({"timestamp": 1.5}, "its timestamp is not a whole number of milliseconds", id="timestamp-float"),
        pytest.param({"timestamp": True}, "its timestamp is not a whole number of milliseconds", id="timestamp-flag"),
        pytest.param({"type": None}, "its type is neither click nor display", id="no-type"),
        pytest.param({"type": "view"}, "its type is neither click nor display", id="other-type"),
        pytest.param({"type": ["click"]}, "its type is neither click nor display", id="type-is-a-list"),
    ],
)
def test_an_invalid_notification_is_dropped_and_logged(
    changes: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert drop_invalid([CLICK, {**CLICK, **changes}], LOGGER) == [CLICK]
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [("ERROR", f"Notification validation failed for: notifications[1]: {reason}; it is not sent")]


@pytest.mark.parametrize("item", [None, "SECRET", 5, ["SECRET"]], ids=["none", "text", "number", "list"])
def test_what_is_no_object_is_dropped_without_being_shown(item: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert drop_invalid([item], LOGGER) == []
    assert f"notifications[0]: it is {type(item).__name__}, not an object" in caplog.text
    assert "SECRET" not in caplog.text


def test_of_a_time_that_seems_to_be_in_seconds_one_line_is_told(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(LOGGER)
    times = [10**8 - 1, 10**11, 10**8, 10**11 - 1]
    given = [{**CLICK, "timestamp": timestamp} for timestamp in times]
    assert drop_invalid(given[:2], LOGGER, notices) == given[:2]
    assert drop_invalid(given, LOGGER) == given
    assert caplog.messages == []
    assert drop_invalid(given, LOGGER, notices) == given
    assert caplog.messages == [
        "The timestamp of notifications[2] lies before 1973: it is sent as it is, but milliseconds since 1970 are "
        "meant, int(time.time() * 1000), and this may be seconds"
    ]
    assert notices.has_told(("timestamp",))


@pytest.mark.parametrize("kind", ["click", "display", MetricType.CLICK, MetricType.DISPLAY], ids=str)
def test_valid_types(kind: str) -> None:
    request = DeliveryRequest(notifications=[Notification(id="1", type=kind, timestamp=1621530726000)])
    sent = notify(request).body["notifications"]
    assert [(item["id"], item["type"], item["timestamp"]) for item in sent] == [("1", str(kind), 1621530726000)]


def test_everything_else_passes_through() -> None:
    notification = Notification(
        id="SummerOfferNotification",
        type=MetricType.DISPLAY,
        timestamp=1621530726000,
        impression_id="mine",
        tokens=["t1", "t2"],
        mbox=NotificationMbox(name="product1", state="s"),
        view=NotificationView(name="home"),
        parameters={"a": "b"},
    )
    assert notify(DeliveryRequest(notifications=[notification])).body["notifications"] == [
        {
            "id": "SummerOfferNotification",
            "type": "display",
            "timestamp": 1621530726000,
            "impressionId": "mine",
            "tokens": ["t1", "t2"],
            "mbox": {"name": "product1", "state": "s"},
            "view": {"name": "home"},
            "parameters": {"a": "b"},
        }
    ]


def test_an_impression_id_is_added_where_there_is_none() -> None:
    ids = itertools.count(1)
    given = [CLICK, {**CLICK, "impressionId": "mine"}, {**CLICK, "impressionId": ""}, {**CLICK, "impressionId": None}]
    before = copy.deepcopy(given)
    filled = add_impression_ids(given, lambda: f"new-{next(ids)}")
    assert [item["impressionId"] for item in filled] == ["new-1", "mine", "new-2", "new-3"]
    assert given == before


@pytest.mark.parametrize("given", [None, ""], ids=repr)
def test_the_request_gets_an_impression_id_of_its_own(given: str | None) -> None:
    body = notify({"notifications": [CLICK, CLICK], "impressionId": given}).body
    ids = [body["impressionId"], *(item["impressionId"] for item in body["notifications"])]
    assert all(ids)
    assert len(set(ids)) == 3


def test_the_callers_impression_id_is_kept() -> None:
    assert notify({"notifications": [CLICK], "impressionId": "mine"}).body["impressionId"] == "mine"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"context": {"channel": "web"}}, id="missing"),
        pytest.param({"notifications": []}, id="empty"),
        pytest.param({"notifications": None}, id="null"),
        pytest.param({"notifications": [{"id": "1"}]}, id="all-invalid"),
        pytest.param({"telemetry": {}}, id="empty-telemetry"),
        pytest.param(PAGE_LOAD, id="only-execute"),
        pytest.param(DeliveryRequest(), id="empty-model"),
    ],
)
def test_nothing_to_send_is_refused(request_: Any) -> None:
    with pytest.raises(OptionsError, match=r"^Notifications list is required in request"):
        notify(request_)


def test_telemetry_alone_is_enough() -> None:
    entry = TelemetryEntry(request_id="r", timestamp=1)
    body = notify(DeliveryRequest(telemetry=Telemetry(entries=[entry]))).body
    assert body["telemetry"] == {"entries": [{"requestId": "r", "timestamp": 1}]}
    assert "notifications" not in body


def test_invalid_notifications_beside_an_offer_request_leave_no_empty_list() -> None:
    assert "notifications" not in offers({**PAGE_LOAD, "notifications": [{"id": "1"}]}).body


def test_mboxes_beside_notifications_are_checked_and_numbered_too() -> None:
    body = notify({"execute": {"mboxes": [{"name": "a"}, {}]}, "notifications": [CLICK]}).body
    assert body["execute"] == {"mboxes": [{"name": "a", "index": 0}]}
    with pytest.raises(OptionsError, match="Either pageLoad or mboxes is required in execute"):
        notify({"execute": {"mboxes": []}, "notifications": [CLICK]})


@pytest.mark.parametrize("method", ["on-device", "hybrid", "server-side"])
def test_notifications_go_to_the_server_whatever_the_method(method: str) -> None:
    assert notify({"notifications": [CLICK]}, decisioning_method=method).body["notifications"]
