"""Hooks around the calls of both clients: when they are called, and what they are told."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
from typing import Any

import pytest

from target import ApiError, AsyncTargetClient, Outbox, TargetClient, TargetTimeout, TransportError
from tests.kit import aio
from tests.kit.calls import CALL, DEVICE_ID, REQUEST, SESSION_ID, client_of, eventually, options_of
from tests.kit.either import Make
from tests.kit.hooks import Awaited, Watching, hooked
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.shop import HOME, PREFETCH, Shop

NOTIFICATION: dict[str, Any] = {
    "id": "Notification-1",
    "type": "display",
    "timestamp": 1_700_000_000_000,
    "mbox": {"name": "home"},
    "tokens": ["token"],
}


def test_a_call_is_told_as_it_begins_and_as_it_ends(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    client = make(hooked(server, watching, property_token="Property-1"))
    client.get_offers(**CALL)
    assert watching.order == ["on_start", "before_call", "after_call"]
    (before,) = watching.of("before_call")
    ((call, outcome),) = watching.of("after_call")
    assert call is before
    assert (call.client, call.method, call.kind, call.mboxes) == ("acme", "get_offers", "execute", ("home",))
    assert (call.property_token, call.host, call.causes) == ("Property-1", server.domain, ())
    assert call.url == f"http://{server.domain}/rest/v1/delivery"
    assert (outcome.status, outcome.host, outcome.error) == (200, server.domain, None)
    sent = server.received[0]
    assert outcome.request_bytes == int(sent.headers["Content-Length"])
    assert outcome.response_bytes > 0
    (attempt,) = outcome.attempts
    assert 0 <= attempt.after_ms <= attempt.after_ms + attempt.milliseconds <= outcome.milliseconds
    assert [(each.name, each.reason) for each in outcome.decisions] == [("home", "server")]


def test_nothing_that_hooks_are_told_is_an_id(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    client = make(hooked(server, watching, outbox=Outbox.memory()))
    ids = {"thirdPartyId": "Third-1", "marketingCloudVisitorId": "Cloud-1", "customerIds": [{"id": "Customer-1"}]}
    request = {**REQUEST, "id": ids}
    client.get_offers(**{**CALL, "request": request})
    client.get_attributes("home", **{**CALL, "request": request})
    client.send_notifications(**{**CALL, "request": {"id": ids, "notifications": [NOTIFICATION]}})
    client.queue_notifications(**{**CALL, "request": {"id": ids, "notifications": [NOTIFICATION]}})
    client.flush(5000)
    assert len(watching.of("after_call")) == 4
    told = repr(watching.told)
    for secret in (
        SESSION_ID,
        DEVICE_ID,
        "Third-1",
        "Cloud-1",
        "Customer-1",
        "1234@AdobeOrg",
        "Notification-1",
        "token'",
    ):
        assert secret not in told


@pytest.mark.parametrize(("status", "error"), [(400, "ApiError"), (503, "ApiError"), (200, None), (204, None)])
def test_how_it_ended_is_told_whatever_the_answer(make: Make, server: LoopbackServer, status: int, error: Any) -> None:
    watching = Watching()
    server.answer = lambda received: ok(received) if status == 200 else Answer({"message": "no"}, status)
    client = make(hooked(server, watching, retries=0))
    if error is None:
        client.get_offers(**CALL)
    else:
        with pytest.raises(ApiError):
            client.get_offers(**CALL)
    assert (watching.outcome.status, watching.outcome.error) == (status, error)


def test_each_attempt_is_told(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    server.answer = lambda received: Answer({}, 503) if len(server.received) < 3 else ok(received)
    make(hooked(server, watching, retries=2)).get_offers(**CALL)
    assert [attempt.status for attempt in watching.outcome.attempts] == [503, 503, 200]
    starts = [attempt.after_ms for attempt in watching.outcome.attempts]
    assert starts == sorted(starts)
    assert watching.outcome.status == 200


def test_attempts_without_an_answer_say_how_they_ended(make: Make) -> None:
    watching = Watching()
    with serving() as server:
        gone = server.domain
    client = make(options_of(gone, hooks=[watching], retries=1))
    with pytest.raises(TransportError):
        client.get_offers(**CALL)
    assert [(each.status, each.error) for each in watching.outcome.attempts] == [(None, "TransportError")] * 2
    assert (watching.outcome.status, watching.outcome.error) == (None, "TransportError")


def test_a_call_whose_deadline_passed_is_told(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    server.answer = lambda _: time.sleep(1) or Answer({})
    client = make(hooked(server, watching, timeout=100))
    with pytest.raises(TargetTimeout):
        client.get_offers(**CALL)
    assert watching.outcome.error == "TargetTimeout"
    assert watching.outcome.attempts[-1].error is not None


@aio.transports
def test_a_cancelled_call_is_told(transport: str, server: LoopbackServer) -> None:
    watching = Watching()
    server.answer = lambda _: time.sleep(1) or Answer({})

    async def main(client: AsyncTargetClient) -> None:
        task = asyncio.create_task(client.get_offers(**CALL))
        await aio.received(server, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert watching.outcome.error == "CancelledError"

    aio.with_client(server, main, hooks=[watching], transport=transport)


def test_decisions_are_told_around_rules(make: Make, shop: Shop) -> None:
    watching = Watching()
    client = make(hooked(shop.server, watching, **shop.options))
    result = client.get_offers(request=HOME)
    (call,) = watching.of("before_decision")
    own = [each[0] for each in watching.told if each[1] is call]
    assert own == ["before_call", "before_decision", "after_decision", "after_call"]
    ((same, decisions),) = watching.of("after_decision")
    assert same is call is watching.of("before_call")[0]
    assert list(decisions) == result.meta.decisions
    # What follows the decision may be over before the call is: it is sent meanwhile.
    (outcome,) = [outcome for info, outcome in watching.of("after_call") if info is call]
    assert (call.host, call.url, call.decisioning_method) == (None, None, "on-device")
    assert (outcome.host, outcome.status, outcome.attempts, outcome.request_bytes) == (None, None, (), 0)
    assert outcome.rules_version == '"one"'


def test_what_follows_a_decision_names_its_cause(make: Make, shop: Shop) -> None:
    watching = Watching()
    client = make(hooked(shop.server, watching, **shop.options))
    client.get_offers(request=HOME)
    client.flush(5000)
    assert eventually(lambda: len(watching.of("after_call")) == 2)
    # Which may be over first: it is sent while the hooks of the call are told.
    (asked, _), (sent, outcome) = sorted(watching.of("after_call"), key=lambda told: told[0].method != "get_offers")
    assert (sent.method, sent.kind, sent.causes, sent.host) == (
        "background",
        "notifications",
        (asked,),
        shop.server.domain,
    )
    assert (outcome.status, len(outcome.attempts)) == (200, 1)
    (told,) = watching.of("on_notification")
    assert (told.type, told.mbox, told.state, told.call) == ("display", "home", "sent", sent)


def test_what_is_decided_and_fails_to_be_told_is_told(make: Make, shop: Shop) -> None:
    watching = Watching()
    shop.delivery = lambda _: Answer({"message": "no"}, 400)
    client = make(hooked(shop.server, watching, **shop.options))
    client.get_offers(request=HOME)
    client.flush(5000)
    assert eventually(lambda: watching.of("on_notification"))
    (told,) = watching.of("on_notification")
    assert (told.state, told.error) == ("failed", "ApiError")


def test_notifications_are_told_as_they_go(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    client = make(hooked(server, watching, outbox=Outbox.memory()))
    client.send_notifications(request={"notifications": [NOTIFICATION]})
    client.queue_notifications(request={"notifications": [NOTIFICATION]})
    client.flush(5000)
    assert eventually(lambda: len(watching.of("on_notification")) == 3)
    told = watching.of("on_notification")
    assert [each.state for each in told] == ["sent", "queued", "sent"]
    assert [each.call.method for each in told] == ["send_notifications", "queue_notifications", "queue_notifications"]
    sent = watching.of("after_call")[-1][0]
    assert (sent.method, sent.causes) == ("outbox", (told[1].call,))


def test_a_notification_that_the_outbox_gives_up_is_told(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    server.answer = lambda _: Answer({"message": "no"}, 400)
    client = make(hooked(server, watching, outbox=Outbox.memory()))
    client.queue_notifications(request={"notifications": [NOTIFICATION]})
    client.flush(5000)
    assert eventually(lambda: len(watching.of("on_notification")) == 2)
    assert [each.state for each in watching.of("on_notification")] == ["queued", "dead"]


def test_a_decision_that_goes_into_the_outbox_is_the_cause_of_what_is_sent(make: Make, shop: Shop) -> None:
    watching = Watching()
    client = make(hooked(shop.server, watching, outbox=Outbox.memory(), **shop.options))
    client.get_offers(request=HOME)
    client.flush(5000)
    assert eventually(lambda: len(watching.of("after_call")) == 2)
    (asked, _), (sent, _) = sorted(watching.of("after_call"), key=lambda told: told[0].method != "get_offers")
    assert (sent.method, sent.causes) == ("outbox", (asked,))


def test_hooks_are_called_in_order_and_afterwards_in_the_opposite_one(make: Make, shop: Shop) -> None:
    order: list[tuple[str, str]] = []
    hooks = [Watching(name=name, into=order) for name in "ab"]
    client = make(hooked(shop.server, *hooks, **shop.options))
    client.get_offers(request=PREFETCH)
    client.close()
    assert [name for name, method in order if method in ("on_start", "before_call", "before_decision")] == list(
        "ababab"
    )
    assert [name for name, method in order if method.startswith("after") or method == "on_close"] == list("bababa")


def test_a_hook_may_have_any_of_the_methods(make: Make, server: LoopbackServer) -> None:
    class One:
        def after_call(self, call: Any, outcome: Any) -> None:
            seen.append(outcome.status)

    seen: list[int] = []
    make(hooked(server, One())).get_offers(**CALL)
    assert seen == [200]


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_coroutines_are_awaited_by_asyncio(shop: Shop, transport: str) -> None:
    watching = Watching({"headers": {"X-Hook": "yes"}, "parameters": {"a": "b"}})

    async def main(client: AsyncTargetClient) -> None:
        started = time.monotonic()
        await client.get_offers(request=HOME)
        await client.send_notifications(request={"notifications": [NOTIFICATION]})
        await client.queue_notifications(request={"notifications": [NOTIFICATION]})
        await client.flush(5000)
        assert time.monotonic() - started < 2  # the loop never waits for itself

    more = {**shop.options, "outbox": Outbox.memory(), "transport": transport}
    aio.with_client(shop.server, main, hooks=[Awaited(watching)], **more)
    methods = {
        "on_start",
        "before_call",
        "before_decision",
        "after_decision",
        "after_call",
        "on_notification",
        "on_close",
    }
    assert set(watching.order) == methods
    assert len(watching.threads["before_call"]) == 1  # the event loop's, also for what is sent in the background
    assert all(item.headers["X-Hook"] == "yes" for item in shop.delivered)


def test_coroutines_of_background_calls_do_not_hold_up_a_closed_loop(shop: Shop) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(0)

    class Hook:
        before_call = after_call = on_notification = staticmethod(never)

    async def main() -> None:
        client = await AsyncTargetClient.create(hooked(shop.server, Hook(), **shop.options))
        await client.get_offers(request=HOME)  # and is forgotten, with its loop

    asyncio.run(main())
    assert eventually(lambda: shop.notified)


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


class Contexts:
    """Sets a context variable before a call, and has to find it after it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def before_call(self, call: Any) -> None:
        self._token = VARIABLE.set("hook's")

    def after_call(self, call: Any, outcome: Any) -> None:
        self.found.append(VARIABLE.get())
        VARIABLE.reset(self._token)  # which raises in any other context


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_a_hook_is_in_one_context_before_and_after_awaited_calls(server: LoopbackServer, transport: str) -> None:
    hook = Contexts()
    aio.with_client(server, lambda client: client.get_offers(**CALL), hooks=[hook], transport=transport)
    assert hook.found == ["hook's"]


