"""Clients that reach no network: held to the surface of real ones, and to their results and errors."""

from __future__ import annotations

import asyncio
import inspect
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

import target
from target import ApiError, AsyncTargetClient, OptionsError, Outbox, Site, TargetClient, TargetError, TargetTimeout
from target.testing import AsyncFakeTargetClient, FakeTargetClient
from tests.kit.hooks import Awaited, Watching

OFFERS: dict[str, Any] = {
    "mboxes": {
        "home": "<h1>Sale</h1>",
        "flags": {"new": True},
        "teaser": None,
        "long": {"options": [{"type": "html", "content": "x"}], "metrics": [{"type": "click"}]},
        "list": [{"type": "html", "content": "y", "responseTokens": {"activity.id": 1}}],
    },
    "views": {"cart": "<p>"},
    "pageLoad": "<div>",
}
HOME: Any = {"execute": {"mboxes": [{"name": "home"}]}}
EVERYTHING: Any = {
    "execute": {"mboxes": [{"name": name} for name in OFFERS["mboxes"]], "pageLoad": {}},
    "prefetch": {"views": [{"name": "cart"}]},
}
PAIRS = [(TargetClient, FakeTargetClient), (AsyncTargetClient, AsyncFakeTargetClient)]


@contextmanager
def alone() -> Iterator[None]:
    """Fails a test that opens a socket, looks up a name, or leaves a thread behind."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a fake reached for the network")

    class Refused(socket.socket):
        def __init__(self, *_: object, **__: object) -> None:
            refuse()

    before = set(threading.enumerate())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "socket", Refused)
        patched.setattr(socket, "getaddrinfo", refuse)
        patched.setattr(socket, "create_connection", refuse)
        yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("real", "fake"), PAIRS)
def test_the_surface_is_that_of_the_real_one(real: type, fake: type) -> None:
    public = [name for name in dir(real) if not name.startswith("_")]
    assert len(public) > 10
    assert issubclass(fake, real)
    for name in public:
        theirs, ours = inspect.getattr_static(real, name), inspect.getattr_static(fake, name)
        assert type(ours) is type(theirs), name
        if callable(getattr(real, name)):
            wanted, given = (inspect.signature(getattr(one, name)) for one in (real, fake))
            assert list(given.parameters.values()) == list(wanted.parameters.values()), name
            assert inspect.iscoroutinefunction(getattr(fake, name)) == inspect.iscoroutinefunction(getattr(real, name))


@alone()
def test_offers_are_answered_without_a_network() -> None:
    client = FakeTargetClient(offers=OFFERS)
    result = client.get_offers(request=EVERYTHING)
    assert [result.content(name) for name in OFFERS["mboxes"]] == ["<h1>Sale</h1>", {"new": True}, None, "x", "y"]
    assert [option.content for option in (*result.page_load(), *result.view("cart"))] == ["<div>", "<p>"]
    assert result.response_tokens == [{"activity.id": 1}]
    assert client.get_attributes(["flags"]).get_bool("flags", "new", False)
    assert [sorted(body["execute"]) for body in client.requests] == [["mboxes", "pageLoad"], ["mboxes"]]
    client.close()
    with pytest.raises(target.ClientClosed):
        client.get_offers(request=HOME)


@alone()
def test_what_is_told_is_recorded() -> None:
    client = FakeTargetClient(OFFERS)
    result = client.get_offers(request={"prefetch": {"mboxes": [{"name": "long"}]}})
    answer = client.notify(result, displayed=["long"], clicked=["long"])
    assert [told["type"] for told in client.notifications] == ["display", "click"]
    assert [told.id for told in answer.response.notifications] == [told["id"] for told in client.notifications]
    assert "PC#" in result.target_cookie.value
    client.reset()
    assert (client.requests, client.notifications) == ([], [])


async def ask(client: AsyncFakeTargetClient) -> Any:
    result = await client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}})
    await client.notify(result, displayed=["home"])
    return result.content("home")


def test_one_made_anywhere_serves_each_event_loop() -> None:
    client = AsyncFakeTargetClient(offers=OFFERS)
    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.get_loop()  # which has a pair of sockets of its own
            with alone():
                assert runner.run(ask(client)) == "<h1>Sale</h1>"
    assert len(client.requests) == 4
    assert len(client.notifications) == 2

    async def end() -> None:
        assert client.status()["method"] == "server-side"
        async with client:
            assert (await client.get_attributes("flags")).get_bool("flags", "new", False)
        with pytest.raises(target.ClientClosed):
            await client.get_offers(request=HOME)

    asyncio.run(end())
    asyncio.run(client.aclose())
    with pytest.raises(target.ClientClosed):
        asyncio.run(ask(client))


def test_one_made_as_the_real_one_is_a_fake() -> None:
    account: Any = {"client": "acme", "organization_id": "1234@AdobeOrg"}

    async def ask() -> None:
        client = await AsyncFakeTargetClient.create(account, decisioning_method="hybrid")
        client.use_offers(OFFERS)
        assert (await client.get_offers(request=HOME)).content("home") == "<h1>Sale</h1>"

    asyncio.run(ask())
    client = FakeTargetClient.create(account, timeout=100)
    assert (client.get_offers(request=HOME).content("home"), len(client.requests)) == (None, 1)
    with pytest.raises(OptionsError, match="Client is required"):
        FakeTargetClient.create(organization_id="1234@AdobeOrg")
    with pytest.raises(OptionsError, match="Options must be a dict"):
        FakeTargetClient.create(3)


WRONG_CALLS: list[tuple[Any, type[TargetError], str]] = [
    ({"request": {}}, OptionsError, "Request object"),
    ({"request": HOME, "session_id": "a b"}, OptionsError, "session_id"),
    ({"requst": HOME}, OptionsError, "did you mean"),
    ({"request": {"execute": {"mboxes": [{"name": ""}]}}}, OptionsError, "an mbox needs a name"),
    ({"request": HOME, "decisioning_method": "on-device"}, OptionsError, "needs rules"),
    ({"request": {"execute": {"mboxes": [{"name": "a", "parameters": {"profile.x": "1"}}]}}}, ApiError, "profile."),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG_CALLS)
def test_what_is_wrong_is_refused_as_by_the_real_one(call: Any, error: type[TargetError], message: str) -> None:
    with pytest.raises(error, match=message):
        FakeTargetClient(OFFERS).get_offers(call)

    async def ask() -> None:
        with pytest.raises(error, match=message):
            await AsyncFakeTargetClient(OFFERS).get_offers(call)

    asyncio.run(ask())


ERRORS = [
    error
    for error in vars(target.errors).values()
    if isinstance(error, type) and issubclass(error, TargetError) and error is not TargetError
]


@pytest.mark.parametrize("error", ERRORS)
def test_it_fails_with_any_error(error: type[TargetError]) -> None:
    client = FakeTargetClient(OFFERS, fail_with=error)
    for _ in range(2):
        with pytest.raises(error) as raised:
            client.get_offers(request=HOME)
        assert type(raised.value) is error
    client.fail_with = None
    assert client.get_offers(request=HOME).content("home") == "<h1>Sale</h1>"
    assert len(client.requests) == 3


def test_it_fails_with_an_error_that_is_given_and_with_a_status() -> None:
    given = TargetTimeout("too slow")
    client = FakeTargetClient(fail_with=given)
    with pytest.raises(TargetTimeout) as raised:
        client.get_offers(request=HOME)
    assert raised.value is given
    client.fail_with = 503
    with pytest.raises(ApiError) as refused:
        client.get_offers(request=HOME)
    assert refused.value.status == 503
    for wrong in (200, True, ValueError, "503"):
        with pytest.raises(OptionsError, match="fail_with must be"):
            client.fail_with = wrong  # type: ignore[assignment]


def test_services_beside_the_calls_are_real() -> None:
    defaults = {"flags": {"new": False}}
    with FakeTargetClient(OFFERS, fail_with=503, outbox=Outbox(), default_attributes=defaults) as client:
        assert client.get_attributes("flags").is_default
        client.fail_with = None
        result = client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}})
        client.queue(result, displayed=["home"])
        assert client.flush(5000) == 0
        assert [told["mbox"]["name"] for told in client.notifications] == ["home"]
        heard: list[Any] = []
        client.get_offers(request=HOME, callback=heard.append).get(5000)
        assert [each.content("home") for each in heard] == ["<h1>Sale</h1>"]


def test_offers_answer_whatever_the_decisioning_method() -> None:
    client = FakeTargetClient(OFFERS, decisioning_method="on-device", polling_interval=300_000)
    assert client.get_offers(request=HOME, decisioning_method="hybrid").content("home") == "<h1>Sale</h1>"
    assert client.wait_until_ready(10)
    with pytest.raises(OptionsError, match="decisioning_method"):
        FakeTargetClient(decisioning_method="on-devise")


def test_a_site_takes_one() -> None:
    site: Site[TargetClient] = Site(FakeTargetClient(OFFERS))
    visit = target.Visit(site, lambda: target.WebRequest({}, {}, None))
    assert visit.get_offers(request=HOME).content("home") == "<h1>Sale</h1>"


def test_hooks_are_told_as_by_the_real_one() -> None:
    call: Any = {"request": {"execute": {"mboxes": [{"name": "home"}]}}}
    watching = Watching()
    with FakeTargetClient({"mboxes": {"home": "<b>"}}, hooks=[watching]) as client:
        client.get_offers(**call)
    assert watching.order == ["on_start", "before_call", "after_call", "on_close"]
    assert [each.status for each in watching.outcome.attempts] == [200]


@pytest.mark.parametrize("wrap", [lambda watching: watching, Awaited], ids=["functions", "coroutines"])
def test_hooks_of_one_made_without_a_loop_are_told(wrap: Any) -> None:
    watching = Watching()

    async def main() -> None:
        client = AsyncFakeTargetClient({"mboxes": {"home": "<b>"}}, hooks=[wrap(watching)])
        await client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
        await client.aclose()

    asyncio.run(main())
    assert sorted(watching.order) == ["after_call", "before_call", "on_close", "on_start"]


@pytest.mark.parametrize(
    ("offers", "message"),
    [
        ({"mboxs": {}}, "offers: /mboxs: is no key of the format; did you mean 'mboxes'?"),
        ({"mboxes": {"home": 3}}, "offers: /mboxes/home: must be an object"),
        ({"mboxes": {"home": [{"type": "htm", "content": ""}]}}, "/mboxes/home/0/type"),
        (["home"], "offers must be a dict"),
    ],
)
def test_wrong_offers_are_told_where(offers: Any, message: str) -> None:
    for fake in (FakeTargetClient, AsyncFakeTargetClient):
        with pytest.raises(OptionsError) as refused:
            fake(offers)
        assert message in str(refused.value)


@pytest.mark.slow
def test_neither_pytest_nor_an_extra_is_needed() -> None:
    program = """
