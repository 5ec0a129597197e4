"""AsyncTargetProvider: flags by way of an AsyncTargetClient."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Any, Unpack

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError, ProviderNotReadyError

from target import AsyncTargetClient, TargetDeliveryResponse, TargetError
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._base import NO_RULES, BaseProvider
from target.integrations.openfeature._settings import ProviderOptions
from target.loggers import Log

logger = Log(logging.getLogger("target.openfeature"))

_GATHER_S = 0.05  # what is shown of one answer within this time is told in one call


class AsyncTargetProvider(BaseProvider):
    """A provider for OpenFeature that decides by an AsyncTargetClient, which stays yours to close.

    Flags are evaluated where they are awaited (``get_boolean_value_async`` and the like), on the client's event loop
    and without a thread; the other methods give the default value, with the error GENERAL.

    Args:
        client: What decides, in process or by calls.
        **options: See ``ProviderOptions``.

    Raises:
        OptionsError: An option is unknown or wrong.
    """

    def __init__(self, client: AsyncTargetClient, **options: Unpack[ProviderOptions]) -> None:
        super().__init__(client, **options)
        self._client = client
        self._waiting: list[tuple[Answer, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002
        """Look whether there is something to decide from; waits for nothing, since it may be called on the event loop.

        Raises:
            ProviderNotReadyError: There is nothing yet.
        """
        is_ready = self._client.status().ready
        self._readiness.begin(is_ready)
        if not is_ready:
            raise ProviderNotReadyError(NO_RULES)

    def shutdown(self) -> None:
        """Forget all answers. The client goes on: it is yours."""
        self._readiness.end()
        self._answers.begin_anew()

    def _call(self, options: Any) -> TargetDeliveryResponse:  # noqa: ARG002
        raise GeneralError("AsyncTargetProvider evaluates what is awaited: use get_boolean_value_async and the like")

    async def _call_async(self, options: Any) -> TargetDeliveryResponse:
        return await self._client.get_offers(options)

    def _tell_shown(self, answer: Answer, mbox: str) -> None:
        self._waiting.append((answer, mbox))
        if len(self._waiting) == 1:
            self._spawn(self._tell_waiting())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, context=Context())  # a request's is not its own
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_waiting(self) -> None:
        await asyncio.sleep(_GATHER_S)
        taken, self._waiting = self._waiting, []
        by_answer: dict[Answer, list[str]] = {}
        for answer, mbox in taken:
            by_answer.setdefault(answer, []).append(mbox)
        for answer, mboxes in by_answer.items():
            self._spawn(self._hand_over(answer, mboxes))

    async def _hand_over(self, answer: Answer, mboxes: list[str]) -> None:
        try:
            if self._client.outbox is not None:
                await self._client.queue(answer.result, displayed=mboxes)
            else:
                await self._client.notify(answer.result, displayed=mboxes)
        except TargetError as error:
            logger.warning("What was shown could not be told: %s", error)
