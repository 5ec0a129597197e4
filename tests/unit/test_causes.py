"""Stand-ins for what led to an error: which class it was, and nothing that it quoted."""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import pickle
import socket
import sqlite3
import ssl
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from target import OptionsError, TransportError
from target.causes import discreet, hush, hushed, stand_in_for
from target.values import parse_string
from tests.kit.calls import everything_of

SECRET = "tnt-of-" + "alice"  # in two pieces, so that no line of this file that a traceback shows holds it


def caught(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Talkative(Exception):
    def __init__(self, said: str, more: object) -> None:
        super().__init__(said, more)
        self.more = more

    def __str__(self) -> str:
        return f"{self.more}"

    __repr__ = __str__


QUOTING = [
    caught(lambda: json.loads("{" + SECRET)),
    caught(("\ud800" + SECRET).encode),
    caught((b"\xff" + SECRET.encode()).decode),
    ConnectionResetError(104, SECRET),
    OSError(SECRET),
    FileNotFoundError(2, SECRET, SECRET),
    ssl.SSLError(1, SECRET),
    sqlite3.OperationalError(SECRET),
    http.client.IncompleteRead(SECRET.encode()),
    http.client.BadStatusLine(SECRET),
    urllib3.exceptions.ProtocolError(SECRET, OSError(SECRET)),
    urllib3.exceptions.MaxRetryError(None, SECRET),  # type: ignore[arg-type]
    ExceptionGroup(SECRET, [OSError(SECRET)]),
    KeyError(SECRET),
    SystemExit(SECRET),
    KeyboardInterrupt(SECRET),
    ImportError(SECRET, name=SECRET, path=SECRET),
    AttributeError(SECRET, name=SECRET, obj=SECRET),
    Talkative(SECRET, SECRET),
]


@pytest.mark.parametrize("error", QUOTING, ids=lambda error: type(error).__name__)
def test_a_stand_in_has_the_class_and_quotes_nothing(error: BaseException) -> None:
    error.add_note(SECRET)
    stand_in = stand_in_for(error)
    assert type(stand_in).__qualname__ == type(error).__qualname__
    assert isinstance(stand_in, type(error)) or isinstance(error, ExceptionGroup)
    assert SECRET in everything_of(error)
    assert SECRET not in everything_of(stand_in)
    for other in (copy.copy(stand_in), copy.deepcopy(stand_in), pickle.loads(pickle.dumps(stand_in))):
        assert other.args == stand_in.args


def test_an_error_number_stays_with_the_words_of_the_system() -> None:
    assert str(stand_in_for(ConnectionResetError(104, SECRET))) == "[Errno 104] Connection reset by peer"
    unknown = caught(lambda: socket.getaddrinfo("", None))
    assert stand_in_for(unknown).args == unknown.args
    tls = ssl.SSLError(1, SECRET)
    assert str(stand_in_for(tls)) == "[Errno 1] SSLError", "its numbers are not the system's"
    tls.reason = "CERTIFICATE_VERIFY_FAILED"
    assert str(stand_in_for(tls)) == "[Errno 1] CERTIFICATE_VERIFY_FAILED"


def test_it_was_raised_where_the_other_was() -> None:
    error = caught(lambda: json.loads("{" + SECRET))
    assert stand_in_for(error).__traceback__ is error.__traceback__


def fail(*causes: BaseException) -> None:
    """Raises a TransportError from the first of ``causes``, that from the next, and so on; each while it is handled."""
    if not causes:
        return
    first, *others = causes
    try:
        fail(*others)
        raise first
    except BaseException as error:
        if error is first:
            raise
        raise first from error


def chain_of(error: BaseException) -> list[str]:
    names = []
    link: BaseException | None = error
    while link is not None:
        names.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    return names


def test_the_whole_chain_is_kept_by_class() -> None:
    ours = TransportError("no answer")
    error = caught(lambda: fail(OptionsError("wrong"), Talkative(SECRET, 1), ours, ValueError(SECRET)))
    before = chain_of(error)
    hush(error)
    assert chain_of(error) == before == ["OptionsError", "Talkative", "TransportError", "ValueError"]
    assert SECRET not in everything_of(error)
    assert error.__cause__ is error.__context__
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is ours
    first = error.__cause__
    hush(error)
    assert error.__cause__ is first, "twice is no more than once"


def test_what_was_suppressed_is_hushed_and_stays_suppressed() -> None:
    def quiet() -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise TransportError("no answer") from None

    error = caught(quiet)
    hush(error)
    assert error.__suppress_context__
    assert repr(error.__context__) == "ValueError()"


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, other = ValueError(SECRET), KeyError(SECRET)
    one.__context__, other.__context__ = other, one
    error = TransportError("no answer")
    error.__context__ = one
    hush(error)
    assert SECRET not in everything_of(error)


def test_a_chain_of_any_length_is_walked() -> None:
    error = TransportError("no answer")
    link: BaseException = error
    for _ in range(5000):
        link.__context__ = ValueError(SECRET)
        link = link.__context__
    hush(error)
    assert repr(error.__context__) == "ValueError()"


@pytest.mark.parametrize("is_async", [False, True], ids=["function", "coroutine"])
def test_what_the_caller_was_handling_stays_the_callers(is_async: bool) -> None:
    @discreet
    def work() -> None:
        fail(TransportError("no answer"), ValueError(SECRET))

    @discreet
    async def work_async() -> None:
        fail(TransportError("no answer"), ValueError(SECRET))

    mine = KeyError("mine")
    try:
        raise mine
    except KeyError:
        error = caught((lambda: asyncio.run(work_async())) if is_async else work)
        assert sys.exception() is mine
    assert SECRET not in everything_of(error.__cause__)
    assert error.__cause__ is not None
    if not is_async:  # asyncio.run, too, handles something
        assert error.__cause__.__context__ is mine


def test_an_interruption_stays_what_it_is() -> None:
    class Limit(BaseException):
        pass

    limit = Limit("mine")

    @discreet
    def work() -> None:
        fail(limit, ValueError(SECRET))

    error = caught(work)
    assert error is limit
    assert error.args == ("mine",)
    assert SECRET not in everything_of(error)


def test_what_is_logged_of_foreign_code_is_where_it_failed() -> None:
    error = caught(lambda: fail(Talkative(SECRET, 1), ValueError(SECRET)))
    logged = hushed(error)
    assert SECRET in everything_of(error), "it belongs to others, and is not changed"
    assert SECRET not in everything_of(logged)
    assert chain_of(logged) == ["Talkative", "ValueError"]
    assert str(hushed(TransportError("no answer"))) == "no answer"
    assert str(hushed(caught(lambda: parse_string("consumer_id", 5)))).startswith("Option 'consumer_id' must be")
    assert SECRET not in everything_of(hushed(caught(lambda: fail(TransportError(SECRET)))))


def places_of(error: BaseException) -> list[str]:
    printed = traceback.format_exception(error)
    return [entry.splitlines()[0] for entry in printed if entry.startswith("  File")]


def test_what_is_logged_holds_no_variable_of_the_functions_that_failed() -> None:
    variables = SECRET
    error = caught(lambda: fail(TransportError("no answer"), ValueError(variables)))
    logged = hushed(error)
    link: BaseException | None = logged
    assert places_of(logged) == places_of(error)
    while link is not None:
        frames = [frame for frame, _ in traceback.walk_tb(link.__traceback__)]
        assert len(frames) >= 2
        assert [(frame.f_locals, frame.f_back) for frame in frames] == [({}, None)] * len(frames)
        link = link.__cause__


def test_names_and_signatures_stay() -> None:
    def work(a: int, *, b: str = "") -> Any:
        """Works."""

    assert discreet(work).__doc__ == "Works."
    assert discreet(work).__wrapped__ is work  # type: ignore[attr-defined]