def test_a_hook_is_in_one_context_before_and_after_calls_with_a_callback(server: LoopbackServer) -> None:
    hook = Contexts()
    VARIABLE.set("caller's")
    with client_of(server.domain, hooks=[hook]) as client:
        seen: list[str] = []
        client.get_offers(**CALL, callback=lambda _: seen.append(VARIABLE.get())).get(5)
        client.get_offers(**CALL)
    assert hook.found == ["hook's"] * 2
    assert seen == ["caller's"]  # the callback is called after the call has ended
    assert VARIABLE.get() == "caller's"


def test_the_client_is_told_of_and_not_held(server: LoopbackServer) -> None:
    watching = Watching()
    client: Any = client_of(server.domain, hooks=[watching])
    (info,) = watching.of("on_start")
    assert (info.client, info.decisioning_method) == ("acme", "server-side")
    assert info.status() == client.status()
    client.close()
    client.close()
    assert watching.of("on_close")[0].client == "acme"
    assert len(watching.of("on_close")) == 1
    del client
    gc.collect()
    assert info.status() is None


def test_a_handler_of_a_hook_may_use_the_client(server: LoopbackServer) -> None:
    class Asking:
        calls = 0
        client: TargetClient

        def after_call(self, call: Any, outcome: Any) -> None:
            self.calls += 1
            if self.calls == 1:
                self.client.get_offers(**CALL)

    hook = Asking()
    with client_of(server.domain, hooks=[hook]) as client:
        hook.client = client
        client.get_offers(**CALL)
    assert len(server.received) == hook.calls == 2


