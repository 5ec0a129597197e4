"""A child of a pool ends without Python's exit: what it had pending is sent first, within the second that close has."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, Received, serving
from tests.lifecycle.echo import Echo
from tests.lifecycle.recipes import environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# A module that children of every kind can import, and in which each has a client of its own or its parent's.
SHOP = """
import os
from target import Outbox, TargetClient

DOMAIN = os.environ["SHOP_DOMAIN"]
OPTIONS = dict(client="acme", organization_id="1@AdobeOrg", server_domain=DOMAIN, secure=False, edge_routing=False)
EXECUTE = {"execute": {"mboxes": [{"name": "home"}]}}
client = TargetClient.create(**OPTIONS, outbox=Outbox.memory(flush_interval=60_000))


def order(number):
    item = {"id": f"order-{number}", "type": "click", "timestamp": 1_700_000_000_000, "mbox": {"name": "orders"}}
    client.queue_notifications(request={"notifications": [item]}, session_id=f"{os.getpid()}-order-{number}")
    return number


def call_aside(number):
    for each in range(3):
        client.get_offers(request=EXECUTE, session_id=f"{os.getpid()}-{number}-{each}", callback=str)


def decide(number):
    on_device = TargetClient.create(
        **OPTIONS, decisioning_method="on-device", artifact_location=f"http://{DOMAIN}/rules.json"
    )
    result = on_device.get_offers(request=EXECUTE, session_id=f"{os.getpid()}-{number}")
    assert result.response.execute.mboxes[0].options
    globals()["kept"] = on_device


def order_durably(number):
    durable = TargetClient.create(**OPTIONS, outbox=Outbox.sqlite(os.environ["SHOP_FILE"], flush_interval=60_000))
    item = {"id": f"order-{number}", "type": "click", "timestamp": 1_700_000_000_000, "mbox": {"name": "orders"}}
    durable.queue_notifications(request={"notifications": [item]}, session_id=f"{os.getpid()}-order-{number}")


def order_and_forget(number):
    forgotten = TargetClient.create(**OPTIONS, outbox=Outbox.memory(flush_interval=60_000))
    item = {"id": f"order-{number}", "type": "click", "timestamp": 1_700_000_000_000, "mbox": {"name": "orders"}}
    forgotten.queue_notifications(request={"notifications": [item]}, session_id=f"{os.getpid()}-order-{number}")


def order_and_fail(number):
    order(number)
    raise SystemExit(3)
"""

BEGIN = """
import multiprocessing, sys, time, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)

def processes(kind, work, numbers):
    for number in numbers:
        process = kind(target=work, args=(number,))
        process.start()
        process.join(20)

if __name__ == "__main__":
    import shop
