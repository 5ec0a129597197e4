"""The circuit breaker, with real threads and a real clock."""

from __future__ import annotations

import threading
import time

import pytest

from target._background.breaker import Breaker
from target.errors import ApiError, ClientClosed, TargetError, TargetTimeout, TargetUnavailable, TransportError

HOST = "https://acme.tt.omtrdc.net"


def attempt(breaker: Breaker, error: Exception | None = None, host: str = HOST) -> None:
    with breaker.watching(host):
        if error is not None:
            raise error


def fail(breaker: Breaker, times: int, error: TargetError | None = None) -> None:
    for _ in range(times):
        with pytest.raises(TargetError):
            attempt(breaker, error or TransportError("refused"))


@pytest.mark.parametrize("error", [TransportError("x"), TargetTimeout("x"), ApiError(500, "x"), ApiError(503, "x")])
def test_opens_after_that_many_failures_in_a_row(error: TargetError) -> None:
    breaker = Breaker(3, 30)
    fail(breaker, 3, error)
    with pytest.raises(TargetUnavailable, match="3 times in a row"):
        attempt(breaker)


@pytest.mark.parametrize("error", [ApiError(400, "x"), ApiError(429, "x"), ClientClosed("x")])
def test_what_says_nothing_about_the_host_does_not_count(error: TargetError) -> None:
    breaker = Breaker(2, 30)
    fail(breaker, 1)
    fail(breaker, 5, error)
    attempt(breaker)


def test_a_success_begins_the_count_anew() -> None:
    breaker = Breaker(2, 30)
    fail(breaker, 1)
    attempt(breaker)
    fail(breaker, 1)
    attempt(breaker)


def test_hosts_are_counted_apart() -> None:
    breaker = Breaker(1, 30)
    fail(breaker, 1)
    attempt(breaker, host="https://mboxedge38.tt.omtrdc.net")
    with pytest.raises(TargetUnavailable):
        attempt(breaker)


def test_zero_switches_it_off() -> None:
    breaker = Breaker(0, 30)
    fail(breaker, 100)
    attempt(breaker)


def test_one_probe_at_a_time_after_the_rest() -> None:
    breaker = Breaker(1, 0.05)
    fail(breaker, 1)
    with pytest.raises(TargetUnavailable):
        attempt(breaker)
    time.sleep(0.06)
    outcomes: list[str] = []
    inside, finish = threading.Event(), threading.Event()

    def probe() -> None:
        with breaker.watching(HOST):
            inside.set()
            finish.wait(5)
        outcomes.append("through")

    thread = threading.Thread(target=probe)
    thread.start()
    assert inside.wait(5)
    for _ in range(3):
        with pytest.raises(TargetUnavailable):
            attempt(breaker)
    finish.set()
    thread.join(5)
    assert outcomes == ["through"]
    attempt(breaker)


def test_a_failed_probe_keeps_it_open_and_a_cancelled_one_lets_the_next_try() -> None:
    breaker = Breaker(1, 0.05)
    fail(breaker, 1)
    time.sleep(0.06)
    fail(breaker, 1)
    with pytest.raises(TargetUnavailable):
        attempt(breaker)
    time.sleep(0.06)
    with pytest.raises(KeyboardInterrupt):
        attempt(breaker, KeyboardInterrupt())  # type: ignore[arg-type]
    attempt(breaker)


def test_a_call_from_before_does_not_end_the_probe_of_another() -> None:
    breaker = Breaker(1, 0.05)
    with pytest.raises(ClientClosed), breaker.watching(HOST):  # noqa: PT012
        fail(breaker, 1)
        time.sleep(0.06)
        with breaker.watching("https://elsewhere.example"):
            pass
        raise ClientClosed("cancelled meanwhile")
    probe = breaker.watching(HOST)
    probe.__enter__()
    with pytest.raises(TargetUnavailable):
        attempt(breaker)
    probe.__exit__(None, None, None)
    attempt(breaker)


def test_hosts_that_failed_once_do_not_pile_up() -> None:
    breaker = Breaker(5, 30)
    for number in range(2000):
        with pytest.raises(TransportError):
            attempt(breaker, TransportError("x"), host=f"https://mboxedge{number}.tt.omtrdc.net")
    assert len(breaker._hosts) <= 256


def test_hosts_that_cookies_name_do_not_close_the_circuit_of_one_that_keeps_failing() -> None:
    breaker = Breaker(5, 30)
    fail(breaker, 5)
    for number in range(2000):
        with pytest.raises(TransportError):
            attempt(breaker, TransportError("x"), host=f"https://mboxedge{number}.tt.omtrdc.net")
    with pytest.raises(TargetUnavailable):
        attempt(breaker)


def test_it_tells_how_long_a_host_is_left_alone() -> None:
    breaker = Breaker(2, 30)
    fail(breaker, 1)
    assert breaker.rests_s(HOST) == 0
    fail(breaker, 1)
    assert 29 < breaker.rests_s(HOST) <= 30
    assert breaker.rests_s("https://mboxedge38.tt.omtrdc.net") == 0


def test_a_host_that_one_call_tries_is_left_alone_by_the_others_for_a_moment() -> None:
    breaker = Breaker(1, 0)
    fail(breaker, 1)
    with breaker.watching(HOST):
        assert 0 < breaker.rests_s(HOST) < 1
    assert breaker.rests_s(HOST) == 0
