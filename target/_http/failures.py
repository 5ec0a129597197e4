"""What went wrong on the way, in our errors and words, whichever library raised it; and the log lines of an attempt."""

from __future__ import annotations

import http.client
import re
import ssl
import sys
from typing import NamedTuple

from urllib3 import exceptions as http_errors

from target._background.clock import monotonic_s
from target.config import ClientConfig
from target.delivery.attempts import Ended, NoAnswer
from target.delivery.echo import Whose
from target.delivery.request import Attempted, Call
from target.delivery.retry import Stage
from target.errors import ClientClosed, TargetError, TargetTimeout, TransportError
from target.loggers import fields

#: What urllib3, http.client and ssl raise on the way, and what is raised here meanwhile.
RAISED = (http_errors.HTTPError, http.client.HTTPException, TransportError, OSError)
# Loopback, private and link-local addresses, names without a dot, and those that no public name ends in; of any case.
# This and what else is hardly ever matched is compiled then, since every start would wait for it.
_LOCAL = (
    r"(?:[^.:]+|(?:.+\.)?(?:localhost|local|test|example|invalid|internal|lan|home|svc)|(?:127|10)(?:\.[0-9]+){3}"
    r"|0\.0\.0\.0|(?:192\.168|169\.254|172\.(?:1[6-9]|2[0-9]|3[01]))(?:\.[0-9]+){2}"
    r"|\[(?:::1?|f[cde][0-9a-f]{2}:[0-9a-f:.]*)\])(?::[0-9]+)?"
)
_TIMEOUTS = (http_errors.TimeoutError, http_errors.EmptyPoolError, TimeoutError)
_REFUSED_TUNNEL = r"Tunnel connection failed: ([0-9]{3})\b"


class Words(NamedTuple):
    """What users are told, with room for ``{url}`` and ``{why}``.

    Attributes:
        late: The deadline passed.
        tls: No trust, or no common language.
        unreachable: No connection was made.
        unanswered: The connection died before the first byte of an answer.
        unreadable: An answer began, and is of no use.
    """

    late: str
    tls: str
    unreachable: str
    unanswered: str
    unreadable: str


OF_CALL = Words(
    late="No complete answer from {url} within {timeout_ms:.0f} ms: raise 'timeout', or fall back to default content",
    tls="TLS with {url} failed ({why}): check server_domain and ca_certs",
    unreachable="{url} cannot be reached ({why}): check server_domain, proxy and the network",
    unanswered="{url} closed the connection without an answer: try again",
    unreadable="The answer from {url} could not be read ({why}): try again",
)

_SENT_ASTRAY = (
    ". The call went to an edge cluster of Adobe's, since its visitor belongs to one: where all calls are meant for "
    "server_domain, set edge_routing=False"
)
_OF_STRAY_CALL = Words(*(words + _SENT_ASTRAY for words in OF_CALL))


