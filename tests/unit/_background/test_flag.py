"""A flag: what an Event does, with no lock that an interruption could leave held."""

from __future__ import annotations

import threading
import time

from target._background.flag import Flag


def test_who_waits_goes_on_when_it_is_set() -> None:
    flag = Flag()
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(flag.wait(10))) for _ in range(5)]
    for thread in threads:
        thread.start()
    while len(flag._gates) < 5:
        time.sleep(0.001)
    assert not flag.is_set()
    flag.set()
    for thread in threads:
        thread.join(10)
    assert seen == [True] * 5
    assert flag.wait()
    assert not flag._gates


def test_a_wait_ends_in_time() -> None:
    flag = Flag()
    started = time.monotonic()
    assert not flag.wait(0.05)
    assert not flag.wait(0)
    assert not flag.wait(-1)
    assert time.monotonic() - started < 5
    assert not flag._gates, "who has gone is forgotten"


def test_a_wait_as_long_as_can_be() -> None:
    flag = Flag()
    threading.Timer(0.05, flag.set).start()
    assert flag.wait(threading.TIMEOUT_MAX * 10)


def test_set_twice_and_by_several_at_once() -> None:
    for _ in range(50):
        flag = Flag()
        waiting = threading.Thread(target=flag.wait, args=(10,))
        setting = [threading.Thread(target=flag.set) for _ in range(3)]
        for thread in (waiting, *setting):
            thread.start()
        for thread in (waiting, *setting):
            thread.join(10)
            assert not thread.is_alive()
