"""The words for a call that got no usable answer, and its log lines: the same however a call is sent."""

from __future__ import annotations

import http.client
import re

from target._background.clock import monotonic_s
from target._http.deadline import Deadline
from target.config import ClientConfig
from target.delivery.request import Call
from target.errors import ClientClosed, TargetTimeout, TransportError

_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")


def timed_out(config: ClientConfig, call: Call) -> TargetTimeout:
    """The deadline passed."""
    return TargetTimeout(
        f"No complete answer from {call.base_url} within {config.timeout_s * 1000:.0f} ms: raise 'timeout', or fall "
        "back to default content"
    )


def require_time(config: ClientConfig, call: Call, deadline: Deadline) -> None:
    """Raise TargetTimeout when the deadline has passed, ClientClosed when the call was ended."""
    if deadline.abort is not None and deadline.abort.called:
        raise closed_meanwhile()
    if deadline.remaining_s() <= 0:
        raise timed_out(config, call)


def closed_meanwhile() -> ClientClosed:
    """The client was closed before the answer was there."""
    return ClientClosed("The client was closed during the call")


def tls_failed(call: Call, reason: str) -> TransportError:
    """No trust, or no common language."""
    return TransportError(f"TLS with {call.base_url} failed ({reason}): check server_domain and ca_certs")


def unreachable(call: Call, reason: str) -> TransportError:
    """No connection was made."""
    return TransportError(f"{call.base_url} cannot be reached ({reason}): check server_domain, proxy and the network")


def unanswered(call: Call) -> TransportError:
    """The connection died before the first byte of an answer."""
    return TransportError(f"{call.base_url} closed the connection without an answer: try again")


def unreadable(call: Call, cause: str) -> TransportError:
    """An answer began, and is of no use."""
    return TransportError(f"The answer from {call.base_url} could not be read ({cause}): try again")


def not_ours(call: Call) -> TransportError:
    """Twice the answer named another request."""
    return TransportError(
        f"{call.base_url} answered another request, which may be another visitor's: try again. Where a stand-in has "
        "taken the API's place meanwhile, create a new client"
    )


def too_large(most: int) -> TransportError:
    """The answer exceeds ``max_response_bytes``."""
    return TransportError(f"The answer is larger than max_response_bytes ({most}): raise it, or ask for less")


def too_many_headers(most: int) -> TransportError:
    """The head is longer than http.client reads; so it is on every way of calling, whatever a library allows."""
    return TransportError(f"The answer has more than {most} headers: check server_domain, and what is between")


def not_final(status: int) -> TransportError:
    """The last status that came is one that only announces another."""
    return TransportError(f"The server answered {status}, which is no final status: check server_domain")


def tunnel_refused(status: int) -> str:
    """A proxy makes no tunnel; its own words are foreign."""
    return f"Tunnel connection failed: {status} {http.client.responses.get(status, '')}".strip()


def log_answer(config: ClientConfig, call: Call, status: int, received: int, started: float) -> None:
    """``started`` is a ``monotonic_s()``, ``received`` the bytes of the unpacked body."""
    config.logger.debug(
        "POST %s request %s: %d, %d bytes sent, %d received, %.1f ms",
        call.base_url,
        call.trace_id,
        status,
        len(call.content),
        received,
        (monotonic_s() - started) * 1000,
    )


def log_failure(config: ClientConfig, call: Call, what: str, started: float) -> None:
    """``what`` is the name of the error that the caller gets."""
    config.logger.debug(
        "POST %s request %s: %s after %.1f ms",
        call.base_url,
        call.trace_id,
        what,
        (monotonic_s() - started) * 1000,
    )


def reason_of(error: BaseException) -> str:
    """The system's words for what went wrong: urllib3's own repeat addresses of objects, and URLs."""
    seen: BaseException | None = error
    while seen is not None:
        # http.client gives a proxy's refusal as a sentence alone: "Tunnel connection failed: 407 ..."
        if isinstance(seen, OSError) and (seen.strerror or len(seen.args) == 1):
            words = seen.strerror or str(seen.args[0])
            refused = _REFUSED_TUNNEL.match(words)
            return words if refused is None else tunnel_refused(int(refused[1]))
        inner = next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = seen.__cause__ or inner
    return type(error).__name__
