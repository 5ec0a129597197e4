"""AsyncVisit: a visit whose calls are awaited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from target.aio import AsyncTargetClient
from target.attributes import AttributesProvider
from target.calls import merge, merge_for_attributes
from target.errors import TargetError
from target.response import TargetDeliveryResponse
from target.web.handles import Unreadable
from target.web.visiting import BaseVisit

if TYPE_CHECKING:
    from target.options import AttributesOptions, NotifyOptions, RequestOptions


class AsyncVisit(BaseVisit[AsyncTargetClient]):
    """One request for a page, with an AsyncTargetClient. Its methods fill in cookies, address, client hints, QA mode
    and visitor; where no answer comes in time they return one without offers, so that the page shows its defaults."""

    async def get_offers(self, options: RequestOptions | None = None, /, **keywords: Any) -> TargetDeliveryResponse:
        """As ``AsyncTargetClient.get_offers``; a call that fails gives a result whose ``response`` is None.

        Raises:
            OptionsError: The options or the request cannot be sent.
        """
        given = self._filled(merge(options, keywords))
        try:
            return self._took(await self.client.get_offers(given), given)
        except TargetError as error:
            return self._defaults(error, given)

    async def get_attributes(
        self, mbox_names: Sequence[str] | str, options: AttributesOptions | None = None, /, **keywords: Any
    ) -> AttributesProvider:
        """As ``AsyncTargetClient.get_attributes``; a call that fails gives the ``default_attributes``, or none.

        Raises:
            OptionsError: The options or the request cannot be sent.
        """
        given = self._filled(merge_for_attributes(options, keywords))
        try:
            return self._attributes(await self.client.get_attributes(mbox_names, given), given)
        except TargetError as error:
            return self._default_attributes(error, mbox_names, given)

    async def notify(
        self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any
    ) -> bool:
        """As ``AsyncTargetClient.notify``: whether Target was told, or there was nothing to tell. What fails is logged.

        Raises:
            OptionsError: The options are wrong, or name what the answer does not hold.
        """
        given = self._telling(merge(options, keywords))
        try:
            self._took(await self.client.notify(result, given), given)
        except TargetError as error:
            return self._untold(error)
        return True

    async def queue(
        self, result: TargetDeliveryResponse, options: NotifyOptions | None = None, /, **keywords: Any
    ) -> bool:
        """As ``AsyncTargetClient.queue``: whether the outbox has it. What fails is logged.

        Raises:
            OptionsError: As ``notify``; or the client has no outbox.
        """
        try:
            await self.client.queue(result, self._telling(merge(options, keywords)))
        except TargetError as error:
            return self._untold(error)
        return True

    async def receive(self, body: bytes) -> int:
        """As ``Visit.receive``."""
        try:
            options = self._told_by(body)
            if self.client.outbox is None:
                await self.client.send_notifications(options)
            else:
                await self.client.queue_notifications(options)
        except Unreadable as problem:
            return problem.status
        except TargetError as error:
            self._untold(error)
            return 503
        return 204
