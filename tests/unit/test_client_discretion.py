"""What log lines and errors of a client show: no id, no cookie, no token."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from target import (
    OptionsError,
    TargetClient,
    TargetError,
)
from tests.kit.built_calls import CLICK, PAGE_LOAD
from tests.kit.calls import REQUEST, MakeClient
from tests.kit.loopback import Answer, LoopbackServer, Received, ok

FAR = 9596233214


class TestLogging:
    def test_debug_tells_method_host_request_status_sizes_and_time(
        self, client: TargetClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG, "target"):
            client.get_offers(request=REQUEST)
        lines = [record.getMessage() for record in caplog.records if record.name == "target"]
        request_id = server.received[0].headers["X-Request-Id"]
        sizes = r"\d+ bytes sent, \d+ received, [\d.]+ ms"
        pattern = rf"POST http://{re.escape(server.domain)} request {request_id}: 200, {sizes}"
        assert len(lines) == 1
        assert re.fullmatch(pattern, lines[0])

    def test_every_client_has_its_own_logger(self, make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
        loggers = [logging.getLogger(f"tests.client.{name}") for name in "ab"]
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            make_client(logger=logger).get_offers(request=REQUEST, target_location_hint="bad")
        names = [record.name for record in caplog.records if not record.name.startswith("urllib3")]
        assert names == ["tests.client.a"] * 3 + ["tests.client.b"] * 3


SECRET_REQUEST = {
    "id": {
        "tntId": "MARKER_TNT.21_0",
        "thirdPartyId": "MARKER_THIRD",
        "marketingCloudVisitorId": "MARKER_ECID",
        "customerIds": [{"id": "MARKER_OWN", "integrationCode": "shop", "authenticatedState": "unknown"}],
    },
    "property": {"token": "MARKER_PROPERTY"},
    "trace": {"authorizationToken": "MARKER_TRACE"},
    "preview": {"token": "MARKER_PREVIEW"},
    "qaMode": {"token": "MARKER_QA"},
    "context": {"channel": "MARKER_CHANNEL", "geo": {"ipAddress": "MARKER_IP"}},
    "experienceCloud": {"analytics": {"supplementalDataId": "MARKER_SDID"}, "audienceManager": {"blob": "MARKER_BLOB"}},
    "execute": {
        "mboxes": [{"name": "home"}, {"parameters": {"mail": "MARKER_PARAMETER"}}, {"name": " ", "x": "MARKER_MBOX"}]
    },
    "notifications": [
        {**CLICK, "tokens": ["MARKER_EVENT"], "mbox": {"name": "home", "state": "MARKER_STATE"}},
        {"id": "MARKER_NOTIFICATION", "tokens": ["MARKER_LOST"]},
    ],
    "telemetry": {"entries": [{"requestId": "r", "telemetryServerToken": "MARKER_TELEMETRY"}]},
}


SECRET_OPTIONS = {
    "target_cookie": f"session#MARKER_SESSION#{FAR}|PC#MARKER_PC.99999_0#{FAR}|check#MARKER_CHECK#{FAR}",
    "target_location_hint": "MARKER_HINT",
    "customer_ids": {"crm": {"id": "MARKER_CUSTOMER", "authState": 1}},
}


def echo(status: int) -> Callable[[Received], Answer]:
    """A server that says back all it was told."""

    def answer(received: Received) -> Answer:
        told = (
            f"Invalid session {received.session_id}: {re.findall('MARKER_[A-Z]+[.0-9_]*', received.content.decode())}"
        )
        return Answer({"status": status, "message": told}, status)

    return answer


ANSWERS: dict[str, Any] = {
    "ok": ok,
    **{str(status): echo(status) for status in (400, 403, 413, 420, 500, 503, 302)},
    "no-json": lambda received: Answer(b"MARKER_BODY"),
    "list": lambda received: Answer(b'["MARKER_BODY"]'),
    "id-is-text": lambda received: Answer({"id": "MARKER_BODY"}),
    "mboxes-are-text": lambda received: Answer({"execute": {"mboxes": "MARKER_BODY"}}),
    "reset": lambda received: lambda sock: sock.close(),
    "cut-short": lambda received: lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nMARKER"),
    "no-http": lambda received: lambda sock: sock.sendall(b"no HTTP at all\r\n\r\n"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
@pytest.mark.parametrize("method", ["get_offers", "send_notifications"])
def test_no_id_cookie_or_token_is_in_any_message_or_log_line(
    method: str, answer: Any, make_client: MakeClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = answer
    client = make_client(property_token="MARKER_CONFIGURED", retries=1)
    said = ""
    with caplog.at_level(logging.DEBUG, "target"):
        try:
            said = repr(getattr(client, method)(request=SECRET_REQUEST, **SECRET_OPTIONS))
        except TargetError as error:
            said = str(error) + repr(error) + "".join(traceback.format_exception(error))
    lines = [record.getMessage() for record in caplog.records if record.name == "target"]
    assert said
    assert "MARKER" not in said
    assert len(lines) >= 6  # hint, suffix, channel, token, two mboxes, a notification, the call
    assert not [line for line in lines if "MARKER" in line]


@pytest.mark.parametrize(
    "options",
    [
        {"session_id": "MARKER SESSION"},
        {"request": {"id": "MARKER"}},
        {"request": {"execute": {"mboxes": "MARKER"}}},
        {"request": "MARKER"},
        {"request": {**PAGE_LOAD, "x": b"MARKER"}},
        {"customer_ids": [{"id": "MARKER"}]},
        {"customer_ids": {"crm": {"id": "MARKER", "authState": "MARKER"}}},
        {"customer_ids": "MARKER"},
        {"target_cookie": b"MARKER"},
        {"decisioning_method": "MARKER"},
        {"callback": "MARKER"},
    ],
    ids=repr,
)
def test_no_value_is_in_the_message_of_an_options_error(options: dict[str, Any], client: TargetClient) -> None:
    with pytest.raises(OptionsError) as caught:
        client.get_offers({"request": PAGE_LOAD, **options})
    assert "MARKER" not in "".join(traceback.format_exception_only(caught.value))
    assert not caught.value.__cause__ or "MARKER" not in str(caught.value.__cause__)
