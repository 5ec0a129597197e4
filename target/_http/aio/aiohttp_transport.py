"""Sends calls of an event loop on sockets of that loop, through aiohttp."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import weakref
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import aiohttp
from urllib3 import exceptions as http_errors
from yarl import URL

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._http import failures
from target._http.aio import timing
from target._http.aio.bodies import body_to_send, read_body
from target._http.aio.wire import Connector, DiedUnanswered, Sending, sending
from target._http.beside import Superseded
from target._http.deadline import SOONEST_S, Deadline, Keeping
from target._http.pools import trusted_context
from target._http.proxies import Proxies
from target._http.routes import Routes
from target._http.transport import SDK_HEADERS, retry_after_s
from target.config import ClientConfig
from target.delivery.echo import Habits, Verdict, Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.delivery.retry import Failure, Stage, retry_delay_s
from target.errors import TargetError, TransportError
from target_delivery_api import Client

_LONGEST_LINE = 65536  # of a head, as http.client has it
_ERRORS = (aiohttp.ClientError, http_errors.HTTPError, TransportError, OSError)


#: With what the answer said of whose it is, where it may be another request's.
_Answer = tuple[Reply, Whose | None]
_Exchange = Callable[[Sending], Coroutine[Any, Any, _Answer]]


class _Request(NamedTuple):
    """What goes over the wire, as the generated transport would send it."""

    method: str
    url: str
    content: bytes
    headers: Mapping[str, str]


class _Writer:
    """Stands where that transport expects its pool, and keeps the request instead of sending it."""

    def urlopen(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], **_: Any) -> Any:
        """The request."""
        return _Request(method, url, body, headers)

    def clear(self) -> None:
        """Nothing is open."""


class AiohttpTransport:
    """One client's way to the API, on one event loop."""

    def __init__(self, config: ClientConfig, routes: Routes) -> None:
        self._config = config
        self._habits = Habits()
        renew_in_children(self._habits)
        self._keeping = Keeping(config.max_idle_s)
        self._beside: set[asyncio.Task[_Answer]] = set()
        self._routes = routes
        self._proxies = Proxies(config)
        self._context: ssl.SSLContext | None = None
        self._writer = Client("", pool=_Writer(), headers=SDK_HEADERS)
        self._session = aiohttp.ClientSession(
            connector=Connector(config.timeout_s, config.max_idle_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is kept by who calls
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        weakref.finalize(self, self._session.detach)  # or it would log that the user forgot to close a session

    async def send(self, call: Call, deadline: Deadline) -> Reply:
        """The answer; see AsyncTransport."""
        routes, attempts, asked_url = self._routes, 0, call.base_url
        call = routes.start(call)
        doubt: Whose | None = None
        while True:
            attempts += 1
            may_repeat = attempts + deadline.repeats <= self._config.retries
            connect_s = routes.connect_s(call, deadline.remaining_s()) if may_repeat else math.inf
            exchange = partial(self._exchange, call, self._write(call), doubt, connect_s)
            outcome, failure, doubted = await self._attempt(call, exchange, deadline, may_repeat)
            if doubted is not None:
                if doubt is not None:
                    error = failures.not_ours(call)
                    routes.tried(call, error)
                    raise error
                doubt, deadline.anew = doubted, True
                attempts -= 1  # nobody has answered this call yet
                continue
            routes.tried(call, outcome)
            delay_s = None
            following, failure = routes.next(call, failure)
            if failure is not None:
                made, jitter = attempts + deadline.repeats, random.random()
                delay_s = retry_delay_s(failure, made, self._config.retries, deadline.remaining_s(), jitter)
                deadline.anew = failure.stage is Stage.UNANSWERED  # what killed that one may have killed all
            if delay_s is not None:
                await timing.sleep(delay_s)
                if following is not call:
                    call, doubt = following, None
            elif isinstance(outcome, Reply):
                return outcome if call.base_url == asked_url else outcome._replace(moved=True)
            else:
                raise outcome

    async def close(self) -> None:
        """Close every connection."""
        if self._beside:
            await asyncio.wait(self._beside)
        await self._session.close()
        for _ in range(2):  # the loop closes a socket in the turn after it was told to
            await asyncio.sleep(0)

    def _write(self, call: Call) -> _Request:
        from target_delivery_api.api.delivery import execute  # the models behind it are slow to import

        arguments = execute.get_kwargs(
            body=call.content,
            ims_org_id=self._config.organization_id,
            session_id=call.session_id,
            version=self._config.version,
        )
        headers = {"X-Request-Id": call.trace_id}
        return cast("_Request", self._writer.request(base_url=call.base_url, headers=headers, **arguments))

    async def _attempt(
        self, call: Call, exchange: _Exchange, deadline: Deadline, may_repeat: bool
    ) -> tuple[Reply | TargetError, Failure | None, Whose | None]:
        started = monotonic_s()
        try:
            if may_repeat:
                reply, doubted = await self._exchange_beside(exchange, deadline)
            else:
                reply, doubted = await exchange(Sending(None, deadline.anew))
        except _ERRORS as error:
            explained, failure = self._explain(error, call)
            failures.log_failure(self._config, call, type(explained).__name__, started)
            return explained, failure, None
        except asyncio.CancelledError:
            if deadline.remaining_s() <= 0:
                self._routes.tried(call, failures.timed_out(self._config, call))
            what = "TargetTimeout" if deadline.remaining_s() <= 0 else "cancelled"
            failures.log_failure(self._config, call, what, started)
            raise
        if doubted is not None:
            failures.log_failure(self._config, call, "an answer to another request", started)
            return reply, None, doubted
        failures.log_answer(self._config, call, reply.status, len(reply.content), started)
        failed = Failure(Stage.ANSWERED, reply.status, reply.retry_after_s) if reply.status >= 400 else None
        return reply, failed, None

    async def _exchange_beside(self, exchange: _Exchange, deadline: Deadline) -> _Answer:
        """The answer; over a new connection where a kept one is silent for too long (see ``target._http.beside``)."""
        now = Sending(self._keeping.patience_s(deadline.remaining_s()), deadline.anew)
        second: asyncio.Task[_Answer] | None = None
        began_s = monotonic_s()

        def try_beside() -> None:
            nonlocal second
            deadline.repeats += 1
            second = asyncio.create_task(exchange(Sending(None, anew=True)))
            self._beside.add(second)
            second.add_done_callback(end_first)

        def end_first(task: asyncio.Task[_Answer]) -> None:
            self._beside.discard(task)
            if not task.cancelled() and task.exception() is None and now.wire is not None:
                now.wire.supersede(task.result())

        now.try_beside = try_beside
        try:
            answer = await exchange(now)
        except Superseded as superseded:
            self._keeping.was_dead()
            answer = superseded.answer
        except _ERRORS:
            if second is None:
                raise
            answer = await second  # the first is dead for certain
        else:
            if second is not None:
                self._keeping.was_slow(monotonic_s() - began_s)
        finally:
            now.try_beside = None
            if second is not None:
                second.cancel()
        return answer

    async def _exchange(
        self, call: Call, request: _Request, doubt: Whose | None, connect_s: float, now: Sending
    ) -> _Answer:
        sending.set(now)
        data, headers = body_to_send(request.content, request.headers)
        options: dict[str, Any] = {}
        if connect_s < math.inf:
            options["timeout"] = aiohttp.ClientTimeout(total=None, connect=max(connect_s, SOONEST_S))
        proxy = self._proxies.of(request.url)
        if self._config.secure or (proxy is not None and proxy.url.startswith("https:")):
            options["ssl"] = self._trust()
        if proxy is not None:
            options["proxy"] = proxy.url
            if self._config.secure:
                options["proxy_headers"] = proxy.headers
            else:  # no tunnel: the request itself is what the proxy reads
                headers |= proxy.headers
        response = await self._session.request(
            request.method, URL(request.url, encoded=True), data=data, headers=headers, allow_redirects=False, **options
        )
        try:
            content = await read_body(response, self._config.max_response_bytes)
        except BaseException:
            response.close()
            if now.wire is not None:
                now.wire.discard()  # aiohttp has it back already where all of the answer was there
            raise
        response.release()
        wanted_s = retry_after_s(response.headers.get("Retry-After")) if response.status >= 400 else None
        most_values = self._config.max_response_values
        reply = Reply(response.status, response.reason or "", content, wanted_s, most_values)
        verdict, said = self._habits.judge(reply, call, None if now.wire is None else now.wire.took_kept, doubt)
        if verdict is not Verdict.TAKE and now.wire is not None:
            now.wire.discard()
        if verdict is Verdict.TAKE_STATUS:
            reply = reply._replace(content=b"")
        return reply, said if verdict is Verdict.ASK_AGAIN else None

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = trusted_context(self._config.ca_certs)
        return self._context

    def _explain(self, error: Exception, call: Call) -> tuple[TargetError, Failure | None]:
        """The error a caller gets for what aiohttp raised, and how far the attempt had got if it may be repeated."""
        if isinstance(error, TransportError):
            return error, None
        cause: BaseException = error
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            cause = error.certificate_error
        elif isinstance(error, aiohttp.ClientConnectorError):
            cause = error.os_error
        stage = None
        if isinstance(cause, ssl.SSLError | http_errors.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            explained = failures.tls_failed(call, failures.reason_of(cause))
        elif isinstance(error, aiohttp.ClientHttpProxyError):
            explained = failures.unreachable(call, failures.tunnel_refused(error.status))
            stage = Stage.CONNECTING
        elif isinstance(error, aiohttp.ConnectionTimeoutError):
            explained = failures.unreachable(call, "no connection in time")
            stage = Stage.CONNECTING
        elif isinstance(error, aiohttp.ClientConnectorError):
            explained = failures.unreachable(call, failures.reason_of(cause))
            stage = Stage.CONNECTING
        elif isinstance(error, DiedUnanswered | aiohttp.ClientConnectionResetError):
            explained = failures.unanswered(call)
            stage = Stage.UNANSWERED
        else:
            explained = failures.unreadable(call, type(error).__name__)
        # What aiohttp says of an answer or a URL shows all of the URL, ids included.
        if not isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL):
            explained.__cause__ = error
        return explained, None if stage is None else Failure(stage)
