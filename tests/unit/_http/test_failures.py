"""Each library's errors in ours: the same words for the same thing, and whether the attempt may be made again."""

from __future__ import annotations

import socket
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from yarl import URL

from target._http.failures import OF_CALL, explain
from target.delivery.retry import Stage
from target.errors import TargetTimeout, TransportError

HOST = "http://127.0.0.1:9"
SESSION = f"{HOST}/rest?sessionId=secret"
POOL = HTTPConnectionPool("127.0.0.1", 9)
REFUSED = ConnectionRefusedError(111, "Connection refused")
NO_NAME = socket.gaierror(-2, "Name or service not known")
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
NO_TUNNEL = OSError("Tunnel connection failed: 407 go away")
KEY: Any = SimpleNamespace(host="127.0.0.1", port=9, ssl=True)
ASKED: Any = SimpleNamespace(real_url=URL(SESSION))


def of_urllib3(cause: OSError) -> urllib3_errors.NewConnectionError:
    error = urllib3_errors.NewConnectionError(HTTPConnection("127.0.0.1", 9), "no")
    error.__cause__ = cause
    return error


LATE = (TargetTimeout, f"No complete answer from {HOST} within 500 ms: raise 'timeout', or fall", None)
TLS = (TransportError, f"TLS with {HOST} failed (certificate verify failed): check server_domain and ca_certs", None)
NOBODY = (TransportError, f"{HOST} cannot be reached (Connection refused): check server_domain", Stage.CONNECTING)
NO_HOST = (TransportError, f"{HOST} cannot be reached (Name or service not known): check", Stage.CONNECTING)
NO_PROXY = (
    TransportError,
    f"{HOST} cannot be reached (Tunnel connection failed: 407 Proxy Authentication Required): check",
    Stage.CONNECTING,
)
SLOW = (TransportError, f"{HOST} cannot be reached (no connection in time): check", Stage.CONNECTING)
DIED = (TransportError, f"{HOST} closed the connection without an answer: try again", Stage.UNANSWERED)
ENDED = (TransportError, f"{HOST} cannot be reached (EOF occurred): check", Stage.CONNECTING)


def unread(name: str) -> tuple[type[Exception], str, None]:
    return TransportError, f"The answer from {HOST} could not be read ({name}): try again", None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        # the system, ssl, http.client
        (TimeoutError("the deadline has passed"), LATE),
        (UNTRUSTED, TLS),
        (RemoteDisconnected("no answer"), DIED),
        (ConnectionResetError(104, "Connection reset by peer"), unread("ConnectionResetError")),
        (BadStatusLine("secret"), unread("BadStatusLine")),
        (IncompleteRead(b"secret", 9), unread("IncompleteRead")),
        # urllib3, which wraps them
        (urllib3_errors.ReadTimeoutError(POOL, "/", "late"), LATE),
        (urllib3_errors.ConnectTimeoutError("late"), LATE),
        (urllib3_errors.EmptyPoolError(POOL, "none left"), LATE),
        (urllib3_errors.SSLError(UNTRUSTED), TLS),
        (of_urllib3(REFUSED), NOBODY),
        (of_urllib3(NO_NAME), NO_HOST),
        (urllib3_errors.MaxRetryError(POOL, SESSION, of_urllib3(REFUSED)), NOBODY),
        (urllib3_errors.ProxyError("no proxy", of_urllib3(REFUSED)), NOBODY),
        (urllib3_errors.ProxyError("no proxy", NO_TUNNEL), NO_PROXY),
        (urllib3_errors.ProxyError("no proxy", urllib3_errors.ConnectTimeoutError("late")), LATE),
        (urllib3_errors.ProxyError("no proxy", urllib3_errors.SSLError(UNTRUSTED)), TLS),
        (urllib3_errors.ProtocolError("aborted", RemoteDisconnected("no answer")), DIED),
        (urllib3_errors.ProtocolError("broken", IncompleteRead(b"secret", 9)), unread("IncompleteRead")),
        (urllib3_errors.ProtocolError("broken"), unread("ProtocolError")),
        (urllib3_errors.DecodeError("damaged"), unread("DecodeError")),
        # aiohttp
        (aiohttp.ClientConnectorError(KEY, REFUSED), NOBODY),
        (aiohttp.ClientConnectorDNSError(KEY, NO_NAME), NO_HOST),
        (aiohttp.ClientProxyConnectionError(KEY, REFUSED), NOBODY),
        (aiohttp.ClientConnectorSSLError(KEY, UNTRUSTED), TLS),
        (aiohttp.ClientConnectorCertificateError(KEY, UNTRUSTED), TLS),
        (aiohttp.ClientConnectorError(KEY, ssl.SSLEOFError(8, "EOF occurred")), ENDED),
        (aiohttp.ClientHttpProxyError(ASKED, (), status=407, message="go away"), NO_PROXY),
        (aiohttp.ConnectionTimeoutError(f"Connection timeout to host {SESSION}"), SLOW),
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), DIED),
        (aiohttp.ClientPayloadError("Response payload is not completed"), unread("ClientPayloadError")),
        (aiohttp.ClientResponseError(ASKED, (), status=400, message="secret"), unread("ClientResponseError")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_library_raises(error: Exception, expected: tuple[type[Exception], str, Stage | None]) -> None:
    kind, words, stage = expected
    explained, found = explain(error, OF_CALL, url=HOST, timeout_ms=500.0)
    assert type(explained) is kind
    assert str(explained).startswith(words)
    assert "secret" not in str(explained)
    assert found is stage
    while isinstance(error, urllib3_errors.MaxRetryError):  # whose words show the URL
        error = cast("Exception", error.reason)
    assert explained.__cause__ is error


def test_what_was_raised_here_stays_as_it_is() -> None:
    error = TransportError("too large")
    assert explain(error, OF_CALL, url=HOST) == (error, None)
    assert error.__cause__ is None
