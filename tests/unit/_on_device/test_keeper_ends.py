"""How a keeper ends, and what may not end it: handlers, loggers, forks, hanging downloads."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import weakref
from typing import Any

import pytest

from target._on_device.artifact_keeper import ArtifactKeeper
from target._on_device.download import Downloads
from tests.kit.calls import eventually
from tests.kit.cdn import Cdn, Owner, artifact, configs, keeping, mbox_of
from tests.kit.processes import run_script
from tests.kit.raw_servers import hang, raw_server
from tests.kit.threads import threads_of


@pytest.mark.parametrize("raised", [ValueError("mine"), SystemExit(3), KeyboardInterrupt()])
def test_a_handler_that_raises_anything_harms_nothing(raised: BaseException, cdn: Cdn) -> None:
    class Angry(Owner):
        def emit(self, name: str, /, **payload: Any) -> None:
            super().emit(name, **payload)
            raise raised

    owner = Angry()
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
        assert keeper.wait_until_ready(5)
        cdn.body, cdn.etag = artifact("checkout"), None
        assert eventually(lambda: mbox_of(keeper) == "checkout")


def test_a_handler_may_wait_and_close(cdn: Cdn) -> None:
    class Closing(Owner):
        keeper: ArtifactKeeper | None = None
        waited: bool | None = None

        def emit(self, name: str, /, **payload: Any) -> None:
            assert self.keeper is not None
            self.waited = self.keeper.wait_until_ready(None)
            self.keeper.close(5)
            super().emit(name, **payload)

    owner = Closing()
    config, client_config = configs(artifact_location=cdn.url)
    owner.keeper = ArtifactKeeper(config, client_config, Downloads(client_config), owner.emit)
    owner.keeper.start()
    assert eventually(lambda: owner.told)
    assert owner.waited is True
    assert eventually(lambda: threads_of("target-artifact") == [])


def test_close_ends_a_wait_and_the_artifact_stays(cdn: Cdn, owner: Owner) -> None:
    cdn.status = 500
    with keeping(owner, artifact_location=cdn.url) as keeper:
        results: list[bool] = []
        waiting = threading.Thread(target=lambda: results.append(keeper.wait_until_ready(None)))
        waiting.start()
        time.sleep(0.05)
        keeper.close(5)
        waiting.join(5)
        assert results == [False]
        keeper.start()
        assert threads_of("target-artifact") == []
    with keeping(owner, artifact_location=cdn.url, artifact_payload=artifact()) as keeper:
        keeper.close(5)
        keeper.close(5)
        assert mbox_of(keeper) == "home"


@pytest.mark.parametrize("is_hanging", [False, True])
def test_nothing_keeps_the_owner_alive(is_hanging: bool, cdn: Cdn) -> None:
    class Client(Owner):
        keeper: ArtifactKeeper

    with raw_server(hang) as server:
        url = f"http://{server.domain}/rules.json" if is_hanging else cdn.url
        config, client_config = configs(artifact_location=url)
        client = Client()
        client.keeper = ArtifactKeeper(config, client_config, Downloads(client_config), client.emit)
        client.keeper.start()
        busy = server.connections if is_hanging else client.told
        assert eventually(lambda: busy)
        gone = weakref.ref(client)
        time.sleep(0.05)
        del client
        gc.collect()
        assert eventually(lambda: gone() is None)
    assert eventually(lambda: threads_of("target-artifact") == [])


def test_a_child_process_keeps_the_artifact_and_fetches_its_own_from_then_on(cdn: Cdn, owner: Owner) -> None:
    with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.3) as keeper:
        assert keeper.wait_until_ready(5)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                kept = mbox_of(keeper) == "home"
                alive = eventually(lambda: threads_of("target-artifact") != [])
                replaced = eventually(lambda: mbox_of(keeper) == "checkout")
                keeper.close(5)
                code = 0 if kept and alive and replaced and threads_of("target-artifact") == [] else 2
            finally:
                os._exit(code)
        cdn.body, cdn.etag = artifact("checkout"), None
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert eventually(lambda: mbox_of(keeper) == "checkout")


def test_a_child_process_without_an_artifact_gets_one(cdn: Cdn, owner: Owner) -> None:
    cdn.status = 500
    with keeping(owner, artifact_location=cdn.url, polling_interval=0) as keeper:
        assert eventually(lambda: cdn.asked)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if keeper.wait_until_ready(8) and mbox_of(keeper) == "home" else 2
            finally:
                os._exit(code)
        cdn.status = 200
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_thread_to_be_had_is_logged(
    cdn: Cdn, owner: Owner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        with keeping(owner, artifact_location=cdn.url) as keeper:
            assert "No thread can be started" in caplog.text
            assert not keeper.wait_until_ready(0.01)


def test_a_logger_that_raises_does_not_end_the_thread(cdn: Cdn, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:

    class Angry(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise SystemExit

    angry = Angry()
    cdn.body = artifact(rules={"mboxes": {"home": [7]}, "views": {}})  # worth a line in the log
    cdn.etag = None
    logging.getLogger("shop").addFilter(angry)
    try:
        with keeping(owner, artifact_location=cdn.url, polling_interval_s=0.05) as keeper:
            assert keeper.wait_until_ready(5)
            cdn.body = artifact("checkout")
            assert eventually(lambda: mbox_of(keeper) == "checkout")
    finally:
        logging.getLogger("shop").removeFilter(angry)


def test_the_process_ends_while_a_download_hangs() -> None:
    script = """
        import sys
        sys.path.insert(0, ".")
        from tests.kit.cdn import Owner, configs
        from target._on_device.artifact_keeper import ArtifactKeeper
        from target._on_device.download import Downloads
        config, client_config = configs(artifact_location=sys.argv[1])
        keeper = ArtifactKeeper(config, client_config, Downloads(client_config), Owner().emit)
        keeper.start()
        print(keeper.wait_until_ready(0.1))
    """
    with raw_server(hang) as server:
        started = time.monotonic()
        assert run_script(script, f"http://{server.domain}/") == "False\n"
        assert time.monotonic() - started < 20  # or it would wait for the download, and not end
