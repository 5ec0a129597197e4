"""Visit: one request for a page, with a client that blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from target.attributes import AttributesProvider
from target.calls import merge, merge_for_attributes
from target.client import TargetClient
from target.errors import TargetError
from target.response import TargetDeliveryResponse
from target.web.handles import Unreadable
from target.web.visiting import BaseVisit

if TYPE_CHECKING:
    from target.options import AttributesOptions, NotifyOptions, RequestOptions

T = TypeVar("T")


class Visit(BaseVisit[TargetClient]):
    """One request for a page, with a TargetClient. Its methods fill in cookies, address, client hints, QA mode and
    visitor; where no answer comes in time they return one without offers, so that the page shows its defaults.

    Those whose names begin with ``a`` are to be awaited, in a view that is a coroutine.
    """

    def get_offers(self, options: RequestOptions | None = None, /, **keywords: Any) -> TargetDeliveryResponse:
        """As ``TargetClient.get_offers``; a call that fails gives a result whose ``response`` is None.

        Raises:
            OptionsError: The options or the request cannot be sent.
        """
        given = self._filled(merge(options, keywords))
        try:
            return self._took(self.client.get_offers(given), given)
        except TargetError as error:
            return self._defaults(error, given)

    def get_attributes(
        self, mbox_names: Sequence[str] | str, options: AttributesOptions | None = None, /, **keywords: Any
    ) -> AttributesProvider:
        """As ``TargetClient.get_attributes``; a call that fails gives the client's ``default_attributes``, or none.

        Raises:
            OptionsError: The options or the request cannot be sent.
        """
        given = self._filled(merge_for_attributes(options, keywords))
        try:
            return self._attributes(self.client.get_attributes(mbox_names, given), given)
        except TargetError as error:
            return self._default_attributes(error, mbox_names, given)

    def notify(self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any) -> bool:
        """As ``TargetClient.notify``: whether Target was told, or there was nothing to tell. What fails is logged.

        Raises:
            OptionsError: The options are wrong, or name what the answer does not hold.
        """
        given = self._telling(merge(options, keywords))
        try:
            self._took(self.client.notify(result, given), given)
        except TargetError as error:
            return self._untold(error)
        return True

    def queue(self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any) -> bool:
        """As ``TargetClient.queue``: whether the outbox has it. What fails is logged.

        Raises:
            OptionsError: As ``notify``; or the client has no outbox.
        """
        try:
            self.client.queue(result, self._telling(merge(options, keywords)))
        except TargetError as error:
            return self._untold(error)
        return True

    def receive(self, body: bytes) -> int:
        """Tell Target what the visitor's browser shows: by the outbox, if the client has one.

        Args:
            body: What it posted: ``{"handles": [...]}``, as JSON.

        Returns:
            The HTTP status to answer with: 204; 400 where no handle is one of this visitor's; 413 where it is too much;
            503 where Target could not be told.
        """
        try:
            options = self._told_by(body)
            tell = self.client.send_notifications if self.client.outbox is None else self.client.queue_notifications
            tell(options)
        except Unreadable as problem:
            return problem.status
        except TargetError as error:
            self._untold(error)
            return 503
        return 204

    async def areceive(self, body: bytes) -> int:
        """``receive`` without blocking the event loop."""
        return await self._aside(lambda: self.receive(body))

    async def _aside(self, work: Callable[[], T]) -> T:
        """What ``work`` returns on a thread of the client's."""

        def submit(told: Any) -> None:
            self.client._workers.submit(work, told["callback"], told["err_callback"], None)

        return await _awaited(submit, {})  # type: ignore[no-any-return]

    async def anotify(
        self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any
    ) -> bool:
        """``notify`` without blocking the event loop."""
        given = self._telling(merge(options, keywords))
        try:
            self._took(await _awaited(partial(self.client.notify, result), given), given)
        except TargetError as error:
            return self._untold(error)
        return True

    async def aqueue(
        self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any
    ) -> bool:
        """``queue`` without blocking the event loop."""
        given = self._telling(merge(options, keywords))
        try:
            await self._aside(lambda: self.client.queue(result, given))
        except TargetError as error:
            return self._untold(error)
        return True

    async def aget_offers(self, options: RequestOptions | None = None, /, **keywords: Any) -> TargetDeliveryResponse:
        """``get_offers`` without blocking the event loop."""
        given = self._filled(merge(options, keywords))
        try:
            return self._took(await _awaited(self.client.get_offers, given), given)
        except TargetError as error:
            return self._defaults(error, given)

    async def aget_attributes(
        self, mbox_names: Sequence[str] | str, options: AttributesOptions | None = None, /, **keywords: Any
    ) -> AttributesProvider:
        """``get_attributes`` without blocking the event loop."""
        given = self._filled(merge_for_attributes(options, keywords))
        try:
            return self._attributes(await _awaited(partial(self.client.get_attributes, mbox_names), given), given)
        except TargetError as error:
            return self._default_attributes(error, mbox_names, given)


async def _awaited(call: Callable[..., object], options: Mapping[str, Any]) -> Any:
    """What a call of a TargetClient gives, which a thread of the client's makes meanwhile."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Any] = loop.create_future()

    def settle(set_: Callable[[Any], None], value: object) -> None:
        if not answered.done():  # the view may have been cancelled
            set_(value)

    def tell(set_: Callable[[Any], None]) -> Callable[[Any], None]:
        def told(value: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, set_, value)

        return told

    call({**options, "callback": tell(answered.set_result), "err_callback": tell(answered.set_exception)})
    return await answered