import sys
from target.testing import AsyncFakeTargetClient, FakeTargetClient
client = FakeTargetClient({"mboxes": {"home": "x"}})
assert client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}}).content("home") == "x"
extras = {"pytest", "starlette", "uvicorn", "mmh3", "aiohttp", "jinja2", "scipy", "vcr"}
print(sorted(extras & sys.modules.keys()))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("method", ["server-side", "on-device", "hybrid"])
def test_a_fake_is_switched_off_and_leaves_bots_out_as_a_client_does(method: str) -> None:
    asked = {"execute": {"mboxes": [{"name": "home"}]}}
    by_a_bot = {**asked, "context": {"channel": "web", "userAgent": "kube-probe/1.27"}}
    fake = FakeTargetClient(OFFERS, exclude_bots=True, decisioning_method=method)
    contents = [fake.get_offers(request=request).content("home") for request in (asked, by_a_bot)]
    assert (contents, len(fake.requests)) == (["<h1>Sale</h1>", None], 1)

    async def ask() -> list[Any]:
        fake = AsyncFakeTargetClient(OFFERS, exclude_bots=True, decisioning_method=method)
        return [(await fake.get_offers(request=request)).content("home") for request in (asked, by_a_bot)]

    assert asyncio.run(ask()) == contents
    off = FakeTargetClient(OFFERS, offline=True, decisioning_method=method)
    assert [part.reason for part in off.get_offers(request=asked).meta.decisions] == ["offline"]
    assert off.requests == []
