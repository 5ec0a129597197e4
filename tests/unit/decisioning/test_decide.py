from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.allocation import allocation_of
from target.decisioning.artifact import parse_artifact
from tests.kit.rules import FIREFOX, NOW_S, VISITOR, ask, build_artifact, build_offer, build_rule, run

HTML = {"type": "html", "content": "a", "eventToken": "t1"}
EMPTY = {"eventToken": "t2"}
METHOD = {"activity.decisioningMethod": "on-device"}


def in_global_mbox(*rules: Any, **views: Any) -> dict[str, Any]:
    return build_artifact(rules={"mboxes": {"target-global-mbox": list(rules)}, "views": views})


def contents(part: dict[str, Any]) -> list[Any]:
    return [option.get("content") for option in part["options"]]


def test_answer_echoes_the_request() -> None:
    decision = run(build_artifact(build_rule()), execute={"mboxes": [{"name": "hero", "index": 7}]})
    answer = decision.response
    assert answer["status"] == 200
    assert decision.is_complete
    assert (answer["requestId"], answer["id"], answer["client"]) == ("r1", VISITOR, "acme")
    mbox = answer["execute"]["mboxes"][0]
    assert (mbox["index"], mbox["name"], contents(mbox)) == (7, "hero", ["offer 10"])
    assert "prefetch" not in answer
    assert set(answer["execute"]) == {"mboxes"}


def test_first_rule_that_matches_wins() -> None:
    decision = run(build_artifact(build_rule(False, 1), build_rule(True, 2), build_rule(True, 3)), execute=ask("hero"))
    assert contents(decision.response["execute"]["mboxes"][0]) == ["offer 2"]


def test_mbox_without_a_match_has_name_and_index_only() -> None:
    decision = run(build_artifact(build_rule(False)), execute=ask("hero", "quiet"))
    assert decision.response["execute"]["mboxes"] == [{"index": 0, "name": "hero"}, {"index": 1, "name": "quiet"}]
    assert decision.notifications == []
    assert decision.is_complete


def test_execute_drops_event_tokens_and_options_that_show_nothing_but_counts_them() -> None:
    artifact = build_artifact(build_offer(True, 10, HTML, EMPTY, {"type": "json"}, {"content": "x"}))
    decision = run(artifact, execute=ask("hero"), prefetch=ask("hero"))
    executed = decision.response["execute"]["mboxes"][0]["options"]
    assert executed == [
        {"type": "html", "content": "a", "responseTokens": METHOD},
        {"type": "json", "responseTokens": METHOD},
        {"content": "x", "responseTokens": METHOD},
    ]
    prefetched = decision.response["prefetch"]["mboxes"][0]["options"]
    assert [option.get("eventToken") for option in prefetched] == ["t1", "t2", None, None]
    assert [item["tokens"] for item in decision.notifications] == [["t1"], ["t2"]]


def test_notifications_are_one_for_each_mbox_and_token() -> None:
    artifact = build_artifact(build_offer(True, 10, HTML, HTML))
    artifact["rules"]["mboxes"]["quiet"] = [build_offer(True, 11, HTML)]
    decision = run(artifact, execute={"mboxes": [{"name": name} for name in ("hero", "hero", "quiet")]})
    assert decision.notifications == [
        {
            "id": f"id-{number}",
            "impressionId": f"id-{number + 1}",
            "timestamp": int(NOW_S * 1000),
            "type": "display",
            "mbox": {"name": name},
            "tokens": ["t1"],
        }
        for number, name in ((1, "hero"), (3, "quiet"))
    ]


def test_prefetch_counts_nothing() -> None:
    artifact = in_global_mbox(build_rule(), home=[build_rule()])
    asked = {"pageLoad": {}, "views": [{}], **ask("hero")}
    assert run(artifact, prefetch=asked).notifications == []


def test_page_load_takes_one_rule_for_each_key_and_joins_their_offers() -> None:
    rules = [
        build_rule(False, 1, ruleKey="1-0"),
        build_rule(True, 2, ruleKey="1-0"),
        build_rule(True, 3, ruleKey="1-0"),
        build_rule(True, 4, ruleKey="1-1"),
    ]
    decision = run(in_global_mbox(*rules), execute={"pageLoad": {}})
    assert contents(decision.response["execute"]["pageLoad"]) == ["offer 2", "offer 4"]
    assert [item["mbox"] for item in decision.notifications] == [{"name": "target-global-mbox"}] * 2


