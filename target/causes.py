"""What an error that leaves tells of its causes: their classes and error numbers, and nothing of what they quote.

Other libraries put what they received, and the URL, into their errors: an answer, a session id, a cookie. Who logs an
error with its traceback prints the whole chain.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial, wraps
from traceback import walk_tb
from types import FunctionType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from target.errors import TargetError

P = ParamSpec("P")
R = TypeVar("R")

_MOST_CLASSES = 256
_COROUTINE = 0x80  # inspect.CO_COROUTINE; that module is slow to import
_MARK = "_stands_for_another"


def discreet(work: Callable[P, R]) -> Callable[P, R]:
    """Make what ``work``, a function or a coroutine function, raises tell no more than it may. See ``hush``."""
    if cast("FunctionType", work).__code__.co_flags & _COROUTINE:

        @wraps(work)
        async def await_it(*arguments: P.args, **keywords: P.kwargs) -> Any:
            outer = sys.exception()
            try:
                awaited = cast("Any", work(*arguments, **keywords))
                del arguments, keywords  # which each collection of garbage would look at until there is an answer
                return await awaited
            except BaseException as error:
                hush(error, outer)
                raise

        return cast("Callable[P, R]", await_it)

    @wraps(work)
    def call_it(*arguments: P.args, **keywords: P.kwargs) -> R:
        outer = sys.exception()
        try:
            return work(*arguments, **keywords)
        except BaseException as error:
            hush(error, outer)
            raise

    return call_it


def hush(error: BaseException, outer: BaseException | None = None) -> None:
    """Put stand-ins in the place of all that led to ``error``: of the same classes, without words.

    Args:
        error: What leaves. Itself it stays as it is.
        outer: What its caller was handling before; from there on the chain is not this package's.
    """
    _replace_causes(error, outer, lambda link: link if _tells_little(link) else stand_in_for(link))


def hushed(error: BaseException) -> BaseException:
    """What to log in the place of ``error``, of whatever origin: classes and places, and words that are ours.

    No variable of the functions that it came through is to be had from its tracebacks: they may hold a whole call, and
    handlers of logs show them.
    """
    logged = _as_logged(error)
    logged.__cause__, logged.__context__ = error.__cause__, error.__context__
    logged.__suppress_context__ = error.__suppress_context__
    _replace_causes(logged, None, _as_logged)
    return logged


def _as_logged(error: BaseException) -> BaseException:
    stand_in = stand_in_for(error)
    if isinstance(error, TargetError) and _is_raised_here(error.__traceback__):
        stand_in.args = (str(error),)
    return stand_in.with_traceback(_places_of(error.__traceback__))


def _is_raised_here(traceback: TracebackType | None) -> bool:
    """Whether it was this package that raised; what anybody else puts into an error of ours may be an id."""
    module: object = __name__
    for frame, _ in walk_tb(traceback):
        module = frame.f_globals.get("__name__")
    return str(module).partition(".")[0] == __package__


def _places_of(traceback: TracebackType | None) -> TracebackType | None:
    """The same places, in frames of functions that never ran."""
    places = None
    for frame, line in reversed(list(walk_tb(traceback))):
        code = frame.f_code
        named = _never_run.__code__.replace(
            co_filename=code.co_filename, co_name=code.co_name, co_qualname=code.co_qualname
        )
        empty = FunctionType(named, {"__name__": frame.f_globals.get("__name__")})().gi_frame
        places = TracebackType(places, empty, -1, line)
    return places


def _never_run() -> Iterator[None]:
    yield


def _replace_causes(
    error: BaseException, outer: BaseException | None, replace: Callable[[BaseException], BaseException]
) -> None:
    stands_for: dict[int, BaseException] = {id(error): error}
    todo = [(error, error)]
    while todo:
        was, now = todo.pop()
        links: list[BaseException | None] = []
        for link in (was.__cause__, was.__context__):
            stand_in = link
            if link is not None and link is not outer:
                if id(link) not in stands_for:
                    stands_for[id(link)] = replace(link)
                    todo.append((link, stands_for[id(link)]))
                stand_in = stands_for[id(link)]
            links.append(stand_in)
        suppressed = was.__suppress_context__
        now.__cause__, now.__context__ = links
        now.__suppress_context__ = suppressed


def stand_in_for(error: BaseException) -> BaseException:
    """An error of the class of ``error``, raised where it was, that has its error number and nothing else of it."""
    kind: Any = type(error)
    stand_in = _make_silent(kind)()
    if isinstance(error, OSError) and isinstance(stand_in, OSError) and isinstance(error.errno, int):
        stand_in.errno, stand_in.strerror = error.errno, _words_of(error)
        stand_in.args = (stand_in.errno, stand_in.strerror)
    return stand_in.with_traceback(error.__traceback__)


def _tells_little(error: BaseException) -> bool:
    return isinstance(error, TargetError) or hasattr(error, _MARK)


@lru_cache(_MOST_CLASSES)
def _make_silent(plain: type[BaseException]) -> Callable[[], BaseException]:
    """What makes errors without words, of a class that has the name of ``plain`` and is one of its kind."""
    for above in (plain, Exception):  # which does where that class cannot be derived from, or needs arguments
        base = next(kind for kind in above.__mro__ if kind.__module__ == "builtins")
        words: dict[str, Any] = {name: getattr(base, name) for name in ("__init__", "__str__", "__repr__")}
        words |= {"__reduce__": _reduce, _MARK: True}
        place = {"__module__": plain.__module__, "__qualname__": plain.__qualname__, "__doc__": plain.__doc__}
        with suppress(TypeError):
            make = partial(base.__new__, type(plain.__name__, (above,), {**words, **place}))
            make()
            return cast("Callable[[], BaseException]", make)
    return Exception


def _reduce(self: BaseException) -> tuple[Any, ...]:
    """As a class that every process has: this one is made here."""
    return OSError if isinstance(self, OSError) else Exception, self.args


def _words_of(error: OSError) -> str:
    """What the system says of an error number; of TLS, OpenSSL's constant."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason.isidentifier() and reason.isupper():
        return reason
    number = error.errno
    if type(error).__module__ == "builtins" and isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number)
    if type(error).__name__ == "gaierror" and isinstance(error.strerror, str):
        return error.strerror  # of the resolver, which has numbers of its own
    return type(error).__name__
