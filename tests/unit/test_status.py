"""What status() says: a value that is JSON and stays as it is, of what a client is doing, without ids."""

from __future__ import annotations

import copy
import json
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from target import ClientStatus, Outbox, TargetError
from target._outbox.memory import MemoryStore
from target.protocols import StoreSettings
from target.status import ArtifactStatus, BackgroundStatus
from tests.kit.calls import CALL, COOKIE, DEVICE_ID, REQUEST, SESSION_ID, eventually, options_of, timed
from tests.kit.either import Make
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.shop import HOME, Shop

NOTHING = {"pending": 0, "sent": 0, "failed": 0, "dropped": 0}
STATUS = {
    "method": "hybrid",
    "background": BackgroundStatus(NOTHING),
    "breaker": {"h": {"failures": 1}},
    "outbox": None,
}


def down(_: Any) -> Answer:
    return Answer({"message": "down"}, 503)


def fail(client: Any) -> None:
    with pytest.raises(TargetError):
        client.get_offers(**CALL)


def test_a_client_that_did_nothing(server: LoopbackServer, make: Make) -> None:
    status = make(options_of(server.domain)).status()
    assert type(status) is ClientStatus
    assert status == {
        "method": "server-side",
        "offline": False,
        "ready": True,
        "artifact": None,
        "breaker": {},
        "background": NOTHING,
        "outbox": None,
        "outbox_store": None,
        "senders": 0,
        "callbacks": 0,
        "connections": {"idle": 0, "made": 0},
        "last_success": None,
        "last_failure": None,
    }


def test_calls_that_succeed_and_fail_are_dated(server: LoopbackServer, make: Make) -> None:
    client = make(options_of(server.domain, retries=0))
    before = time.time() * 1000 - 1
    client.get_offers(**CALL)
    first = client.status()
    assert before <= first.last_success <= time.time() * 1000 + 1
    assert (first.last_failure, first.connections) == (None, {"idle": 1, "made": 1})
    server.answer = down
    fail(client)
    second = client.status()
    assert second.last_success == pytest.approx(first.last_success, abs=5)
    assert first.last_success - 5 <= second.last_failure <= time.time() * 1000 + 1
    assert first.last_failure is None


def test_what_is_sent_in_the_background_counts(shop: Shop, make: Make) -> None:
    client = make(options_of(shop.server.domain, **shop.options, outbox=Outbox.memory(flush_interval=0), retries=0))
    shop.delivery = down
    client.get_offers(request=HOME)
    assert eventually(lambda: client.status().last_failure is not None)
    assert client.status().last_success is None
    shop.delivery = ok
    assert eventually(lambda: client.status().last_success is not None)
    assert client.status().outbox == client.status()["outbox"]
    assert client.status().outbox.items() >= client.outbox.counters.items()


CLICK = {"notifications": [{"id": "n", "type": "click", "timestamp": 1}]}


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_what_waits_and_what_was_given_up_is_counted(
    kind: str, server: LoopbackServer, make: Make, tmp_path: Path
) -> None:
    kept: dict[str, Any] = {"flush_interval": 0}
    outbox = Outbox.memory(**kept) if kind == "memory" else Outbox.sqlite(tmp_path / "o.db", **kept)
    client = make(options_of(server.domain, outbox=outbox, retries=0))
    go_on = threading.Event()
    server.answer = lambda _: (go_on.wait(20), Answer({"message": "no"}, 400))[1]
    client.queue_notifications(request=CLICK)
    assert eventually(lambda: client.status().senders == 1)
    assert eventually(lambda: client.status().outbox.items() >= {"pending": 1, "dead_letters": 0, "dead": 0}.items())
    go_on.set()
    assert eventually(lambda: client.status().outbox.dead_letters == 1)
    assert eventually(lambda: client.status().senders == 0)
    assert eventually(lambda: client.status().outbox.items() >= {"pending": 0, "dead_letters": 1, "dead": 1}.items())
    server.answer = ok
    assert client.outbox.retry_dead_letters() == 1
    assert client.outbox.flush(5000)
    assert eventually(lambda: client.status().outbox.items() >= {"pending": 0, "dead_letters": 0, "dead": 1}.items())