def test_request_without_page_load_evaluates_none_and_counts_none() -> None:
    artifact = in_global_mbox(build_rule())
    decision = run(artifact, execute=ask("quiet"), prefetch=ask("quiet"))
    assert decision.notifications == []
    assert "pageLoad" not in decision.response["execute"]
    assert "pageLoad" not in decision.response["prefetch"]
    assert run(artifact, execute={"pageLoad": None, **ask("quiet")}).notifications == []


def test_click_metrics_that_rules_share_come_once() -> None:
    click, other = {"type": "click", "eventToken": "c", "selector": "#a"}, {"type": "click", "eventToken": "d"}
    rules = [build_offer(True, number, HTML, metrics=[click, other][:number]) for number in (1, 2)]
    artifact = in_global_mbox(*rules, home=rules)
    decision = run(artifact, execute={"pageLoad": {}}, prefetch={"pageLoad": {}, "views": [{}]})
    assert decision.response["execute"]["pageLoad"]["metrics"] == [click, other]
    assert decision.response["prefetch"]["pageLoad"]["metrics"] == [click, other]
    assert decision.response["prefetch"]["views"][0]["metrics"] == [click, other]


def test_rules_of_one_activity_repeat_their_click_metric_in_a_view_alone() -> None:
    click = {"type": "click", "eventToken": "c", "selector": "#a"}
    rules = [build_offer(True, 1, HTML, metrics=[click]) | {"ruleKey": key} for key in ("1-0", "1-1")]
    rules.append(build_offer(True, 2, HTML, metrics=[click]))
    decision = run(in_global_mbox(*rules, home=rules), prefetch={"pageLoad": {}, "views": [{}]})
    assert decision.response["prefetch"]["pageLoad"]["metrics"] == [click]
    assert decision.response["prefetch"]["views"][0]["metrics"] == [click, click]


def test_views_all_or_by_name() -> None:
    artifact = in_global_mbox(home=[build_rule(True, 1), build_rule(True, 2)], cart=[build_rule(False)])
    every = run(artifact, prefetch={"views": [{}]}).response["prefetch"]["views"]
    assert [(view["name"], contents(view), view["metrics"]) for view in every] == [("home", ["offer 1", "offer 2"], [])]
    named = run(artifact, prefetch={"views": [{"name": "cart"}, {"name": "home"}]}).response["prefetch"]["views"]
    assert [view["name"] for view in named] == ["home"]
    assert run(artifact, prefetch={"views": [{"name": "cart"}]}).response["prefetch"] == {"views": []}


def test_view_asked_for_by_name_keeps_its_parameters_beside_all_views() -> None:
    artifact = in_global_mbox(home=[build_rule({"==": [{"var": "mbox.who"}, "ann"]})], cart=[build_rule()])
    asked = [{}, {"name": "home", "parameters": {"who": "ann"}}]
    views = run(artifact, prefetch={"views": asked}).response["prefetch"]["views"]
    assert sorted(view["name"] for view in views) == ["cart", "home"]


def test_execute_has_no_views() -> None:
    assert run(in_global_mbox(home=[build_rule()]), execute={"views": [{}]}).response["execute"] == {}


@pytest.mark.parametrize(
    ("token", "expected"), [(None, ["free"]), ("x", ["x", "free"]), ("y", ["free"]), (["x"], ["free"])]
)
def test_property_tokens(token: Any, expected: list[str]) -> None:
    rules = [
        build_offer(True, 1, {"type": "html", "content": "x"}) | {"propertyTokens": ["x", "z"]},
        build_offer(True, 2, {"type": "html", "content": "free"}),
    ]
    request = {} if token is None else {"property": {"token": token}}
    answer = run(in_global_mbox(*rules), execute={"pageLoad": {}}, **request).response
    assert contents(answer["execute"]["pageLoad"]) == expected


