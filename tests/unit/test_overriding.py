"""Overrides of a client, over HTTP: what is shown, what is never asked for, and whom it concerns."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from target import Experience, OptionsError, Override, TargetClient, TransportError, VisitorId
from target.testing import FakeTargetClient
from tests.kit.calls import CALL, MakeClient, client_of, options_of
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.ways import WAYS, Way, through

MANY: dict[str, Any] = {
    "execute": {"mboxes": [{"name": name} for name in ("hero", "home", "side")]},
    "prefetch": {"mboxes": [{"name": "home", "index": 7}, {"name": "later", "index": 3}]},
}


def names(received: Any) -> list[str]:
    """Every mbox that a request asks for."""
    body = received.body
    return [mbox["name"] for mode in ("execute", "prefetch") for mbox in body.get(mode, {}).get("mboxes", ())]


def placed(part: Any) -> list[tuple[int, str, list[Any]]]:
    return [(mbox.index, mbox.name, [option.content for option in mbox.options]) for mbox in part.mboxes]


@pytest.fixture(params=WAYS)
def begin(request: pytest.FixtureRequest, server: LoopbackServer) -> Iterator[Callable[..., Way]]:
    """Begins with a client of ``server``, in each way there is to call one."""
    made: list[Way] = []

    def make(**options: Any) -> Way:
        made.append(WAYS[request.param](**options_of(server.domain, allow_overrides=True, **options)))
        return made[-1]

    yield make
    for way in made:
        way.close()


# What is shown, and what is asked


def test_an_override_is_shown_in_its_place_and_never_asked_for(
    begin: Callable[..., Way], server: LoopbackServer
) -> None:
    way = begin(overrides={"home": "<b>ours</b>"})
    result = through(way, {**CALL, "request": MANY})
    (received,) = server.received
    assert names(received) == ["hero", "side", "later"]
    assert received.body["execute"]["mboxes"] == [{"name": "hero", "index": 0}, {"name": "side", "index": 2}]
    theirs: Any = {"part": "execute"}
    assert placed(result.response.execute) == [
        (0, "hero", [theirs]),
        (1, "home", ["<b>ours</b>"]),
        (2, "side", [theirs]),
    ]
    assert placed(result.response.prefetch) == [(7, "home", ["<b>ours</b>"]), (3, "later", [{"part": "prefetch"}])]
    assert [(part.name, part.mode, part.reason, part.kind) for part in result.meta.decisions] == [
        ("home", "execute", "override", "mbox"),
        ("home", "prefetch", "override", "mbox"),
    ]
    assert result.meta.decisioning_method == "server-side"
    assert result.content("home") == "<b>ours</b>"
    assert result.displayed("home") == result.clicked("home") == []
    assert [mbox.name for mbox in result.request.execute.mboxes] == ["hero", "side"]
    assert pickle.loads(pickle.dumps(result)) == result


def test_where_nothing_is_left_no_call_is_made(begin: Callable[..., Way], server: LoopbackServer) -> None:
    way = begin(overrides={"home": {"buy": "now"}})
    result = through(way, CALL)
    assert server.received == []
    assert result.content("home") == {"buy": "now"}
    assert result.response.status == 200
    assert result.response.client == "acme"
    assert result.response.id.tnt_id == "Device-a9f3.38_0"
    assert result.target_cookie.value.startswith("session#Session-77c1#")
    assert "PC#Device-a9f3.38_0#" in result.target_cookie.value
    assert [part.reason for part in result.meta.decisions] == ["override"]


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("<b>hi</b>", [("html", "<b>hi</b>")]),
        ("", [("html", "")]),
        (None, []),
        (False, [("json", False)]),
        ([1, 2.5], [("json", [1, 2.5])]),
        ({"a": {"b": None}}, [("json", {"a": {"b": None}})]),
    ],
)
def test_text_is_html_none_the_default_content_and_anything_else_json(
    make_client: MakeClient, server: LoopbackServer, what: Any, options: Any
) -> None:
    client = make_client(allow_overrides=True, overrides={"home": what})
    result = client.get_offers(**CALL)
    assert [(option.type, option.content) for option in result.options("home")] == options
    assert result.mbox("home") is not None
    assert result.content("home", default="ours") == (options[0][1] if options else "ours")
    assert server.received == []


def test_attributes_are_those_of_the_override(make_client: MakeClient, server: LoopbackServer) -> None:
    client = make_client(allow_overrides=True, overrides={"flags": {"new": True}})
    found = client.get_attributes(["flags", "others"])
    assert found.get_bool("flags", "new", False) is True
    assert found.get_str("others", "part", "") == "execute"
    assert names(server.received[0]) == ["others"]
    assert client.get_attributes("flags").as_object() == {"flags": {"new": True}}
    assert len(server.received) == 1


def test_what_one_caller_changes_no_other_one_sees(make_client: MakeClient) -> None:
    client = make_client(allow_overrides=True, overrides={"home": {"list": [1]}})
    for _ in range(2):
        (option,) = client.get_offers(**CALL).options("home")
        assert option.content == {"list": [1]}
        option.content["list"].append(2)


def test_page_load_views_and_notifications_go_on_being_asked_and_told(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    client = make_client(allow_overrides=True, overrides={"home": "ours", "target-global-mbox": "not the page"})
    told = {"id": "n", "type": "click", "timestamp": 1, "mbox": {"name": "home"}}
    asked = {
        "execute": {"pageLoad": {}, "mboxes": [{"name": "home"}]},
        "prefetch": {"views": [{}], "mboxes": [{"name": "home"}]},
        "notifications": [told],
    }
    result = client.get_offers(**{**CALL, "request": asked})
    body = server.received[0].body
    assert body["execute"] == {"pageLoad": {}}
    assert body["prefetch"] == {"views": [{}]}
    assert [one["id"] for one in body["notifications"]] == ["n"]
    assert [part.mboxes[0].name for part in (result.response.execute, result.response.prefetch)] == ["home"] * 2
    alone = {"execute": {"mboxes": [{"name": "home"}]}, "notifications": [told]}
    result = client.get_offers(**{**CALL, "request": alone})
    assert "execute" not in server.received[1].body
    assert [one.id for one in result.response.notifications] == ["n"]
    assert result.content("home") == "ours"


def test_an_answer_without_a_body_shows_the_override_all_the_same(
    make_client: MakeClient, server: LoopbackServer
) -> None:
    server.answer = lambda _: Answer(None, 204)
    client = make_client(allow_overrides=True, overrides={"home": "ours"})
    result = client.get_offers(**{**CALL, "request": MANY})
    assert placed(result.response.execute) == [(1, "home", ["ours"])]


def test_an_answer_in_disorder_comes_in_the_order_asked(make_client: MakeClient, server: LoopbackServer) -> None:
    def disordered(received: Any) -> Answer:
        answer = ok(received).body
        mboxes = answer["execute"]["mboxes"]
        extra = {"index": 1, "name": "home", "options": [{"content": "sneaked in", "eventToken": "t"}]}
        answer["execute"]["mboxes"] = [extra, {"index": 9, "name": "unasked"}, *mboxes[::-1]]
        answer["prefetch"]["mboxes"] = []
        return Answer(answer)

    server.answer = disordered
    client = make_client(allow_overrides=True, overrides={"home": "ours"})
    result = client.get_offers(**{**CALL, "request": MANY})
    assert [mbox.name for mbox in result.response.execute.mboxes] == ["hero", "home", "side", "unasked"]
    assert [mbox.name for mbox in result.response.prefetch.mboxes] == ["home"]
    assert [option.content for option in result.options("home")] == ["ours", "ours"]
    assert result.displayed("home") == []


def test_a_call_for_the_rest_that_fails_fails(make_client: MakeClient, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(b"no json")
    client = make_client(
        allow_overrides=True, overrides={"home": {"a": "ours"}}, default_attributes={"side": {"a": 1}, "home": {"a": 2}}
    )
    with pytest.raises(TransportError):
        client.get_offers(**{**CALL, "request": MANY})
    found = client.get_attributes(["side", "home"])
    assert found.is_default
    assert found.as_object() == {"side": {"a": 1}, "home": {"a": "ours"}}


def test_what_is_asked_beside_notifications_is_overridden_too(make_client: MakeClient, server: LoopbackServer) -> None:
    client = make_client(allow_overrides=True, overrides={"home": "ours"})
    told = {"id": "n", "type": "click", "timestamp": 1, "mbox": {"name": "home"}}
    result = client.send_notifications(**{**CALL, "request": {**CALL["request"], "notifications": [told]}})
    assert "execute" not in server.received[0].body
    assert (result.content("home"), [one.id for one in result.response.notifications]) == ("ours", ["n"])


def test_hooks_are_told_and_what_they_add_goes_with_the_rest(make_client: MakeClient, server: LoopbackServer) -> None:
    told: list[Any] = []

    class Watching:
        """Keeps what it is told."""

        def before_call(self, call: Any) -> Any:
            return {"parameters": {"added": "yes"}, "headers": {"X-Ours": "1"}}

        def after_call(self, call: Any, outcome: Any) -> None:
            told.append((call.kind, call.mboxes, outcome.status, [(d.name, d.reason) for d in outcome.decisions]))

    client = make_client(allow_overrides=True, overrides={"home": "ours"}, hooks=[Watching()])
    assert client.get_offers(**CALL).content("home") == "ours"
    both = {"execute": {"mboxes": [{"name": "home"}, {"name": "side"}]}}
    assert client.get_offers(**{**CALL, "request": both}).content("home") == "ours"
    assert told == [
        ("", (), None, [("home", "override")]),
        ("execute", ("side",), 200, [("home", "override"), ("side", "server")]),
    ]
    (sent,) = server.received[0].body["execute"]["mboxes"]
    assert sent == {"name": "side", "index": 1, "parameters": {"added": "yes"}}


def test_the_environment_allows_them(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_ALLOW_OVERRIDES", "yes")
    monkeypatch.setenv("TARGET_OVERRIDE_KEY", "a secret of this test")
    with TargetClient.from_env(**options_of(server.domain)) as client:
        token = client.override_token({"home": "ours"})
        assert client.get_offers(**CALL, override_token=token).content("home") == "ours"


def test_fakes_take_overrides() -> None:
    fake = FakeTargetClient({"mboxes": {"home": "theirs", "side": "theirs"}}, allow_overrides=True)
    fake.override("home", "ours")
    result = fake.get_offers(request={"execute": {"mboxes": [{"name": "home"}, {"name": "side"}]}})
    assert (result.content("home"), result.content("side")) == ("ours", "theirs")
    assert [mbox["name"] for body in fake.requests for mbox in body["execute"]["mboxes"]] == ["side"]


# Whom it concerns


def test_an_override_of_one_visitor_is_no_other_ones(begin: Callable[..., Way], server: LoopbackServer) -> None:
    way: Any = begin()
    way.client.override("home", "for one", visitor={"tntId": "Device-a9f3.35_0"})
    assert through(way, CALL).content("home") == "for one"
    assert server.received == []
    assert through(way, {**CALL, "target_cookie": "PC#Device-b.38_0#9999999999"}).content("home") == {"part": "execute"}
    assert through(way, {"request": CALL["request"]}).content("home") == {"part": "execute"}
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("visitor", "ids", "is_shown"),
    [
        (VisitorId(third_party_id="amy"), {"thirdPartyId": "amy"}, True),
        (VisitorId(third_party_id="amy"), {"thirdPartyId": "amy", "tntId": "any.38_0"}, True),
        (VisitorId(tnt_id="a", third_party_id="amy"), {"tntId": "a.38_0"}, True),
        (VisitorId(tnt_id="a", third_party_id="amy"), {"tntId": "a.38_0", "thirdPartyId": "bob"}, False),
        (VisitorId(tnt_id="a", third_party_id="amy"), {"tntId": "b.38_0", "thirdPartyId": "amy"}, False),
        ({"thirdPartyId": 4711}, {"thirdPartyId": "4711"}, True),
        ({"thirdPartyId": "a"}, {"tntId": "a"}, False),
        ({"marketingCloudVisitorId": "123"}, {"marketingCloudVisitorId": "123"}, True),
        ({"customerIds": [{"id": "c", "integrationCode": "crm"}]},
         {"customerIds": [{"id": "c", "integrationCode": "crm", "authenticatedState": "authenticated"}]}, True),
        ({"customerIds": [{"id": "c", "integrationCode": "crm"}]},
         {"customerIds": [{"id": "c", "integrationCode": "shop"}]}, False),
        ({"tntId": "a"}, {}, False),
    ],
)  # fmt: skip
def test_who_a_visitor_is(make_client: MakeClient, visitor: Any, ids: Any, is_shown: bool) -> None:
    client = make_client(allow_overrides=True)
    client.override("home", "ours", visitor=visitor)
    result = client.get_offers(request={**CALL["request"], **({"id": ids} if ids else {})})
    assert (result.content("home") == "ours") is is_shown


def test_what_is_a_visitors_wins_over_what_is_everybodys(make_client: MakeClient) -> None:
    client = make_client(allow_overrides=True, overrides={"home": "everybody's", "side": "side"})
    client.override("home", "Amy's", visitor={"thirdPartyId": "amy"})

    def shown(third_party_id: str) -> Any:
        return client.get_offers(request={**MANY, "id": {"thirdPartyId": third_party_id}})

    assert shown("amy").content("home") == "Amy's"
    assert shown("bob").content("home") == "everybody's"
    assert shown("amy").content("side") == "side"


def test_overrides_are_listed_and_taken_back(make_client: MakeClient, server: LoopbackServer) -> None:
    client = make_client(allow_overrides=True, overrides={"home": "first"})
    client.override("home", "second")
    client.override("home", "Amy's", visitor=VisitorId(tnt_id="amy.38_0"))
    amys = Override("home", "Amy's", {"tntId": "amy.38_0"})
    assert client.list_overrides() == [Override("home", "second"), amys]
    assert "amy.38" not in repr(amys)
    assert client.remove_override("home") is True
    assert client.remove_override("home") is False
    assert client.list_overrides() == [amys]
    assert client.remove_override("home", visitor={"tntId": "amy.35_0"}) is True
    assert client.remove_override("home", visitor={"tntId": "amy.35_0"}) is False
    client.override("home", "again", visitor={"thirdPartyId": "amy"})
    client.clear_overrides()
    assert client.list_overrides() == []
    client.get_offers(**CALL)
    assert names(server.received[0]) == ["home"]


def test_overrides_change_while_calls_are_made(make_client: MakeClient, server: LoopbackServer) -> None:
    client = make_client(allow_overrides=True)
    problems: list[Any] = []

    def change(number: int) -> None:
        visitor = {"thirdPartyId": f"visitor-{number}"}
        for turn in range(60):
            client.override("home", f"{number} {turn}", visitor=visitor)
            request = {"execute": {"mboxes": [{"name": "home"}]}, "id": visitor}
            if (seen := client.get_offers(request=request).content("home")) != f"{number} {turn}":
                problems.append(seen)
            client.remove_override("home", visitor=visitor)

    threads = [threading.Thread(target=change, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert client.list_overrides() == []
    assert server.received == []


# What is refused


def test_without_the_option_overrides_are_refused(client: TargetClient, server: LoopbackServer) -> None:
    advice = "create the client with allow_overrides=True where that is meant"
    with pytest.raises(OptionsError, match=advice):
        client_of(server.domain, overrides={"home": "ours"})
    changes: list[Callable[[], object]] = [
        lambda: client.override("home", "ours"),
        lambda: client.remove_override("home"),
        client.clear_overrides,
    ]
    for change in changes:
        with pytest.raises(OptionsError, match=advice):
            change()
    assert client.list_overrides() == []


def test_a_server_side_client_shows_no_experience(make_client: MakeClient, server: LoopbackServer) -> None:
    advice = "decisioning_method='on-device' or 'hybrid', or give the content itself"
    with pytest.raises(OptionsError, match=advice):
        client_of(server.domain, allow_overrides=True, overrides={"home": Experience("B")})
    with pytest.raises(OptionsError, match=advice):
        make_client(allow_overrides=True).override("home", Experience("B"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("", "x"), "needs the name of its mbox"),
        ((7, "x"), "needs the name of its mbox"),
        (("m" * 251, "x"), "1 to 250 characters"),
        (
            ("home", object()),
            "mbox 'home' must be text .HTML., None .default content., an Experience, or what JSON can",
        ),
        (("home", {"a": {1, 2}}), "not dict"),
        (("home", float("nan")), "not float"),
        (("home", "x", {}), "visitor must name a visitor"),
        (("home", "x", {"tntId": ""}), "visitor must name a visitor"),
        (("home", "x", "amy"), "^visitor must be an object"),
        (("home", "x", {"tntId": {}}), "^visitor.tntId must be a string"),
        (("home", "x", {"thirdPartyID": "amy"}), "'thirdPartyID': did you mean 'thirdPartyId'"),
        (("home", "x", {"customerIds": [{"id": "c"}]}), "visitor must name a visitor"),
    ],
)
def test_a_mistake_is_told(make_client: MakeClient, arguments: Any, problem: str) -> None:
    client = make_client(allow_overrides=True)
    with pytest.raises(OptionsError, match=problem):
        client.override(*arguments)
    assert client.list_overrides() == []


def test_there_is_a_bound(make_client: MakeClient) -> None:
    client = make_client(allow_overrides=True)
    for number in range(500):
        client.override(f"mbox-{number}", "x")
        client.override("home", "x", visitor={"thirdPartyId": f"v{number}"})
    for visitor in (None, {"thirdPartyId": "v500"}):
        with pytest.raises(OptionsError, match="There are 1000 overrides: take back"):
            client.override("one more", "x", visitor)
    client.override("home", "another", visitor={"thirdPartyId": "v1"})
    assert len(client.list_overrides()) == 1000
