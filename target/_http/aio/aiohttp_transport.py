"""Sends calls of an event loop on sockets of that loop, through aiohttp."""

from __future__ import annotations

import asyncio
import logging
import ssl
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import aiohttp
from yarl import URL

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._http import failures
from target._http.aio import timing
from target._http.aio.bodies import body_to_send, read_body
from target._http.aio.connection import Connector, Opened, Sending, sending
from target._http.beside import Superseded
from target._http.deadline import SOONEST_S, Deadline, Keeping
from target._http.pools import trusted_context
from target._http.proxies import Proxies
from target._http.routes import Routes
from target._http.transport import Request, RequestWriter, retry_after_s
from target.config import ClientConfig
from target.delivery.attempts import Ended, NoAnswer, Send, Sleep, doubted
from target.delivery.echo import Habits, Verdict, Whose
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import TargetTimeout

_LONGEST_LINE = 65536  # of a head, as http.client has it
_RAISED = (aiohttp.ClientError, *failures.RAISED)


#: With what the answer said of whose it is, where it may be another request's.
_Answer = tuple[Reply, Whose | None]
_Exchange = Callable[[Sending], Coroutine[Any, Any, _Answer]]


class _Second:
    """Attempts the same over a new connection, when it is called: beside an attempt on a kept one that stays silent."""

    __slots__ = ("_all", "_deadline", "_exchange", "_first", "task")

    def __init__(
        self, exchange: _Exchange, deadline: Deadline, first: Sending, all_of_them: set[asyncio.Task[_Answer]]
    ) -> None:
        self._exchange, self._deadline, self._first, self._all = exchange, deadline, first, all_of_them
        self.task: asyncio.Task[_Answer] | None = None

    def __call__(self) -> None:
        """Begin."""
        self._deadline.repeats += 1
        self.task = asyncio.create_task(self._exchange(Sending(None, anew=True)))
        self._all.add(self.task)
        self.task.add_done_callback(self._end_first)

    def _end_first(self, task: asyncio.Task[_Answer]) -> None:
        self._all.discard(task)
        if not task.cancelled() and task.exception() is None and self._first.connection is not None:
            self._first.connection.supersede(task.result())


class AiohttpTransport:
    """One client's way to the API, on one event loop."""

    kind = "aiohttp"

    def __init__(self, config: ClientConfig, routes: Routes) -> None:
        self._config = config
        self._habits = Habits()
        renew_in_children(self._habits)
        self._keeping = Keeping(config.max_idle_s)
        self._beside: set[asyncio.Task[_Answer]] = set()
        self._routes = routes
        self._proxies = Proxies(config)
        self._context: ssl.SSLContext | None = None
        self._writer = RequestWriter(config)
        self._opened = Opened()
        self._session = aiohttp.ClientSession(
            connector=Connector(config.timeout_s, config.max_idle_s, self._opened),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is kept by who calls
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        weakref.finalize(self, self._session.detach)  # or it would log that the user forgot to close a session

    async def send(self, call: Call, deadline: Deadline) -> Reply:
        """The answer; see AsyncTransport."""
        steps = self._routes.attempts(call, deadline)
        step = next(steps)
        while not isinstance(step, Reply):
            if isinstance(step, Sleep):
                await timing.sleep(step.seconds)
                step = next(steps)
            else:
                step = steps.send(await self._attempt(step, deadline))
        return step

    def connections(self) -> dict[str, int]:
        """How many there are; see AsyncTransport."""
        return self._opened.counts()

    async def close(self) -> None:
        """Close every connection."""
        if self._beside:
            await asyncio.wait(self._beside)
        await self._session.close()
        for _ in range(2):  # the loop closes a socket in the turn after it was told to
            await asyncio.sleep(0)

    async def _attempt(self, step: Send, deadline: Deadline) -> Ended:
        call, config, started = step.call, self._config, monotonic_s()
        connect_s = deadline.remaining_s() / 2 if step.leaves_time else None
        exchange = partial(self._exchange, step, self._writer.write(call), connect_s)
        try:
            if step.may_repeat:
                reply, said = await self._exchange_beside(exchange, step, deadline)
            else:
                reply, said = await exchange(Sending(None, step.anew))
            ended = reply if said is None else doubted(step, said)
        except _RAISED as error:
            explained, stage = failures.explain_call(error, config, call)
            if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL):
                explained.__cause__ = None  # what it says shows all of the URL, ids included
            ended = NoAnswer(explained, stage)
        except asyncio.CancelledError:
            is_late = deadline.remaining_s() <= 0
            if is_late:
                self._routes.tried(call, failures.timed_out(config, call))
            failures.tell_failure(config, call, TargetTimeout.__name__ if is_late else "cancelled", started)
            raise
        if call.record is not None or config.logger.isEnabledFor(logging.DEBUG):
            failures.tell_attempt(config, call, ended, started)
        if not isinstance(ended, Whose):
            self._routes.tried(call, ended.error if isinstance(ended, NoAnswer) else ended)
        return ended

    async def _exchange_beside(self, exchange: _Exchange, step: Send, deadline: Deadline) -> _Answer:
        """The answer; over a new connection where a kept one is silent for too long (see ``target._http.beside``)."""
        now = Sending(self._keeping.patience_s(deadline.remaining_s()), step.anew)
        second = now.try_beside = _Second(exchange, deadline, now, self._beside)
        began_s = monotonic_s()
        try:
            answer = await exchange(now)
        except Superseded as superseded:
            self._keeping.was_dead()
            answer = superseded.answer
        except _RAISED:
            if second.task is None:
                raise
            answer = await second.task  # the first is dead for certain
        else:
            if second.task is not None:
                self._keeping.was_slow(monotonic_s() - began_s)
        finally:
            now.try_beside = None
            if second.task is not None:
                second.task.cancel()
        return answer

    async def _exchange(self, step: Send, request: Request, connect_s: float | None, now: Sending) -> _Answer:
        sending.set(now)
        data, headers = body_to_send(request.content, request.headers)
        options: dict[str, Any] = {}
        if connect_s is not None:
            options["timeout"] = aiohttp.ClientTimeout(total=None, connect=max(connect_s, SOONEST_S))
        proxy = self._proxies.of(request.url)
        if self._config.secure or (proxy is not None and proxy.url.startswith("https:")):
            options["ssl"] = self._trust()
        if proxy is not None:
            options["proxy"] = proxy.url
            if self._config.secure:
                options["proxy_headers"] = proxy.headers
            else:  # no tunnel: the request itself is what the proxy reads
                headers = {**headers, **proxy.headers}
        response = await self._session.request(
            request.method, URL(request.url, encoded=True), data=data, headers=headers, allow_redirects=False, **options
        )
        try:
            content = await read_body(response, self._config.max_response_bytes)
        except BaseException:
            response.close()
            if now.connection is not None:
                now.connection.discard()  # aiohttp has it back already where all of the answer was there
            raise
        response.release()
        wanted_s = retry_after_s(response.headers.get("Retry-After")) if response.status >= 400 else None
        most_values = self._config.max_response_values
        reply = Reply(response.status, response.reason or "", content, wanted_s, most_values)
        is_kept = None if now.connection is None else now.connection.took_kept
        verdict, said = self._habits.judge(reply, step.call, is_kept, step.doubt)
        if verdict is not Verdict.TAKE and now.connection is not None:
            now.connection.discard()
        if verdict is Verdict.TAKE_STATUS:
            reply = reply._replace(content=b"")
        return reply, said if verdict is Verdict.ASK_AGAIN else None

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = trusted_context(self._config.ca_certs)
        return self._context
