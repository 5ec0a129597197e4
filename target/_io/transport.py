"""Sends a call over HTTP: attempts, within one deadline, until there is an answer or a reason why not."""

from __future__ import annotations

import random
import ssl
import time
from http.client import RemoteDisconnected
from typing import Any, NamedTuple

import urllib3
from urllib3 import exceptions as http_errors
from urllib3.util.retry import Retry

from target._io.deadline import Deadline, DiedUnanswered
from target._io.pools import DeadlinePools, open_manager
from target.config import ClientConfig
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import Failure, Stage, retry_delay_s
from target.errors import ClientClosed, TargetError, TargetTimeout, TransportError
from target_delivery_api import Client

SDK_NAME = "target-delivery-python"
SDK_VERSION = "0.1.0"  # a test holds it against pyproject.toml; importlib.metadata would cost every start
_READ_BYTES = 65536


class _Attempt(NamedTuple):
    """One attempt: its answer or its error, and what the retry decision needs where it may be made again."""

    reply: Reply | None = None
    error: TargetError | None = None
    failure: Failure | None = None


class Transport:
    """One client's way to the API. Safe to share between threads."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._owns_manager = config.pool is None
        self._pools = DeadlinePools(open_manager(config) if config.pool is None else config.pool)
        self._client = Client(
            "", pool=self._pools, retries=False, headers={"X-EXC-SDK": SDK_NAME, "X-EXC-SDK-Version": SDK_VERSION}
        )
        self._closed = False

    def send(self, call: Call) -> Reply:
        """The answer to ``call``, whatever its status.

        Raises:
            TargetTimeout: The deadline passed.
            TransportError: No usable answer, and no attempt left.
            ClientClosed: The client was closed meanwhile.
        """
        from target_delivery_api.api.delivery import execute  # the models behind it are slow to import

        config = self._config
        deadline = Deadline(config.timeout_s)
        arguments = execute.get_kwargs(
            body=call.content,
            ims_org_id=config.organization_id,
            session_id=call.session_id,
            version=config.version,
        )
        arguments.update(base_url=call.base_url, headers={"X-Request-Id": call.trace_id}, timeout=deadline)
        attempts = 0
        while True:
            attempts += 1
            attempt = self._attempt(call, arguments)
            delay_s = None
            if attempt.failure is not None:
                jitter = random.random()
                delay_s = retry_delay_s(attempt.failure, attempts, config.retries, deadline.remaining_s(), jitter)
            if delay_s is not None:
                time.sleep(delay_s)
            elif attempt.reply is not None:
                return attempt.reply
            elif attempt.error is not None:
                raise attempt.error

    def close(self) -> None:
        """Close the idle connections, unless the pool is the caller's."""
        self._closed = True
        if self._owns_manager:
            self._pools.clear()

    def _attempt(self, call: Call, arguments: dict[str, Any]) -> _Attempt:
        started = time.perf_counter()
        log = self._config.logger.debug
        try:
            response = self._client.request(preload_content=False, **arguments)
            content = _read(response, self._config.max_response_bytes)
        except (http_errors.HTTPError, TransportError, OSError) as error:
            attempt = self._explain(error, call)
            log(
                "POST %s request %s: %s after %.1f ms",
                call.base_url,
                call.trace_id,
                type(attempt.error).__name__,
                (time.perf_counter() - started) * 1000,
            )
            return attempt
        log(
            "POST %s request %s: %d, %d bytes sent, %d received, %.1f ms",
            call.base_url,
            call.trace_id,
            response.status,
            len(call.content),
            len(content),
            (time.perf_counter() - started) * 1000,
        )
        reply = Reply(response.status, response.reason or "", content)
        if response.status < 400:
            return _Attempt(reply=reply)
        retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
        return _Attempt(reply=reply, failure=Failure(Stage.ANSWERED, response.status, retry_after_s))

    def _explain(self, error: Exception, call: Call) -> _Attempt:
        """The error a caller gets for what urllib3 raised, and how far the attempt had got."""
        explained: TargetError
        failure = None
        # urllib3 wraps what went wrong while a connection was in use; the wrapped one tells more.
        cause = error.args[1] if isinstance(error, http_errors.ProtocolError) and len(error.args) > 1 else error
        if isinstance(error, TransportError):
            return _Attempt(error=error)
        if self._closed:
            explained = ClientClosed("The client was closed during the call")
        elif isinstance(error, http_errors.NewConnectionError | http_errors.ProxyError):
            explained = _unreachable(call, error)
            failure = Failure(Stage.CONNECTING)
        elif isinstance(error, http_errors.TimeoutError | http_errors.EmptyPoolError) or isinstance(
            cause, TimeoutError
        ):
            explained = TargetTimeout(
                f"No complete answer from {call.base_url} within {self._config.timeout_s * 1000:.0f} ms: raise "
                "'timeout', or fall back to default content"
            )
        elif isinstance(error, http_errors.SSLError):
            explained = TransportError(
                f"TLS with {call.base_url} failed ({_reason(error)}): check server_domain and ca_certs"
            )
        elif isinstance(cause, RemoteDisconnected | DiedUnanswered):
            explained = TransportError(f"{call.base_url} closed the connection without an answer: try again")
            failure = Failure(Stage.UNANSWERED)
        else:
            explained = TransportError(
                f"The answer from {call.base_url} could not be read ({type(cause).__name__}): try again"
            )
        explained.__cause__ = error
        return _Attempt(error=explained, failure=failure)


def _read(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """The unpacked body. Whatever goes wrong, the connection is not used again."""
    complete = False
    try:
        if response.status < 200:
            raise TransportError(
                f"The server answered {response.status}, which is no final status: check server_domain"
            )
        chunks, size = [], 0
        while chunk := response.read(_READ_BYTES):
            size += len(chunk)
            if size > most:
                raise TransportError(
                    f"The answer is larger than max_response_bytes ({most}): raise it, or ask for less"
                )
            chunks.append(chunk)
        complete = True
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    finally:
        if complete:
            response.release_conn()
        else:
            response.close()


def _unreachable(call: Call, error: Exception) -> TransportError:
    return TransportError(
        f"{call.base_url} cannot be reached ({_reason(error)}): check server_domain, proxy and the network"
    )


def _reason(error: BaseException) -> str:
    """The system's words for what went wrong: urllib3's own repeat addresses of objects, and URLs."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError | OSError) and seen.strerror:
            return seen.strerror
        inner = next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = seen.__cause__ or inner
    return type(error).__name__


def _retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if value is None:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (http_errors.InvalidHeader, OverflowError, ValueError):
        return None
