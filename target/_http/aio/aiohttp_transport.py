"""Sends calls of an event loop on sockets of that loop, through aiohttp."""

from __future__ import annotations

import asyncio
import logging
import ssl
import weakref
from contextvars import Context, copy_context
from typing import Any

import aiohttp
from yarl import URL

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target._http import failures
from target._http.aio import timing
from target._http.aio.bodies import body_to_send, read_body
from target._http.aio.connection import Connector, Opened, Sending, sending
from target._http.aio.timing import Alarms
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
#: An attempt, what is sent, and for how many seconds a connection may take to be made, where that is bounded.
_What = tuple[Send, Request, float | None]


class _First(Sending):
    """One attempt that may stay silent on a kept connection: then the same is attempted over a new one, beside it (see
    ``target._http.beside``)."""

    __slots__ = ("_began_s", "_context", "_deadline", "_second", "_transport", "_what")

    def __init__(self, transport: AiohttpTransport, what: _What, deadline: Deadline) -> None:
        super().__init__(transport.alarms, what[0].anew)
        self._transport = transport
        self._what: _What | None = what
        self._deadline: Deadline | None = deadline
        self._context: Context | None = copy_context()  # the caller's, in which no alarm rings
        self._began_s = monotonic_s()
        self.patience_s = transport.keeping.patience_s(deadline.ends_at - self._began_s)
        self._second: asyncio.Task[_Answer] | None = None

    def try_beside(self) -> None:
        """Begin the second."""
        if self._what is None or self._deadline is None:
            return
        self._deadline.repeats += 1
        second = self._transport.exchange(Sending(self._alarms, anew=True), *self._what)
        self._second = task = asyncio.get_running_loop().create_task(second, context=self._context)
        self._transport.beside.add(task)
        task.add_done_callback(self._end_first)

    async def answer_after(self, error: Exception) -> _Answer:
        """The answer of the second."""
        if isinstance(error, Superseded):
            self._transport.keeping.was_dead()
            answer: _Answer = error.answer
            return answer
        if self._second is None:
            raise error
        return await self._second  # the first is dead for certain

    def end(self, is_answered: bool) -> None:
        """Wait for nothing any more, and hold nothing of the call: a connection keeps the context that it was made in.
        ``is_answered``: by this one itself."""
        self.heard()
        second, self._second = self._second, None
        self._what = self._deadline = self._context = None
        if second is not None:
            second.cancel()
            if is_answered:
                self._transport.keeping.was_slow(monotonic_s() - self._began_s)

    def _end_first(self, task: asyncio.Task[_Answer]) -> None:
        self._transport.beside.discard(task)
        if not task.cancelled() and task.exception() is None and self.connection is not None:
            self.connection.supersede(task.result())


class AiohttpTransport:
    """One client's way to the API, on one event loop."""

    kind = "aiohttp"

    def __init__(self, config: ClientConfig, routes: Routes) -> None:
        self._config = config
        self._habits = Habits()
        renew_in_children(self._habits)
        self.keeping = Keeping(config.max_idle_s)
        self.alarms = Alarms()
        self.beside: set[asyncio.Task[_Answer]] = set()  # second attempts
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
        if self.beside:
            await asyncio.wait(self.beside)
        await self._session.close()
        for _ in range(2):  # the loop closes a socket in the turn after it was told to
            await asyncio.sleep(0)

    async def _attempt(self, step: Send, deadline: Deadline) -> Ended:
        call, config, started = step.call, self._config, monotonic_s()
        what = step, self._writer.write(call), deadline.remaining_s() / 2 if step.leaves_time else None
        first = _First(self, what, deadline) if step.may_repeat else None
        is_answered = False
        try:
            try:
                reply, said = await self.exchange(first or Sending(self.alarms, step.anew), *what)
                is_answered = True
            except (Superseded, *_RAISED) as error:
                if first is None:
                    raise
                reply, said = await first.answer_after(error)
            finally:
                if first is not None:
                    first.end(is_answered)
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

    async def exchange(self, now: Sending, step: Send, request: Request, connect_s: float | None) -> _Answer:
        """What ``now`` brings; with what that says of whose it is, where it may be another request's."""
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
