"""Calls with a callback: the handle they return, the threads behind them, and what is left when they are done."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import weakref
from typing import Any

import pytest

from target import AsyncResult, ClientClosed, OptionsError, TargetClient, TargetTimeout, TransportError
from target._background.workers import Workers
from target.loggers import Log
from tests.kit.calls import CALL, MakeClient, client_of, eventually, expect, timed
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.processes import run_script
from tests.kit.raw_servers import hang, raw_server
from tests.kit.threads import threads_of


def ignore(_: object) -> None:
    """A callback that wants nothing."""


def worker_threads() -> int:
    return len(threads_of("target-worker"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_handle_is_ready_once_the_callback_has_run(client: TargetClient) -> None:
    go_on = threading.Event()
    received: list[object] = []

    def callback(result: object) -> None:
        received.append(result)
        go_on.wait(5)

    handle = client.get_offers(**CALL, callback=callback)
    assert isinstance(handle, AsyncResult)
    assert eventually(lambda: received)
    assert not handle.ready()
    with pytest.raises(ValueError, match="call wait"):
        handle.successful()
    with pytest.raises(OptionsError):
        handle.successful()
    expect_no_result(handle)
    handle.wait(0.01)
    go_on.set()
    assert handle.get(5) is received[0]
    assert handle.ready()
    assert handle.successful()
    assert handle.get() is received[0]
    assert handle.get(0) is received[0]


def expect_no_result(handle: AsyncResult[Any]) -> None:
    with pytest.raises(TargetTimeout, match=r"within 0\.05 s") as caught:
        assert timed(lambda: handle.get(0.05)) < 3
    assert isinstance(caught.value, TimeoutError)


def test_an_error_goes_to_err_callback_and_to_get(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = lambda _: lambda sock: None
    errors: list[Exception] = []
    results: list[object] = []
    handle = make_client().get_offers(**CALL, callback=results.append, err_callback=errors.append)
    error = expect(TransportError, lambda: handle.get(5))
    assert errors == [error]
    assert results == []
    assert not handle.successful()
    silent = make_client().get_offers(**CALL, callback=results.append)
    expect(TransportError, lambda: silent.get(5))


@pytest.mark.parametrize("raised", [ValueError("mine"), SystemExit(3), KeyboardInterrupt(), BaseException("odd")])
@pytest.mark.parametrize("fails", [False, True], ids=["callback", "err_callback"])
def test_a_callback_that_raises_is_logged_and_loses_nothing(
    raised: BaseException,
    fails: bool,
    server: LoopbackServer,
    make_client: MakeClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def raise_it(_: object) -> None:
        raise raised

    if fails:
        server.answer = lambda _: Answer({"message": "no"}, 400)
    client = make_client(logger=logging.getLogger("shop"), async_workers=1)
    for _ in range(2):  # the one worker lives on
        handle = client.get_offers(**CALL, callback=raise_it, err_callback=raise_it)
        if fails:
            with pytest.raises(Exception, match="400: no"):
                handle.get(5)
        else:
            assert handle.get(5).response.status == 200
    logged = [record for record in caplog.records if record.name == "shop" and record.levelno == logging.ERROR]
    assert [record.getMessage() for record in logged] == ["A callback raised; the result of its call is kept"] * 2
    assert [isinstance(record.exc_info and record.exc_info[1], type(raised)) for record in logged] == [True, True]
    assert "in raise_it" in caplog.text, "where it was raised"
    assert not [word for word in ("mine", "odd") if word in caplog.text], "it may quote the result"


def test_work_that_is_interrupted_and_a_logger_that_raises_cost_no_worker() -> None:
    class Angry(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise SystemExit

    logger = logging.getLogger("angry")
    logger.addFilter(Angry())
    workers = Workers(1, Log(logger))

    def interrupt(*_: object) -> None:
        raise SystemExit(1)

    try:
        for _ in range(2):
            expect(TransportError, lambda: workers.submit(interrupt, ignore, None).get(5), "interrupted by SystemExit")
            assert workers.submit(lambda: 1, interrupt, None).get(5) == 1
    finally:
        workers.close()


def test_options_are_refused_at_once(client: TargetClient, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError):
        client.get_offers(request={}, callback=ignore)
    with pytest.raises(OptionsError):
        client.get_offers(**CALL, callback="print")
    with pytest.raises(OptionsError):
        client.get_offers(**CALL, err_callback=ignore)
    assert server.received == []


def test_callbacks_run_side_by_side_on_as_many_threads_as_asked_for(
    server: LoopbackServer, make_client: MakeClient
) -> None:
    together = threading.Barrier(3)

    def wait_for_others(received: Received) -> Answer:
        together.wait(5)
        return ok(received)

    server.answer = wait_for_others
    client = make_client(async_workers=3)
    names: set[str] = set()
    handles = [
        client.get_offers(**CALL, callback=lambda _: names.add(threading.current_thread().name)) for _ in range(9)
    ]
    for handle in handles:
        handle.get(5)
    assert names == {"target-worker-1", "target-worker-2", "target-worker-3"}
    assert all(thread.daemon for thread in threading.enumerate() if thread.name in names)


def test_one_call_at_a_time_takes_one_thread(client: TargetClient) -> None:
    before = worker_threads()
    for _ in range(5):
        client.get_offers(**CALL, callback=ignore).get(5)
        time.sleep(0.01)  # the worker reports back after the result is there
    assert worker_threads() == before + 1


@pytest.mark.waits
def test_a_thousand_calls_leave_threads_and_descriptors_flat(client: TargetClient) -> None:
    for handle in [client.get_offers(**CALL, callback=ignore) for _ in range(200)]:
        handle.get(10)
    threads, files = worker_threads(), descriptors()
    assert threads <= 8
    for handle in [client.get_offers(**CALL, callback=ignore) for _ in range(1000)]:
        handle.get(20)
    assert worker_threads() == threads
    assert descriptors() <= files
    client.close()
    assert eventually(lambda: worker_threads() == 0)


def test_close_ends_what_waits_and_lets_finish_what_runs(server: LoopbackServer, make_client: MakeClient) -> None:
    go_on = threading.Event()

    def wait(received: Received) -> Answer:
        go_on.wait(5)
        return ok(received)

    server.answer = wait
    client = make_client(async_workers=2)
    errors: list[Exception] = []
    results: list[object] = []
    handles = [client.get_offers(**CALL, callback=results.append, err_callback=errors.append) for _ in range(6)]
    assert eventually(lambda: len(server.received) == 2)
    closing = threading.Thread(target=client.close, args=(5000,))
    closing.start()
    assert eventually(lambda: [handle.ready() for handle in handles] == [False, False, True, True, True, True])
    for handle in handles[2:]:
        with pytest.raises(ClientClosed):
            handle.get(0)
    assert [type(error) for error in errors] == [ClientClosed] * 4
    go_on.set()
    assert [handle.get(5).response.status for handle in handles[:2]] == [200, 200]
    assert len(results) == 2
    assert len(server.received) == 2
    closing.join(5)
    assert not closing.is_alive()
    with pytest.raises(ClientClosed):
        client.get_offers(**CALL, callback=ignore)
    with pytest.raises(ClientClosed):
        client.get_offers(**CALL)
    client.close()
    assert eventually(lambda: worker_threads() == 0)


def test_a_callback_may_close_the_client(client: TargetClient) -> None:
    handle = client.get_offers(**CALL, callback=lambda _: client.close())
    assert handle.get(5).response.status == 200
    assert eventually(lambda: worker_threads() == 0)


@pytest.mark.waits
def test_a_forgotten_client_leaves_no_thread_and_no_socket() -> None:
    with raw_server(hang) as idle:
        del idle  # only there to warm up what the first server needs
    with serving() as server:
        gc.collect()
        before = descriptors()
        client = client_of(server.domain)
        client.get_offers(**CALL)
        for handle in [client.get_offers(**CALL, callback=ignore) for _ in range(20)]:
            handle.get(5)
        server.answer = lambda _: Answer({"message": "no"}, 400)
        with pytest.raises(Exception, match="no"):
            client.get_offers(**CALL)
        gone = weakref.ref(client)
        del client, handle
        gc.collect()
        assert gone() is None
        assert eventually(lambda: worker_threads() == 0)
        assert eventually(lambda: descriptors() <= before)


def test_a_process_that_forgets_to_close_exits() -> None:
    """With calls in progress and calls waiting, on threads that nobody joins."""
    script = """
        import sys
        from tests.kit.calls import CALL, client_of
        client = client_of(sys.argv[1], timeout=30000, async_workers=2)
        for _ in range(5):
            client.get_offers(**CALL, callback=print)
        print("end")
    """
    with raw_server(hang) as server:
        printed: list[str] = []
        took_s = timed(lambda: printed.append(run_script(script, server.domain)))
    assert printed == ["end\n"]
    assert took_s < 5


def test_a_call_while_the_interpreter_exits_still_works() -> None:
    """No thread can be started then, from Python 3.12 on: not for the name lookup either."""
    script = """
        import atexit, sys
        from tests.kit.calls import CALL, client_of
        client = client_of("localhost:" + sys.argv[1].rpartition(":")[2])
        atexit.register(lambda: print(client.get_offers(**CALL).response.status))
    """
    with serving() as server:
        assert run_script(script, server.domain) == "200\n"


def test_without_a_thread_to_be_had_the_call_says_so(client: TargetClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine out of threads cannot be had in a test, so starting one is made to fail."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("target-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(TransportError, match="make the call without one"):
        client.get_offers(**CALL, callback=ignore)
    assert client.get_offers(**CALL).response.status == 200
    monkeypatch.undo()
    assert client.get_offers(**CALL, callback=ignore).get(5).response.status == 200


# The event of a client that is ready


def test_client_ready_comes_after_create_on_a_daemon_thread(make_client: MakeClient) -> None:
    seen: list[tuple[dict[str, Any], bool, object]] = []
    made: list[TargetClient] = []
    done = threading.Event()

    def ready(event: dict[str, Any]) -> None:
        seen.append((event, threading.current_thread().daemon, made[0]))  # IndexError if create had not returned
        done.set()

    made.append(make_client(events={"client_ready": ready}))
    assert done.wait(2)
    assert seen == [({"type": "client_ready"}, True, made[0])]


def test_a_handler_that_raises_is_logged(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    def ready(_: dict[str, Any]) -> None:
        raise ValueError("mine")

    client = make_client(events={"client_ready": ready}, logger=logging.getLogger("shop"))
    assert eventually(lambda: [record for record in caplog.records if record.name == "shop"])
    assert caplog.records[0].getMessage() == "The handler of event client_ready raised"
    assert client.get_offers(**CALL).response.status == 200


def test_a_call_made_by_who_interrupted_another_waits_for_nothing(
    client: TargetClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the handler of a signal may: a lock would be held by its own thread."""
    handles, wake = [], client._workers._service.wake

    def interrupted() -> bool:
        monkeypatch.undo()
        handles.append(client.get_offers(**CALL, callback=ignore))
        return wake()

    monkeypatch.setattr(client._workers._service, "wake", interrupted)
    handles.append(client.get_offers(**CALL, callback=ignore))
    assert [handle.get(10).response.status for handle in handles] == [200, 200]


def test_a_call_that_was_refused_for_want_of_a_thread_is_never_made(
    client: TargetClient, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TransportError, match="make the call without one"):
            client.get_offers(**CALL, callback=ignore)
    client.get_offers(**CALL, callback=ignore).get(10)
    assert client.status()["callbacks"] == 0
    assert len(server.received) == 1