def test_kinds_of_a_call(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    client = make(hooked(server, watching))
    client.get_offers(request={"execute": {"pageLoad": {}}, "prefetch": {"views": [{"name": "cart"}, {}]}})
    client.get_attributes(["one", "two"])
    kinds = [(call.method, call.kind, call.mboxes, call.views) for call in watching.of("before_call")]
    assert kinds == [
        ("get_offers", "execute+prefetch", (), ("cart",)),
        ("get_attributes", "execute", ("one", "two"), ()),
    ]


def test_what_a_notify_without_anything_to_tell_says_is_nothing(make: Make, server: LoopbackServer) -> None:
    watching = Watching()
    client = make(hooked(server, watching))
    result = client.get_offers(**CALL)
    client.notify(result, displayed=["home"])
    assert [call.method for call in watching.of("before_call")] == ["get_offers"]


def test_received_is_what_a_hook_saw(make: Make, server: LoopbackServer) -> None:
    """The tokens of an answer tell which activity it shows."""
    tokens = {"activity.id": "7", "activity.name": "Summer", "experience.id": 1, "experience.name": "B"}

    def answer(received: Received) -> Answer:
        option = {"type": "html", "content": "<b>", "responseTokens": tokens}
        return Answer(
            {"status": 200, "execute": {"mboxes": [{"name": "home", "index": 0, "options": [option, option]}]}}
        )

    server.answer = answer
    watching = Watching()
    make(hooked(server, watching)).get_offers(**CALL)
    (decision,) = watching.outcome.decisions
    assert decision.to_dict() == {
        "kind": "mbox",
        "name": "home",
        "mode": "execute",
        "reason": "server",
        "activity_id": "7",
        "activity_name": "Summer",
        "experience_id": "1",
        "experience_name": "B",
    }
