"""Sends a call over HTTP: attempts, within one deadline, until there is an answer or a reason why not."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from urllib3 import exceptions as http_errors
from urllib3.util.retry import Retry

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._http import failures
from target._http.deadline import Deadline, Exchange
from target._http.pools import open_pools
from target._http.reading import read_body
from target._http.routes import Routes
from target.config import ClientConfig
from target.delivery.attempts import Ended, NoAnswer, Send, Sleep, doubted
from target.delivery.echo import Habits, Verdict, Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import Stage
from target.errors import ClientClosed, TargetError
from target.version import __version__
from target_delivery_api import Client

SDK_NAME = "target-delivery-python"
SDK_VERSION = __version__
SDK_HEADERS = {
    "User-Agent": f"{SDK_NAME}/{SDK_VERSION}",
    "X-EXC-SDK": SDK_NAME,
    "X-EXC-SDK-Version": SDK_VERSION,
}
_NO_RETRIES = Retry(False, redirect=False)  # made once: urllib3 would turn a plain False into one on every call
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")
_ANY_SESSION = "of-any-session"


class Request(NamedTuple):
    """What goes over the wire, as the generated transport would send it."""

    method: str
    url: str
    content: bytes
    headers: Mapping[str, str]


class _Kept:
    """Stands where that transport expects its pool, and keeps the request instead of sending it."""

    def urlopen(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], **_: Any) -> Any:
        """The request."""
        return Request(method, url, body, headers)

    def clear(self) -> None:
        """Nothing is open."""


class RequestWriter:
    """Writes the requests of one client. What all of them share is written once, by the generated transport."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._client = Client("", pool=_Kept(), headers=SDK_HEADERS)
        self._usual: tuple[str, str, dict[str, str]] | None = None

    def write(self, call: Call) -> Request:
        """The request of ``call``, to the host that it names."""
        if call.headers or not _UNRESERVED.fullmatch(call.session_id):
            headers = {"X-Request-Id": call.trace_id, **call.headers}
            return self._write(call.base_url, call.session_id, call.content, headers)
        before, after, usual = self._usual or self._learn()
        headers = usual.copy()
        headers["X-Request-Id"] = call.trace_id
        return Request("POST", f"{call.base_url}{before}{call.session_id}{after}", call.content, headers)

    def _learn(self) -> tuple[str, str, dict[str, str]]:
        """What stands before and after the session id in any URL, and the headers."""
        written = self._write("", _ANY_SESSION, b"", {"X-Request-Id": ""})
        before, name, after = written.url.partition("sessionId=")  # no "=" is in the ids, which are encoded
        self._usual = before + name, after.removeprefix(_ANY_SESSION), dict(written.headers)
        return self._usual

    def _write(self, base_url: str, session_id: str, content: bytes, headers: Mapping[str, str]) -> Request:
        from target_delivery_api.api.delivery import execute  # the models behind it are slow to import

        config = self._config
        arguments = execute.get_kwargs(
            body=content, ims_org_id=config.organization_id, session_id=session_id, version=config.version
        )
        return cast("Request", self._client.request(base_url=base_url, headers=headers, **arguments))


class Transport:
    """One client's way to the API. Safe to share between threads."""

    kind = "urllib3"

    def __init__(self, config: ClientConfig, routes: Routes | None = None) -> None:
        self._config = config
        self._routes = routes or Routes(config)
        self._pools = open_pools(config)
        self._writer = RequestWriter(config)
        self._habits = Habits()
        renew_in_children(self._habits)
        self._closed = False

    def send(self, call: Call, deadline: Deadline | None = None, longest_pause_s: float = math.inf) -> Reply:
        """The answer to ``call``, whatever its status.

        Args:
            call: What to send.
            deadline: Where the call began before; by default it begins now.
            longest_pause_s: An answer that asks for a longer pause (Retry-After) is returned at once.

        Raises:
            TargetTimeout: The deadline passed.
            TransportError: No usable answer, and no attempt left.
            ClientClosed: The client was closed meanwhile.
        """
        deadline = deadline or Deadline(self._config.timeout_s)
        try:
            steps = self._routes.attempts(call, deadline, longest_pause_s)
            step = next(steps)
            while not isinstance(step, Reply):
                if isinstance(step, Sleep):
                    deadline.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(self._attempt(step, deadline))
            return step
        finally:
            if self._closed:
                self.close()  # the connection of a call that outlived its client

    def send_aside(self, call: Call) -> Reply:
        """The same for what is sent in the background: it is not this call alone that has to wait for a pause."""
        return self.send(call, longest_pause_s=0.0)

    def connections(self) -> dict[str, int] | None:
        """How many are idle, and were made; None in a pool of the caller's."""
        return self._pools.connections()

    def close(self) -> None:
        """Close the idle connections, unless the pool is the caller's."""
        self._closed = True
        self._pools.clear()

    def _attempt(self, step: Send, deadline: Deadline) -> Ended:
        call, config, started = step.call, self._config, monotonic_s()
        deadline.anew = step.anew
        deadline.connects_until = started + deadline.remaining_s() / 2 if step.leaves_time else math.inf
        exchange = partial(self._exchange, step, self._writer.write(call))
        try:
            reply, said = deadline.answer_of(exchange) if step.may_repeat else exchange(deadline)
            ended = reply if said is None else doubted(step, said)
        except failures.RAISED as error:
            ended = NoAnswer(*self._explain(error, call, deadline))
        except ClientClosed:  # ended from another thread between two steps
            failures.tell_failure(config, call, ClientClosed.__name__, started)
            raise
        if call.record is not None or config.logger.isEnabledFor(logging.DEBUG):
            failures.tell_attempt(config, call, ended, started)
        if call.cluster is not None and not isinstance(ended, Whose):
            self._routes.tried(call, ended.error if isinstance(ended, NoAnswer) else ended)
        return ended

    def _exchange(self, step: Send, request: Request, deadline: Deadline) -> tuple[Reply, Whose | None]:
        """The answer; with what it says of whose it is, where it may be another request's."""
        exchange = Exchange(deadline)
        verdict = None
        try:
            response = self._pools.urlopen(
                request.method,
                request.url,
                body=request.content,
                headers=request.headers,
                timeout=exchange,
                retries=_NO_RETRIES,
                redirect=False,
                preload_content=False,
            )
            content = read_body(response, self._config.max_response_bytes, exchange)
            wanted_s = retry_after_s(response.headers.get("Retry-After")) if response.status >= 400 else None
            most_values = self._config.max_response_values
            reply = Reply(response.status, response.reason or "", content, wanted_s, most_values)
            verdict, said = self._habits.judge(reply, step.call, exchange.is_kept, step.doubt)
        finally:
            exchange.end(keep=verdict is Verdict.TAKE)
        if verdict is Verdict.TAKE_STATUS:
            reply = reply._replace(content=b"")
        return reply, said if verdict is Verdict.ASK_AGAIN else None

    def _explain(self, error: Exception, call: Call, deadline: Deadline) -> tuple[TargetError, Stage | None]:
        """The error a caller gets, and how far the attempt had got if it may be repeated."""
        explained, stage = failures.explain_call(error, self._config, call)
        was_ended = deadline.abort is not None and deadline.abort.called
        if explained is error or not (self._closed or was_ended):
            return explained, stage
        is_closed = self._closed or deadline.remaining_s() > 0
        ended = failures.closed_meanwhile() if is_closed else failures.timed_out(self._config, call)
        ended.__cause__ = explained.__cause__
        return ended, None


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if value is None:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (http_errors.InvalidHeader, OverflowError, ValueError):
        return None