def test_response_tokens_are_those_the_artifact_lets_through() -> None:
    meta = {"activity.id": 1, "activity.name": "A", "offer.id": None, "option.id": 3, "secret": "x"}
    tokens = ["activity.id", "activity.name", "offer.id", "offer.name", "geo.city", "geo.country", "geo.state"]
    artifact = build_artifact(build_rule(meta=meta), responseTokens=tokens)
    context = {"geo": {"city": "BERN", "countryCode": "CH"}}
    option = run(artifact, execute=ask("hero"), context=context).response["execute"]["mboxes"][0]["options"][0]
    here = {"geo.city": "BERN", "geo.country": "CH"}
    assert option["responseTokens"] == {"activity.id": 1, "activity.name": "A", **METHOD, **here}
    nowhere = run(artifact, execute=ask("hero")).response["execute"]["mboxes"][0]["options"][0]
    assert nowhere["responseTokens"] == {"activity.id": 1, "activity.name": "A", **METHOD}


def test_looked_up_place_counts_for_rules_and_tokens() -> None:
    rule = build_rule({"and": [{"==": ["BERN", {"var": "geo.city"}]}, {"<": ["46.90", {"var": "geo.latitude"}]}]})
    artifact = build_artifact(rule, responseTokens=["geo.city"])
    found = {"city": "BERN", "latitude": 46.95}
    context = {"geo": {"ipAddress": "203.0.113.9"}}
    option = run(artifact, execute=ask("hero"), context=context, _geo=found).response["execute"]["mboxes"][0][
        "options"
    ][0]
    assert option["responseTokens"]["geo.city"] == "BERN"
    assert run(artifact, execute=ask("hero"), context=context).notifications == []


def test_macros_are_filled_from_the_mbox_that_was_asked() -> None:
    option = {"type": "html", "content": "${mbox.name}:${mbox.user}:${activity.id}", "eventToken": "t"}
    artifact = build_artifact(build_offer(True, 10, option))
    rule = build_offer(True, 10, option)
    artifact["rules"] = {"mboxes": {"hero": [rule], "target-global-mbox": [rule]}, "views": {"home": [rule]}}
    asked = {"parameters": {"user": "Ann"}}
    decision = run(
        artifact,
        execute={"pageLoad": asked, **ask("hero", "hero", **asked)},
        prefetch={"views": [asked], **ask("hero")},
    )
    executed, prefetched = decision.response["execute"], decision.response["prefetch"]
    assert contents(executed["pageLoad"]) == ["target-global-mbox:Ann:10"]
    assert contents(executed["mboxes"][1]) == ["hero:Ann:10"]
    assert contents(prefetched["mboxes"][0]) == ["hero:${mbox.user}:10"]
    assert contents(prefetched["views"][0]) == ["home:Ann:10"]
    assert "eventToken" not in executed["mboxes"][0]["options"][0]


def test_allocation_is_that_of_the_client_activity_and_visitor() -> None:
    place = allocation_of("acme", "10", "8d2f0c31")
    rule = build_rule({"and": [{"<=": [place, {"var": "allocation"}]}, {">=": [place, {"var": "allocation"}]}]})
    artifact = parse_artifact(build_artifact(rule))
    assert run(artifact, execute=ask("hero")).notifications
    assert not run(artifact, execute=ask("hero"), _client="other").notifications
    assert not run(artifact, execute=ask("hero"), id={"tntId": "someone"}).notifications


def test_a_visitor_without_any_id_gets_one_with_the_cluster() -> None:
    request: dict[str, Any] = {"execute": ask("hero"), "id": {}}
    artifact = parse_artifact(build_artifact(build_rule(False)))
    assert run(artifact, **request).response["id"] == {"tntId": "id-1"}
    hinted = run(artifact, **request, _location_hint="38")
    assert hinted.response["id"] == {"tntId": "id-1.38_0"}
    customer = {"customerIds": [{"id": "c", "integrationCode": "i"}]}
    assert run(artifact, **{**request, "id": customer}).response["id"] == {**customer, "tntId": "id-1"}


@pytest.mark.parametrize("ids", [{"marketingCloudVisitorId": "1"}, {"thirdPartyId": "x"}])
def test_a_visitor_with_some_id_gets_no_other(ids: dict[str, str]) -> None:
    decision = run(build_artifact(), execute=ask("hero"), id=ids)
    assert decision.response["id"] == ids