def explain(error: Exception, words: Words, **of: object) -> tuple[TargetError, Stage | None]:
    """The error a caller gets for what was raised on the way, and how far it had got if it may be done again.

    Args:
        error: Of urllib3, http.client, ssl, the system or aiohttp. A TransportError stays as it is.
        words: What to say.
        of: What else they have room for, ``url`` first of all.
    """
    if isinstance(error, TransportError):
        return error, None
    while isinstance(error, http_errors.MaxRetryError) and error.reason is not None:
        error = error.reason  # its own words show the whole URL, ids included
    cause, stage = _origin(error)
    explained: TargetError
    why = type(cause).__name__
    if isinstance(cause, _TIMEOUTS) and not isinstance(cause, http_errors.NewConnectionError):  # one by descent only
        explained, stage = TargetTimeout(words.late.format(**of)), None
    elif isinstance(cause, ssl.SSLError | http_errors.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        explained, stage = TransportError(words.tls.format(**of, why=_reason_of(cause))), None
    elif stage is Stage.CONNECTING:
        explained = TransportError(words.unreachable.format(**of, why=_reason_of(cause)))
    elif stage is Stage.UNANSWERED:
        explained = TransportError(words.unanswered.format(**of, why=why))
    else:
        explained = TransportError(words.unreadable.format(**of, why=why))
    explained.__cause__ = error
    return explained, stage


def explain_call(error: Exception, config: ClientConfig, call: Call) -> tuple[TargetError, Stage | None]:
    """The same for an attempt of ``call``."""
    words = _OF_STRAY_CALL if _is_astray(config, call) else OF_CALL
    return explain(error, words, url=call.base_url, timeout_ms=config.timeout_s * 1000)


def timed_out(config: ClientConfig, call: Call) -> TargetTimeout:
    """The deadline passed."""
    words = _OF_STRAY_CALL if _is_astray(config, call) else OF_CALL
    return TargetTimeout(words.late.format(url=call.base_url, timeout_ms=config.timeout_s * 1000))


def _is_astray(config: ClientConfig, call: Call) -> bool:
    """Whether ``call`` went to Adobe from a client that was made for a server near by, such as an emulator."""
    host = config.server_domain
    return bool(host and config.edge_routing and call.cluster is not None and re.fullmatch(_LOCAL, host, re.IGNORECASE))


def closed_meanwhile() -> ClientClosed:
    """The client was closed before the answer was there."""
    return ClientClosed("The client was closed during the call: make it again on a new client")


def too_large(most: int) -> TransportError:
    """The answer exceeds ``max_response_bytes``."""
    return TransportError(f"The answer is larger than max_response_bytes ({most}): raise it, or ask for less")


def too_many_headers(most: int) -> TransportError:
    """The head is longer than http.client reads; so it is on every way of calling, whatever a library allows."""
    return TransportError(f"The answer has more than {most} headers: check server_domain, and what is between")


def not_final(status: int) -> TransportError:
    """The last status that came is one that only announces another."""
    return TransportError(f"The server answered {status}, which is no final status: check server_domain")


def fields_of(call: Call, status: int | None = None, ms: float | None = None) -> dict[str, object]:
    """What a line of the log that is about ``call`` has for its ``extra``."""
    host = call.base_url.partition("://")[2]
    return fields(method=call.method, host=host, status=status, ms=ms, request_id=call.trace_id)


def tell_attempt(config: ClientConfig, call: Call, ended: Ended, started: float) -> None:
    """Log how an attempt ended, and tell hooks. ``started`` is a ``monotonic_s()``."""
    if isinstance(ended, NoAnswer):
        tell_failure(config, call, type(ended.error).__name__, started)
    elif isinstance(ended, Whose):
        tell_failure(config, call, "an answer to another request", started)
    else:
        ended_s = monotonic_s()
        if call.record is not None:
            call.record(Attempted(call, started, ended_s, ended.status, len(ended.content), None))
        took_ms = (ended_s - started) * 1000
        config.logger.debug(
            "POST %s request %s: %d, %d bytes sent, %d received, %.1f ms",
            call.base_url,
            call.trace_id,
            ended.status,
            len(call.content),
            len(ended.content),
            took_ms,
            extra=fields_of(call, ended.status, took_ms),
        )


def tell_failure(config: ClientConfig, call: Call, what: str, started: float) -> None:
    """The same for one without an answer. ``what`` is the name of the error that the caller gets."""
    ended_s = monotonic_s()
    if call.record is not None:
        call.record(Attempted(call, started, ended_s, None, 0, what))
    took_ms = (ended_s - started) * 1000
    config.logger.debug(
        "POST %s request %s: %s after %.1f ms",
        call.base_url,
        call.trace_id,
        what,
        took_ms,
        extra=fields_of(call, ms=took_ms),
    )


def _origin(error: Exception) -> tuple[Exception, Stage | None]:
    """What went wrong inside, as libraries wrap it; with how far the attempt had got if it may be made again."""
    if isinstance(error, http_errors.ProxyError):
        return _origin(error.original_error)[0], Stage.CONNECTING
    if isinstance(error, http_errors.ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], Exception):
        return _origin(error.args[1])
    if isinstance(error, http_errors.NewConnectionError):
        return error, Stage.CONNECTING
    if isinstance(error, http.client.RemoteDisconnected):
        return error, Stage.UNANSWERED
    return _origin_in_aiohttp(error) if "aiohttp" in sys.modules else (error, None)


def _origin_in_aiohttp(error: Exception) -> tuple[Exception, Stage | None]:
    import aiohttp  # an extra: where it is not in use, no error is of its making

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error, None
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error, Stage.CONNECTING
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(f"Tunnel connection failed: {error.status}"), Stage.CONNECTING  # in http.client's words
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return OSError("no connection in time"), Stage.CONNECTING
    return error, Stage.UNANSWERED if isinstance(error, aiohttp.ClientConnectionResetError) else None


def _reason_of(error: Exception) -> str:
    """The system's words for what went wrong: urllib3's own repeat addresses of objects, and URLs."""
    seen: BaseException | None = error
    while seen is not None:
        # http.client gives a proxy's refusal as a sentence alone: "Tunnel connection failed: 407 ..."
        if isinstance(seen, OSError) and (seen.strerror or len(seen.args) == 1):
            words = seen.strerror or str(seen.args[0])
            refused = re.match(_REFUSED_TUNNEL, words)
            if refused is None:
                return words
            status = int(refused[1])  # the proxy's own words are foreign
            return f"Tunnel connection failed: {status} {http.client.responses.get(status, '')}".strip()
        inner = next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = seen.__cause__ or inner
    return type(error).__name__
