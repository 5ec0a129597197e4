"""TargetProvider: flags by way of a TargetClient."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, Unpack

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError, ProviderNotReadyError

from target import TargetClient, TargetDeliveryResponse, TargetError
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._base import NO_RULES, BaseProvider
from target.integrations.openfeature._failures import failure_of
from target.integrations.openfeature._settings import ProviderOptions
from target.integrations.openfeature._telling import Teller
from target.integrations.openfeature._tracking import Saying


class TargetProvider(BaseProvider):
    """A provider for OpenFeature that decides by a TargetClient, which stays yours to close.

    Flags are evaluated on the caller's thread. The methods to be awaited leave the event loop alone: their calls are
    made on threads of the client's.

    Args:
        client: What decides, in process or by calls.
        **options: See ``ProviderOptions``.

    Raises:
        OptionsError: An option is unknown or wrong.
    """

    def __init__(self, client: TargetClient, **options: Unpack[ProviderOptions]) -> None:
        super().__init__(client, **options)
        self._client = client
        self._teller = Teller(client)

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002
        """Wait until there is something to decide from, up to ``ready_timeout``.

        Raises:
            ProviderNotReadyError: There is nothing yet, or the client was closed.
        """
        try:
            is_ready = self._client.wait_until_ready(self._settings.ready_timeout_s * 1000)
        except TargetError as error:
            failure: OpenFeatureError | None = failure_of(error)
        else:
            failure = None if is_ready else ProviderNotReadyError(NO_RULES)
        self._readiness.begin(failure is None)
        if failure is not None:
            raise failure

    def shutdown(self) -> None:
        """Send what is to be told of what was shown, and forget all answers. The client goes on: it is yours."""
        self._readiness.end()
        self._teller.close()
        self._answers.begin_anew()

    def _call(self, options: Any) -> TargetDeliveryResponse:
        return self._client.get_offers(options)  # type: ignore[no-any-return]

    async def _call_async(self, options: Any) -> TargetDeliveryResponse:
        """What ``get_offers`` gives, which a thread of the client's asks for meanwhile."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[TargetDeliveryResponse] = loop.create_future()

        def settle(take: Any, value: Any) -> None:
            if not answered.done():  # whoever waited may have been cancelled
                take(value)

        def tell(take: Any, value: Any) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, take, value)

        told = {"callback": partial(tell, answered.set_result), "err_callback": partial(tell, answered.set_exception)}
        options = {**options, **told}
        self._client.get_offers(options)
        return await answered

    def _tell_shown(self, answer: Answer, mbox: str) -> None:
        self._teller.tell_shown(answer, mbox)

    def _tell(self, saying: Saying) -> None:
        self._teller.tell(saying)
