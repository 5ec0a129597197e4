"""An exception from outside at each single step of a piece of work, as a signal handler may raise one."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any


class Struck(BaseException):
    """What a handler raises."""


def at_each_step(work: Callable[[], object], *parts: str, every: int = 1) -> Iterator[None]:
    """Do ``work`` again and again on this thread, each time with ``Struck`` raised one step later.

    A step is where the interpreter looks for signals, after a call, a jump back and the begin of a function, in a file
    whose path has one of ``parts`` in it. What ``work`` raises then is swallowed. Yields after each time, also after
    the last, when it was not struck since it has no more steps.

    Args:
        work: May have a different number of steps each time.
        parts: Of paths.
        every: So many steps later, instead of one.
    """
    number = 0
    while _strike(work, parts, number):
        yield
        number += every
    yield


def _strike(work: Callable[[], object], parts: tuple[str, ...], number: int) -> bool:
    left, struck = number, False
    before: dict[FrameType, int] = {}  # the instruction that was done last, in each function that runs

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left, struck
        if struck or not any(part in frame.f_code.co_filename for part in parts):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "return":
            before.pop(frame, None)
        elif event == "opcode":
            last, before[frame] = before.get(frame), frame.f_lasti
            left -= last is None or _is_step(frame.f_code, last, frame.f_lasti)
            if left < 0:
                struck = True
                sys.settrace(None)
                raise Struck
        return trace

    own = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except BaseException as error:  # how it ends is not what matters
        if not struck:
            raise
        del error
    finally:
        sys.settrace(own)
    return struck


def _is_step(code: CodeType, last: int, following: int) -> bool:
    """Whether signals are looked for after the instruction ``last``, and what handles errors of ``following`` handles
    what a handler raises then."""
    name = dis.opname[code.co_code[last]]
    ends = name.startswith(("CALL", "JUMP_BACKWARD")) and not name.endswith("NO_INTERRUPT")
    return ends and _handler(code, last) == _handler(code, following)


@functools.cache
def _handlers(code: CodeType) -> list[tuple[int, int, int]]:
    return [(entry.start, entry.end, entry.target) for entry in dis._parse_exception_table(code)]  # type: ignore[attr-defined]


def _handler(code: CodeType, at: int) -> int | None:
    return next((target for start, end, target in _handlers(code) if start <= at < end), None)
