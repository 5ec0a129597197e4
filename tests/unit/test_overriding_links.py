"""Override links: what a call makes of a token, whoever made that up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from target import Experience, OptionsError, TargetClient
from tests.kit.calls import CALL, MakeClient, options_of
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.properties import examples
from tests.kit.ways import WAYS, Way, through

KEY = "the secret of this test"
ALLOWED: dict[str, Any] = {"allow_overrides": True, "override_key": KEY}
URL = "https://shop.example/sale"


def token_of(link: str) -> str:
    (token,) = parse_qs(urlsplit(link).query)["target_override"]
    return token


@pytest.fixture(params=WAYS)
def begin(request: pytest.FixtureRequest, server: LoopbackServer) -> Iterator[Callable[..., Way]]:
    """Begins with a client of ``server``, in each way there is to call one."""
    made: list[Way] = []

    def make(**options: Any) -> Way:
        made.append(WAYS[request.param](**options_of(server.domain, **options)))
        return made[-1]

    yield make
    for way in made:
        way.close()


def test_a_token_counts_for_its_call_alone(begin: Callable[..., Way], server: LoopbackServer) -> None:
    way: Any = begin(**ALLOWED, overrides={"home": "everybody's"})
    way.client.override("home", "the visitor's", visitor={"tntId": "Device-a9f3"})
    token = token_of(way.client.override_link(URL, {"home": "the link's", "absent": "x"}))
    assert through(way, {**CALL, "override_token": token}).content("home") == "the link's"
    assert through(way, CALL).content("home") == "the visitor's"
    assert server.received == []


def test_what_is_no_token_of_this_client_changes_nothing(
    begin: Callable[..., Way], server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    way: Any = begin(**ALLOWED)
    own = way.client.override_token({"home": "x"})
    others = [
        TargetClient.create({**options_of("127.0.0.1:1"), **change}).override_token({"home": "x"})
        for change in ({"client": "other", "override_key": KEY}, {"override_key": "another secret of somebody"})
    ]
    with time_machine.travel("2020-01-01"):
        expired = way.client.override_token({"home": "x"}, max_age=86_400_000)
    bad = [*others, expired, own[:-4], own + "x" * 4000, "", "\0", "a.b", "ä" * 10]
    for token in bad:
        assert through(way, {**CALL, "override_token": token}).content("home") == {"part": "execute"}
    assert len(server.received) == len(bad)
    assert [line for line in caplog.messages if "token" in line] == [
        "An override token is ignored: it is no token of this client, or was changed"
    ]
    assert through(way, {**CALL, "override_token": own}).content("home") == "x"


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=100), st.integers(0, 3))
@example("x" * 100_000, 0)
def test_no_text_is_a_token(made_up: str, kept: int) -> None:
    client, own = _kept_client()
    token = ".".join([*own.split(".")[:kept], made_up])
    if token != own:
        assert client.get_offers(**CALL, override_token=token).content("home") == {"part": "execute"}


_made: list[Any] = []


def _kept_client() -> tuple[TargetClient, str]:
    """One for all examples."""
    return _made[-1]


@pytest.fixture(autouse=True, scope="module")
def _a_client_for_all_examples() -> Iterator[None]:
    with serving() as server, TargetClient.create(options_of(server.domain, **ALLOWED)) as client:
        _made.append((client, client.override_token({"home": "x"})))
        yield
    _made.pop()


def test_without_the_option_no_token_counts(make_client: MakeClient, server: LoopbackServer) -> None:
    making = make_client(override_key=KEY)  # which need not allow what it makes links for
    token = making.override_token({"home": "x"})
    assert making.get_offers(**CALL, override_token=token).content("home") == {"part": "execute"}
    assert make_client(**ALLOWED).get_offers(**CALL, override_token=token).content("home") == "x"
    assert len(server.received) == 1


def test_without_a_key_no_token_counts(
    make_client: MakeClient, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(allow_overrides=True)
    for _ in range(2):
        client.get_offers(**CALL, override_token="a.b")
    assert caplog.messages.count("An override token is ignored: the client has no override_key") == 1
    with pytest.raises(OptionsError, match="give the client a secret as the option 'override_key'"):
        client.override_link(URL, {"home": "x"})
    assert len(server.received) == 2


def test_a_token_ends(make_client: MakeClient) -> None:
    client = make_client(**ALLOWED)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as moment:
        token = client.override_token({"home": "x"}, max_age=60_000)
        moment.shift(59.9)
        assert client.get_offers(**CALL, override_token=token).content("home") == "x"
        moment.shift(0.2)
        assert client.get_offers(**CALL, override_token=token).content("home") == {"part": "execute"}


def test_keys_are_renewed_one_after_the_other(make_client: MakeClient) -> None:
    old, new = "the secret of last year", "the secret of this year"
    before, after = (make_client(allow_overrides=True, override_key=keys) for keys in (old, [old, new]))
    token, later = (client.override_token({"home": "x"}) for client in (before, after))
    assert after.get_offers(**CALL, override_token=token).content("home") == "x"
    assert after.get_offers(**CALL, override_token=later).content("home") == "x"
    assert before.get_offers(**CALL, override_token=later).content("home") == {"part": "execute"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, f"{URL}?target_override="),
        ("/sale?a=1&b=%20#top", "/sale?a=1&b=%20&target_override="),
        (f"{URL}?target_override=old&a=1&target_override", f"{URL}?a=1&target_override="),
        ("", "?target_override="),
    ],
)
def test_a_link_keeps_what_its_page_has_asked_for(make_client: MakeClient, url: str, expected: str) -> None:
    link = make_client(override_key=KEY).override_link(url, {"home": "x"})
    assert link.startswith(expected)
    assert link.count("target_override") == 1
    assert urlsplit(link).fragment == urlsplit(url).fragment


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"url": 7}, "url must be the address of a page, not int"),
        ({"url": "https://[half/"}, "url must be the address of a page, which this is not"),
        ({"overrides": {}}, "names no mbox"),
        ({"overrides": "home"}, "Option 'overrides' must be a dict"),
        ({"overrides": {"home": {1, 2}}}, "mbox 'home' must be text"),
        ({"overrides": {"home": Experience("B")}}, "is an Experience, which only rules can show"),
        ({"max_age": -1}, "'max_age' must be a number of milliseconds"),
        ({"max_age": "1h"}, "'max_age' must be a number of milliseconds"),
    ],
)
def test_a_mistake_is_told(make_client: MakeClient, arguments: Any, problem: str) -> None:
    with pytest.raises(OptionsError, match=problem):
        make_client(override_key=KEY).override_link(**{"url": URL, "overrides": {"home": "x"}, **arguments})


def test_seconds_are_noticed(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    make_client(override_key=KEY).override_token({"home": "x"}, max_age=3600)
    assert "An override link counts for less than a minute: if seconds are meant, multiply by 1000" in caplog.messages


@pytest.mark.parametrize("key", ["short", ["the secret of this year", "short"], 7, [7]])
def test_a_key_is_long(make_client: MakeClient, key: Any) -> None:
    with pytest.raises(OptionsError, match="'override_key' must"):
        make_client(override_key=key)