"""


def run_children(script: str, folder: Path, domain: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(SHOP)
    main = folder / "main.py"
    main.write_text(BEGIN + textwrap.indent(textwrap.dedent(script), "    "))
    variables = {"SHOP_DOMAIN": domain, "SHOP_FILE": str(folder / "outbox.db")}
    done = subprocess.run(
        [sys.executable, str(main)],
        cwd=folder,
        env={**environment(folder), **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


KINDS = {
    "Process, forked": "processes(multiprocessing.get_context('fork').Process, shop.{work}, range(3))",
    "Process, spawned": "processes(multiprocessing.get_context('spawn').Process, shop.{work}, range(3))",
    "Process of a fork server": "processes(multiprocessing.get_context('forkserver').Process, shop.{work}, range(3))",
    "Process of a fork server that has the module": """
        multiprocessing.set_forkserver_preload(["shop"])
        processes(multiprocessing.get_context('forkserver').Process, shop.{work}, range(3))
    """,
    "Pool, new children after each task": """
        with multiprocessing.get_context('fork').Pool(1, maxtasksperchild=1) as pool:
            pool.map(shop.{work}, range(3), chunksize=1)
            pool.close()
            pool.join()
    """,
    "Pool, closed and joined": """
        pool = multiprocessing.get_context('fork').Pool(2)
        pool.map(shop.{work}, range(3), chunksize=1)
        pool.close()
        pool.join()
    """,
    "ProcessPoolExecutor": """
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork')) as pool:
            list(pool.map(shop.{work}, range(3)))
    """,
    "Process of billiard": """
        import billiard
        processes(billiard.get_context('fork').Process, shop.{work}, range(3))
    """,
}
FIRST_HAND = ("Process, forked", "Pool, closed and joined")


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_outbox(kind: str, tmp_path: Path) -> None:
    if "billiard" in kind:
        pytest.importorskip("billiard", reason="comes with celery")
    echo = Echo()
    with serving(echo) as server:
        run_children(KINDS[kind].format(work="order"), tmp_path, server.domain)
    assert echo.notified == {f"order-{number}": 1 for number in range(3)}


@pytest.mark.parametrize("kind", FIRST_HAND)
@pytest.mark.parametrize("work", ["order_and_forget", "order_and_fail", "order_durably"])
def test_other_outboxes(kind: str, work: str, tmp_path: Path) -> None:
    """Of a client that the task made and dropped, of a task that ends its process, in a file."""
    if work == "order_and_fail" and kind != "Process, forked":
        pytest.skip("a pool gives up a child that a task ends")
    echo = Echo()
    with serving(echo) as server:
        run_children(KINDS[kind].format(work=work), tmp_path, server.domain)
    assert echo.notified == {f"order-{number}": 1 for number in range(3)}


@pytest.mark.parametrize("kind", [*FIRST_HAND, "Process, spawned"])
def test_calls_with_a_callback(kind: str, tmp_path: Path) -> None:
    echo = Echo(latency_s=0.05)
    with serving(echo) as server:
        run_children(KINDS[kind].format(work="call_aside"), tmp_path, server.domain)
    assert echo.sessions.total() == 9


@pytest.mark.parametrize("kind", FIRST_HAND)
def test_impressions_and_telemetry_of_decisions_on_a_device(kind: str, tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    rules = artifact()

    def answer(received: Received) -> Answer:
        if received.target.startswith("/rules.json"):
            return Answer(rules)
        bodies.append(received.body)
        return echo(received)

    echo = Echo()
    with serving(answer) as server:
        run_children(KINDS[kind].format(work="decide"), tmp_path, server.domain)
    impressions = [item["id"] for body in bodies for item in body.get("notifications", ())]
    assert len(impressions) == len(set(impressions)) == 3
    entries = [entry for body in bodies for entry in body.get("telemetry", {}).get("entries", ())]
    assert sum(entry.get("mode") == "local" for entry in entries) == 3


def test_a_server_that_hangs_holds_a_child_for_a_second_at_most(tmp_path: Path) -> None:
    script = """
        started = time.monotonic()
        shop.client.get_offers(request=shop.EXECUTE, session_id="warm", callback=str, err_callback=str)
        process = multiprocessing.get_context("fork").Process(target=both)
        process.start()
        process.join()
        print(time.monotonic() - started)
    """
    both = """
        def both():
            shop.order(1)
            shop.call_aside(2)
    """
    with serving(Echo(latency_s=20)) as server:
        done = run_children(textwrap.dedent(both) + textwrap.dedent(script), tmp_path, server.domain)
    assert 0.9 < float(done.stdout) < 3


CELERY = """
import shop
from celery import Celery

app = Celery("tasks", broker="filesystem://", backend=None)
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
app.conf.worker_hijack_root_logger = False


@app.task
def buy(number):
    shop.order(number)
"""


@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="needs celery, as the group dev has it")
@pytest.mark.parametrize("options", [["--max-tasks-per-child=1"], []], ids=["a child for each task", "a warm shutdown"])
def test_celery(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "tasks.py").write_text(CELERY)
    (tmp_path / "queue").mkdir()
    echo = Echo()
    with serving(echo) as server, (tmp_path / "log").open("wb") as log:
        variables = {**environment(tmp_path), "SHOP_DOMAIN": server.domain}
        put = "import tasks\nfor number in range(4):\n    tasks.buy.delay(number)"
        subprocess.run([sys.executable, "-c", put], cwd=tmp_path, env=variables, timeout=30, check=True)
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency=2", "--loglevel=INFO"]
        worker = subprocess.Popen([*command, *options], cwd=tmp_path, env=variables, stdout=log, stderr=log)
        try:
            give_up_at = time.monotonic() + 30
            said = ""
            while said.count("succeeded in") < 4 and time.monotonic() < give_up_at:
                time.sleep(0.1)
                said = (tmp_path / "log").read_text()
            worker.terminate()
            worker.wait(20)
        finally:
            worker.kill()
    assert said.count("succeeded in") == 4, said
    assert echo.notified == {f"order-{number}": 1 for number in range(4)}
