"""``exclude_bots``: crawlers and health checks get default content, and nothing of them is asked, told or counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target import ClientHints, Context, OptionsError, Outbox, TargetClient
from target.decisioning import bots
from target.hooks import CallOutcome
from tests.kit.calls import COOKIE, MakeClient, eventually, options_of
from tests.kit.cdn import artifact
from tests.kit.either import Make
from tests.kit.loopback import LoopbackServer
from tests.kit.properties import examples
from tests.kit.shop import Shop
from tests.kit.user_agents import CHROME, CRAWLERS, GOOGLEBOT, HEALTH_CHECKS, PEOPLE

HOME: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}]}}
TELL: dict[str, Any] = {"notifications": [{"id": "n1", "type": "display", "timestamp": 1, "tokens": ["t"]}]}


def by(user_agent: Any, request: dict[str, Any] = HOME) -> dict[str, Any]:
    return {**request, "context": {"channel": "web", "userAgent": user_agent}}


def reasons(result: Any) -> list[tuple[str, str]]:
    return [(part.name, part.reason) for part in result.meta.decisions]


@pytest.fixture
def excluding(server: LoopbackServer, make: Make) -> Any:
    """Makes clients of either kind that exclude bots."""
    return lambda **options: make(options_of(server.domain, **{"exclude_bots": True, **options}))


def test_bots_get_defaults_and_people_what_the_server_says(excluding: Any, server: LoopbackServer) -> None:
    client = excluding(default_attributes={"flags": {"new": False}})
    for user_agent in (*CRAWLERS[:5], *HEALTH_CHECKS[:5]):
        result = client.get_offers(request=by(user_agent), target_cookie=COOKIE)
        assert (result.content("home", "mine"), reasons(result)) == ("mine", [("home", "bot")])
        assert result.response.to_dict()["execute"] == {"mboxes": [{"index": 0, "name": "home"}]}
        flags = client.get_attributes(["flags", "other"], request=by(user_agent, {}))
        assert (flags.as_object(), flags.is_default) == ({"flags": {"new": False}, "other": {}}, True)
    assert server.received == []
    assert client.status()["last_success"] is None
    for user_agent in PEOPLE[:5]:
        assert reasons(client.get_offers(request=by(user_agent))) == []
    assert client.get_offers(request=HOME).meta.decisioning_method == "server-side"  # who names no user agent
    assert len(server.received) == 6


def test_what_a_context_has_from_headers_counts(excluding: Any, server: LoopbackServer) -> None:
    headers = {"User-Agent": GOOGLEBOT, "Sec-CH-UA-Platform": '"Android"'}
    asked = {**HOME, "context": Context.from_headers(headers)}
    assert reasons(excluding().get_offers(request=asked)) == [("home", "bot")]
    hints = Context(channel="web", client_hints=ClientHints(browser_ua_with_major_version='"Googlebot";v="2"'))
    excluding().get_offers(request={**HOME, "context": hints})  # no crawler names itself there
    assert len(server.received) == 1


def test_without_the_option_a_bot_is_anybody(make: Make, server: LoopbackServer) -> None:
    make(options_of(server.domain)).get_offers(request=by(GOOGLEBOT))
    assert len(server.received) == 1


def test_nothing_is_told_in_their_name(excluding: Any, server: LoopbackServer) -> None:
    client = excluding()
    shown = client.get_offers(request=by(GOOGLEBOT, {"prefetch": {"mboxes": [{"name": "home"}]}}))
    assert client.send_notifications(request=by(GOOGLEBOT, TELL)).response is None
    assert client.notify(shown, displayed=["home"]).response is None
    assert client.notify(shown, displayed=TELL["notifications"]).response is None
    assert server.received == []
    client.send_notifications(request=by(CHROME, TELL))
    assert [item.body["notifications"][0]["id"] for item in server.received] == ["n1"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_nothing_of_them_is_queued(excluding: Any, server: LoopbackServer, tmp_path: Path, kind: str) -> None:
    outbox = Outbox.memory() if kind == "memory" else Outbox.sqlite(tmp_path / "outbox.db")
    client = excluding(outbox=outbox)
    shown = client.get_offers(request=by(GOOGLEBOT))
    assert client.queue_notifications(request=by(GOOGLEBOT, TELL)) == ["n1"]
    assert client.queue(shown, displayed=TELL["notifications"]) == ["n1"]
    assert (client.outbox.pending, client.outbox.counters["queued"], client.flush(5000)) == (0, 0, 0)
    with pytest.raises(OptionsError):
        client.queue_notifications(request=by(GOOGLEBOT, HOME))
    assert server.received == []
    client.queue_notifications(request=by(CHROME, TELL))
    assert client.flush(5000) == 0
    assert len(server.received) == 1


@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_on_a_device_no_rule_and_no_impression_is_theirs(shop: Shop, make: Make, method: str) -> None:
    rules = artifact(geoTargetingEnabled=True)
    options = {**shop.options, "decisioning_method": method, "telemetry_enabled": True, "artifact_payload": rules}
    client = make(options_of(shop.server.domain, **options, exclude_bots=True))
    of_a_bot = by(GOOGLEBOT)
    of_a_bot["context"]["geo"] = {"ipAddress": "203.0.113.7"}
    assert reasons(client.get_offers(request=of_a_bot)) == [("home", "bot")]
    explained = client.explain(request=of_a_bot)
    assert (explained.why[:24], explained.parts[0].reason) == ("The visitor is a bot, to", "targeting")
    assert client.flush(5000) == 0
    assert [item for item in shop.server.received if not item.target.endswith("/v1/geo")] == []  # which explain asks
    assert reasons(client.get_offers(request=by(CHROME))) == [("home", "targeting")]
    assert client.flush(5000) == 0
    (told,) = shop.delivered
    assert [each["mbox"]["name"] for each in told.body["notifications"]] == ["home"]
    assert len(told.body["telemetry"]["entries"]) == 1


def test_before_there_are_rules_they_get_defaults(shop: Shop, make: Make) -> None:
    shop.cdn = lambda _: (_ for _ in ()).throw(AssertionError)
    client = make(options_of(shop.server.domain, **shop.options, exclude_bots=True, maximum_wait_ready=1))
    assert reasons(client.get_offers(request=by(GOOGLEBOT))) == [("home", "bot")]


def test_callbacks_are_called(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(exclude_bots=True)
    told: list[Any] = []
    assert client.get_offers(request=by(GOOGLEBOT), callback=told.append).get(10) is not None
    assert eventually(lambda: told)
    assert reasons(told[0]) == [("home", "bot")]
    assert server.received == []


class Watcher:
    """A hook that keeps what became of calls."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def after_call(self, _: Any, outcome: CallOutcome) -> None:
        self.told.append(([part.reason for part in outcome.decisions], outcome.host, outcome.attempts))

    def before_decision(self, _: Any) -> None:
        self.told.append("decided")

    def on_notification(self, _: Any) -> None:
        self.told.append("notified")


