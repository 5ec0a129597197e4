"""AsyncTargetClient: TargetClient for asyncio. What is sent and what it means is decided by the same modules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from target._background.forks import begin_anew_if_forked, import_before_threads
from target._background.runtime import system_runtime
from target._background.shares import HOME, PLACES, Host, did_answer, host_of
from target._http.aio import AsyncTransport, open_transport
from target._http.aio.gate import Gate
from target._http.aio.threads import Threads
from target._http.deadline import Deadline
from target._http.transport import Transport
from target.calls import Calls, merge, merge_for_attributes, parse_names, refuse_to_call_back
from target.causes import discreet
from target.config import AsyncClientConfig, RequestConfig, parse_async_client_options, parse_request_options
from target.delivery.request import Call
from target.environment import AsyncFromEnvironment
from target.errors import ClientClosed, TargetError
from target.explaining import AsyncExplainingClient
from target.notifying import AsyncNotifyingClient
from target.overriding import OverridingClient
from target.reading import SMALL_BYTES
from target.response import TargetDeliveryResponse
from target.services import Services
from target.values import parse_timeout_s
from target.ways import Decide, Finish, Way

if TYPE_CHECKING:
    from target.attributes import AttributesProvider
    from target.hooking import Hooks
    from target.options import AsyncClientOptions, AttributesOptions, RequestOptions

T = TypeVar("T")

_ASIDE_THREADS = 8  # for each kind of work
_READY = Host("the first rules")
_READING_THREADS = 2  # for large answers; they take turns anyway


class AsyncTargetClient(AsyncNotifyingClient, AsyncExplainingClient, OverridingClient, AsyncFromEnvironment):
    """A client of the Adobe Target Delivery API for asyncio: make one with ``create``, share it between the tasks of
    its event loop, close it.

    Options, results and errors are those of ``TargetClient``, but for callbacks: cancel a call or put it under
    ``asyncio.timeout``, and it ends at once and leaves no connection behind.
    """

    _config: AsyncClientConfig
    _transport: AsyncTransport
    _gate: Gate
    _aside: Threads
    _reading: Threads
    _blocking: Transport
    _open_blocking: Callable[..., Transport] = Transport
    _open_transport: Callable[..., AsyncTransport] = staticmethod(open_transport)
    _closing: asyncio.Lock
    _ended: bool

    @overload
    @classmethod
    async def create(cls, options: AsyncClientOptions, /) -> Self: ...
    @overload
    @classmethod
    async def create(cls, /, **keywords: Unpack[AsyncClientOptions]) -> Self: ...
    @classmethod
    @discreet
    async def create(cls, options: Any = None, /, **keywords: Any) -> Self:
        """A client with these options, bound to the running event loop; see ``target.options.AsyncClientOptions``.

        Handlers of ``events`` are called on threads, as those of ``TargetClient`` are.

        Raises:
            OptionsError: An option is missing, unknown or wrong.
        """
        begin_anew_if_forked()
        self = cls.__new__(cls)
        self._config = parse_async_client_options(merge(options, keywords))
        import_before_threads()
        config, runtime = self._config.client, system_runtime()
        self._calls = Calls(config, runtime)
        self._gate = Gate(self._config)
        self._aside = Threads(_ASIDE_THREADS, config.logger)
        self._reading = Threads(_READING_THREADS, config.logger)
        self._closing = asyncio.Lock()
        self._ended = False
        # Outbox and on-device decisioning work on threads, and wait for disks and hosts as no event loop may.
        self._blocking = self._open_blocking(config, self._calls.routes)
        self._transport = self._open_transport(self._config, self._calls.routes)
        try:
            routes, send, loop = self._calls.routes, self._blocking.send_aside, asyncio.get_running_loop()
            self._services = Services(config, runtime, routes, send, may_wait=False, loop=loop)
            await self._start_services()
        except BaseException:
            await self._transport.close()
            raise
        self._begin_lines(config)
        if (hooks := self._services.hooks) is not None:
            await self._tell_start(hooks)
        return self

    @overload
    async def get_offers(self, options: RequestOptions, /) -> TargetDeliveryResponse: ...
    @overload
    async def get_offers(self, /, **keywords: Unpack[RequestOptions]) -> TargetDeliveryResponse: ...
    @discreet
    async def get_offers(self, options: Any = None, /, **keywords: Any) -> TargetDeliveryResponse:
        """Ask for offers: to show now (``execute``), to show later (``prefetch``), or both.

        Args:
            options: See ``target.options.RequestOptions``.
            **keywords: The same.

        Raises:
            OptionsError: The options or the request cannot be sent, or the client belongs to another event loop.
            TargetTimeout: No complete answer within the client's ``timeout``; waiting for its turn counts.
            TransportError: No usable answer.
            TargetUnavailable: The host kept failing and is left alone (``breaker_failures``).
            ArtifactNotReady: The decisioning method is on-device, and there are no rules yet.
            ApiError: The API refused the request or failed.
            ClientClosed: The client was closed.
        """
        return await self._deliver(await self._way("get_offers", merge(options, keywords)))

    @overload
    async def get_attributes(
        self, mbox_names: Sequence[str] | str, options: AttributesOptions | None = None, /
    ) -> AttributesProvider: ...
    @overload
    async def get_attributes(
        self, mbox_names: Sequence[str] | str, /, **keywords: Unpack[AttributesOptions]
    ) -> AttributesProvider: ...
    @discreet
    async def get_attributes(
        self, mbox_names: Sequence[str] | str, options: Any = None, /, **keywords: Any
    ) -> AttributesProvider:
        """Ask for JSON offers and read them as plain values.

        Args:
            mbox_names: Mboxes to execute besides those that ``options["request"]`` names.
            options: See ``target.options.AttributesOptions``; ``request`` may be left out.
            **keywords: The same.

        Raises:
            The errors of ``get_offers``.
        """
        names = parse_names(mbox_names)
        way = await self._way("get_attributes", merge_for_attributes(options, keywords), names)
        try:
            return self._calls.attributes(await self._deliver(way))
        except TargetError as error:
            return self._calls.default_attributes(way, error)

    @discreet
    async def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Whether the client can decide: a server-side client at once, any other once it has rules.

        Args:
            timeout: Milliseconds to wait at most; None waits for as long as it takes.

        Raises:
            OptionsError: ``timeout`` is no duration.
            ClientClosed: The client was closed.
        """
        self._check()
        timeout_s = None if timeout is None else parse_timeout_s(timeout)
        return await self._wait(lambda: self._services.wait_until_ready(timeout_s), _READY)

    @discreet
    async def flush(self, timeout: float = 1000) -> int:
        """Send what is pending, and wait for that: how much was not sent by then, given up or pending; 0: all was.

        As ``TargetClient.flush``; calls that are being awaited do not count.

        Args:
            timeout: Milliseconds to wait at most.

        Raises:
            OptionsError: ``timeout`` is no duration.
            ClientClosed: The client was closed, which has sent what was pending.
        """
        self._check()
        timeout_s = parse_timeout_s(timeout)
        return await self._wait(lambda: self._services.flush(timeout_s))

    @discreet
    async def aclose(self, timeout: float = 1000) -> None:
        """End every task, thread, timer and socket of this client; later calls raise ClientClosed.

        Closing twice is harmless.

        Args:
            timeout: Milliseconds to send what is pending, and for calls in progress to end; those still running then
                are ended with ClientClosed.

        Raises:
            OptionsError: ``timeout`` is no duration, or the client belongs to another event loop; nothing is closed.
        """
        self._gate.require_loop()
        timeout_s = parse_timeout_s(timeout)
        self._gate.closed = True
        async with self._closing:
            if self._ended:
                return
            try:
                await asyncio.gather(self._gate.close(timeout_s), self._wait(lambda: self._services.close(timeout_s)))
            finally:
                self._ended = True
                self._blocking.close()
                await self._aside.close()
                await self._reading.close()
                await self._transport.close()
            self._lines.close(self.status)
            if (hooks := self._services.hooks) is not None:
                await hooks.settle()
                await hooks.run_async(hooks.close(self._info()))

    async def _start_services(self) -> None:
        if self._services.on_device is None and not self._config.client.exclude_bots:
            self._services.start()
        else:  # which waits for the first rules, or loads what recognises bots
            await self._aside.run(self._services.start)

    async def _tell_start(self, hooks: Hooks) -> None:
        await hooks.run_async(hooks.start(self._info()))

    async def _wait(self, work: Callable[[], T], host: Host = HOME) -> T:
        """What ``work``, which may wait for what runs beside the calls, returns."""
        return await self._aside.run(work, host=host) if self._services.may_wait else work()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _check(self) -> None:
        if self._gate.closed:
            raise ClientClosed("The client is closed: make a new one with AsyncTargetClient.create")
        self._gate.require_loop()

    def _parse(self, options: Mapping[str, Any]) -> RequestConfig:
        self._check()
        refuse_to_call_back(options)
        return parse_request_options(options)

    async def _way(self, method: str, options: Mapping[str, Any], names: Sequence[str] = ()) -> Way:
        parsed = self._parse(options)
        asked = self._calls.asked(parsed, names, method)
        find = partial(self._services.way, asked, method, parsed.decisioning_method)
        return await self._aside.run(find) if self._services.needs_reading(asked) else find()

    def _deliver(self, way: Way) -> Coroutine[Any, Any, TargetDeliveryResponse]:
        deadline = Deadline(self._config.client.timeout_s)
        hooks = self._services.hooks
        if hooks is None or way.method is None:
            return self._answer(way, deadline)
        return self._deliver_watched(way, deadline, hooks)

    async def _deliver_watched(self, way: Way, deadline: Deadline, hooks: Hooks) -> TargetDeliveryResponse:
        watched = await hooks.run_async(hooks.begin(way))
        try:
            result = await self._answer(watched.way, deadline)
        except BaseException as error:
            await hooks.run_async(hooks.end(watched, None, error))
            raise
        await hooks.run_async(hooks.end(watched, result, None))
        return result

    def _answer(self, way: Way, deadline: Deadline) -> Coroutine[Any, Any, TargetDeliveryResponse]:
        if way.decide is None:
            return self._ask(way.call, way.finish, deadline)
        return self._decide(way, way.decide, deadline)

    async def _decide(self, way: Way, decide: Decide, deadline: Deadline) -> TargetDeliveryResponse:
        work = partial(decide, way.asked, deadline)  # without waiting it is done sooner than any thread could
        result = await self._aside.run_within(work, deadline, PLACES) if self._services.may_block(way) else work()
        return result if way.finish is None else way.finish(result)

    async def _ask(self, call: Call, finish: Finish | None, deadline: Deadline) -> TargetDeliveryResponse:
        gate, host = self._gate, host_of(call, self._config.client)
        if not gate.enter(host):
            await gate.wait_for_turn(host, deadline)
        answered: bool | None = True
        try:
            with self._services.sending(call) as report, gate.until(call, deadline):
                report.reply = await self._transport.send(report.call, deadline)
                read = partial(self._calls.result, report.call, report.reply, deadline)
                is_small = len(report.reply.content) <= SMALL_BYTES
                result = report.result = read() if is_small else await self._reading.run_within(read, deadline)
        except BaseException as error:
            answered = did_answer(error)
            raise
        finally:
            gate.leave(host, answered)
        return result if finish is None else finish(result)
