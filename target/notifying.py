"""The part of both clients that tells Target what was shown or clicked, at once or by way of the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack, overload

from target._background.workers import AsyncResult
from target.calls import merge, refuse_callbacks, refuse_to_call_back
from target.causes import discreet
from target.clients import Client
from target.config import RequestConfig
from target.response import TargetDeliveryResponse
from target.ways import Way

if TYPE_CHECKING:
    from target._http.aio.threads import Threads
    from target.options import NotifyCallbackOptions, NotifyOptions, RequestCallbackOptions, RequestOptions


class NotifyingClient(Client):
    """What TargetClient is besides."""

    _check: Callable[[], None]
    _parse: Callable[[Mapping[str, Any]], RequestConfig]
    _run: Callable[..., Any]
    _deliver: Callable[..., TargetDeliveryResponse]

    @overload
    def send_notifications(  # type: ignore[overload-overlap]
        self, options: RequestCallbackOptions, /
    ) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def send_notifications(self, options: RequestOptions, /) -> TargetDeliveryResponse: ...
    @overload
    def send_notifications(
        self, /, **keywords: Unpack[RequestCallbackOptions]
    ) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def send_notifications(self, /, **keywords: Unpack[RequestOptions]) -> TargetDeliveryResponse: ...
    @discreet
    def send_notifications(self, options: Any = None, /, **keywords: Any) -> Any:
        """Tell Target what was shown (display) or used (click), from ``request.notifications``.

        Args:
            options: As for ``get_offers``. Always goes to the server, whatever ``decisioning_method`` says.
            **keywords: The same.

        Returns:
            A TargetDeliveryResponse whose ``response.notifications`` lists the ids that were taken; with
            ``callback``, an AsyncResult at once.

        Raises:
            The errors of ``get_offers``.
        """
        parsed = self._parse(merge(options, keywords))
        way = self._services.way_to_tell(self._calls.notifications(parsed), "send_notifications")
        return self._run(parsed, way, self._deliver)

    @overload
    def queue_notifications(self, options: RequestOptions, /) -> list[str]: ...
    @overload
    def queue_notifications(self, /, **keywords: Unpack[RequestOptions]) -> list[str]: ...
    @discreet
    def queue_notifications(self, options: Any = None, /, **keywords: Any) -> list[str]:
        """Put notifications into the outbox, which sends them until Target acknowledges them (at-least-once).

        Args:
            options: As for ``send_notifications``, without callbacks.
            **keywords: The same.

        Returns:
            The ids of the notifications, at once.

        Raises:
            OptionsError: The options or the request cannot be sent, or the client has no outbox.
            OutboxFull: There is no room, and the outbox's ``when_full`` is ``"raise"``.
            ClientClosed: The client was closed.
        """
        parsed = self._parse(merge(options, keywords))
        refuse_callbacks(parsed)
        return self._services.queue(self._calls.notifications(parsed), "queue_notifications")

    @overload
    def notify(  # type: ignore[overload-overlap]
        self, result: TargetDeliveryResponse, options: NotifyCallbackOptions, /
    ) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def notify(self, result: TargetDeliveryResponse, options: NotifyOptions, /) -> TargetDeliveryResponse: ...
    @overload
    def notify(
        self, result: TargetDeliveryResponse, /, **keywords: Unpack[NotifyCallbackOptions]
    ) -> AsyncResult[TargetDeliveryResponse]: ...
    @overload
    def notify(
        self, result: TargetDeliveryResponse, /, **keywords: Unpack[NotifyOptions]
    ) -> TargetDeliveryResponse: ...
    @discreet
    def notify(self, result: TargetDeliveryResponse, options: Any = None, /, **keywords: Any) -> Any:
        """Tell Target what was shown or clicked of an earlier answer, as the visitor of that call.

        Session, cookies, ids, property, context and Experience Cloud are those of the call that ``result`` came from,
        wherever it was kept since. Where nothing has a token there is nothing to tell, and no call is made.

        Args:
            result: What ``get_offers`` returned, or ``get_response()`` of attributes.
            options: See ``target.options.NotifyOptions`` and, with a callback, ``NotifyCallbackOptions``.
            **keywords: The same.

        Returns:
            What ``send_notifications`` returns; its ``response`` is None where there was nothing to tell.

        Raises:
            OptionsError: As ``result.displayed`` and ``send_notifications``.
            The other errors of ``get_offers``.
        """
        self._check()
        parsed, call, nothing = self._calls.telling(result, merge(options, keywords))
        way = self._services.way_to_tell(call, "notify") if nothing is None else Way(call, None, nothing)
        return self._run(parsed, way, self._deliver)

    @overload
    def queue(self, result: TargetDeliveryResponse, options: NotifyOptions, /) -> list[str]: ...
    @overload
    def queue(self, result: TargetDeliveryResponse, /, **keywords: Unpack[NotifyOptions]) -> list[str]: ...
    @discreet
    def queue(self, result: TargetDeliveryResponse, options: Any = None, /, **keywords: Any) -> list[str]:
        """The same by way of the outbox, which sends it until Target acknowledges it: see ``queue_notifications``.

        Args:
            result: As for ``notify``.
            options: As for ``notify``, without callbacks.
            **keywords: The same.

        Returns:
            The ids of the notifications, at once; none where there is nothing to tell.

        Raises:
            OptionsError: As ``notify``; or the client has no outbox.
            OutboxFull: There is no room, and the outbox's ``when_full`` is ``"raise"``.
            ClientClosed: The client was closed.
        """
        self._check()
        parsed, call, nothing = self._calls.telling(result, merge(options, keywords))
        refuse_callbacks(parsed)
        self._services.require_outbox()
        return [] if nothing else self._services.queue(call, "queue")


class AsyncNotifyingClient(Client):
    """What AsyncTargetClient is besides."""

    _aside: Threads
    _check: Callable[[], None]
    _parse: Callable[[Mapping[str, Any]], RequestConfig]
    _deliver: Callable[..., Any]

    @overload
    async def send_notifications(self, options: RequestOptions, /) -> TargetDeliveryResponse: ...
    @overload
    async def send_notifications(self, /, **keywords: Unpack[RequestOptions]) -> TargetDeliveryResponse: ...
    @discreet
    async def send_notifications(self, options: Any = None, /, **keywords: Any) -> TargetDeliveryResponse:
        """Tell Target what was shown (display) or used (click), from ``request.notifications``.

        Args:
            options: As for ``get_offers``. Always goes to the server, whatever ``decisioning_method`` says.
            **keywords: The same.

        Returns:
            A TargetDeliveryResponse whose ``response.notifications`` lists the ids that were taken.

        Raises:
            The errors of ``get_offers``.
        """
        parsed = self._parse(merge(options, keywords))
        call = self._calls.notifications(parsed)
        return await self._deliver(self._services.way_to_tell(call, "send_notifications"))  # type: ignore[no-any-return]

    @overload
    async def queue_notifications(self, options: RequestOptions, /) -> list[str]: ...
    @overload
    async def queue_notifications(self, /, **keywords: Unpack[RequestOptions]) -> list[str]: ...
    @discreet
    async def queue_notifications(self, options: Any = None, /, **keywords: Any) -> list[str]:
        """Put notifications into the outbox, which sends them until Target acknowledges them (at-least-once).

        Args:
            options: As for ``send_notifications``.
            **keywords: The same.

        Returns:
            The ids of the notifications, as soon as they are stored.

        Raises:
            OptionsError: The options or the request cannot be sent, or the client has no outbox.
            OutboxFull: There is no room, and the outbox's ``when_full`` is ``"raise"``.
            ClientClosed: The client was closed.
        """
        parsed = self._parse(merge(options, keywords))
        call = self._calls.notifications(parsed)
        return await self._aside.run(lambda: self._services.queue(call, "queue_notifications"))

    @overload
    async def notify(self, result: TargetDeliveryResponse, options: NotifyOptions, /) -> TargetDeliveryResponse: ...
    @overload
    async def notify(
        self, result: TargetDeliveryResponse, /, **keywords: Unpack[NotifyOptions]
    ) -> TargetDeliveryResponse: ...
    @discreet
    async def notify(
        self, result: TargetDeliveryResponse, options: Any = None, /, **keywords: Any
    ) -> TargetDeliveryResponse:
        """Tell Target what was shown or clicked of an earlier answer, as the visitor of that call.

        As ``TargetClient.notify``, without callbacks.
        """
        self._check()
        refuse_to_call_back(given := merge(options, keywords))
        _, call, nothing = self._calls.telling(result, given)
        way = self._services.way_to_tell(call, "notify") if nothing is None else Way(call, None, nothing)
        return await self._deliver(way)  # type: ignore[no-any-return]

    @overload
    async def queue(self, result: TargetDeliveryResponse, options: NotifyOptions, /) -> list[str]: ...
    @overload
    async def queue(self, result: TargetDeliveryResponse, /, **keywords: Unpack[NotifyOptions]) -> list[str]: ...
    @discreet
    async def queue(self, result: TargetDeliveryResponse, options: Any = None, /, **keywords: Any) -> list[str]:
        """The same by way of the outbox, which sends it until Target acknowledges it.

        As ``TargetClient.queue``: returns as soon as the notifications are stored.
        """
        self._check()
        refuse_to_call_back(given := merge(options, keywords))
        _, call, nothing = self._calls.telling(result, given)
        self._services.require_outbox()
        return [] if nothing else await self._aside.run(lambda: self._services.queue(call, "queue"))
