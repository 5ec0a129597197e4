"""A process that forgot to close its client ends soon, and as it was told to."""

from __future__ import annotations

import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.kit.loopback import serving
from tests.kit.processes import run_process
from tests.lifecycle.echo import Echo
from tests.lifecycle.forked import BEGIN

SOON_S = 12  # a call takes 20; start and end of the interpreter, and what a loaded machine adds, take less

# Each leaves its client open in the middle of something.
WAYS = {
    "calls with a callback": """
        client = client_of(domain, timeout=30_000, async_workers=2)
        for number in range(5):
            client.get_offers(**call_of(session(number)), callback=print, err_callback=print)
    """,
    "an outbox in memory": """
        client = client_of(domain, timeout=30_000, outbox=Outbox.memory(flush_interval=1))
        queue(client, ["a", "b", "c"])
    """,
    "an outbox in a file": """
        import tempfile
        folder = tempfile.TemporaryDirectory()
        client = client_of(domain, timeout=3000, outbox=Outbox.sqlite(folder.name + "/outbox.db", flush_interval=1))
        queue(client, ["a", "b", "c"])
    """,
    "client_ready to come": """
        client = client_of(domain, events={"client_ready": print})
    """,
    "calls on threads of an event loop": """
        async def forget():
            global client
            client = await AsyncTargetClient.create(
                options_of(domain, timeout=30_000, transport="threads", events={"client_ready": print})
            )
            calls = [asyncio.ensure_future(ask_async(client, number)) for number in range(5)]
            await asyncio.sleep(0.05)
        asyncio.run(forget())
    """,
    "calls on an event loop": """
        async def forget():
            global client
            client = await AsyncTargetClient.create(
                options_of(domain, timeout=30_000, transport="aiohttp", events={"client_ready": print})
            )
            calls = [asyncio.ensure_future(ask_async(client, number)) for number in range(5)]
            await asyncio.sleep(0.05)
        asyncio.run(forget())
    """,
    "an outbox beside an event loop": """
        async def forget():
            global client
            client = await AsyncTargetClient.create(
                options_of(domain, timeout=30_000, outbox=Outbox.memory(flush_interval=1))
            )
            item = {"id": "a", "type": "display", "timestamp": 1_700_000_000_000}
            await client.queue_notifications(request={"notifications": [item]})
        asyncio.run(forget())
    """,
    "a client that is closed by what the interpreter still clears away": """
        def lend():
            with client_of(domain, events={"client_ready": print}) as client:
                yield client

        lent = lend()  # a generator of a module, which is closed after the last thread could be started
        next(lent)
    """,
    "a lookup that hangs": """
        import socket
        find = socket.getaddrinfo

        def hang(host, port, family=0, type=0, proto=0, flags=0):
            if not flags & socket.AI_NUMERICHOST:
                time.sleep(30)
            return find(host, port, family, type, proto, flags)

        socket.getaddrinfo = hang
        client = client_of("shop.example", timeout=30_000)
        client.get_offers(**call_of(session("lookup")), callback=print)
    """,
}

ENDS = {
    "the end of the script": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an error": ("raise ValueError('mine')", 1),
    "sys.exit in a thread": (
        "thread = threading.Thread(target=sys.exit, args=(3,))\nthread.start()\nthread.join()",
        0,
    ),
    "SIGTERM that is handled": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(20)",
        0,
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(20)", -signal.SIGTERM),
}


IN_THE_MIDDLE = """
client = client_of(domain, timeout=30_000, async_workers=2, outbox=Outbox.memory(flush_interval=1))
for number in range(5):
    client.get_offers(**call_of(session(number)), callback=print)
queue(client, ["a", "b", "c"])
time.sleep(0.1)
"""


class Ended(NamedTuple):
    """How a process ended: exit code, seconds, output."""

    code: int
    took_s: float
    said: str


def end_of(script: str, domain: str) -> Ended:
    started = time.monotonic()
    done = run_process(BEGIN + script, domain, within_s=20)
    return Ended(done.returncode, time.monotonic() - started, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def ended() -> Iterator[Callable[[str], Ended]]:
    """The end of each process, by the name of its way or its end. They run side by side: most of it is waiting."""
    scripts = {way: textwrap.dedent(script) + "print('the end')" for way, script in WAYS.items()}
    scripts |= {end: IN_THE_MIDDLE + how for end, (how, _) in ENDS.items()}
    with serving(Echo(latency_s=20)) as hanging, ThreadPoolExecutor(4) as pool:
        running = {name: pool.submit(end_of, script, hanging.domain) for name, script in scripts.items()}
        yield lambda name: running[name].result()


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_forgot_to_close_exits(way: str, ended: Callable[[str], Ended]) -> None:
    code, took_s, said = ended(way)
    assert "the end" in said
    assert code == 0, said
    assert took_s < SOON_S
    assert "Traceback" not in said


@pytest.mark.parametrize("end", ENDS)
def test_it_exits_however_it_ends(end: str, ended: Callable[[str], Ended]) -> None:
    """With calls and queued notifications that nobody takes."""
    code, took_s, said = ended(end)
    assert code == ENDS[end][1], said
    assert took_s < SOON_S


@pytest.mark.parametrize("asynchronous", [False, True], ids=["TargetClient", "AsyncTargetClient"])
@pytest.mark.parametrize("end", ["the end of the script", "SIGTERM that is handled"])
def test_what_was_queued_is_sent_at_exit(asynchronous: bool, end: str) -> None:
    how, wanted = ENDS[end]
    script = """
        outbox = Outbox.memory(flush_interval=60_000)
        items = [{"id": name, "type": "display", "timestamp": 1_700_000_000_000} for name in "abc"]

        async def forget():
            global client
            client = await AsyncTargetClient.create(options_of(domain, outbox=outbox))
            await client.queue_notifications(request={"notifications": items})

        if ASYNCHRONOUS:
            asyncio.run(forget())
        else:
            client = client_of(domain, outbox=outbox)
            client.queue_notifications(request={"notifications": items})
    """.replace("ASYNCHRONOUS", str(asynchronous))
    echo = Echo()
    with serving(echo) as server:
        code, took_s, said = end_of(textwrap.dedent(script) + how, server.domain)
    assert code == wanted, said
    assert took_s < SOON_S
    assert echo.notified == {"a": 1, "b": 1, "c": 1}
