"""TargetClient: options in, one call, result out. The parts do the work; this module puts them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from target._background.clock import monotonic_s
from target._background.forks import begin_anew_if_forked, import_before_threads
from target._background.runtime import system_runtime
from target._background.shares import PLACES, host_of
from target._background.workers import AsyncResult, Workers
from target._http.abort import Abort, Aborts
from target._http.deadline import Deadline
from target._http.transport import Transport
from target.calls import Calls, merge, merge_for_attributes, parse_names
from target.causes import discreet
from target.config import ClientConfig, RequestConfig, parse_client_options, parse_request_options
from target.environment import FromEnvironment
from target.errors import ClientClosed, TargetError
from target.explaining import ExplainingClient
from target.notifying import NotifyingClient
from target.overriding import OverridingClient
from target.response import TargetDeliveryResponse
from target.services import Services
from target.values import parse_timeout_s
from target.ways import Way

if TYPE_CHECKING:
    from target.attributes import AttributesProvider
    from target.delivery.request import Call
    from target.options import (
        AttributesCallbackOptions,
        AttributesOptions,
        ClientOptions,
        RequestCallbackOptions,
        RequestOptions,
    )

T = TypeVar("T")
Work = Callable[[Way, Abort | None], T]
_ABORT_S = 0.2  # how long a call that was ended may take to notice


class TargetClient(NotifyingClient, ExplainingClient, OverridingClient, FromEnvironment):
    """A client of the Adobe Target Delivery API: make one with ``create``, share it between threads, close it.

    Options of every method may be given as a dict, as keyword arguments, or both (keywords win);
    ``help("target.options")`` describes each.
    """

    _config: ClientConfig
    _transport: Transport
    _open_transport: Callable[..., Transport] = Transport
    _workers: Workers
    _running: Aborts
    _closed = False

    @overload
    @classmethod
    def create(cls, options: ClientOptions, /) -> Self: ...
    @overload
    @classmethod
    def create(cls, /, **keywords: Unpack[ClientOptions]) -> Self: ...
    @classmethod
    @discreet
    def create(cls, options: Any = None, /, **keywords: Any) -> Self:
        """A client with these options; see ``target.options.ClientOptions``.

        Raises:
            OptionsError: An option is missing, unknown or wrong.
        """
        begin_anew_if_forked()
        self = cls.__new__(cls)
        self._config = parse_client_options(merge(options, keywords))
        import_before_threads()
        runtime = system_runtime()
        self._calls = Calls(self._config, runtime)
        self._transport = self._open_transport(self._config, self._calls.routes)
        self._workers = Workers(self._config.async_workers, self._config.logger)
        self._services = Services(self._config, runtime, self._calls.routes, self._transport.send_aside)
        self._running = Aborts()
        self._services.start()
        self._begin_lines(self._config)
        if (hooks := self._services.hooks) is not None:
            hooks.run(hooks.start(self._info()))
        return self

    @overload
    def get_offers(  # type: ignore[overload-overlap]
        self, options: RequestCallbackOptions, /
    ) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def get_offers(self, options: RequestOptions, /) -> TargetDeliveryResponse: ...
    @overload
    def get_offers(self, /, **keywords: Unpack[RequestCallbackOptions]) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def get_offers(self, /, **keywords: Unpack[RequestOptions]) -> TargetDeliveryResponse: ...
    @discreet
    def get_offers(self, options: Any = None, /, **keywords: Any) -> Any:
        """Ask for offers: to show now (``execute``), to show later (``prefetch``), or both.

        Args:
            options: See ``target.options.RequestOptions`` and, with a callback, ``RequestCallbackOptions``.
            **keywords: The same.

        Returns:
            A TargetDeliveryResponse; with ``callback``, an AsyncResult at once.

        Raises:
            OptionsError: The options or the request cannot be sent.
            TargetTimeout: No complete answer within the client's ``timeout``.
            TransportError: No usable answer.
            TargetUnavailable: The host kept failing and is left alone (``breaker_failures``).
            ArtifactNotReady: The decisioning method is on-device, and there are no rules yet.
            ApiError: The API refused the request or failed.
            ClientClosed: The client was closed.
        """
        parsed = self._parse(merge(options, keywords))
        asked = self._calls.asked(parsed)
        way = self._services.way(asked, "get_offers", parsed.decisioning_method)
        return self._run(parsed, way, self._deliver)

    @overload
    def get_attributes(  # type: ignore[overload-overlap]
        self, mbox_names: Sequence[str] | str, options: AttributesCallbackOptions, /
    ) -> AsyncResult[AttributesProvider]: ...
    @overload
    def get_attributes(
        self, mbox_names: Sequence[str] | str, options: AttributesOptions | None = None, /
    ) -> AttributesProvider: ...
    @overload
    def get_attributes(
        self, mbox_names: Sequence[str] | str, /, **keywords: Unpack[AttributesCallbackOptions]
    ) -> AsyncResult[AttributesProvider]: ...
    @overload
    def get_attributes(
        self, mbox_names: Sequence[str] | str, /, **keywords: Unpack[AttributesOptions]
    ) -> AttributesProvider: ...
    @discreet
    def get_attributes(self, mbox_names: Sequence[str] | str, options: Any = None, /, **keywords: Any) -> Any:
        """Ask for JSON offers and read them as plain values.

        Args:
            mbox_names: Mboxes to execute besides those that ``options["request"]`` names.
            options: See ``target.options.AttributesOptions``; ``request`` may be left out.
            **keywords: The same.

        Returns:
            An AttributesProvider; with ``callback``, an AsyncResult at once.

        Raises:
            The errors of ``get_offers``; with ``default_attributes`` none that says the service is away.
        """
        names = parse_names(mbox_names)
        parsed = self._parse(merge_for_attributes(options, keywords))
        asked = self._calls.asked(parsed, names, "get_attributes")
        way = self._services.way(asked, "get_attributes", parsed.decisioning_method)
        return self._run(parsed, way, self._attributes)

    @discreet
    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Whether the client can decide: a server-side client at once, any other once it has rules.

        Args:
            timeout: Milliseconds to wait at most; None waits for as long as it takes.

        Raises:
            OptionsError: ``timeout`` is no duration.
            ClientClosed: The client was closed.
        """
        self._check()
        return self._services.wait_until_ready(None if timeout is None else parse_timeout_s(timeout))

    @discreet
    def flush(self, timeout: float = 1000) -> int:
        """Send what is pending, and wait for that: how much was not sent by then, given up or pending; 0: all was.

        For what stops its processes between requests, as serverless platforms do: call it before a handler returns.
        Counts calls with a callback, calls about what was decided on the device, and notifications in the outbox, those
        of other processes in the same file included. What waits for a host that asked for a pause is left.

        Args:
            timeout: Milliseconds to wait at most.

        Raises:
            OptionsError: ``timeout`` is no duration.
            ClientClosed: The client was closed, which has sent what was pending.
        """
        self._check()
        ends_at = monotonic_s() + (timeout_s := parse_timeout_s(timeout))
        self._services.hurry()
        unfinished = self._workers.wait(timeout_s)  # first, since a call may leave something to send
        return unfinished + self._services.flush(max(ends_at - monotonic_s(), 0))

    @discreet
    def close(self, timeout: float = 1000) -> None:
        """End every thread, timer and socket of this client; later calls raise ClientClosed. Closing twice is harmless.

        Args:
            timeout: Milliseconds to send what is pending, and for calls with a callback to end; those still running
                then are ended, and those that have not begun never are: both get ClientClosed.

        Raises:
            OptionsError: ``timeout`` is no duration; nothing is closed.
        """
        begin_anew_if_forked()
        ends_at = monotonic_s() + (timeout_s := parse_timeout_s(timeout))
        is_first, self._closed = not self._closed, True
        self._workers.close()
        self._services.close(timeout_s)
        if not self._workers.join(max(ends_at - monotonic_s(), 0)):
            self._running.end_all()
            self._workers.join(_ABORT_S)
        self._transport.close()
        if is_first:
            self._lines.close(self.status)
            if (hooks := self._services.hooks) is not None:
                hooks.run(hooks.close(self._info()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check(self) -> None:
        begin_anew_if_forked()
        if self._closed:
            raise ClientClosed("The client is closed: make a new one with TargetClient.create")

    def _parse(self, options: Mapping[str, Any]) -> RequestConfig:
        self._check()
        return parse_request_options(options)

    def _run(self, parsed: RequestConfig, way: Way, work: Work[T]) -> T | AsyncResult[T]:
        if parsed.callback is None:
            return work(way, None)
        host, begun = host_of(way.call, self._config) if way.decide is None else PLACES, partial(work, way)
        return self._workers.submit(lambda: self._running.run(begun), parsed.callback, parsed.err_callback, host)

    def _attributes(self, way: Way, abort: Abort | None) -> AttributesProvider:
        try:
            return self._calls.attributes(self._deliver(way, abort))
        except TargetError as error:
            return self._calls.default_attributes(way, error)

    def _deliver(self, way: Way, abort: Abort | None) -> TargetDeliveryResponse:
        deadline = Deadline(self._config.timeout_s, abort)
        hooks = self._services.hooks
        if hooks is None or way.method is None:
            return self._finish(way, deadline)
        watched = hooks.run(hooks.begin(way))
        try:
            result = self._finish(watched.way, deadline)
        except BaseException as error:
            hooks.run(hooks.end(watched, None, error))
            raise
        hooks.run(hooks.end(watched, result, None))
        return result

    def _finish(self, way: Way, deadline: Deadline) -> TargetDeliveryResponse:
        asked = way.asked
        result = self._send(asked.call, deadline) if way.decide is None else way.decide(asked, deadline)
        return result if way.finish is None else way.finish(result)

    def _send(self, call: Call, deadline: Deadline) -> TargetDeliveryResponse:
        with self._services.sending(call) as report:
            report.reply = self._transport.send(report.call, deadline)
            report.result = self._calls.result(report.call, report.reply, deadline)
        return report.result
