"""Sends a call over HTTP: attempts, within one deadline, until there is an answer or a reason why not."""

from __future__ import annotations

import math
import random
import ssl
from functools import partial
from http.client import HTTPException, RemoteDisconnected
from typing import Any, NamedTuple

from urllib3 import exceptions as http_errors
from urllib3.util.retry import Retry

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._http import failures
from target._http.beside import answer_of
from target._http.body import read_body
from target._http.deadline import Deadline, Exchange
from target._http.pools import open_pools
from target._http.reading import DiedUnanswered
from target._http.routes import Routes
from target.config import ClientConfig
from target.delivery.echo import Habits, Verdict, Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import Failure, Stage, retry_delay_s
from target.errors import ClientClosed, TargetError, TransportError
from target.version import __version__
from target_delivery_api import Client

SDK_NAME = "target-delivery-python"
SDK_VERSION = __version__
SDK_HEADERS = {
    "User-Agent": f"{SDK_NAME}/{SDK_VERSION}",
    "X-EXC-SDK": SDK_NAME,
    "X-EXC-SDK-Version": SDK_VERSION,
}


class _Attempt(NamedTuple):
    """How one attempt ended, and what the retry decision needs where it may be made again.

    ``doubt`` is what the answer said of whose it is, where it is not to be handed on.
    """

    outcome: Reply | TargetError
    failure: Failure | None = None
    doubt: Whose | None = None


