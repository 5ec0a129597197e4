"""A client's life in the log: one line when it starts, one when it is closed; no secrets, no ids."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest

from target import Hook, OptionsError, Outbox, TargetClient, client_lines
from target.config import ALL_CLIENT_OPTIONS
from target.testing import AsyncFakeTargetClient, FakeTargetClient
from tests.kit.calls import CALL, COOKIE, DEVICE_ID, SESSION_ID, options_of
from tests.kit.either import Blocking, Make
from tests.kit.kept import Kept
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import HOME, Shop

CLICK = {"notifications": [{"id": "n", "type": "click", "timestamp": 1}]}


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_one_line_at_start_and_one_at_close(server: LoopbackServer, make: Make, kept: Kept) -> None:
    client = make(options_of(server.domain, logger=kept.logger, telemetry_enabled=False))
    (started,) = kept.lines(logging.INFO)
    carries = "(urllib3|aiohttp)"
    assert re.fullmatch(
        rf"Client acme has started: server-side, {re.escape(server.url)}, {carries}; on: nothing else", started
    )
    assert vars(kept.records[0])["target_host"] == server.domain
    client.get_offers(**CALL)
    client.close()
    client.close()
    _, closed = kept.lines(logging.INFO)
    assert re.fullmatch(r"Client acme is closed after [0-9]+\.[0-9] s: connections: 1 made", closed)


@pytest.mark.parametrize(("transport", "said"), [("aiohttp", "aiohttp"), ("threads", "urllib3 on threads")])
def test_it_says_what_carries_the_calls(transport: str, said: str, server: LoopbackServer, kept: Kept) -> None:
    Blocking(options_of(server.domain, logger=kept.logger, transport=transport)).close()
    assert f", {said}; on: " in kept.lines()[0]


def test_it_says_what_is_on_and_no_secret(shop: Shop, make: Make, kept: Kept, tmp_path: Path) -> None:
    make(
        options_of(
            shop.server.domain,
            **{**shop.options, "decisioning_method": "hybrid", "telemetry_enabled": True, "polling_interval": 5000},
            logger=kept.logger,
            outbox=Outbox.sqlite(tmp_path / "secret.db"),
            hooks=[Hook(), Hook()],
            events={"client_ready": print},
            property_token="secret-token",
            proxy="http://user:secret@127.0.0.1:9",
            breaker_failures=4,
            exclude_bots=True,
            allow_overrides=True,
            overrides={"secret": "secret"},
            default_attributes={"home": {"secret": 1}},
            artifact_headers={"Authorization": "secret"},
            artifact_cache=tmp_path / "secret.json",
            maximum_wait_ready=1,
        )
    )
    line = next(line for line in kept.lines(logging.INFO) if "has started" in line)
    assert "hybrid" in line
    for said in (
        *("rules every 5 s", "an outbox in a file", "2 hooks", "1 handler of events", "a property", "a proxy"),
        *("a breaker at 4 failures", "1 mbox with default attributes", "telemetry", "a cache of rules"),
        *("bots are excluded", "overrides are allowed", "1 override"),
    ):
        assert said in line
    assert "secret" not in line


def test_what_is_said_to_be_on_are_options() -> None:
    assert set(client_lines._ON) <= ALL_CLIENT_OPTIONS.keys()


def test_at_close_it_says_what_was_sent_and_lost(shop: Shop, make: Make, kept: Kept) -> None:
    options = options_of(shop.server.domain, **shop.options, logger=kept.logger, retries=0)
    client = make(options | {"outbox": Outbox.memory(flush_interval=0)})
    client.queue_notifications(request=CLICK, session_id=SESSION_ID, target_cookie=COOKIE)
    client.get_offers(**{**CALL, "request": HOME})
    assert client.outbox.flush(5000)
    shop.delivery = lambda _: Answer({"message": "down"}, 503)
    client.queue_notifications(request=CLICK)
    client.close(100)
    (closed,) = [line for line in kept.lines(logging.INFO) if "is closed" in line]
    assert "; background: 0 sent, 0 failed, 0 dropped, 0 pending" in closed
    assert (client.status().outbox.queued, client.status().outbox.pending) == (3, 1)
    assert "outbox: 3 queued, 2 acknowledged, 0 given up, 0 dropped, 1 lost" in closed
    assert not any(part in closed for part in (SESSION_ID, DEVICE_ID))


def test_in_a_file_it_is_left_for_the_next_process(
    server: LoopbackServer, make: Make, kept: Kept, tmp_path: Path
) -> None:
    server.answer = lambda _: Answer({"message": "down"}, 503)
    client = make(options_of(server.domain, logger=kept.logger, outbox=Outbox.sqlite(tmp_path / "o.db"), retries=0))
    client.queue_notifications(request=CLICK)
    client.close(100)
    assert "1 queued, 0 acknowledged, 0 given up, 0 dropped, 1 left for the next process" in kept.lines(20)[-1]


def test_above_info_nothing_is_said_or_made(server: LoopbackServer, make: Make, monkeypatch: Any) -> None:
    kept = Kept(logging.Logger("quiet", logging.WARNING))
    monkeypatch.setattr(client_lines, "_on", lambda _: 1 / 0)
    monkeypatch.setattr(client_lines, "_came_to", lambda *_: 1 / 0)
    make(options_of(server.domain, logger=kept.logger)).close()
    assert kept.records == []


def test_a_client_that_cannot_be_made_says_nothing(kept: Kept) -> None:
    with pytest.raises(OptionsError):
        TargetClient.create(client="acme", logger=kept.logger)
    assert kept.records == []


def test_fakes_say_what_answers(kept: Kept) -> None:
    FakeTargetClient(logger=kept.logger).close()
    started, closed = kept.lines()
    assert started.startswith(
        "Client fakeclient has started: server-side, https://fakeclient.tt.omtrdc.net, answered in "
    )
    assert closed.endswith(" s: nothing to send")


def test_an_asyncio_fake_too(kept: Kept) -> None:
    fake = AsyncFakeTargetClient(logger=kept.logger)

    async def use() -> None:
        await fake.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
        await fake.aclose()

    assert kept.records == []  # there is no event loop yet
    asyncio.run(use())
    assert [line.split(":")[0].split(" after")[0] for line in kept.lines()] == [
        "Client fakeclient has started",
        "Client fakeclient is closed",
    ]


def test_an_asyncio_fake_of_several_loops_tells_of_each(kept: Kept) -> None:
    fake = AsyncFakeTargetClient(logger=kept.logger)

    async def use() -> None:
        await fake.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})

    asyncio.run(use())
    asyncio.run(use())
    asyncio.run(fake.aclose())
    lives = [line.split("fakeclient ")[1].split(" ")[1] for line in kept.lines()]
    assert lives == ["started:", "closed", "started:", "closed", "started:", "closed"][: len(lives)]
    assert len(lives) % 2 == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_tells_of_its_own_life(server: LoopbackServer, kept: Kept) -> None:
    client = TargetClient.create(options_of(server.domain, logger=kept.logger))
    client._lines._began_s -= 100
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            client.close()
            os.write(writing, kept.lines()[-1].encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert re.match(rb"Client acme is closed after [0-9]\.[0-9] s: ", os.read(reading, 1000))
    os.close(reading)
    os.close(writing)
    client.close()
    assert [line for line in kept.lines() if "is closed after 100." in line]


@pytest.mark.parametrize(("method", "rules"), [("server-side", ""), ("on-device", "rules that were given or cached, ")])
def test_of_an_offline_client_it_says_what_it_does_without(
    server: LoopbackServer, make: Make, kept: Kept, tmp_path: Path, method: str, rules: str
) -> None:
    outbox = Outbox.sqlite(tmp_path / "outbox.db")
    options = {"offline": True, "decisioning_method": method, "outbox": outbox, "logger": kept.logger}
    client = make(options_of(server.domain, **options))
    client.queue_notifications(request=CLICK)
    client.close()
    (started,) = [line for line in kept.lines(logging.INFO) if "has started" in line]
    assert f"; on: {rules}offline, an outbox in a file" in started
    assert "telemetry" not in started
    (closed,) = [line for line in kept.lines(logging.INFO) if "is closed" in line]
    assert "0 given up, 0 dropped, 1 left for the next process" in closed
