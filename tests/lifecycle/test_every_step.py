"""An exception from a signal handler at each single step of a call: the next call gets its own answer, at once."""

from __future__ import annotations

import textwrap

import pytest

from tests.kit import processes
from tests.kit.loopback import LoopbackServer
from tests.kit.shop import Shop

BEGIN = """
import itertools
import sys
import urllib3
from target import Outbox, TargetClient
from tests.kit.calls import client_of, options_of
from tests.kit.shop import HOME, shown
from tests.kit.strikes import at_each_step
from tests.lifecycle.interrupting import *

faulthandler.dump_traceback_later(50, exit=True)
domain, OURS, numbers = sys.argv[1], "/target/", itertools.count(1)
SOON_S = 1.5  # less than anything here waits for, once it goes on by itself

def strike(work, check=None, *parts, every=1):
    "Strike work at each step; check has to be done soon after each. How often that was."
    steps = 0
    for _ in at_each_step(lambda: work(next(numbers)), OURS, *parts, every=every):
        began_s = time.monotonic()
        (check or work)(next(numbers))
        took_s = time.monotonic() - began_s
        assert took_s < SOON_S, (steps, took_s)
        steps += 1
    return steps

def shown_once(number):
    return {"notifications": [{"id": str(number), "type": "click", "timestamp": 1, "mbox": {"name": "a"}}]}
"""


def run_script(script: str, server: LoopbackServer) -> str:
    return processes.run_script(BEGIN + textwrap.dedent(script), server.domain, within_s=60)


@pytest.mark.parametrize("pool", ["None", "urllib3.PoolManager(maxsize=1, block=True)"])
def test_a_call(pool: str, server: LoopbackServer) -> None:
    script = f"""
        client = client_of(domain, timeout=2000, pool={pool}, breaker_failures=1000)
        assert strike(lambda number: ask(client, number)) > 300
        client.close()
    """
    run_script(script, server)


def test_a_call_with_a_callback(server: LoopbackServer) -> None:
    script = """
        client = client_of(domain, timeout=2000, async_workers=1)
        assert strike(lambda number: ask_aside(client, number, SOON_S)) > 100
        assert client.flush(2000) == 0
        assert client.status()["callbacks"] == 0
        client.close()
    """
    run_script(script, server)


def test_a_call_with_a_callback_that_starts_its_thread(server: LoopbackServer) -> None:
    """Its steps in threading, too: a thread that is stuck there is nobody's any more."""
    script = """
        from target._background.workers import Workers

        def submit(number):
            workers.submit(lambda: 1, lambda _: None, None)

        def again(number):
            global workers
            assert workers.submit(lambda: 2, lambda _: None, None).get(SOON_S) == 2
            workers.close()
            workers.join(SOON_S)
            workers = Workers(2, logging.getLogger("quiet"))

        logging.getLogger("quiet").propagate = False
        workers = Workers(2, logging.getLogger("quiet"))
        assert strike(submit, again, "/threading.py") > 50
    """
    run_script(script, server)


@pytest.mark.parametrize("store", ["memory()", "sqlite(sys.argv[2])"])
def test_queueing_and_flushing(store: str, server: LoopbackServer, tmp_path: object) -> None:
    script = f"""
        client = client_of(domain, timeout=2000, outbox=Outbox.{store})
        queued = set()

        def queue(number):
            queued.update(client.queue_notifications(request=shown_once(number)))

        def flush(number):
            queue(number)
            assert client.outbox.flush(timeout=1000)

        assert strike(queue) > 100
        assert strike(flush, every=9) > 10
        assert client.outbox.counters["acknowledged"] >= len(queued)
        assert client.outbox.pending == 0
        assert not client.outbox.dead_letters
        client.close()
    """
    text = BEGIN + textwrap.dedent(script)
    said = processes.run_process(text, server.domain, f"{tmp_path}/outbox.db", within_s=60)
    assert said.returncode == 0, said.stdout + said.stderr
    slow_disk = "are lost if the process ends before they are sent or written"  # which it does not
    assert "lost" not in said.stderr.replace(slow_disk, "")
    sent = [each["id"] for received in server.received for each in received.body.get("notifications", ())]
    assert len(sent) >= 100


def test_a_decision_that_sends_what_was_displayed(shop: Shop) -> None:
    script = """
        options = options_of(domain, decisioning_method="on-device", cdn_base_path=f"http://{domain}",
                             polling_interval=0, telemetry_enabled=True, timeout=2000)
        client = TargetClient.create(options)
        client.wait_until_ready(10)

        def decide(number):
            assert shown(client.get_offers(request=HOME))

        def flush(number):
            decide(number)
            assert client.flush(1000) == 0

        assert strike(decide, every=3) > 100
        assert strike(flush, every=9) > 10
        assert client.status()["background"]["failed"] == client.status()["background"]["dropped"] == 0
        client.close()
    """
    run_script(script, shop.server)


def test_closing(server: LoopbackServer) -> None:
    """Who was interrupted closes again."""
    script = """
        def make():
            global client
            client = client_of(domain, timeout=2000, outbox=Outbox.memory())
            client.queue_notifications(request=shown_once(next(numbers)))
            client.get_offers(request={"execute": {"mboxes": [{"name": "a"}]}}, callback=lambda _: None)

        def close(number):
            client.close(2000)

        def close_again(number):
            client.close(2000)
            make()

        make()
        assert strike(close, close_again, every=3) > 20
    """
    run_script(script, server)