class Transport:
    """One client's way to the API. Safe to share between threads."""

    def __init__(self, config: ClientConfig, routes: Routes | None = None) -> None:
        self._config = config
        self._routes = routes or Routes(config)
        self._pools = open_pools(config)
        self._client = Client(
            "",
            pool=self._pools,
            retries=Retry(False, redirect=False),  # made once: urllib3 would turn a plain False into one on every call
            headers=SDK_HEADERS,
        )
        self._habits = Habits()
        renew_in_children(self._habits)
        self._closed = False

    def send(self, call: Call, deadline: Deadline | None = None) -> Reply:
        """The answer to ``call``, whatever its status.

        Args:
            call: What to send.
            deadline: Where the call began before; by default it begins now.

        Raises:
            TargetTimeout: The deadline passed.
            TransportError: No usable answer, and no attempt left.
            ClientClosed: The client was closed meanwhile.
        """
        return self._send(call, deadline or Deadline(self._config.timeout_s), math.inf)

    def send_aside(self, call: Call) -> Reply:
        """The same for what is sent in the background: an answer that asks for a pause (Retry-After) is returned at
        once, since it is not this call alone that has to wait."""
        return self._send(call, Deadline(self._config.timeout_s), 0.0)

    def close(self) -> None:
        """Close the idle connections, unless the pool is the caller's."""
        self._closed = True
        self._pools.clear()

    def _send(self, call: Call, deadline: Deadline, longest_pause_s: float) -> Reply:
        from target_delivery_api.api.delivery import execute  # the models behind it are slow to import

        config = self._config
        arguments = execute.get_kwargs(
            body=call.content,
            ims_org_id=config.organization_id,
            session_id=call.session_id,
            version=config.version,
        )
        arguments.update(headers={"X-Request-Id": call.trace_id})
        try:
            return self._send_until(call, arguments, deadline, longest_pause_s)
        finally:
            if self._closed:
                self.close()  # the connection of a call that outlived its client

    def _send_until(self, call: Call, arguments: dict[str, Any], deadline: Deadline, longest_pause_s: float) -> Reply:
        routes, attempts, asked_url = self._routes, 0, call.base_url
        call = routes.start(call)
        doubt: Whose | None = None
        while True:
            attempts += 1
            arguments["base_url"] = call.base_url
            may_repeat = attempts + deadline.repeats <= self._config.retries
            is_first_of_two = may_repeat and call.cluster is not None
            connect_s = routes.connect_s(call, deadline.remaining_s()) if is_first_of_two else math.inf
            deadline.connects_until = monotonic_s() + connect_s
            outcome, failure, doubted = self._attempt(call, arguments, deadline, may_repeat, doubt)
            if doubted is not None:
                if doubt is not None:
                    error = failures.not_ours(call)
                    routes.tried(call, error)
                    raise error
                doubt, deadline.anew = doubted, True
                attempts -= 1  # nobody has answered this call yet
                continue
            if call.cluster is not None:
                routes.tried(call, outcome)
            delay_s = None
            following, failure = (call, None) if failure is None else routes.next(call, failure)
            if failure is not None and (failure.retry_after_s or 0.0) <= longest_pause_s:
                made, jitter = attempts + deadline.repeats, random.random()
                delay_s = retry_delay_s(failure, made, self._config.retries, deadline.remaining_s(), jitter)
                deadline.anew = failure.stage is Stage.UNANSWERED  # what killed that one may have killed all
            if delay_s is not None:
                deadline.sleep(delay_s)
                if following is not call:
                    call, doubt = following, None
            elif isinstance(outcome, Reply):
                return outcome if call.base_url == asked_url else outcome._replace(moved=True)
            else:
                raise outcome

    def _attempt(
        self, call: Call, arguments: dict[str, Any], deadline: Deadline, may_repeat: bool, doubt: Whose | None
    ) -> _Attempt:
        started = monotonic_s()
        exchange = partial(self._exchange, call, arguments, doubt)
        try:
            reply, doubted = answer_of(exchange, deadline) if may_repeat else exchange(deadline)
        except (http_errors.HTTPError, HTTPException, TransportError, OSError) as error:
            return self._failed(error, call, deadline, started)
        except ClientClosed:  # ended from another thread between two steps
            failures.log_failure(self._config, call, ClientClosed.__name__, started)
            raise
        if doubted is not None:
            failures.log_failure(self._config, call, "an answer to another request", started)
            return _Attempt(reply, doubt=doubted)
        failures.log_answer(self._config, call, reply.status, len(reply.content), started)
        failed = Failure(Stage.ANSWERED, reply.status, reply.retry_after_s) if reply.status >= 400 else None
        return _Attempt(reply, failed)

    def _exchange(
        self, call: Call, arguments: dict[str, Any], doubt: Whose | None, deadline: Deadline
    ) -> tuple[Reply, Whose | None]:
        """The answer; with what it says of whose it is, where it may be another request's."""
        exchange = Exchange(deadline)
        verdict = None
        try:
            response = self._client.request(preload_content=False, **arguments, timeout=exchange)
            content = read_body(response, self._config.max_response_bytes, exchange)
            wanted_s = retry_after_s(response.headers.get("Retry-After")) if response.status >= 400 else None
            most_values = self._config.max_response_values
            reply = Reply(response.status, response.reason or "", content, wanted_s, most_values)
            verdict, said = self._habits.judge(reply, call, exchange.is_kept, doubt)
        finally:
            exchange.end(keep=verdict is Verdict.TAKE)
        if verdict is Verdict.TAKE_STATUS:
            reply = reply._replace(content=b"")
        return reply, said if verdict is Verdict.ASK_AGAIN else None

    def _failed(self, error: Exception, call: Call, deadline: Deadline, started: float) -> _Attempt:
        explained, stage = self._explain(error, call, deadline)
        failures.log_failure(self._config, call, type(explained).__name__, started)
        return _Attempt(explained, None if stage is None else Failure(stage))

    def _explain(self, error: Exception, call: Call, deadline: Deadline) -> tuple[TargetError, Stage | None]:
        """The error a caller gets for what urllib3 raised, and how far the attempt had got if it may be repeated."""
        if isinstance(error, TransportError):
            return error, None
        while isinstance(error, http_errors.MaxRetryError) and error.reason is not None:
            error = error.reason  # its own words show the whole URL, ids included
        cause = _origin(error)
        stage = None
        explained: TargetError
        ended = deadline.abort is not None and deadline.abort.called
        if self._closed or (ended and deadline.remaining_s() > 0):
            explained = failures.closed_meanwhile()
        elif ended or _is_timeout(cause):
            explained = failures.timed_out(self._config, call)
        elif isinstance(cause, http_errors.SSLError | ssl.SSLError):
            explained = failures.tls_failed(call, failures.reason_of(error))
        elif isinstance(error, http_errors.ProxyError) or isinstance(cause, http_errors.NewConnectionError):
            explained = failures.unreachable(call, failures.reason_of(error))
            stage = Stage.CONNECTING
        elif isinstance(cause, RemoteDisconnected | DiedUnanswered):
            explained = failures.unanswered(call)
            stage = Stage.UNANSWERED
        else:
            explained = failures.unreadable(call, type(cause).__name__)
        explained.__cause__ = error
        return explained, stage


def _origin(error: BaseException) -> BaseException:
    """What went wrong inside: urllib3 wraps what happens on a connection in use, or on the way to a proxy."""
    if isinstance(error, http_errors.ProxyError):
        return _origin(error.original_error)
    if isinstance(error, http_errors.ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], Exception):
        return error.args[1]
    return error


def _is_timeout(cause: BaseException) -> bool:
    if isinstance(cause, http_errors.NewConnectionError):  # a ConnectTimeoutError by descent only
        return False
    return isinstance(cause, http_errors.TimeoutError | http_errors.EmptyPoolError | TimeoutError)


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if value is None:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (http_errors.InvalidHeader, OverflowError, ValueError):
        return None
