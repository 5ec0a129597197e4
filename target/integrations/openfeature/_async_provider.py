"""AsyncTargetProvider: flags by way of an AsyncTargetClient."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from concurrent.futures import CancelledError
from contextvars import Context
from typing import Any, Unpack

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError, ProviderNotReadyError

from target import AsyncTargetClient, TargetDeliveryResponse, TargetError
from target.integrations.openfeature._answers import Answer
from target.integrations.openfeature._base import NO_RULES, BaseProvider
from target.integrations.openfeature._settings import ProviderOptions, logger
from target.integrations.openfeature._tracking import Saying, log_failure, say_shown

GATHER_S = 0.1  # what is shown of one answer within this time is told in one call
CLOSE_S = 1.0
MOST_UNANSWERED = 1000


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
        self._loop = _running_loop()  # the client's: where it was made
        self._shown: list[tuple[Answer, str]] = []
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
        """Send what is to be told, and forget all answers; the client goes on: it is yours.

        On another thread than the event loop's it waits for that, a second at most. On the event loop it cannot: there
        ``await flush()`` before you close the client.
        """
        self._readiness.end()
        self._answers.begin_anew()
        loop = self._loop
        if loop is None or not loop.is_running():
            return
        if loop is _running_loop():
            self._hand_over()
            return
        waiting = asyncio.run_coroutine_threadsafe(self.flush(), loop)
        with contextlib.suppress(TimeoutError, CancelledError):
            waiting.result(CLOSE_S)

    async def flush(self) -> None:
        """Send what is to be told of what was shown and tracked, and wait until it was answered."""
        self._hand_over()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _call(self, options: Any) -> TargetDeliveryResponse:  # noqa: ARG002
        raise GeneralError("AsyncTargetProvider evaluates what is awaited: use get_boolean_value_async and the like")

    async def _call_async(self, options: Any) -> TargetDeliveryResponse:
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise GeneralError(
                "AsyncTargetProvider belongs to another event loop: make a client and a provider on each"
            )
        result = await self._client.get_offers(options)
        self._loop = loop
        return result

    def _tell_shown(self, answer: Answer, mbox: str) -> None:
        if self._is_full(self._shown):
            return
        self._shown.append((answer, mbox))
        if len(self._shown) == 1:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(GATHER_S, self._hand_over, context=Context())  # a request's is not its own

    def _hand_over(self) -> None:
        taken, self._shown = self._shown, []
        by_answer: dict[Answer, list[str]] = {}
        for answer, mbox in taken:
            by_answer.setdefault(answer, []).append(mbox)
        for answer, mboxes in by_answer.items():
            self._tell(say_shown(answer.result, mboxes, self._client.outbox is not None))

    def _tell(self, saying: Saying) -> None:
        running = _running_loop()
        loop = self._loop = self._loop or running
        if loop is None:
            raise ValueError("AsyncTargetProvider has to be made, or first used, on the client's event loop")
        if loop is running:
            self._begin_saying(saying)
        else:
            loop.call_soon_threadsafe(self._begin_saying, saying)

    def _begin_saying(self, saying: Saying) -> None:
        if self._is_full(self._tasks):
            return
        task = asyncio.get_running_loop().create_task(self._say(saying), context=Context())
        self._tasks.add(task)  # a loop keeps none
        task.add_done_callback(self._tasks.discard)

    async def _say(self, saying: Saying) -> None:
        try:
            say = next(saying)
            while True:
                try:
                    value = await getattr(self._client, say.method)(*say.arguments, dict(say.options))
                except TargetError as error:
                    say = saying.throw(error)
                else:
                    say = saying.send(value)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001  (nobody waits for it)
            log_failure(error)

    @staticmethod
    def _is_full(waiting: Collection[Any]) -> bool:
        if len(waiting) < MOST_UNANSWERED:
            return False
        logger.warning("More than %d displays and events wait to be told: one is given up", MOST_UNANSWERED)
        return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
