"""notify and queue of both clients, against the emulator: one call tells what was shown, as the same visitor."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from target import (
    ApiError,
    AsyncTargetClient,
    ClientClosed,
    Notification,
    NotificationMbox,
    OptionsError,
    Order,
    Outbox,
    TargetClient,
    TargetDeliveryResponse,
)
from target.emulator import Emulator, running
from tests.kit.calls import MakeClient, options_of
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import PREFETCH, Shop

OFFER: dict[str, Any] = {"type": "html", "content": "<b>"}
CLICK: dict[str, Any] = {"type": "click", "selector": "#buy"}
OFFERS: dict[str, Any] = {
    "mboxes": {"home": {"options": [OFFER], "metrics": [CLICK]}, "cart": {"options": [OFFER]}},
    "views": {"checkout": {"options": [OFFER], "metrics": [CLICK]}},
    "pageLoad": {"options": [OFFER], "metrics": [CLICK]},
}
ASK: dict[str, Any] = {
    "id": {"thirdPartyId": "user-1"},
    "property": {"token": "at-property"},
    "context": {"channel": "web", "address": {"url": "https://shop.example/"}},
    "execute": {"mboxes": [{"name": "cart"}]},
    "prefetch": {"mboxes": [{"name": "home"}, {"name": "unfilled"}], "pageLoad": {}, "views": [{}]},
}
DAY = datetime.date(2026, 1, 2)
SHOWN: dict[str, Any] = {"displayed": ["home", "unfilled", "cart"], "page_load": True, "views": ["checkout"]}


class Heard:
    """What the emulator received since a test began."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._before = len(emulator.received), len(emulator.notifications)

    @property
    def received(self) -> list[Any]:
        return self._emulator.received[self._before[0] :]

    @property
    def notifications(self) -> list[dict[str, Any]]:
        return self._emulator.notifications[self._before[1] :]


@pytest.fixture(scope="module")
def started() -> Iterator[Emulator]:
    with running(offers=OFFERS) as emulator:
        yield emulator


@pytest.fixture
def emulator(started: Emulator) -> Heard:
    return Heard(started)


@pytest.fixture
def domain(started: Emulator) -> str:
    return started.server_domain


def by_thread(domain: str, act: Callable[[Any], Any], **options: Any) -> Any:
    with TargetClient.create(**options_of(domain, **options)) as client:
        return act(client)


def by_callback(domain: str, act: Callable[[Any], Any], **options: Any) -> Any:
    """Calls of ``notify`` with a callback, which is given what the handle has."""

    def with_callback(client: TargetClient) -> Any:
        class Told:
            get_offers = client.get_offers

            def notify(self, result: TargetDeliveryResponse, **more: Any) -> Any:
                given: list[Any] = []
                answer = client.notify(result, callback=given.append, **more).get(10)
                assert given == [answer]
                return answer

        return act(Told())

    return by_thread(domain, with_callback, **options)


def by_loop(domain: str, act: Callable[[Any], Any], **options: Any) -> Any:
    """Each call is awaited on an event loop."""

    async def run() -> Any:
        async with await AsyncTargetClient.create(**options_of(domain, **options)) as client:
            loop = asyncio.get_running_loop()

            class Awaited:
                def __getattr__(self, name: str) -> Any:
                    return lambda *given, **more: asyncio.run_coroutine_threadsafe(
                        getattr(client, name)(*given, **more), loop
                    ).result(10)

            return await asyncio.to_thread(act, Awaited())

    return asyncio.run(run())


each_way = pytest.mark.parametrize("by", [by_thread, by_callback, by_loop])


