"""gunicorn with eight workers and a Redis, as docs/redis.md has it: one download, and a killed worker loses nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from target.emulator import running
from tests.docs.blocks import DOCUMENTED_DOMAIN
from tests.kit.calls import eventually
from tests.kit.processes import ROOT, environment
from tests.kit.redis_server import free_port, needs_redis
from tests.kit.redis_server import running as running_redis

TEXT = (ROOT / "docs/redis.md").read_text(encoding="utf-8")
ORDERS = 40


def test_the_manifests_are_yaml() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert [each["kind"] for each in yaml.safe_load_all(text)] == ["StatefulSet", "Deployment"]


@needs_redis
@pytest.mark.parametrize("preload", [True, False])
def test_eight_workers(preload: bool, tmp_path: Path) -> None:
    (app,) = re.findall(r"^```python\n(# shop_redis.py.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    (command,) = re.findall(r"^gunicorn (.*shop_redis:app)$", TEXT, re.MULTILINE)
    port = free_port()
    arguments = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}").split()
    arguments = [each for each in arguments if preload or each != "--preload"]
    with running() as emulator, running_redis(tmp_path / "redis") as redis, (tmp_path / "log").open("wb") as log:
        (tmp_path / "shop_redis.py").write_text(app.replace(DOCUMENTED_DOMAIN, emulator.server_domain))
        variables = environment(REDIS_URL=redis.url)
        variables["PYTHONPATH"] += os.pathsep + str(tmp_path)
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=tmp_path,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            assert eventually(lambda: _ask(port, "/") is not None, 40)
            for number in range(ORDERS):
                assert eventually(lambda path=f"/orders/order-{number}": _ask(port, path, b"") is not None)  # type: ignore[misc]
                if number == ORDERS // 2:
                    os.kill(_worker_of(gunicorn.pid), signal.SIGKILL)
            wanted = {f"order-{number}" for number in range(ORDERS)}
            assert eventually(lambda: wanted <= {each["notification"]["id"] for each in emulator.notifications}, 45)
            assert redis.client().hget(_rules_key(redis), "serial") is not None
        finally:
            os.killpg(gunicorn.pid, signal.SIGKILL)
            gunicorn.wait(20)


def _ask(port: int, path: str, body: bytes | None = None) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=5) as answer:
            return answer.read()
    except OSError:
        return None


def _worker_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])


def _rules_key(redis: object) -> str:
    (key,) = (key for key in redis.all_keys() if ":rules:" in key)  # type: ignore[attr-defined]
    return key
