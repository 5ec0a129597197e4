"""What an emulator decides and remembers, through its Stage."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from target.decisioning.experiences import Standing
from target.emulator.forced import Forced
from target.emulator.offers import parse_offers
from target.emulator.rules import parse_rules
from target.emulator.stage import Stage
from tests.kit.rules import ask, build_artifact, run
from tests.unit.emulator.test_emulator_rules import UNDECIDABLE, build_experience

HALVES = [
    build_experience({"<": [{"var": "allocation"}, 50]}, 1, 0),
    build_experience({">=": [{"var": "allocation"}, 50]}, 1, 1),
]
GOLD = {"==": ["gold", {"var": "mbox.level"}]}
PLACES = {"mboxes": {"hero": HALVES, "vip": [build_experience(GOLD, 2, 0), build_experience(True, 2, 1)]}}
OFFERS = {
    "mboxes": {"server": [{"type": "html", "content": "from the server"}], "hero": [{"type": "html", "content": "x"}]}
}


def open_stage(places: Any = PLACES, offers: Any = OFFERS, *, artifact: Any = None, **settings: Any) -> Stage:
    rules = parse_rules(build_artifact(rules=places, **(artifact or {})))
    return Stage(parse_offers(offers), rules, **{"now_s": lambda: 1_700_000_000.5, **settings})


def visit(stage: Stage, *names: str, who: str = "anna", mode: str = "execute", **more: Any) -> Any:
    """The contents of the mboxes that a visitor asks for."""
    body = {"context": {"channel": "web"}, "id": {"tntId": who}, mode: ask(*names), **more}
    answered = stage.answer(body, session_id=f"session of {who}", request_id="r1")
    return [[option.get("content") for option in mbox.get("options", [])] for mbox in answered[mode]["mboxes"]]


def counted(stage: Stage, activity: str = "1") -> list[tuple[int, int, int, int]]:
    [found] = [each for each in stage.counts() if each.id == activity]
    return [(each.visitors, each.impressions, each.conversions, each.converted) for each in found.experiences]


def tell(stage: Stage, kind: str, token: str, who: str = "anna", **more: Any) -> dict[str, Any]:
    notification = {"id": "n1", "type": kind, "tokens": [token], **more}
    return stage.notified(notification, session_id="s", body={"id": {"tntId": who}})


def test_it_decides_as_the_device_does() -> None:
    stage = open_stage()
    for number in range(100):
        who = f"visitor {number}"
        decision = run(stage.rules.artifact, execute=ask("hero", "vip"), id={"tntId": who})
        on_device = [
            [option["content"] for option in mbox["options"]] for mbox in decision.response["execute"]["mboxes"]
        ]
        assert visit(stage, "hero", "vip", who=who) == on_device


def test_offers_fill_what_the_rules_leave_to_the_server() -> None:
    places = {"mboxes": {"hero": HALVES, "partly": [build_experience(GOLD, 2, 0), UNDECIDABLE]}, "views": {}}
    partly = {"partly": [{"type": "html", "content": "all others"}]}
    stage = open_stage(places, {"mboxes": {**OFFERS["mboxes"], **partly}}, artifact={"remoteMboxes": ["server"]})
    assert visit(stage, "server", "partly", "nothing") == [["from the server"], ["all others"], []]
    gold = {"mboxes": [{"name": "partly", "index": 0, "parameters": {"level": "gold"}}]}
    assert visit(stage, execute=gold) == [["2/0"]]
    assert visit(stage, "hero")[0][0].startswith("1/")


def test_what_rules_decide_and_show_nobody_is_no_place_for_offers() -> None:
    stage = open_stage({"mboxes": {"hero": [build_experience(GOLD, 1, 0)]}})
    assert visit(stage, "hero") == [[]]


def test_offers_alone_answer_everything() -> None:
    stage = Stage(parse_offers(OFFERS))
    assert visit(stage, "server", "hero", "none") == [["from the server"], ["x"], []]
    assert (stage.counts(), stage.client) == ([], "emulator")


def test_page_load_and_views_have_what_both_say() -> None:
    views = {"cart": [build_experience(True, 3, 0)], "shared": [build_experience(True, 3, 0)]}
    offers = {
        "pageLoad": [{"type": "html", "content": "notice"}],
        "views": {
            "cart": [{"type": "html", "content": "hidden"}],
            "shared": [{"type": "html", "content": "added"}],
            "own": [],
        },
    }
    places = {"mboxes": {"target-global-mbox": [build_experience(True, 4, 0)]}, "views": views}
    remote = {"remoteMboxes": ["target-global-mbox"], "remoteViews": ["shared", "own"]}
    stage = open_stage(places, offers, artifact=remote)
    body = {"context": {"channel": "web"}, "execute": {"pageLoad": {}}, "prefetch": {"views": [{}]}}
    answered = stage.answer(body, session_id="s", request_id="r")
    assert [option["content"] for option in answered["execute"]["pageLoad"]["options"]] == ["4/0", "notice"]
    found = {
        view["name"]: [option["content"] for option in view.get("options", [])]
        for view in answered["prefetch"]["views"]
    }
    assert found == {"cart": ["3/0"], "shared": ["3/0", "added"], "own": []}
    assert all(view["state"] for view in answered["prefetch"]["views"])


def test_the_answer_has_the_form_of_the_server() -> None:
    stage = open_stage(artifact={"responseTokens": ["activity.id", "activity.decisioningMethod"]})
    body = {
        "context": {"channel": "web"},
        "experienceCloud": {"analytics": {"logging": "client_side"}},
        "execute": {"mboxes": [{"name": "vip", "parameters": None}]},
        "prefetch": ask("vip"),
    }
    answered = stage.answer(body, session_id="s", request_id="r")
    assert (answered["client"], answered["requestId"], answered["edgeHost"]) == ("acme", "r", "localhost")
    [executed], [prefetched] = answered["execute"]["mboxes"], answered["prefetch"]["mboxes"]
    assert executed["index"] == 0
    assert executed["options"][0]["responseTokens"] == {"activity.id": 2, "activity.decisioningMethod": "server-side"}
    assert executed["analytics"] == {"payload": {"pe": "tnt", "tnta": "2:1:0|2"}}
    assert "eventToken" not in executed["options"][0]
    assert "state" not in executed
    assert prefetched["options"][0]["eventToken"] == "token 2/1"
    assert prefetched["state"]
    assert "." not in answered["id"]["tntId"]
    without = open_stage().answer(body, session_id="s", request_id="r")
    assert without["execute"]["mboxes"][0]["options"][0]["responseTokens"] == {}


def test_a_cluster_is_named_where_it_is_asked_for() -> None:
    stage = open_stage(cluster="38")
    answered = stage.answer({"context": {}, "prefetch": ask("hero")}, session_id="s", request_id="r")
    assert answered["id"]["tntId"].endswith(".38_0")
    assert answered["edgeHost"] == "mboxedge38.tt.omtrdc.net"


def test_a_visitor_stays_in_an_experience_when_shares_change() -> None:
    stage = open_stage()
    before = {who: visit(stage, "hero", who=who) for who in map(str, range(50))}
    assert len({str(shown) for shown in before.values()}) == 2
    moved = [
        build_experience({"<": [{"var": "allocation"}, 1]}, 1, 0),
        build_experience({">=": [{"var": "allocation"}, 1]}, 1, 1),
    ]
    stage.use_rules(parse_rules(build_artifact(rules={"mboxes": {"hero": moved}})))
    assert {who: visit(stage, "hero", who=who) for who in before} == before
    assert {str(visit(stage, "hero", who=f"new {number}")) for number in range(20)} == {"[['1/1']]"}
    stage.use_rules(parse_rules(build_artifact(rules={"mboxes": {"hero": [build_experience(GOLD, 1, 0)]}})))
    assert all(visit(stage, "hero", who=who) == [[]] for who in before)


def test_targeting_is_decided_anew_each_time() -> None:
    stage = open_stage()
    gold = {"mboxes": [{"name": "vip", "index": 0, "parameters": {"level": "gold"}}]}
    assert [visit(stage, execute=gold), visit(stage, "vip")] == [[["2/0"]], [["2/1"]]]


def test_a_visitor_is_the_same_by_any_id() -> None:
    stage = open_stage()
    first = stage.answer(
        {"context": {}, "id": {"thirdPartyId": "t"}, "execute": ask("hero")}, session_id="s1", request_id="r"
    )
    later = stage.answer(
        {"context": {}, "id": {"thirdPartyId": "t"}, "execute": ask("hero")}, session_id="s2", request_id="r"
    )
    by_device = stage.answer(
        {"context": {}, "id": first["id"], "execute": ask("hero")}, session_id="s3", request_id="r"
    )
    assert first["id"] == later["id"] == by_device["id"] == {"tntId": first["id"]["tntId"], "thirdPartyId": "t"}
    assert first["execute"] == later["execute"] == by_device["execute"]
    assert sum(visitors for visitors, *_ in counted(stage)) == 1


def test_execute_counts_at_once_and_prefetch_when_it_is_told() -> None:
    stage = open_stage()
    visit(stage, "vip", impressionId="i1")
    visit(stage, "vip", impressionId="i1")  # sent again
    visit(stage, "vip", mode="prefetch", who="berta")
    assert counted(stage, "2") == [(0, 0, 0, 0), (1, 1, 0, 0)]
    told = tell(stage, "display", "token 2/1", "berta", impressionId="i2")
    assert told == {"known": True, "activities": [{"activity": "2", "experience": "1"}]}
    tell(stage, "display", "token 2/1", "berta", impressionId="i2")
    assert counted(stage, "2") == [(0, 0, 0, 0), (2, 2, 0, 0)]


def test_a_click_is_of_the_experience_that_its_visitor_is_in() -> None:
    stage = open_stage()
    shown = {who: visit(stage, "hero", who=who)[0][0] for who in map(str, range(20))}
    for who, content in shown.items():
        told = tell(stage, "click", "c1", who, impressionId=who)
        assert told == {"known": True, "activities": [{"activity": "1", "experience": content[-1]}]}
    for experience, numbers in enumerate(counted(stage)):
        of_it = sum(content == f"1/{experience}" for content in shown.values())
        assert numbers == (of_it, of_it, of_it, of_it)
    assert tell(stage, "click", "c1", "nobody")["activities"] == []
    assert tell(stage, "click", "unheard of")["known"] is False
    assert tell(stage, "display", "c1")["known"] is False


def test_tokens_of_offers_are_known_and_belong_to_no_activity() -> None:
    stage = open_stage()
    body = {"context": {}, "prefetch": ask("server")}
    [mbox] = stage.answer(body, session_id="s", request_id="r")["prefetch"]["mboxes"]
    assert tell(stage, "display", mbox["options"][0]["eventToken"]) == {"known": True, "activities": []}


@pytest.mark.parametrize("visitor", ["anna", "anna.38_0"])
def test_an_experience_is_forced_for_a_visitor_alone(visitor: str) -> None:
    stage = open_stage()
    stage.force("0", mbox="vip", visitor=visitor)
    assert visit(stage, "vip") == [["2/0"]]
    assert visit(stage, "vip", who="berta") == [["2/1"]]
    assert stage.published.etag == stage.rules.etag
    stage.release(visitor=visitor)
    assert (visit(stage, "vip"), stage.forced) == ([["2/1"]], [])


def test_what_is_forced_for_everybody_reaches_devices_too() -> None:
    stage = open_stage()
    stage.force("Experience 1", activity="1")
    assert {str(visit(stage, "hero", who=str(number))) for number in range(20)} == {"[['1/1']]"}
    on_device = run(stage.published.artifact, execute=ask("hero")).response
    assert on_device["execute"]["mboxes"][0]["options"][0]["content"] == "1/1"
    stage.force("0", activity="1")  # in place of the former
    assert stage.forced == [Forced(Standing("1", "0"), None, None)]
    stage.release()
    assert stage.published.etag == stage.rules.etag
    assert len({str(visit(stage, "hero", who=str(number))) for number in range(20)}) == 2


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            {"experience": "7", "mbox": "hero"},
            "no experience '7' at the mbox 'hero'; they have 0 (Experience 0), 1 (Ex",
        ),
        ({"experience": "0", "mbox": "none"}, "no experience at the mbox 'none'"),
        ({"experience": "0"}, "is in several activities, name one of them: 1 (None), 2 (None)"),
        ({"experience": "0", "activity": "9"}, "no experience in the activity '9'"),
    ],
)
def test_what_cannot_be_forced_is_told(what: dict[str, Any], said: str) -> None:
    stage = open_stage()
    with pytest.raises(ValueError, match=r"the rules have no|several") as refused:
        stage.force(**what)
    assert said in str(refused.value)
    assert stage.forced == []


def test_what_is_forced_and_no_longer_there_is_forced_no_longer() -> None:
    stage = open_stage()
    stage.force("1", activity="1")
    stage.force("1", activity="2")
    stage.use_rules(parse_rules(build_artifact(rules={"mboxes": {"hero": HALVES}})))
    assert [forced.standing.activity for forced in stage.forced] == ["1"]


def test_a_qa_link_shows_its_experience_and_counts_nothing() -> None:
    stage = open_stage()
    link: dict[str, Any] = {"token": "t", "previewIndexes": [{"activityIndex": 2, "experienceIndex": 1}]}
    assert visit(stage, "vip", qaMode=link) == [["2/0"]]
    assert visit(stage, "hero", qaMode={**link, "listedActivitiesOnly": True}) == [[]]
    assert visit(stage, "hero", qaMode=link)[0][0].startswith("1/")
    for odd in ({"activityIndex": 99}, {}):
        visit(stage, "vip", qaMode={"token": "t", "previewIndexes": [odd]})
    assert counted(stage) == counted(stage, "2") == [(0, 0, 0, 0), (0, 0, 0, 0)]


def test_places_are_looked_up_by_address() -> None:
    swiss = {"==": ["CH", {"var": "geo.country"}]}
    known = {"192.0.2.1": {"countryCode": "CH"}}
    stage = open_stage(
        {"mboxes": {"hero": [build_experience(swiss, 1, 0)]}},
        artifact={"geoTargetingEnabled": True},
        find_place=lambda address: known.get(address, {}),
    )

    def shown(geo: Any, address: str | None) -> bool:
        body = {"context": {"channel": "web", "geo": geo}, "execute": ask("hero")}
        answered = stage.answer(body, session_id="s", request_id="r", address=address)
        return "options" in answered["execute"]["mboxes"][0]

    assert shown({"ipAddress": "192.0.2.1"}, None)
    assert shown(None, "192.0.2.1")
    assert not shown({"ipAddress": "192.0.2.2"}, "192.0.2.1")
    assert not shown({"countryCode": "DE"}, "192.0.2.1")


def test_the_clock_can_be_set() -> None:
    later = {"<=": [2_000_000_000_000, {"var": "current_timestamp"}]}
    stage = open_stage({"mboxes": {"hero": [build_experience(later, 1, 0)]}})
    assert visit(stage, "hero") == [[]]
    stage.set_clock(2_000_000_000)
    assert (visit(stage, "hero"), stage.now_s()) == ([["1/0"]], 2_000_000_000)
    stage.set_clock(None)
    assert visit(stage, "hero") == [[]]


def test_what_it_remembers_can_be_kept() -> None:
    stage = open_stage()
    for number in range(10):
        visit(stage, "hero", who=str(number), impressionId=f"i{number}")
    stage.force("0", activity="2", visitor="anna")
    stage.set_clock(5.5)
    kept = json.loads(json.dumps(stage.to_dict()))
    other = open_stage()
    other.restore(kept)
    assert json.loads(json.dumps(other.to_dict())) == kept
    assert (other.counts(), other.forced, other.now_s()) == (stage.counts(), stage.forced, 5.5)
    visit(other, "hero", who="0", impressionId="i0")
    assert other.counts() == stage.counts()


@pytest.mark.parametrize("data", [None, [], {}, {"version": 2}, {"version": 1, "visitors": []}])
def test_what_is_no_state_is_refused_and_changes_nothing(data: Any) -> None:
    stage = open_stage()
    visit(stage, "hero")
    before = stage.to_dict()
    with pytest.raises(ValueError, match="is no state of an emulator"):
        stage.restore(data)
    assert stage.to_dict() == before


def test_reset_forgets_everything() -> None:
    stage = open_stage()
    fresh = stage.to_dict()
    visit(stage, "hero")
    stage.force("0", activity="2")
    stage.set_clock(1)
    stage.reset()
    assert stage.to_dict() == fresh


def test_threads_share_it() -> None:
    stage = open_stage()

    def work(number: int) -> None:
        for turn in range(20):
            visit(stage, "hero", "vip", who=f"{number}", impressionId=f"{number} {turn}")
            stage.force("0", activity="2", visitor=f"{number}")
            stage.counts()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(column) for column in zip(*counted(stage), strict=True)] == [8, 160, 0, 0]