def test_neither_request_nor_artifact_is_changed() -> None:
    artifact = in_global_mbox(build_offer(True, 1, HTML, metrics=[{"eventToken": "c"}]), home=[build_rule(True, 2)])
    artifact["responseTokens"] = ["geo.city"]
    parsed = parse_artifact(artifact)
    request: dict[str, Any] = {
        "id": {},
        "trace": {},
        "context": {"userAgent": FIREFOX, "geo": {"city": "BERN"}},
        "execute": {"pageLoad": {}, **ask("hero", parameters={"a.b": "C"})},
        "prefetch": {"pageLoad": {}, "views": [{}], **ask("hero")},
    }
    before = copy.deepcopy(request)
    first, shown = copy.deepcopy(run(parsed, **request)._replace(shown=[])), run(parsed, **request).shown
    assert request == before
    assert run(parsed, **request) == first._replace(shown=shown)


def test_what_was_shown_names_mode_place_and_rule() -> None:
    hero = [build_rule(False, 1), build_rule(True, 2)]
    mboxes = {"hero": hero, "target-global-mbox": [build_rule(True, 4)]}
    artifact = build_artifact(rules={"mboxes": mboxes, "views": {"home": [build_rule(True, 3)]}})
    execute = {"pageLoad": {}, **ask("hero", "quiet")}
    decision = run(artifact, execute=execute, prefetch={"views": [{}], **ask("hero")})
    shown = [(mode, kind, name, rule.activity_id) for mode, kind, name, rule in decision.shown]
    assert shown == [
        ("execute", "pageLoad", "target-global-mbox", "4"),
        ("execute", "mbox", "hero", "2"),
        ("prefetch", "mbox", "hero", "2"),
        ("prefetch", "view", "home", "3"),
    ]


def test_a_place_that_is_given_wins_over_the_one_of_the_ids() -> None:
    halves = [build_rule({"<": [{"var": "allocation"}, 50]}, 7), build_rule({">=": [{"var": "allocation"}, 50]}, 7)]
    for place, rule in ((0.0, 0), (49.99, 0), (50.0, 1), (99.99, 1)):
        parsed = parse_artifact(build_artifact(*halves))
        decision = run(parsed, _allocations={"7": place}, execute=ask("hero"))
        assert decision.shown[0][3] is parsed.mboxes["hero"].rules[rule]


UNKNOWN = {"operator of next year": [{"var": "mbox.member"}, "gold"]}
GAPS = [
    UNKNOWN,
    {"==": ["gold", {"var": "profile.level"}]},
    {"==": ["x", {"var": "page.title"}]},
    {"and": [False, {"regex": ["a", "b"]}]},
]


def contents_or_none(part: dict[str, Any]) -> list[Any]:
    return [option.get("content") for option in part.get("options") or []]


@pytest.mark.parametrize("unknown", GAPS)
@pytest.mark.parametrize("mode", ["execute", "prefetch"])
def test_an_mbox_is_not_decided_below_a_rule_that_cannot_be_decided(unknown: Any, mode: str) -> None:
    artifact = build_artifact(build_rule(False, 1), build_rule(unknown, 2), build_rule(True, 3))
    decision = run(artifact, **{mode: ask("hero", "quiet")})
    assert decision.response[mode]["mboxes"] == [{"index": 0, "name": "hero"}, {"index": 1, "name": "quiet"}]
    assert (decision.response["status"], decision.remote_mboxes) == (206, ["hero"])
    assert decision.notifications == []


def test_rules_ahead_of_one_that_cannot_be_decided_still_win() -> None:
    artifact = build_artifact(build_rule(True, 1), build_rule(UNKNOWN, 2), build_rule(True, 3))
    decision = run(artifact, execute=ask("hero"))
    assert contents(decision.response["execute"]["mboxes"][0]) == ["offer 1"]
    assert [item["tokens"] for item in decision.notifications] == [["token-1"]]
    assert (decision.response["status"], decision.remote_mboxes) == (206, ["hero"])