def test_hooks_hear_of_it(excluding: Any) -> None:
    hook = Watcher()
    client = excluding(hooks=[hook], outbox=Outbox.memory())
    client.get_offers(request=by(GOOGLEBOT))
    client.send_notifications(request=by(GOOGLEBOT, TELL))
    client.queue_notifications(request=by(GOOGLEBOT, TELL))
    assert hook.told == [(["bot"], None, ()), ([], None, ())]


def test_an_override_wins_and_bots_come_before_offline(excluding: Any) -> None:
    client = excluding(offline=True, allow_overrides=True, overrides={"home": "<b>own</b>"})
    asked = by(GOOGLEBOT, {"execute": {"mboxes": [{"name": "home"}, {"name": "far"}]}})
    result = client.get_offers(request=asked)
    assert reasons(result) == [("home", "override"), ("far", "bot")]
    assert result.content("home") == "<b>own</b>"


def test_what_is_missing_is_said_when_the_client_is_made(excluding: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots, "find_spec", lambda _: None)
    with pytest.raises(OptionsError, match="exclude_bots"):
        excluding()
    excluding(exclude_bots=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(st.text() | st.sampled_from([*CRAWLERS, *HEALTH_CHECKS]).flatmap(lambda known: st.text().map(known.__add__)))
def test_no_user_agent_makes_a_call_fail(user_agent: str) -> None:
    with TargetClient.create(client="acme", organization_id="1@AdobeOrg", offline=True, exclude_bots=True) as client:
        ((_, reason),) = reasons(client.get_offers(request=by(user_agent)))
        assert reason == ("bot" if bots.is_bot(user_agent) else "offline")


def test_a_huge_one_is_no_more_work(excluding: Any) -> None:
    assert reasons(excluding().get_offers(request=by(f"kube-probe/1.2{'7' * 10_000_000}"))) == [("home", "bot")]


@pytest.mark.parametrize("wrong", [7, ["x"], {"a": 1}])
def test_what_is_no_text_is_refused_as_ever(excluding: Any, wrong: Any) -> None:
    with pytest.raises(OptionsError, match="userAgent"):
        excluding().get_offers(request=by(wrong))


def test_the_environment_may_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CLIENT": "acme", "ORGANIZATION_ID": "1@AdobeOrg", "EXCLUDE_BOTS": "yes"}.items():
        monkeypatch.setenv(f"TARGET_{name}", value)
    with TargetClient.from_env() as client:
        assert reasons(client.get_offers(request=by(GOOGLEBOT))) == [("home", "bot")]
