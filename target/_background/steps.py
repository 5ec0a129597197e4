"""Drives steps that may have to be awaited: on a thread, on an event loop, or on a thread beside one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar

from target._background.clock import monotonic_s

T = TypeVar("T")
#: Gives what to call next, and is told what it returned, or raised.
Steps = Generator[Callable[[], Any], Any, T]

#: For so many seconds a thread waits for what is done on an event loop.
HOLD_S = 5.0
_LOOK_S = 0.1  # between two looks at whether that loop goes on


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
            ends_s = monotonic_s() + HOLD_S
            while loop.is_running() and (left_s := ends_s - monotonic_s()) > 0:
                with suppress(TimeoutError):
                    return outcome.result(min(left_s, _LOOK_S))
    if outcome.cancel():  # nobody awaits it any more
        _let_go(value)
    if loop is None:
        raise TypeError("It returned something to await, which AsyncTargetClient alone does")
    return None


def is_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether this is the thread of ``loop``, while it runs."""
    try:
        return loop is not None and asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _begin(value: Any, outcome: Future[Any]) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    task = asyncio.ensure_future(_await(value))

    def settle(ended: asyncio.Future[Any]) -> None:
        _let_go(value)  # which a task that was cancelled before it began has never awaited
        if ended.cancelled():
            outcome.set_exception(RuntimeError("It was cancelled, since its event loop ends"))
        elif (error := ended.exception()) is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(ended.result())

    task.add_done_callback(settle)
    outcome.add_done_callback(lambda _: task)  # which holds it until then


async def _await(value: Any) -> Any:
    return await value


def _let_go(value: Any) -> None:
    """Of something to await: nobody does, or it has ended."""
    (getattr(value, "close", None) or value.cancel)()
