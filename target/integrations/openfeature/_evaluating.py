"""One evaluation on its way: what it does, step by step, and what it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

from openfeature.exception import GeneralError, OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagType, Reason

from target.integrations.openfeature._answers import Answer, Pending, Shared
from target.integrations.openfeature._contexts import Asking
from target.integrations.openfeature._reading import read_flag
from target.integrations.openfeature._settings import logger

#: What an evaluation does on its way: make a call with these options, for an Answer; wait for that of another; let
#: others say what they need.
Step = dict[str, Any] | Pending | None
Steps = Generator[Step, Any, tuple[dict[str, Answer], bool]]


class _Calling:
    """A call that evaluations of a provider wait for."""

    def __init__(self, provider: object) -> None:
        self.provider: object | None = provider


_calls: ContextVar[tuple[_Calling, ...]] = ContextVar("target_openfeature_calls", default=())


def refuse_within_call(provider: object) -> None:
    """Raises GeneralError in the middle of a call of ``provider``: what evaluates a flag there, as a hook of its client
    may, would wait for what waits for it."""
    if any(call.provider is provider for call in _calls.get()):
        raise GeneralError(
            "A flag was evaluated while Target is asked for flags: a hook of the client must not do that"
        )


@contextmanager
def calling(provider: object) -> Iterator[None]:
    """A call of ``provider`` is made, in this context and those that are copied from it. Raises GeneralError."""
    refuse_within_call(provider)
    call = _Calling(provider)
    token = _calls.set((*_calls.get(), call))
    try:
        yield
    finally:
        call.provider = None  # for contexts that were copied meanwhile, and go on
        with suppress(ValueError):  # in another context, where a coroutine is dropped
            _calls.reset(token)


class Evaluation(NamedTuple):
    """One evaluation on its way.

    Attributes:
        key: The flag's.
        kind: What it has to be.
        default: What is returned where it is not.
        names: The mboxes that it may be of, the longest name first.
        asking: Who asks, and with what.
        shared: The answers of this transaction; None where there is none.
    """

    key: str
    kind: FlagType
    default: Any
    names: tuple[str, ...]
    asking: Asking
    shared: Shared | None


def is_in(evaluation: Evaluation, found: Mapping[str, Answer]) -> bool:
    """Whether an mbox that was answered has the flag, so that nobody asks whether one of a longer name has it, too."""
    try:
        reading = read_flag(evaluation.key, evaluation.kind, evaluation.default, tuple(found), found, True)
    except OpenFeatureError:
        return False
    return reading.details.reason not in (Reason.DEFAULT, Reason.DISABLED)


def run(steps: Steps, do: Callable[[Step], Answer | None]) -> tuple[dict[str, Answer], bool]:
    """Take all ``steps``: what they come to."""
    try:
        step = next(steps)
        while True:
            try:
                done = do(step)
            except OpenFeatureError as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def run_async(steps: Steps, do: Callable[[Step], Awaitable[Answer | None]]) -> tuple[dict[str, Answer], bool]:
    """The same, awaited."""
    try:
        step = next(steps)
        while True:
            try:
                done = await do(step)
            except OpenFeatureError as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def failed(default: Any, error: OpenFeatureError) -> FlagResolutionDetails[Any]:
    """The default value, and why it is that."""
    return FlagResolutionDetails(
        default, reason=Reason.ERROR, error_code=error.error_code, error_message=error.error_message
    )


def cancelled(default: Any, error: asyncio.CancelledError) -> FlagResolutionDetails[Any]:
    """The same for what is cancelled, which what is awaited next then tells: through openfeature-sdk 0.10 no
    CancelledError gets out, but an UnboundLocalError in its place, which neither ``asyncio.timeout`` nor a server that
    ends a request knows."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        task.uncancel()
        task.cancel(*error.args)
    return failed(default, GeneralError("The evaluation was cancelled"))


def broken(default: Any, error: Exception) -> FlagResolutionDetails[Any]:
    """The same for what nobody foresaw, whose words may quote anything."""
    logger.error(
        "An evaluation raised %s: see that its flag key and context are what OpenFeature takes", type(error).__name__
    )
    return failed(default, GeneralError(f"The evaluation raised {type(error).__name__}"))
