"""``offline``: no socket is opened, and what there is answers."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from target import ApiError, ArtifactNotReady, AttributeNotFound, OptionsError, Outbox, OutboxFull, TargetClient
from target._on_device.artifact_cache import write_cache
from target.hooks import CallInfo, CallOutcome, NotificationInfo
from target.protocols import Store, StoreSettings
from tests.kit.calls import COOKIE, MakeClient, eventually, options_of, timed
from tests.kit.cdn import artifact
from tests.kit.either import Make
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.processes import ROOT, environment, run_script
from tests.kit.sealed import SEALED
from tests.kit.shop import HOME, Shop, events_of

KINDS = ["sync", "threads", "aiohttp"]
RULES = {"none": False, "given": True, "cached": True}
DISPLAY: dict[str, Any] = {"id": "n1", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}
TELL: dict[str, Any] = {"notifications": [DISPLAY]}


@pytest.fixture
def offline(server: LoopbackServer, make: Make) -> Any:
    """Makes offline clients of either kind; nothing may have reached their server at the end."""

    def client(**options: Any) -> Any:
        return make(options_of(server.domain, **{"offline": True, "cdn_base_path": server.url, **options}))

    yield client
    time.sleep(0.05)
    assert server.received == []


def run_sealed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.kit.sealed", arguments[0], str(folder), *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)


def reasons(result: Any) -> list[tuple[str, str]]:
    return [(part.name, part.reason) for part in result.meta.decisions]


@pytest.mark.parametrize("kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.waits) for kind in KINDS[1:])])
def test_no_socket_is_opened(tmp_path: Path, kind: str) -> None:
    run = run_sealed(tmp_path, kind)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert len(told) == 10
    for method in ("server-side", "on-device", "hybrid"):
        for source, has_rules in RULES.items():
            found = told[f"{method} {source}"]
            decides = has_rules and method != "server-side"
            assert found["home"] == ({"from": "home"} if decides else "default")
            assert found["reasons"] == (["remote", "targeting", "remote"] if decides else ["offline"] * 4)
            assert found["flags"] == {"a": 1}
            assert (found["notified"], found["told"]) == (None, None)
            assert (found["queued"], found["of the result"]) == (["n1"], ["n1"])
            assert found.get("explained", "on-device") == "on-device"
            assert found["ready"] is True
            status = found["status"]
            assert (status["offline"], status["ready"], status["method"]) == (True, True, method)
            assert set(status["background"].values()) == {0}
            assert status["connections"]["made"] == 0
            assert status["outbox"]["batches"] == 0
            assert found["left"] == status["outbox"]["queued"] - (decides and kind == "sync")  # of its last call


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_client_online_would_be_caught(tmp_path: Path, kind: str) -> None:
    run = run_sealed(tmp_path, kind, "online")
    assert (run.returncode, run.stdout) == (SEALED, "")
    assert "sealed: socket." in run.stderr


@pytest.mark.parametrize("method", ["server-side", "on-device", "hybrid"])
def test_without_rules_all_is_default_content(offline: Any, method: str) -> None:
    client = offline(decisioning_method=method)
    result = client.get_offers(request=HOME, target_cookie=COOKIE)
    assert (result.content("home", "mine"), reasons(result)) == ("mine", [("home", "offline")])
    assert "PC#Device-a9f3.38_0#" in result.target_cookie.value  # the visitor stays who it is
    assert result.response.to_dict()["execute"] == {"mboxes": [{"index": 1, "name": "home"}]}
    assert client.send_notifications(request=TELL).response is None
    assert client.notify(result, displayed=["home"]).response is None
    flags = client.get_attributes(["flags"])
    assert (flags.as_object("flags"), flags.is_default, flags.error) == ({}, False, None)
    with pytest.raises(AttributeNotFound):
        flags.get_value("flags", "new")


def test_a_mistake_stays_one(offline: Any) -> None:
    client = offline()
    for wrong in ({}, {"execute": {}}, {"execute": {"mboxes": [{"name": ""}]}}):
        with pytest.raises(OptionsError):
            client.get_offers(request=wrong)
    with pytest.raises(OptionsError):
        client.send_notifications(request=HOME)
    with pytest.raises(OptionsError, match="on-device"):
        client.get_offers(request=HOME, decisioning_method="on-device")
    with pytest.raises(OptionsError, match="outbox"):
        client.queue_notifications(request=TELL)
    with pytest.raises(OptionsError, match="rules"):
        client.explain(request=HOME)


def test_it_is_a_flag() -> None:
    with pytest.raises(OptionsError, match="'offline'"):
        TargetClient.create(**options_of("localhost", offline="yes"))


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_rules_decide_what_they_can(offline: Any, method: str) -> None:
    rules = artifact(geoTargetingEnabled=True)
    (home,) = rules["rules"]["mboxes"]["home"]
    home["condition"] = {"==": ["BERN", {"var": "geo.city"}]}
    client = offline(
        decisioning_method=method, artifact_payload=rules, default_attributes={"far": {"a": 1}, "home": {}}
    )
    asked = {"execute": {"mboxes": [{"name": "home"}, {"name": "far"}]}, "qaMode": {"token": "t"}}
    named = {**asked, "context": {"channel": "web", "geo": {"city": "Bern", "ipAddress": "203.0.113.7"}}}
    result = client.get_offers(request=named)
    assert reasons(result) == [("home", "targeting"), ("far", "remote")]
    assert result.content("home") == {"from": "home"}
    unknown = {**asked, "context": {"channel": "web", "geo": {"ipAddress": "203.0.113.7"}}}
    assert reasons(client.get_offers(request=unknown)) == [("home", "default"), ("far", "remote")]
    flags = client.get_attributes(["home", "far"], request={"context": named["context"]})
    assert (flags.as_object(), flags.is_default) == ({"home": {"from": "home"}, "far": {"a": 1}}, True)
    assert client.explain(request=named).decided_by == "on-device"


def test_a_call_may_say_that_rules_are_not_to_decide_it(offline: Any) -> None:
    client = offline(decisioning_method="hybrid", artifact_payload=artifact())
    asked = {"request": HOME, "decisioning_method": "server-side"}
    assert reasons(client.get_offers(**asked)) == [("home", "offline")]
    explained = client.explain(**asked)
    assert (explained.decided_by, explained.parts[0].reason) == ("server-side", "targeting")
    assert "offline" in explained.why


def cached(tmp_path: Path, location: str, rules: Any) -> Path:
    path = tmp_path / "rules.json"
    write_cache(path, location, '"e"', json.dumps(rules).encode())
    os.utime(path, (0, 0))  # it may be of any age
    return path


def test_what_the_cache_keeps_decides(offline: Any, server: LoopbackServer, tmp_path: Path) -> None:
    path = cached(tmp_path, f"{server.url}/acme/production/v1/rules.json", artifact())
    handlers, told = events_of("client_ready", "artifact_download_succeeded", "artifact_download_failed")
    client = offline(decisioning_method="on-device", artifact_cache=path, events=handlers)
    assert reasons(client.get_offers(request=HOME)) == [("home", "targeting")]
    status = client.status()["artifact"]
    assert (status["version"], status["source_version"], status["age"]) == ("1.0.0", '"e"', None)
    assert eventually(lambda: told)
    assert [each["type"] for each in told] == ["client_ready"]


def test_given_rules_come_before_cached_ones(offline: Any, server: LoopbackServer, tmp_path: Path) -> None:
    path = cached(tmp_path, f"{server.url}/acme/production/v1/rules.json", artifact("cached"))
    asked = {"execute": {"mboxes": [{"name": "given"}, {"name": "cached"}]}}
    given = offline(decisioning_method="hybrid", artifact_cache=path, artifact_payload=artifact("given"))
    assert reasons(given.get_offers(request=asked)) == [("given", "targeting"), ("cached", "remote")]
    broken = offline(decisioning_method="hybrid", artifact_cache=path, artifact_payload={"version": "7"})
    assert reasons(broken.get_offers(request=asked)) == [("given", "remote"), ("cached", "targeting")]


def test_a_cache_that_cannot_be_used_is_no_error(
    offline: Any, server: LoopbackServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = cached(tmp_path, "https://other.example/rules.json", artifact())
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}\n")
    for path in (elsewhere, damaged, tmp_path / "none", tmp_path):
        client = offline(decisioning_method="on-device", artifact_cache=path)
        assert reasons(client.get_offers(request=HOME)) == [("home", "offline")]
        with pytest.raises(ArtifactNotReady):
            client.explain(request=HOME)
    assert caplog.text.count("artifact_cache is not used") == 3  # no file is no mistake


def test_a_source_of_the_callers_is_not_asked(offline: Any) -> None:
    class Source:
        location = "somewhere"

        def fetch(self, known: str | None, timeout_s: float) -> Any:
            raise AssertionError("asked")

    client = offline(decisioning_method="on-device", artifact_source=Source(), polling_interval=1000)
    assert reasons(client.get_offers(request=HOME)) == [("home", "offline")]
    assert client.status()["artifact"]["last_error"] is None


@pytest.mark.parametrize("method", ["server-side", "on-device"])
def test_it_is_ready_at_once(offline: Any, method: str) -> None:
    handlers, told = events_of("client_ready")
    took_s = timed(lambda: offline(decisioning_method=method, maximum_wait_ready=60_000, events=handlers))
    assert took_s < 5
    client = offline(decisioning_method=method)
    assert client.wait_until_ready()
    assert client.status()["ready"] is True
    assert eventually(lambda: told)
    assert (client.flush(60_000), timed(lambda: client.close(60_000)) < 5) == (0, True)


def test_a_file_keeps_what_is_queued_for_a_client_that_is_not_offline(shop: Shop, make: Make, tmp_path: Path) -> None:
    outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=0)
    options = options_of(shop.server.domain, **shop.options, outbox=outbox)
    client = make({**options, "offline": True, "artifact_payload": artifact()})
    assert client.queue_notifications(request=TELL) == ["n1"]
    shown = client.get_offers(request=HOME, session_id="s1")  # which execute counts
    assert shown.content("home") == {"from": "home"}
    assert eventually(lambda: client.outbox.pending == 2)
    assert timed(lambda: client.flush(60_000)) < 5
    assert client.flush() == 2
    assert client.outbox.flush(0) is False
    assert timed(lambda: client.close(60_000)) < 5
    assert shop.server.received == []
    make(options)
    assert eventually(lambda: len(shop.notified) == 2)
    assert {each["mbox"]["name"] for each in shop.notified} == {"home"}
    assert "s1" in {item.session_id for item in shop.delivered}


@pytest.mark.waits
def test_what_a_locked_file_does_not_take_at_once_is_in_it_before_the_client_is_closed(
    offline: Any, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.db"
    client = offline(outbox=Outbox.sqlite(path))
    client.queue_notifications(request=TELL)
    with sqlite3.connect(path, isolation_level=None, check_same_thread=False) as other:
        other.execute("BEGIN EXCLUSIVE")
        client.queue_notifications(request=TELL)
        assert client.outbox.volatile == 1
        assert client.outbox.flush(0) is False
        threading.Timer(0.3, other.execute, ["ROLLBACK"]).start()
        client.close(20_000)
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM entry").fetchone() == (2,)


def test_what_has_no_room_in_the_file_is_refused_there_too(offline: Any, tmp_path: Path) -> None:
    client = offline(outbox=Outbox.sqlite(tmp_path / "outbox.db", max_pending=1))
    assert client.queue_notifications(request=TELL) == ["n1"]
    with pytest.raises(OutboxFull):
        client.queue_notifications(request=TELL)


def open_nothing(_: StoreSettings) -> Store:
    raise AssertionError("opened")


@pytest.mark.parametrize("outbox", [Outbox.memory(max_pending=1), Outbox(store=open_nothing, max_pending=1)])
def test_nothing_is_kept_where_it_would_be_lost_or_is_out_of_sight(
    offline: Any, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    client = offline(outbox=outbox, decisioning_method="on-device", artifact_payload=artifact())
    for _ in range(3):
        assert client.queue_notifications(request=TELL) == ["n1"]
        client.get_offers(request=HOME)
    with pytest.raises(OptionsError):
        client.queue_notifications(request=HOME)
    assert (client.outbox.pending, client.outbox.counters["queued"], client.flush()) == (0, 0, 0)
    client.close()
    assert caplog.text == ""


def test_callbacks_are_called(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(offline=True)
    told: list[Any] = []
    handles: list[Any] = [
        client.get_offers(request=HOME, callback=told.append),
        client.get_attributes(["home"], callback=told.append),
        client.send_notifications(request=TELL, callback=told.append),
    ]
    for handle in handles:
        handle.wait(10)
    assert all(handle.successful() for handle in handles)
    assert len(told) == 3
    assert server.received == []


class Watcher:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def after_call(self, call: CallInfo, outcome: CallOutcome) -> None:
        self.told.append((call.method, [part.reason for part in outcome.decisions], outcome.host, outcome.attempts))

    def on_notification(self, notification: NotificationInfo) -> None:
        self.told.append(notification.state)


def test_hooks_hear_of_calls_and_not_that_anything_was_sent(offline: Any) -> None:
    hook = Watcher()
    client = offline(hooks=[hook])
    client.get_offers(request=HOME)
    client.send_notifications(request=TELL)
    assert hook.told == [("get_offers", ["offline"], None, ()), ("send_notifications", [], None, ())]


def test_an_override_wins(offline: Any) -> None:
    client = offline(
        allow_overrides=True, overrides={"home": {"own": 1}}, default_attributes={"far": {"a": 1}, "home": {}}
    )
    asked = {"execute": {"mboxes": [{"name": "home"}, {"name": "far"}]}}
    result = client.get_offers(request=asked)
    assert reasons(result) == [("home", "override"), ("far", "offline")]
    assert result.content("home") == {"own": 1}
    assert client.get_attributes(["home", "far"]).as_object() == {"home": {"own": 1}, "far": {"a": 1}}
    assert client.get_attributes(["home"]).as_object() == {"home": {"own": 1}}


@pytest.mark.parametrize("said", ["1", "true", "YES", "on"])
def test_the_environment_may_say_so(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    for name, value in {"CLIENT": "acme", "ORGANIZATION_ID": "1@AdobeOrg", "OFFLINE": said}.items():
        monkeypatch.setenv(f"TARGET_{name}", value)
    with TargetClient.from_env() as client:
        assert client.status().offline
        assert reasons(client.get_offers(request=HOME)) == [("home", "offline")]
    with TargetClient.from_env(offline=False) as client:
        assert not client.status().offline


def test_a_client_that_is_not_offline_fails_as_ever(server: LoopbackServer, make: Make) -> None:
    server.answer = lambda _: Answer({"message": "down"}, 503)
    client = make(options_of(server.domain, retries=0, default_attributes={"flags": {"a": 1}}))
    with pytest.raises(ApiError):
        client.get_offers(request=HOME)
    flags = client.get_attributes(["flags"])
    assert (flags.as_object(), flags.is_default, type(flags.error)) == ({"flags": {"a": 1}}, True, ApiError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_is_offline_too(tmp_path: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from target import Outbox, TargetClient
        from tests.kit.calls import ACCOUNT
        from tests.kit.cdn import artifact
        from tests.kit.sealed import seal

        HOME = {"execute": {"mboxes": [{"name": "home"}, {"name": "far"}]}}
        TELL = {"notifications": [{"id": "n1", "type": "click", "timestamp": 1}]}
        client = TargetClient.create(
            **ACCOUNT, offline=True, decisioning_method="on-device", artifact_payload=artifact(),
            outbox=Outbox.sqlite(Path(sys.argv[1]) / "outbox.db"),
        )

        def use():
            client.queue_notifications(request=TELL)
            print([part.reason for part in client.get_offers(request=HOME).meta.decisions], client.wait_until_ready(0))
            client.close()
            sys.stdout.flush()

        client.get_offers(request=HOME)
        child = os.fork()
        seal()
        if child == 0:
            use()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        use()
        print(status)
    """
    assert run_script(script, tmp_path).splitlines() == [*["['targeting', 'remote'] True"] * 2, "0"]
