"""An outbox in a caller's own store, through both clients: sent, shared, and whatever the store does survived."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from target import AsyncTargetClient, Outbox, OutboxFull, TargetClient
from target._outbox import asked, durable
from target.errors import OptionsError
from target.protocols import Claim, Counts, Death, Entry, LaneState, Moment, StoreBroken, StoreSettings
from tests.kit.calls import eventually, options_of
from tests.kit.json_store import JsonStore
from tests.kit.loopback import LoopbackServer
from tests.kit.odd import Odd
from tests.kit.outboxes import ids_of, notification
from tests.kit.processes import run_script
from tests.kit.threads import threads_of

SECRET = "session-of-a-visitor"


def own(path: Path, kind: Callable[..., Any] = JsonStore, **options: Any) -> Outbox:
    return Outbox(store=lambda settings: kind(path, settings), **{"flush_interval": 20, **options})


def client_of(server: LoopbackServer, outbox: Outbox, **options: Any) -> TargetClient:
    return TargetClient.create(options_of(server.domain, outbox=outbox, timeout=2000, **options))


def queue(client: Any, *names: str, session_id: str = SECRET) -> Any:
    wire = {"notifications": [notification(name) for name in names]}
    return client.queue_notifications(request=wire, session_id=session_id)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that failed is tried again sooner than its users need."""
    monkeypatch.setattr(asked, "_REST_S", 0.05)
    monkeypatch.setattr(durable, "_PATIENCE_S", 0.1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.json"


def test_it_is_sent_from_flushed_counted_and_closed(server: LoopbackServer, path: Path) -> None:
    with client_of(server, own(path)) as client:
        assert queue(client, "a", "b") == ["a", "b"]
        assert client.outbox is not None
        assert client.flush(timeout=15_000) == 0
        assert ids_of(server) == ["a", "b"]
        counters = client.status()["outbox"]
        assert counters is not None
        assert (counters["queued"], counters["acknowledged"], counters["dead"]) == (2, 2, 0)
        assert (client.outbox.pending, client.outbox.volatile, client.outbox.dead_letters) == (0, 0, [])
    assert eventually(lambda: threads_of("target-outbox") == [])


def test_what_is_left_at_the_close_the_next_client_sends(server: LoopbackServer, path: Path) -> None:
    first = client_of(server, own(path, flush_interval=60_000))
    queue(first, "a")
    first.close(timeout=0)
    assert ids_of(server) == []
    with client_of(server, own(path)) as second:
        assert second.flush(timeout=15_000) == 0
    assert ids_of(server) == ["a"]


def test_from_an_event_loop(server: LoopbackServer, path: Path) -> None:
    async def main() -> None:
        async with await AsyncTargetClient.create(options_of(server.domain, outbox=own(path))) as client:
            assert await queue(client, "a") == ["a"]
            assert await client.flush(timeout=15_000) == 0
            assert client.status()["outbox"]["acknowledged"] == 1

    asyncio.run(main())
    assert ids_of(server) == ["a"]


def test_its_bound_is_kept(server: LoopbackServer, path: Path) -> None:
    with client_of(server, own(path, max_pending=2, flush_interval=60_000)) as client:
        queue(client, "a", "b")
        with pytest.raises(OutboxFull, match="holds 2 notifications of at most 2 and got 1 more"):
            queue(client, "c")


def test_parent_and_child_of_a_fork_send_everything_once(server: LoopbackServer, path: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from target.outbox import Outbox
        from tests.kit.json_store import JsonStore
        from tests.kit.outboxes import Wired
        made = Wired(Outbox(store=lambda settings: JsonStore(Path(sys.argv[2]), settings)), sys.argv[1])
        made.queue("before")
        child = os.fork()
        name = "child" if child == 0 else "parent"
        made.queue(name, session_id=name)
        assert made.handle.flush(20_000)
        made.close()
        if child:
            assert os.waitpid(child, 0)[1] == 0
    """
    run_script(script, server.domain, path)
    assert sorted(ids_of(server)) == ["before", "child", "parent"]


@pytest.mark.waits
def test_a_fork_waits_for_what_the_store_is_doing(server: LoopbackServer, path: Path) -> None:
    """Else the child has the lock of the file, too, which no thread of it will ever give back: neither could go on."""
    script = """
        import os, sys, time
        from pathlib import Path
        from target.outbox import Outbox
        from tests.kit.json_store import JsonStore
        from tests.kit.outboxes import Wired

        class Slow(JsonStore):
            def add(self, *entries, **options):
                with self._content():
                    time.sleep(0.5)
                return super().add(*entries, **options)

        made = Wired(Outbox(store=lambda settings: Slow(Path(sys.argv[2]), settings)), sys.argv[1])
        made.queue("before")
        child = os.fork()
        assert made.handle.flush(20_000)
        made.close()
        if child:
            assert os.waitpid(child, 0)[1] == 0
    """
    run_script(script, server.domain, path)
    assert ids_of(server) == ["before"]


class Failing(JsonStore):
    """Does what ``fault`` does, wherever it is asked for something."""

    fault: Any = None

    def __getattribute__(self, name: str) -> Any:
        fault = Failing.fault
        is_asked = fault is not None and not name.startswith("_") and name != "name"
        return fault if is_asked else super().__getattribute__(name)


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


FOREIGN = Entry(7, "another", None, '{"body":{}}', "{}", None, 5, Moment(1.0, 1.0))
FAULTS: dict[str, Callable[..., Any]] = {
    "it is broken": raising(StoreBroken("the disk is gone")),
    "an error": raising(ValueError(SECRET)),
    "SystemExit": raising(SystemExit(SECRET)),
    "OutboxFull everywhere": raising(OutboxFull("full")),
    "nothing": lambda *_, **__: None,
    "text": lambda *_, **__: SECRET,
    "another lane's entries": lambda *_, **__: Claim("t", LaneState(0.0), "s", (FOREIGN,), False, 9e9),
    "no claim": lambda *_, **__: Claim(5, None, None, None, None, None),  # type: ignore[arg-type]
    "wrong counts": lambda *_, **__: Counts("many", None),  # type: ignore[arg-type]
    "a number": lambda *_, **__: float("nan"),
    "a huge number": lambda *_, **__: 10**400,
    "less than nothing": lambda *_, **__: -5,
    "a list of nonsense": lambda *_, **__: [Death(None, None, None), 5],  # type: ignore[arg-type]
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_it_does_nothing_is_lost_or_shown(
    fault: str, server: LoopbackServer, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Failing, "fault", None)
    with caplog.at_level(logging.DEBUG, "target"), client_of(server, own(path, Failing)) as client:
        assert client.outbox is not None
        monkeypatch.setattr(Failing, "fault", staticmethod(FAULTS[fault]))
        lost = 0
        try:
            queue(client, "a")
        except OutboxFull:
            assert fault == "OutboxFull everywhere"
            lost = 1
        if fault in ("it is broken", "an error", "SystemExit", "nothing", "text"):
            assert eventually(lambda: ids_of(server) == ["a"])  # from memory
        assert client.outbox.pending >= 0
        assert client.outbox.dead_letters == []
        assert client.outbox.retry_dead_letters() == 0
        client.flush(timeout=50)
        monkeypatch.setattr(Failing, "fault", None)
        queue(client, "b", session_id="later")
        expected = {"b"} if lost else {"a", "b"}
        assert eventually(lambda: set(ids_of(server)) == expected)
        assert eventually(lambda: client.flush(timeout=1000) == 0)
    assert SECRET not in caplog.text
    assert "store: notifications wait" not in caplog.text
    if fault == "it is broken":
        assert "cannot be used (the disk is gone)" in caplog.text
    if fault == "an error":
        assert "cannot be used (it raised ValueError)" in caplog.text


@pytest.mark.waits
def test_one_that_hangs_keeps_nobody(server: LoopbackServer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    with client_of(server, own(path, Failing, flush_interval=60_000)) as client:
        monkeypatch.setattr(Failing, "fault", staticmethod(lambda *_, **__: released.wait(60) and None))
        started = time.monotonic()
        for name in ("a", "b", "c"):
            queue(client, name)
        assert client.flush(timeout=100) != 0
        client.close(timeout=100)
        assert time.monotonic() - started < 20  # and not three times 60
        monkeypatch.setattr(Failing, "fault", None)
        released.set()


class Shy:
    """Raises whatever it is asked for."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(SECRET)


class OddlyNamed(JsonStore):
    """Has a name that is no text, and cannot be shown."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.name: Any = Odd()


@pytest.mark.waits
def test_a_store_whose_name_cannot_be_shown_is_called_by_its_class(
    server: LoopbackServer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("no JSON")
    with client_of(server, Outbox(store=lambda settings: OddlyNamed(path, settings))) as client:
        queue(client, "a")
        assert client.flush(2000) == 0  # which cannot know what the store holds, and so waits as long
    assert "store OddlyNamed cannot be used" in caplog.text


NO_STORES: dict[str, Any] = {
    "returns what raises whenever it is asked": lambda settings: Shy(),
    "raises": raising(RuntimeError(SECRET)),
    "returns None": lambda settings: None,
    "returns a dict": lambda settings: {},
    "takes nothing": lambda: None,
}


@pytest.mark.parametrize("what", NO_STORES)
def test_what_opens_no_store_is_refused_by_create(what: str, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match="'store'") as caught:
        client_of(server, Outbox(store=NO_STORES[what]))
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)
    assert threads_of("target-outbox") == []


def test_what_is_no_opener_is_refused() -> None:
    with pytest.raises(OptionsError, match="'store'"):
        Outbox(store=5)  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="'path'"):
        Outbox("outbox.db", store=lambda settings: JsonStore(Path("x"), settings))


def test_its_lease_has_to_outlast_a_call(server: LoopbackServer, path: Path) -> None:
    with pytest.raises(OptionsError, match="'lease'"):
        client_of(server, own(path, lease=2000))


def test_it_is_told_whose_it_is_and_what_it_may_hold(server: LoopbackServer, path: Path) -> None:
    given: list[StoreSettings] = []

    def open_store(settings: StoreSettings) -> JsonStore:
        given.append(settings)
        return JsonStore(path, settings)

    with client_of(server, Outbox(store=open_store, max_pending=7, lease=9000, when_full="drop_oldest")):
        (settings,) = given
    assert settings.account == "acme 1234@AdobeOrg"
    assert (settings.max_pending, settings.when_full, settings.lease_s) == (7, "drop_oldest", 9.0)
    assert settings.longest_wait_s >= 3600
    assert settings.now_s() == pytest.approx(time.monotonic(), abs=5)
