"""uWSGI as it forks by default: a client that made a call in its master shares nothing with the workers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.lifecycle.test_deployment import SMALL, run_recipe

UWSGI = Path(sys.executable).with_name("uwsgi")
USED_BEFORE = "client.get_attributes('home', session_id='s')\n"
COMMAND = "uwsgi --http-socket 127.0.0.1:8000 --master --die-on-term --processes 4 {} --module shop_flask:app"
HOOKS = "--py-call-uwsgi-fork-hooks"

pytestmark = [
    pytest.mark.skipif(not shutil.which(UWSGI), reason="needs uwsgi: the group dev has pyuwsgi where there is a wheel"),
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks into /proc"),
]


@pytest.mark.parametrize(
    ("flags", "connections_above", "warnings"),
    [
        pytest.param("--threads 4", 1, 1, id="without hooks"),
        pytest.param("--threads 4 " + HOOKS, 1, 0, id="with hooks"),
        pytest.param("--threads 4 --lazy-apps", 0, 0, id="loaded in each worker"),
        pytest.param("", 1, 1, id="one thread, without hooks"),
    ],
)
def test_a_client_that_is_used_before_the_fork(
    flags: str, connections_above: int, warnings: int, tmp_path: Path
) -> None:
    assert run_recipe(COMMAND.format(flags), SMALL, tmp_path, after_create=USED_BEFORE) == connections_above
    log = (tmp_path / "log").read_text()
    assert log.count("uWSGI runs without") == warnings
    assert log.count(HOOKS) == warnings
