"""Hooks around the calls of both clients: what they may add, what becomes of what they raise."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError, Outbox
from tests.kit.calls import CALL, COOKIE, SESSION_ID, client_of
from tests.kit.either import Make
from tests.kit.hooks import Awaited, Watching, hooked
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.shop import HOME, PREFETCH, Shop

NOTIFICATION: dict[str, Any] = {
    "id": "Notification-1",
    "type": "display",
    "timestamp": 1_700_000_000_000,
    "mbox": {"name": "home"},
    "tokens": ["token"],
}


def test_headers_and_parameters_are_added(make: Make, server: LoopbackServer) -> None:
    first = Watching({"headers": {"X-One": "1", "X-Both": "1"}, "parameters": {"plan": "gold", "size": "hook's"}})
    second = Watching({"headers": {"X-Both": "2"}})
    request = {
        "execute": {"mboxes": [{"name": "home", "parameters": {"size": "own"}}], "pageLoad": {}},
        "prefetch": {"views": [{"name": "cart"}], "mboxes": [{"name": "later"}]},
    }
    make(hooked(server, first, second)).get_offers(request=request)
    (sent,) = server.received
    assert (sent.headers["X-One"], sent.headers["X-Both"]) == ("1", "2")
    execute, prefetch = sent.body["execute"], sent.body["prefetch"]
    assert execute["mboxes"][0]["parameters"] == {"plan": "gold", "size": "own"}
    for part in (execute["pageLoad"], prefetch["views"][0], prefetch["mboxes"][0]):
        assert part["parameters"] == {"plan": "gold", "size": "hook's"}
    assert request["execute"]["mboxes"][0]["parameters"] == {"size": "own"}  # the caller's stay as they were


def test_parameters_of_hooks_decide_on_the_device(make: Make, shop: Shop) -> None:
    rules = shop.artifact["rules"]["mboxes"]["home"]
    for rule in rules:
        rule["condition"] = {"==": [{"var": "mbox.plan"}, "gold"]}
    plain = make(hooked(shop.server, Watching(), **shop.options)).get_offers(request=PREFETCH)
    added = make(hooked(shop.server, Watching({"parameters": {"plan": "gold"}}), **shop.options))
    assert plain.content("home") is None
    assert added.get_offers(request=PREFETCH).content("home") is not None


#: What a hook may return, of which nothing can be added.
ADDED: dict[str, Any] = {
    "a host": {"headers": {"Host": "evil.example"}},
    "a length": {"headers": {"content-LENGTH": "0"}},
    "a request id": {"headers": {"X-Request-Id": "mine"}},
    "a user agent": {"headers": {"User-Agent": "x"}},
    "two headers in one": {"headers": {"X-A": "1\r\nX-B: 2"}},
    "a name that is none": {"headers": {"X A": "1"}},
    "a header that is a number": {"headers": {"X-A": 1}},
    "a name that is a number": {"headers": {1: "1"}},
    "headers as text": {"headers": "X-A: 1"},
    "many headers": {"headers": {f"X-{number}": "1" for number in range(1000)}},
    "a parameter that is a number": {"parameters": {"a": 1}},
    "a parameter without a name": {"parameters": {"": "x"}},
    "parameters in a list": {"parameters": ["a"]},
    "a list": ["headers"],
    "text": "headers",
    "an object": object(),
}


@pytest.mark.parametrize("name", ADDED)
def test_what_cannot_be_added_is_left_out_and_logged_once(
    make: Make, server: LoopbackServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = make(hooked(server, Watching(ADDED[name])))
    with caplog.at_level(logging.WARNING, "target"):
        for _ in range(3):
            client.get_offers(**CALL)
    one, *others = server.received
    names = {"Host", "Content-Length", "X-Request-Id", "User-Agent", "X-A", "X-B", "X-1"} & set(one.headers)
    assert names == {"Host", "Content-Length", "X-Request-Id", "User-Agent"}
    assert one.headers["Host"] == server.domain
    assert "parameters" not in one.body["execute"]["mboxes"][0]
    assert len(others) == 2
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1


class Broken:
    """Raises in each of its methods, as some do: with an id in the words."""

    def _raise(self, *_: object) -> None:
        raise RuntimeError(f"{SESSION_ID} {COOKIE}")

    on_start = on_close = before_call = after_call = before_decision = after_decision = on_notification = _raise


@pytest.mark.parametrize("method", ["server-side", "on-device"])
def test_what_hooks_raise_is_logged_once_and_harms_nothing(
    make: Make, shop: Shop, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = {**shop.options, "decisioning_method": method}
    watching = Watching()
    with caplog.at_level(logging.DEBUG, "target"):
        client = make(hooked(shop.server, Broken(), watching, outbox=Outbox.memory(), **given))
        for _ in range(3):
            client.get_offers(**{**CALL, "request": HOME})
        client.send_notifications(**{**CALL, "request": {"notifications": [NOTIFICATION]}})
        client.queue_notifications(**{**CALL, "request": {"notifications": [NOTIFICATION]}})
        client.flush(5000)
        client.close()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors
    assert len(errors) == len(set(errors))
    assert [line for line in errors if "RuntimeError at" not in line or "test_hooking_additions.py" not in line] == []
    assert SESSION_ID not in caplog.text.replace(f"session {SESSION_ID}", "")
    assert len(watching.of("before_call")) >= 5


def test_a_client_that_blocks_refuses_coroutines(server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match=r"Awaited.on_start is a coroutine function.*AsyncTargetClient"):
        client_of(server.domain, hooks=[Awaited(Watching())])


def test_what_a_plain_function_returns_to_await_is_logged(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Sly:
        def before_call(self, call: Any) -> Any:
            return Awaited(Watching()).before_call(call)

    with client_of(server.domain, hooks=[Sly()]) as client:
        client.get_offers(**CALL)
    assert "Sly.before_call raised TypeError" in caplog.text


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ("x", "must be a list of hooks, not str"),
        (Watching(), "must be a list of hooks, not Watching"),
        ([Watching], r"\[0\] is a class"),
        ([Watching(), object()], r"before_call.*\[1\], of object, has none"),
        ([None], r"\[0\], of None, has none"),
        ([Watching()] * 101, "at most 100"),
    ],
)
def test_what_are_no_hooks_is_refused(server: LoopbackServer, hooks: Any, said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        client_of(server.domain, hooks=hooks)


TEXT = st.text(max_size=8)


@given(adds=st.dictionaries(st.sampled_from(["headers", "parameters", "x"]), st.dictionaries(TEXT, TEXT, max_size=3)))
def test_whatever_is_added_a_call_is_answered(adds: Any) -> None:
    with serving() as server, client_of(server.domain, hooks=[Watching(adds)], timeout=20_000) as client:
        assert client.get_offers(**CALL).response.status == 200
        (sent,) = server.received
        assert sent.headers["Host"] == server.domain
