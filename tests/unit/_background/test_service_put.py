"""Work that is put into a service: in what order it is done, by how many threads, and what follows it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from target._background.service import Service
from tests.kit.calls import eventually

WITHIN_S = 10.0


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service("put-{}", 3)
    yield made
    assert made.close(WITHIN_S)


def test_what_is_put_is_done_by_as_many_threads_as_there_is_work_for(service: Service) -> None:
    go_on, names = threading.Event(), queue.SimpleQueue[str]()

    def work() -> None:
        names.put(threading.current_thread().name)
        go_on.wait(WITHIN_S)

    def enough(count: int) -> bool:
        return names.qsize() == count

    for count in (1, 2, 3, 3, 3):
        assert service.put(work)
        assert eventually(partial(enough, count))
        assert len(service.threads) == count
    assert {names.get() for _ in range(3)} == {"put-1", "put-2", "put-3"}
    go_on.set()
    assert names.get(timeout=WITHIN_S)
    assert names.get(timeout=WITHIN_S)


def test_one_thread_does_what_is_put_in_order_and_then_what_follows() -> None:
    service = Service("one")
    done: list[str] = []
    for number in range(50):
        service.put(partial(done.append, f"{number}"), partial(done.append, f"then {number}"))
    assert service.close(WITHIN_S)
    assert done == [words for number in range(50) for words in (f"{number}", f"then {number}")]


def test_what_follows_is_done_after_work_that_raises_and_finds_its_thread_free(service: Service) -> None:
    done = threading.Event()

    def angry() -> None:
        raise SystemExit

    service.put(angry, lambda: service.put(done.set))
    assert done.wait(WITHIN_S)
    assert len(service.threads) == 1


def test_without_a_thread_to_be_had_who_puts_may_do_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert not service.put(lambda: done.append(threading.get_ident()))
    service.do_here()
    assert done == [threading.get_ident()]
    monkeypatch.undo()
    assert service.put(lambda: done.append(threading.get_ident()))
    assert eventually(lambda: len(done) == 2)
    assert done[1] != threading.get_ident()