@each_way
def test_one_call_tells_it_as_the_same_visitor(emulator: Heard, domain: str, by: Callable[..., Any]) -> None:
    def act(client: Any) -> Any:
        result = client.get_offers(request=ASK, session_id="s-1", customer_ids={"crm": {"id": "7", "authState": 1}})
        return result, client.notify(pickle.loads(pickle.dumps(result)), **SHOWN, clicked=["home"])

    result, answer = by(domain, act)
    asked, told = emulator.received
    assert told.query["sessionId"] == asked.query["sessionId"] == "s-1"
    assert told.body["id"]["tntId"] == result.response.id.tnt_id
    assert told.body["id"]["customerIds"] == asked.body["id"]["customerIds"]
    for name in ("property", "context", "experienceCloud"):
        assert told.body[name] == asked.body[name]
    assert not told.body.keys() & {"execute", "prefetch"}
    taken = [(item["notification"], item["known"]) for item in emulator.notifications]
    assert [item["id"] for item, _ in taken] == [item.id for item in answer.response.notifications]
    assert all(known for _, known in taken), "each token is one that the emulator gave"
    about = [item["type"] + " " + next(key for key in ("mbox", "view", "pageLoad") if key in item) for item, _ in taken]
    assert about == ["display mbox", "display view", "display pageLoad", "click mbox"]
    assert answer.target_cookie.value.split("#")[1] == "s-1"


@each_way
def test_where_nothing_was_filled_no_call_is_made(emulator: Heard, domain: str, by: Callable[..., Any]) -> None:
    def act(client: Any) -> Any:
        result = client.get_offers(request=ASK, session_id="s-1")
        return result, client.notify(result, displayed=["unfilled", "cart"], clicked=["cart"])

    result, answer = by(domain, act)
    assert answer.response is None
    assert answer.target_cookie.value.split("#")[1::2] == result.target_cookie.value.split("#")[1::2]
    assert len(emulator.received) == 1


@pytest.mark.parametrize("by", [by_thread, by_loop])
@pytest.mark.parametrize("keep", [Outbox.memory, lambda: Outbox.memory(flush_interval=60_000)], ids=["soon", "later"])
def test_queue(emulator: Heard, domain: str, by: Callable[..., Any], keep: Callable[[], Outbox]) -> None:
    def act(client: Any) -> Any:
        result = client.get_offers(request=ASK, session_id="s-1")
        assert client.queue(result, displayed="unfilled") == []
        return client.queue(result, **SHOWN, order={"id": 5, "total": decimal.Decimal("19.99")})

    ids = by(domain, act, outbox=keep())
    assert [item["notification"]["id"] for item in emulator.notifications] == ids
    assert [item["notification"].get("order") for item in emulator.notifications] == [
        {"id": "5", "total": 19.99},
        None,
        None,
    ]
    assert emulator.received[-1].query["sessionId"] == "s-1"


@pytest.mark.parametrize("by", [by_thread, by_loop])
def test_mistakes(domain: str, by: Callable[..., Any]) -> None:
    def act(client: Any) -> None:
        result = client.get_offers(request=ASK)
        calls: tuple[tuple[Callable[[], Any], str], ...] = (
            (lambda: client.notify(result, displayed=["hom"]), "it holds 'cart', 'home', 'unfilled'"),
            (lambda: client.notify(None, displayed=["home"]), "What get_offers returned"),
            (lambda: client.queue(result, displayed=["home"]), "needs an outbox"),
            (lambda: client.queue(result, displayed=["unfilled"]), "needs an outbox"),
            (lambda: client.queue(result, displayed=["home"], callback=print), "callback"),
            (lambda: client.notify(result, err_callback=print), "err_callback"),
        )
        for call, message in calls:
            with pytest.raises(OptionsError, match=message):
                call()

    by(domain, act)


def test_a_closed_client_says_so(domain: str) -> None:
    client = TargetClient.create(**options_of(domain))
    result = client.get_offers(request=ASK)
    client.close()
    for call in (client.notify, client.queue):
        with pytest.raises(ClientClosed):
            call(result, displayed=["unfilled"])


def test_options_may_be_one_dict(emulator: Heard, domain: str) -> None:
    with TargetClient.create(**options_of(domain)) as client:
        result = client.get_offers(request=ASK)
        client.notify(result, {"displayed": ["home"]}, timestamp=datetime.datetime(2026, 1, 2))
    assert emulator.notifications[0]["notification"]["timestamp"] == 1767312000000