def test_page_load_and_views_show_what_stands_ahead_of_the_gap_alone() -> None:
    rules = [build_rule(True, 1), build_rule(False, 2), build_rule(UNKNOWN, 3), build_rule(True, 4)]
    decision = run(
        in_global_mbox(*rules, home=rules), execute={"pageLoad": {}}, prefetch={"pageLoad": {}, "views": [{}]}
    )
    for part in (
        decision.response["execute"]["pageLoad"],
        decision.response["prefetch"]["pageLoad"],
        decision.response["prefetch"]["views"][0],
    ):
        assert contents(part) == ["offer 1"]
    assert [item["tokens"] for item in decision.notifications] == [["token-1"]]
    assert (decision.response["status"], decision.remote_mboxes, decision.remote_views) == (
        206,
        ["target-global-mbox"],
        ["home"],
    )
    below = run(in_global_mbox(*rules[2:], home=rules[2:]), execute={"pageLoad": {}}, prefetch={"views": [{}]})
    assert contents(below.response["execute"]["pageLoad"]) == []
    assert below.response["prefetch"]["views"] == []
    assert below.notifications == []


def test_a_gap_that_could_not_have_come_first_hides_nothing() -> None:
    taken = [build_rule(True, 1, ruleKey="a"), build_rule(UNKNOWN, 2, ruleKey="a"), build_rule(True, 3)]
    decision = run(in_global_mbox(*taken), execute={"pageLoad": {}})
    assert contents(decision.response["execute"]["pageLoad"]) == ["offer 1", "offer 3"]
    of_another = [build_rule(UNKNOWN, 1, propertyTokens=["x"]), build_rule(True, 2)]
    for token, shown in (({}, ["offer 2"]), ({"token": "y"}, ["offer 2"]), ({"token": "x"}, [])):
        decision = run(build_artifact(*of_another), execute=ask("hero"), property=token)
        assert contents_or_none(decision.response["execute"]["mboxes"][0]) == shown
        assert decision.response["status"] == (200 if shown else 206)


def test_a_rule_of_which_not_even_the_key_can_be_read_is_a_gap() -> None:
    for broken in (None, [], {}, build_rule(ruleKey=None), build_rule(propertyTokens="x")):
        decision = run(in_global_mbox(build_rule(True, 1), broken, build_rule(True, 2)), execute={"pageLoad": {}})
        assert contents(decision.response["execute"]["pageLoad"]) == ["offer 1"]


RULES = st.lists(
    st.tuples(st.sampled_from([True, False, None]), st.sampled_from("abc"), st.sampled_from([None, "x", "y"])),
    max_size=6,
)


@given(rules=RULES, token=st.sampled_from([None, "x"]))
def test_what_is_shown_is_what_a_plain_reading_of_the_rules_shows(
    rules: list[tuple[bool | None, str, str | None]], token: str | None
) -> None:
    built = [
        build_rule(
            UNKNOWN if matches is None else matches, number, ruleKey=key, propertyTokens=None if of is None else [of]
        )
        for number, (matches, key, of) in enumerate(rules)
    ]
    shown: list[str] = []
    taken: set[str] = set()
    for number, (matches, key, of) in enumerate(rules):
        if of not in (None, token) or key in taken:
            continue
        if matches is None:
            break
        if matches:
            taken.add(key)
            shown.append(f"offer {number}")
    artifact = in_global_mbox(*built, home=built)
    artifact["rules"]["mboxes"]["hero"] = built
    request = {"pageLoad": {}, **ask("hero")}
    decision = run(artifact, execute=request, prefetch={**request, "views": [{}]}, property={"token": token})
    for mode in ("execute", "prefetch"):
        answer = decision.response[mode]
        assert contents(answer["pageLoad"]) == shown
        assert contents_or_none(answer["mboxes"][0]) == shown[:1]
    views = decision.response["prefetch"]["views"]
    assert [content for view in views for content in contents(view)] == shown
    counted = [item["tokens"][0] for item in decision.notifications]
    assert sorted(counted) == sorted(offer.replace("offer ", "token-") for offer in [*shown, *shown[:1]])
    is_remote = any(matches is None and of in (None, token) for matches, _, of in rules)
    assert decision.response["status"] == (206 if is_remote else 200)


def test_a_trace_tells_what_was_looked_at_ahead_of_the_gap() -> None:
    artifact = build_artifact(build_rule(False, 1), build_rule(UNKNOWN, 2), build_rule(True, 3))
    trace = run(artifact, execute=ask("hero"), trace={}).response["execute"]["mboxes"][0]["trace"]
    assert [target["campaignId"] for target in trace["evaluatedCampaignTargets"]] == [1]
    assert trace["campaigns"] == []