@pytest.mark.waits
def test_where_notifications_wait_is_told(server: LoopbackServer, make: Make, tmp_path: Path) -> None:
    server.answer = down
    for outbox, name in ((Outbox.memory(), "memory"), (Outbox.sqlite(tmp_path / "o.db"), f"file {tmp_path / 'o.db'}")):
        client = make(options_of(server.domain, outbox=outbox, retries=0))
        client.queue_notifications(request=CLICK)
        assert client.status().outbox_store == {"name": name, "usable": True, "volatile": int(name == "memory")}


def test_a_store_that_cannot_be_used_is_told(server: LoopbackServer, make: Make, tmp_path: Path) -> None:
    server.answer = down
    (tmp_path / "o.db").mkdir()
    client = make(options_of(server.domain, outbox=Outbox.sqlite(tmp_path / "o.db"), retries=0))
    client.queue_notifications(request=CLICK)
    assert eventually(lambda: client.status().outbox_store["usable"] is False)
    assert client.status().outbox_store["volatile"] == 1


@pytest.mark.waits
def test_what_others_left_in_a_file_is_known_soon(server: LoopbackServer, make: Make, tmp_path: Path) -> None:
    server.answer = down
    options = options_of(server.domain, outbox=Outbox.sqlite(tmp_path / "o.db", flush_interval=60_000), retries=0)
    first, other = make(options), make(options)
    for _ in range(3):
        first.queue_notifications(request=CLICK)
    assert eventually(lambda: other.status().outbox.pending == 3)
    assert other.status().outbox.queued == 0


def test_a_store_that_hangs_is_not_asked(server: LoopbackServer, make: Make) -> None:
    go_on = threading.Event()

    class Hanging:
        def __init__(self, settings: StoreSettings) -> None:
            self._store = MemoryStore(settings)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def counts(self) -> Any:
            go_on.wait(20)
            return self._store.counts()

    client = make(options_of(server.domain, outbox=Outbox(store=Hanging)))
    assert timed(lambda: [client.status() for _ in range(20)]) < 0.2
    go_on.set()


def test_calls_about_decisions_have_senders_too(shop: Shop, make: Make) -> None:
    go_on = threading.Event()
    shop.delivery = lambda asked: (go_on.wait(20), ok(asked))[1]
    client = make(options_of(shop.server.domain, **shop.options))
    client.get_offers(request=HOME)
    assert eventually(lambda: client.status().senders == 1)
    go_on.set()
    assert eventually(lambda: client.status().senders == 0)


def test_the_breaker_is_told_of_by_host(server: LoopbackServer, make: Make) -> None:
    client = make(options_of(server.domain, retries=0, breaker_failures=2, breaker_reset=400))
    server.answer = down
    fail(client)
    assert client.status().breaker == {server.url: {"state": "closed", "failures": 1, "tried_in": 0}}
    fail(client)
    host = client.status().breaker[server.url]
    assert (host.state, host.failures) == ("open", 2)
    assert 0 < host.tried_in <= 400
    assert eventually(lambda: client.status().breaker[server.url].state == "half-open")
    server.answer = ok
    client.get_offers(**CALL)
    assert client.status().breaker == {}


def test_the_artifact_is_told_of(shop: Shop, make: Make, quick_tries: None) -> None:
    shop.cdn = lambda _: Answer({"message": "no"}, 403)
    options = {**shop.options, "polling_interval": 1000, "maximum_wait_ready": 0, "telemetry_enabled": False}
    client = make(options_of(shop.server.domain, **options))
    assert eventually(lambda: client.status().artifact.last_error is not None)
    before = client.status()
    assert (before.ready, before.method) == (False, "on-device")
    assert type(before.artifact) is ArtifactStatus
    assert before.artifact | {"last_error_at": 0} == {
        "version": None,
        "source_version": None,
        "source": f"http://{shop.server.domain}/acme/production/v1/rules.json",
        "age": None,
        "last_error": before.artifact.last_error,
        "last_error_at": 0,
    }
    assert "403" in before.artifact.last_error
    assert abs(before.artifact.last_error_at - time.time() * 1000) < 60_000
    shop.cdn = shop._send_artifact
    assert client.wait_until_ready(20_000)
    after = client.status()
    assert after.ready
    assert (after.artifact.version, after.artifact.source_version) == ("1.0.0", '"one"')
    assert 0 <= after.artifact.age < 20_000
    assert after.artifact.last_error == before.artifact.last_error
    assert after.last_success is None  # a download is no call