def test_a_result_of_get_attributes_can_be_told_of(emulator: Heard, domain: str) -> None:
    with TargetClient.create(**options_of(domain)) as client:
        flags = client.get_attributes("cart", request={"prefetch": {"mboxes": [{"name": "home"}]}})
        client.notify(flags.get_response(), displayed=["home"], order={"id": uuid.UUID(int=5)})
    assert emulator.notifications[0]["notification"]["order"]["id"] == str(uuid.UUID(int=5))


def test_values_as_programs_hold_them(emulator: Heard, domain: str) -> None:
    own = Notification(
        id=uuid.UUID(int=7),  # type: ignore[arg-type]
        type="click",
        timestamp=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),  # type: ignore[arg-type]
        mbox=NotificationMbox(name="home"),
    )
    with TargetClient.create(**options_of(domain)) as client:
        ids: Any = {"crm": uuid.UUID(int=8), "shop": {"id": decimal.Decimal(9)}}
        result = client.get_offers(request=ASK, session_id=uuid.UUID(int=5), customer_ids=ids)
        client.notify(result, clicked=[own], order=Order(id="o", total=decimal.Decimal("0.10"), time=DAY))  # type: ignore[arg-type]
    told = emulator.received[-1]
    assert told.query["sessionId"] == str(uuid.UUID(int=5))
    assert [entry["id"] for entry in told.body["id"]["customerIds"]] == [str(uuid.UUID(int=8)), "9"]
    (taken,) = (item["notification"] for item in emulator.notifications)
    assert (taken["id"], taken["timestamp"]) == (str(uuid.UUID(int=7)), 1767312000000)
    assert taken["order"] == {"id": "o", "total": 0.1, "time": "2026-01-02T00:00:00+00:00"}


def test_what_one_process_was_answered_another_tells(emulator: Heard, domain: str, tmp_path: Path) -> None:
    with TargetClient.create(**options_of(domain)) as client:
        result = client.get_offers(request=ASK, session_id="s-1")
    (tmp_path / "result").write_bytes(pickle.dumps(result))
    program = (
        "import pickle, sys; result = pickle.load(open(sys.argv[1], 'rb')); from target import TargetClient\n"
        "client = TargetClient.create(client='acme', organization_id='1234@AdobeOrg', server_domain=sys.argv[2],"
        " secure=False, edge_routing=False)\n"
        "print(result.content('cart')); client.notify(result, displayed=['home']); client.close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "result"), domain]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("<b>\n", "")
    assert emulator.received[-1].query["sessionId"] == "s-1"
    assert emulator.notifications[0]["known"]


@pytest.mark.parametrize("by", [by_thread, by_loop])
def test_what_was_decided_here_is_told_there(shop: Shop, by: Callable[..., Any]) -> None:
    def act(client: Any) -> Any:
        result = client.get_offers(request=PREFETCH, session_id="s-1")
        return result.options("home"), client.notify(result, displayed=["home"])

    (option,), _ = by(shop.server.domain, act, **shop.options)
    assert [item["tokens"] for item in shop.notified] == [[option.event_token]]
    assert shop.delivered[-1].session_id == "s-1"


def test_a_call_that_fails_says_so(server: LoopbackServer, make_client: MakeClient) -> None:
    option = {"type": "html", "content": "a", "eventToken": "t"}
    server.answer = lambda _: Answer({"status": 200, "prefetch": {"mboxes": [{"name": "home", "options": [option]}]}})
    client = make_client(retries=0)
    result = client.get_offers(request=PREFETCH)
    server.answer = lambda _: Answer(status=503)
    with pytest.raises(ApiError):
        client.notify(result, displayed=["home"])
    heard: list[Exception] = []
    client.notify(result, displayed=["home"], callback=print, err_callback=heard.append).wait(10)
    assert [type(error) for error in heard] == [ApiError]
