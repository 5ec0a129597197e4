"""Drives steps that may have to be awaited: on a thread, on an event loop, or on a thread beside one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar

T = TypeVar("T")
#: Gives what to call next, and is told what it returned, or raised.
Steps = Generator[Callable[[], Any], Any, T]

_HOLD_S = 5.0  # for which a thread waits for what is done on an event loop


def drive(steps: Steps[T], awaited: Callable[[Any], Any]) -> T:
    """What ``steps`` come to, on this thread.

    Args:
        steps: What to call.
        awaited: Gives what something that has to be awaited comes to.
    """
    try:
        step = next(steps)
        while True:
            try:
                value = step()
                if isawaitable(value):
                    value = awaited(value)
            except Exception as error:  # noqa: BLE001  (the steps are told)
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


async def drive_async(steps: Steps[T]) -> T:
    """The same on an event loop."""
    try:
        step = next(steps)
        while True:
            try:
                value = step()
                if isawaitable(value):
                    value = await value
            except Exception as error:  # noqa: BLE001  (as above)
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


def awaited_by(loop: asyncio.AbstractEventLoop | None, value: Any) -> Any:
    """What ``value`` comes to on ``loop``, for which this thread waits for some seconds; None where it has ended.

    Raises:
        TypeError: There is no loop.
        Exception: Whatever it raises.
    """
    outcome: Future[Any] = Future()
    if loop is not None and loop.is_running():
        with suppress(RuntimeError):  # it was closed meanwhile
            loop.call_soon_threadsafe(_begin, value, outcome)
            with suppress(TimeoutError):
                return outcome.result(_HOLD_S)
    if outcome.cancel():  # nobody awaits it any more
        (getattr(value, "close", None) or value.cancel)()
    if loop is None:
        raise TypeError("It returned something to await, which AsyncTargetClient alone does")
    return None


def _begin(value: Any, outcome: Future[Any]) -> None:
    if outcome.set_running_or_notify_cancel():
        task = asyncio.ensure_future(_settle(value, outcome))
        outcome.add_done_callback(lambda _: task)  # which holds it until then


async def _settle(value: Any, outcome: Future[Any]) -> None:
    try:
        outcome.set_result(await value)
    except BaseException as error:  # noqa: BLE001  (whoever waits is told)
        outcome.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))
