"""Overrides where calls are decided on the device: experiences of the rules, by both clients and by each method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from target import ArtifactNotReady, Experience, OptionsError
from tests.kit.calls import ACCOUNT, MakeClient, eventually
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer
from tests.kit.shop import HOME, PREFETCH, Shop
from tests.kit.ways import WAYS, Way, through

MEMBERS = {"==": [{"var": "mbox.member"}, "yes"]}


def rule(experience: int, name: str, condition: Any, activity: str = "Summer", **changes: Any) -> dict[str, Any]:
    """A rule with an offer that has everything by which Target would hear of it."""
    number = {"Summer": 100, "Winter": 200}[activity]
    option = {
        "type": "html",
        "content": f"<b>{activity} {name} ${{mbox.name}}</b>",
        "eventToken": f"display {activity} {name}",
        "metrics": [{"type": "click", "eventToken": f"click on the option {activity} {name}"}],
    }
    return {
        "ruleKey": str(number),
        "activityId": number,
        "meta": {
            "activity.id": number,
            "activity.name": activity,
            "experience.id": experience,
            "experience.name": name,
        },
        "condition": condition,
        "consequence": {
            "options": [option, {"eventToken": f"default content {name}"}],
            "metrics": [{"type": "click", "eventToken": f"click {activity} {name}"}],
        },
        **changes,
    }


RULES = [
    rule(0, "A", True),
    rule(1, "B", False),
    rule(2, "Members", MEMBERS),
    rule(0, "A", False, "Winter"),
]


@pytest.fixture
def rules(shop: Shop) -> Shop:
    """A shop whose mbox ``home`` has these rules, and the mbox ``side`` one more."""
    mboxes = {"home": RULES, "side": [rule(0, "A", True)]}
    shop.artifact = artifact(rules={"mboxes": mboxes, "views": {}}, responseTokens=["activity.name", "experience.name"])
    return shop


@pytest.fixture(params=WAYS)
def begin(request: pytest.FixtureRequest, rules: Shop) -> Iterator[Callable[..., Way]]:
    """Begins with a client of the shop, in each way there is to call one."""
    made: list[Way] = []

    def make(**options: Any) -> Way:
        common = {**ACCOUNT, "server_domain": rules.server.domain, "secure": False, "edge_routing": False}
        made.append(WAYS[request.param](**common, **rules.options, allow_overrides=True, **options))
        return made[-1]

    yield make
    for way in made:
        way.close()


def decided(result: Any) -> list[tuple[Any, ...]]:
    return [
        (part.name, part.reason, part.activity_id, part.activity_name, part.experience_id, part.experience_name)
        for part in result.meta.decisions
    ]


def test_an_experience_is_shown_and_counted_nowhere(begin: Callable[..., Way], rules: Shop) -> None:
    way = begin(overrides={"home": Experience("B")})
    asked = {"execute": {"mboxes": [{"name": "side"}, {"name": "home"}]}, "prefetch": PREFETCH["prefetch"]}
    result = through(way, {"request": asked})
    assert result.content("home") == "<b>Summer B home</b>"
    assert [mbox.name for mbox in result.response.execute.mboxes] == ["side", "home"]
    assert decided(result) == [
        ("side", "targeting", "100", "Summer", "0", "A"),
        ("home", "override", "100", "Summer", "1", "B"),
        ("home", "override", "100", "Summer", "1", "B"),
    ]
    assert result.meta.decisioning_method == "on-device"
    assert result.response_tokens[1] == {
        "activity.name": "Summer",
        "experience.name": "B",
        "activity.decisioningMethod": "on-device",
    }
    assert result.displayed("home") == result.clicked("home") == []
    assert "event" not in str(result.mbox("home").to_dict())
    assert eventually(lambda: len(rules.notified) == 2)
    told = {(each["mbox"]["name"], *each["tokens"]) for each in rules.notified}
    assert told == {("side", "display Summer A"), ("side", "default content A")}


@pytest.mark.parametrize(
    ("what", "content", "which"),
    [
        (Experience("1"), "<b>Summer B home</b>", ("100", "Summer", "1", "B")),
        (Experience("Members"), "<b>Summer Members home</b>", ("100", "Summer", "2", "Members")),
        (Experience("A", "Winter"), "<b>Winter A home</b>", ("200", "Winter", "0", "A")),
        (Experience("A", activity="100"), "<b>Summer A home</b>", ("100", "Summer", "0", "A")),
        ("ours", "ours", (None, None, None, None)),
        (None, None, (None, None, None, None)),
    ],
)
def test_what_is_named_is_shown(rules: Shop, make_client: MakeClient, what: Any, content: Any, which: Any) -> None:
    client = make_client(**rules.options, allow_overrides=True)
    client.override("home", what)
    result = client.get_offers(request=HOME)
    assert result.content("home") == content
    assert decided(result) == [("home", "override", *which)]
    assert result.response.status == 200
    client.close()
    assert rules.delivered == []


def test_one_experience_has_a_rule_for_each_property(shop: Shop, make_client: MakeClient) -> None:
    first, second = (
        rule(1, "B", False, propertyTokens=[token], consequence={"options": [{"type": "html", "content": token}]})
        for token in ("one", "two")
    )
    shop.artifact = artifact(rules={"mboxes": {"home": [first, second]}, "views": {}})
    client = make_client(**shop.options, allow_overrides=True, overrides={"home": Experience("B")})
    seen = [
        client.get_offers(request={**HOME, "property": {"token": token}}).content("home")
        for token in ("two", "one", "three", "two")
    ]
    assert seen == ["two", "one", "one", "two"]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        (Experience("Z"), "the rules have no experience 'Z' at the mbox 'home'; they have 0 .A., 1 .B., 2 .Members."),
        (Experience("A"), "in several activities, name one of them: 100 .Summer., 200 .Winter."),
        (Experience("B", "Winter"), "no experience 'B' at the mbox 'home' in the activity 'Winter'; they have 0 .A."),
    ],
)
def test_an_experience_that_is_not_there_is_refused(
    rules: Shop, make_client: MakeClient, what: Any, problem: str
) -> None:
    client = make_client(**rules.options, allow_overrides=True, override_key="a secret of this test")
    for attempt in (
        lambda: client.override("home", what),
        lambda: client.override_link("https://shop.example/", {"home": what}),
    ):
        with pytest.raises(OptionsError, match=problem):
            attempt()
    with pytest.raises(OptionsError, match="the rules have no experience at the mbox 'nowhere'"):
        client.override("nowhere", Experience("A"))
    assert client.list_overrides() == []


def test_what_the_rules_no_longer_have_is_decided_and_told_once(
    rules: Shop, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(**rules.options, allow_overrides=True, overrides={"home": Experience("Z")})
    for _ in range(3):
        result = client.get_offers(request=HOME)
    assert decided(result) == [("home", "targeting", "100", "Summer", "0", "A")]
    (line,) = [line for line in caplog.messages if "override" in line]
    assert line.startswith("The override of mbox 'home' is not shown, and Target decides: the rules have no experience")


def test_other_rules_are_looked_at_anew(rules: Shop, make_client: MakeClient) -> None:
    told: list[Any] = []
    options = {**rules.options, "polling_interval": 1000, "events": {"artifact_download_succeeded": told.append}}
    client = make_client(**options, allow_overrides=True, overrides={"home": Experience("B")})
    assert client.get_offers(request=HOME).content("home") == "<b>Summer B home</b>"
    rules.cdn = lambda _: Answer(artifact(rules={"mboxes": {"home": [rule(7, "B", False, "Winter")]}, "views": {}}))
    assert eventually(lambda: client.get_offers(request=HOME).content("home") == "<b>Winter B home</b>")


def test_without_rules_yet_an_experience_waits_and_content_does_not(
    shop: Shop, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    shop.cdn = lambda _: Answer(b"", 403)
    options = {**shop.options, "maximum_wait_ready": 1}
    client = make_client(**options, allow_overrides=True, overrides={"home": Experience("B"), "side": "ours"})
    client.override("home", Experience("whatever"))  # which nothing can be said of yet
    with pytest.raises(ArtifactNotReady):
        client.get_offers(request=HOME)
    assert "The override of mbox 'home' is not shown, and Target decides: there are no rules" in caplog.messages
    assert client.get_offers(request={"execute": {"mboxes": [{"name": "side"}]}}).content("side") == "ours"


def test_a_hybrid_client_asks_the_server_for_the_rest_alone(
    rules: Shop, make_client: MakeClient, server: LoopbackServer
) -> None:
    options = {**rules.options, "decisioning_method": "hybrid"}
    client = make_client(**options, allow_overrides=True, overrides={"home": Experience("B"), "remote": "ours"})
    asked = {"execute": {"mboxes": [{"name": name} for name in ("far", "home", "side")]}}
    result = client.get_offers(request=asked)
    (sent,) = rules.delivered
    assert [mbox["name"] for mbox in sent.body["execute"]["mboxes"]] == ["far", "side"]
    assert [mbox.name for mbox in result.response.execute.mboxes] == ["far", "home", "side"]
    assert result.content("home") == "<b>Summer B home</b>"
    assert decided(result) == [("home", "override", "100", "Summer", "1", "B")]
    # What the rules could not decide is overridden: they decide the rest.
    result = client.get_offers(request={"prefetch": {"mboxes": [{"name": name} for name in ("remote", "side")]}})
    assert result.meta.decisioning_method == "on-device"
    assert result.meta.remote_mboxes == []
    assert [part.reason for part in result.meta.decisions] == ["override", "targeting"]
    assert len(rules.delivered) == 1


def test_attributes_and_telling_leave_it_alone(rules: Shop, make_client: MakeClient) -> None:
    client = make_client(**rules.options, allow_overrides=True, overrides={"home": Experience("B"), "flags": {"a": 1}})
    assert client.get_attributes("flags").get_int("flags", "a", 0) == 1
    result = client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}, {"name": "side"}]}})
    assert client.notify(result, displayed="home", clicked="home").response is None
    assert client.notify(result, displayed="home", order={"id": "o"}).response is None
    client.notify(result, displayed=["home", "side"], order={"id": "o"})
    client.close()
    assert [(each["mbox"]["name"], each["order"]["id"]) for each in rules.notified] == [("side", "o")]


def test_explaining_says_so(rules: Shop, make_client: MakeClient) -> None:
    options = {**rules.options, "decisioning_method": "hybrid"}
    client = make_client(**options, allow_overrides=True, overrides={"home": Experience("B"), "far": "ours"})
    explained = client.explain(request={"execute": {"mboxes": [{"name": name} for name in ("far", "home", "side")]}})
    far, home, side = explained.parts
    assert [part.reason for part in explained.parts] == ["override", "override", "targeting"]
    assert (far.is_remote, far.why_remote, explained.status, explained.remote_mboxes) == (False, None, 200, ())
    assert explained.decided_by == "on-device"
    assert home.won == ()
    assert [rule.verdict for rule in home.rules] == ["overridden", "audience", "audience", "audience"]
    assert [rule.verdict for rule in side.rules] == ["won"]
    assert "mbox home (execute): shown by an override" in str(explained)
    assert "An override is shown, whatever the rules say" in explained._repr_html_()
    assert explained.to_dict()["parts"][1]["reason"] == "override"
