"""Handles: a browser tells what it showed by them alone, for its own visitor, once, and for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from target import AsyncVisit, MetricType, Notification, NotificationMbox, OptionsError, Outbox, Site, Visit, WebRequest
from target.web.handles import Unreadable, named_handles
from tests.kit.calls import client_of, options_of
from tests.kit.loopback import Answer, Received, serving
from tests.kit.pages import KEY

OLD = "session#first#9999999999|PC#device-a.38_0#9999999999"
SHOWN = Notification(
    id="shown", type=MetricType.DISPLAY, timestamp=1, mbox=NotificationMbox(name="home"), tokens=["token-of-a"]
)


def posted(*handles: Any) -> bytes:
    return json.dumps({"handles": handles}).encode()


def of(cookie: str | None = OLD) -> WebRequest:
    return WebRequest(headers={}, cookies={} if cookie is None else {"mbox": cookie})


@pytest.fixture
def site(server: Any) -> Iterator[Site[Any]]:
    with client_of(server.domain) as client:
        yield Site(client, handle_key=KEY)


def told_to(server: Any) -> list[dict[str, Any]]:
    return [one for received in server.received for one in received.body.get("notifications", ())]


def test_what_a_browser_names_is_told_as_the_visitor_it_is(site: Site[Any], server: Any) -> None:
    handle = Visit(site, of).handle([SHOWN])
    assert "token-of-a" not in handle.partition(".")[2]
    assert Visit(site, of).receive(posted(handle)) == 204
    (told,) = told_to(server)
    assert {key: told[key] for key in ("id", "type", "mbox", "tokens")} == {
        "id": "shown",
        "type": "display",
        "mbox": {"name": "home"},
        "tokens": ["token-of-a"],
    }
    assert told["timestamp"] > 1_700_000_000_000
    assert server.received[0].session_id == "first"
    assert server.received[0].body["id"]["tntId"] == "device-a.38_0"


def test_a_handle_counts_after_the_session_has_changed_and_the_cluster(site: Site[Any]) -> None:
    handle = Visit(site, of).handle([SHOWN])
    assert (
        Visit(site, lambda: of("session#second#9999999999|PC#device-a.35_0#9999999999")).receive(posted(handle)) == 204
    )


@pytest.mark.parametrize("cookie", [None, "PC#device-b.38_0#9999999999", "session#first.#9999999999", "device-a"])
def test_a_handle_of_another_visitor_tells_nothing(site: Site[Any], server: Any, cookie: str | None) -> None:
    handle = Visit(site, of).handle([SHOWN])
    assert Visit(site, lambda: of(cookie)).receive(posted(handle)) == 400
    assert told_to(server) == []


def test_one_named_twice_is_told_once(site: Site[Any], server: Any) -> None:
    visit = Visit(site, of)
    handle = visit.handle([SHOWN])
    assert Visit(site, of).receive(posted(handle, handle, visit.handle([SHOWN]))) == 204
    assert [one["id"] for one in told_to(server)] == ["shown"]


def test_one_that_is_too_old_tells_nothing(server: Any) -> None:
    with client_of(server.domain) as client, time_machine.travel(1_800_000_000, tick=False) as clock:
        site = Site(client, handle_key=KEY, handle_lifetime=60_000)
        handle = Visit(site, of).handle([SHOWN])
        clock.shift(59)
        assert Visit(site, of).receive(posted(handle)) == 204
        clock.shift(3)
        assert Visit(site, of).receive(posted(handle)) == 400


def test_a_key_may_be_changed(server: Any) -> None:
    with client_of(server.domain) as client:
        handle = Visit(Site(client, handle_key=KEY), of).handle([SHOWN])
        assert Visit(Site(client, handle_key=[KEY, KEY + "2"]), of).receive(posted(handle)) == 204
        assert Visit(Site(client, handle_key=KEY + "2"), of).receive(posted(handle)) == 400


def test_it_goes_through_the_outbox_where_there_is_one(server: Any) -> None:
    with client_of(server.domain, outbox=Outbox.memory()) as client:
        site = Site(client, handle_key=KEY)
        assert Visit(site, of).receive(posted(Visit(site, of).handle([SHOWN]))) == 204
        assert client.flush(5000) == 0
    assert [one["id"] for one in told_to(server)] == ["shown"]


def test_where_target_cannot_be_told_the_browser_may_try_again() -> None:
    def away(_: Received) -> Answer:
        return Answer(status=500)

    with serving(away) as server, client_of(server.domain, retries=0) as client:
        site = Site(client, handle_key=KEY)
        assert Visit(site, of).receive(posted(Visit(site, of).handle([SHOWN]))) == 503


def test_an_asyncio_client_tells_as_well(server: Any) -> None:
    async def visited() -> list[int]:
        statuses = []
        for outbox in (None, Outbox.memory()):
            site = await Site.create_async({**options_of(server.domain), "handle_key": KEY, "outbox": outbox})
            async with site.client:
                handle = AsyncVisit(site, of).handle([SHOWN])
                statuses += [
                    await AsyncVisit(site, of).receive(posted(handle)),
                    await AsyncVisit(site, of).receive(b""),
                ]
        return statuses

    assert asyncio.run(visited()) == [204, 400, 204, 400]
    assert [one["id"] for one in told_to(server)] == ["shown", "shown"]


@pytest.mark.parametrize("outbox", [None, Outbox.memory()], ids=["sent", "queued"])
def test_a_view_that_is_a_coroutine_tells_as_well(server: Any, outbox: Outbox | None) -> None:
    with client_of(server.domain, outbox=outbox) as client:
        site = Site(client, handle_key=KEY)
        handle = Visit(site, of).handle([SHOWN])
        assert asyncio.run(Visit(site, of).areceive(posted(handle))) == 204
        assert asyncio.run(Visit(site, of).areceive(b"")) == 400
        assert client.flush(5000) == 0
    assert [one["id"] for one in told_to(server)] == ["shown"]


def test_without_consent_or_anything_to_tell_there_is_no_handle(server: Any) -> None:
    with client_of(server.domain) as client:
        assert Visit(Site(client, handle_key=KEY, consent=lambda _: False), of).handle([SHOWN]) == ""
        assert Visit(Site(client, handle_key=KEY), of).handle([]) == ""
        with pytest.raises(OptionsError, match="handle_key"):
            Visit(Site(client), of).handle([SHOWN])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"handles": "x"}', 400),
        (b'{"handles": [1]}', 400),
        (b'{"handles": []}', None),
        (b"[" * 60_000, 400),
        (b" " * 70_000, 413),
        (posted(*map(str, range(51))), 413),
        (posted("x" * 9000), 400),
        (b"\xff\xfe", 400),
    ],
)
def test_a_body_that_names_no_handles_is_refused(body: bytes, status: int | None) -> None:
    if status is None:
        assert named_handles(body, 50) == []
        return
    with pytest.raises(Unreadable) as refused:
        named_handles(body, 50)
    assert refused.value.status == status


@given(st.binary(max_size=200) | st.text().map(posted), st.text(max_size=60))
def test_whatever_a_browser_posts_is_answered_and_tells_nothing(body: bytes, cookie: str) -> None:
    with client_of("127.0.0.1:9") as client:
        visit = Visit(Site(client, handle_key=KEY), lambda: of(cookie))
        assert visit.receive(body) in (400, 413)