def test_rules_that_were_given_are_told_of(shop: Shop, make: Make) -> None:
    client = make(options_of(shop.server.domain, **shop.options, artifact_payload=shop.artifact))
    artifact = client.status().artifact
    assert (artifact.version, artifact.last_error) == ("1.0.0", None)
    assert artifact.age >= 0


@pytest.mark.waits
def test_no_id_is_in_it(shop: Shop, make: Make) -> None:
    client = make(options_of(shop.server.domain, **shop.options, breaker_failures=1, outbox=Outbox.memory(), retries=0))
    client.get_offers(**{**CALL, "request": HOME})
    shop.delivery = down
    with pytest.raises(TargetError):
        client.send_notifications(
            request={"notifications": [{"id": "n", "type": "click", "timestamp": 1}]},
            session_id=SESSION_ID,
            target_cookie=COOKIE,
        )
    told = json.dumps(client.status()) + repr(client.status())
    assert not any(part in told for part in (SESSION_ID, DEVICE_ID, "Device-a9f3", "1234"))


def test_a_pool_of_the_callers_is_not_looked_into(server: LoopbackServer, make: Make) -> None:
    client = make(options_of(server.domain, pool=urllib3.PoolManager()))
    client.get_offers(**CALL)
    assert client.status().connections is None


def test_it_does_not_wait_for_what_hangs(shop: Shop, make: Make) -> None:
    go_on = threading.Event()
    shop.cdn = lambda _: (go_on.wait(20), Answer(shop.artifact))[1]
    client = make(options_of(shop.server.domain, **{**shop.options, "maximum_wait_ready": 0}))
    assert timed(lambda: [client.status() for _ in range(20)]) < 5
    go_on.set()


def test_a_closed_client_still_says_how_it_was(server: LoopbackServer, make: Make) -> None:
    client = make(options_of(server.domain))
    client.get_offers(request=REQUEST)
    client.close()
    status = client.status()
    assert status.last_success is not None
    assert status.connections.idle == 0


CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda status: status.__setitem__("method", "x"),
    "add": lambda status: status.__setitem__("new", "x"),
    "delete": lambda status: status.__delitem__("method"),
    "clear": lambda status: status.clear(),
    "pop": lambda status: status.pop("method"),
    "popitem": lambda status: status.popitem(),
    "setdefault": lambda status: status.setdefault("new", 1),
    "update": lambda status: status.update(method="x"),
    "or": lambda status: status.__ior__({"method": "x"}),
    "inside": lambda status: status["background"].update(sent=7),
    "deeper": lambda status: status.breaker["h"].update(failures=7),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_nobody_can_change_it(change: Callable[[Any], object]) -> None:
    status = ClientStatus(dict(STATUS))
    with pytest.raises(TypeError, match="read-only"):
        change(status)
    with pytest.raises(AttributeError):
        status.method = "x"
    assert status == STATUS


def test_it_is_json_can_be_copied_and_names_what_it_lacks() -> None:
    status = ClientStatus(dict(STATUS))
    assert json.loads(json.dumps(status)) == STATUS
    for same in (copy.copy(status), copy.deepcopy(status), pickle.loads(pickle.dumps(status))):
        assert (type(same), type(same.background), same) == (ClientStatus, BackgroundStatus, status)
    assert dict(status) | {"method": "x"} == {**STATUS, "method": "x"}
    with pytest.raises(AttributeError, match="ClientStatus has no 'nothing'"):
        _ = status.nothing
