"""What the scripts of these tests share: clients, calls whose answers are checked, and forks that cannot hang."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from target import AsyncTargetClient, TargetClient, TargetDeliveryResponse
from tests.kit.calls import REQUEST

LONGEST_S = 15

warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)  # with threads: what this is about


def session(name: object) -> str:
    """A session id that says which process asks."""
    return f"{os.getpid()}-{name}"


def call_of(session_id: str) -> dict[str, Any]:
    return {"request": REQUEST, "session_id": session_id}


def answered(result: TargetDeliveryResponse) -> str:
    """The session that an answer is for, as an Echo says."""
    return str(result.response.execute.mboxes[0].options[0].content["session"])


def ask(client: TargetClient, name: object) -> None:
    """One call, whose answer must be its own."""
    wanted = session(name)
    assert answered(client.get_offers(**call_of(wanted))) == wanted


def ask_many(client: TargetClient, count: int, threads: int, label: str = "") -> None:
    """So many calls side by side."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda number: ask(client, f"{label}{number}"), range(count)))


def ask_aside(client: TargetClient, count: int, label: str = "aside") -> None:
    """So many calls with a callback, each of which must get the answer of its own call, once."""
    got: list[tuple[str, str]] = []

    def begin(wanted: str) -> Any:
        return client.get_offers(**call_of(wanted), callback=lambda result: got.append((wanted, answered(result))))

    wanted = [session(f"{label}{number}") for number in range(count)]
    for handle in [begin(name) for name in wanted]:
        handle.get(LONGEST_S)
    assert sorted(got) == sorted((name, name) for name in wanted)


async def ask_async(client: AsyncTargetClient, name: object) -> None:
    wanted = session(name)
    assert answered(await client.get_offers(**call_of(wanted))) == wanted


def queue(client: TargetClient, names: list[str]) -> None:
    """Queue each notification in a session of its own."""
    for name in names:
        item = {"id": name, "type": "display", "timestamp": 1_700_000_000_000}
        client.queue_notifications(request={"notifications": [item]}, session_id=session(name))


def fork_without_hooks() -> int:
    """As uWSGI and C extensions fork: Python is told nothing. Under the GIL, as they do it, too.

    Without its hooks, Python itself hangs in a child where a thread of the parent's was about to take the GIL. So this
    waits until all other threads wait for something else; a child at whose fork one of them woke all the same is ended
    before it does anything, and there is another.
    """
    give_up_at = time.monotonic() + LONGEST_S
    while True:
        while (quiet := _switches()) != _switches(after_s=0.03) or quiet is None:
            assert time.monotonic() < give_up_at
        permit, permits = os.pipe()
        child = int(ctypes.PyDLL(None).fork())
        if not child:
            os.close(permits)
            may_go_on = os.read(permit, 1)
            os.close(permit)
            if not may_go_on:
                os._exit(0)
            return 0
        is_good = _switches() == quiet
        os.close(permit)
        if is_good:
            os.write(permits, b"1")
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(permits)
        if is_good:
            return child


def _switches(after_s: float = 0) -> dict[str, str] | None:
    """How often each other thread was begun and stopped so far, as Linux counts it; None while one just ends."""
    time.sleep(after_s)
    counts = {}
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            if int(task) != threading.get_native_id():
                with open(f"/proc/self/task/{task}/status") as status:
                    counts[task] = status.read().partition("voluntary_ctxt_switches")[2]
        return counts
    return None


def fork(work: Callable[[], object], fork_process: Callable[[], int] = os.fork) -> int:
    """A child that does ``work`` and exits with 0, or with 1 after an error; one that hangs is ended by a signal."""
    child = fork_process()
    if child:
        return child
    signal.alarm(LONGEST_S)
    try:
        work()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def bare_fork(work: Callable[[], object]) -> int:
    """The same, and Python is told nothing of it."""
    return fork(work, fork_without_hooks)


def wait_for(children: list[int]) -> None:
    """Until all have ended, well."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(children), codes


@contextlib.contextmanager
def held(lock: Any) -> Iterator[None]:
    """While another thread holds ``lock``."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(LONGEST_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(LONGEST_S)
    try:
        yield
    finally:
        done.set()
        thread.join()
