"""The recipes of docs/, each with 4 workers: answers do not cross, nothing counts twice, they stop."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.kit.calls import eventually
from tests.kit.loopback import LoopbackServer, serving
from tests.lifecycle.echo import Echo
from tests.lifecycle.recipes import TEXT, Running, commands, connections_to, running, sockets_of

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="looks into /proc")

WORKERS = 4
ASKING = 8
RECIPES = [command for command in commands(TEXT) if not command.startswith("celery")]
SMALL = 60
FULL = 1000
IN_SMALL = {
    "uwsgi --master --die-on-term --processes 4 --threads 4 --lazy-apps --module shop_flask:app",
    "gunicorn --workers 4 --threads 4 --preload shop_flask:app",
    "uvicorn --workers 4 shop_starlette:app",
}


def visit(shop: Running, number: int) -> None:
    """One page view, and for every fifth an order."""
    session = f"visit-{number}"
    status, body = shop.ask("GET", "/", session)
    assert (status, json.loads(body)) == (200, {"session": session})
    if number % 5 == 0:
        assert shop.ask("POST", f"/orders/order-{number}", session)[0] == 200


def holders(shop: Running, server: LoopbackServer) -> dict[int, set[str]]:
    """The connections to the Delivery API that each process of the shop holds."""
    established = connections_to(server.server_port)
    return {process: sockets_of(process) & established for process in [shop.process.pid, *shop.workers()]}


def busy_workers(shop: Running, server: LoopbackServer) -> int:
    return sum(bool(sockets) for process, sockets in holders(shop, server).items() if process != shop.process.pid)


def cases() -> Iterator[Any]:
    full = pytest.mark.timeout(120)
    for command in RECIPES:
        name = command.replace("--bind 127.0.0.1:8000 ", "").replace("--host 127.0.0.1 --port 8000 ", "")
        name = name.replace("--http-socket 127.0.0.1:8000 ", "")
        yield pytest.param(command, SMALL, id=f"{name}, small", marks=() if name in IN_SMALL else full)
        yield pytest.param(command, FULL, id=f"{name}, full", marks=full)


@pytest.mark.parametrize(("command", "requests"), list(cases()))
def test_recipe(command: str, requests: int, tmp_path: Path) -> None:
    assert run_recipe(command, requests, tmp_path) == 0, "the process above the workers serves nothing"


def test_a_client_that_is_used_before_the_fork(tmp_path: Path) -> None:
    (command,) = [each for each in RECIPES if "--preload" in each and "gevent" not in each]
    assert run_recipe(command, SMALL, tmp_path, after_create="client.get_attributes('home', session_id='s')\n") == 1


def test_gevent_that_patches_python_after_the_client_was_made(tmp_path: Path) -> None:
    """The locks and queues of before would stop all greenlets at once."""
    command = "gunicorn --bind 127.0.0.1:8000 --workers 4 --worker-class gevent --preload shop_flask:app"
    assert run_recipe(command, SMALL, tmp_path) == 0


def run_recipe(command: str, requests: int, folder: Path, after_create: str = "") -> int:
    """Send so many requests, and look at all that comes of it: how many connections the process above the workers had.

    ``after_create`` is put at the end of target_client.py. Where a worker of uWSGI crashed, which in fifty runs with
    threads one does in its own exit (its log has the C stack), the whole is done once more.
    """
    try:
        return _run_recipe(command, requests, folder, after_create)
    except (AssertionError, subprocess.TimeoutExpired):
        if "*** backtrace of" not in (folder / "log").read_text():
            raise
    return _run_recipe(command, requests, folder, after_create)


def _run_recipe(command: str, requests: int, folder: Path, after_create: str) -> int:
    echo = Echo(latency_s=0.01)
    with serving(echo) as server, running(command, folder, server.domain, after_create) as shop:
        assert eventually(lambda: len(shop.workers()) == WORKERS, within_s=20)
        made = 0
        give_up_at = time.monotonic() + 20
        with ThreadPoolExecutor(ASKING) as pool:
            # Which worker gets a request is up to the kernel; go on until each has had some.
            while made < requests or (busy_workers(shop, server) < WORKERS and time.monotonic() < give_up_at):
                list(pool.map(lambda number: visit(shop, number), range(made, made + 20)))
                made += 20
        if "--lazy-apps" in command:  # uWSGI forgets that a worker is to stop which is told so while it loads
            assert eventually(lambda: shop.log.read_text().count("WSGI app 0") == WORKERS)
        held = holders(shop, server)
        stopping_at = time.monotonic()
        code = shop.stop()
        stopped_s = time.monotonic() - stopping_at
        log = shop.log.read_text()

    assert sum(map(len, held.values())) == len(set().union(*held.values())), "two processes share a connection"
    above = len(held.pop(shop.process.pid))
    assert len(held) == WORKERS
    assert all(held.values()), held
    orders = {f"order-{number}" for number in range(0, made, 5)}
    assert set(echo.notified) == orders
    assert set(echo.notified.values()) == {1}
    pages = {name: times for name, times in echo.sessions.items() if name.startswith("visit-")}
    assert pages == {f"visit-{number}": 1 + (number % 5 == 0) for number in range(made)}
    assert code == 0, log
    assert stopped_s < 15
    assert "Traceback" not in log
    return above
