"""The part of both clients that tells Target what became of an earlier answer: ``notify``, ``queue``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack, overload

from target._background.workers import AsyncResult
from target.calls import merge, refuse_callbacks, refuse_to_call_back
from target.causes import discreet
from target.clients import Client
from target.response import TargetDeliveryResponse

if TYPE_CHECKING:
    from target._http.aio.threads import Threads
    from target.options import NotifyCallbackOptions, NotifyOptions


class NotifyingClient(Client):
    """What TargetClient is besides."""

    _check: Callable[[], None]
    _run: Callable[..., Any]
    _deliver: Callable[..., TargetDeliveryResponse]

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
        return self._run(parsed, call, nothing, lambda abort: self._deliver(call, abort, nothing))

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
        outbox = self._services.require_outbox()
        return [] if nothing else outbox.queue(call)


class AsyncNotifyingClient(Client):
    """What AsyncTargetClient is besides."""

    _aside: Threads
    _check: Callable[[], None]
    _deliver: Callable[..., Any]

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
        return await self._deliver(call, nothing)  # type: ignore[no-any-return]

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
        outbox = self._services.require_outbox()
        return [] if nothing else await self._aside.run(lambda: outbox.queue(call))
