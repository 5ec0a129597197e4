"""The request that tells what became of an answer is one of the visitor whose answer it was."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import Notification, NotificationMbox, OptionsError, Order, TargetCookie, TargetDeliveryResponse, Visitor
from target.config import parse_request_options
from target.delivery.identity import parse_target_cookie
from target.delivery.notify import build_notify_options
from target.delivery.request import Call, build_notifications_call, build_offers_call
from target.emulator.validation import find_problem
from target.foreign import kind_of
from target.parts import mboxes_of, views_of
from tests.kit.answers import HOSTILE, USUAL, Answer, result_of
from tests.kit.built_calls import NOW_S, config, expires, full_request, runtime
from tests.kit.calls import ACCOUNT
from tests.kit.odd import Nameless, Odd, OddMapping, OddText

ORGANIZATION = ACCOUNT["organization_id"]
CLICKED = {"type": "click", "eventToken": "c"}
ANSWER: dict[str, Any] = {
    "status": 200,
    "id": {"tntId": "device.38_0"},
    "edgeHost": "mboxedge38.tt.omtrdc.net",
    "prefetch": {
        "mboxes": [
            {
                "name": "home",
                "state": "s",
                "options": [{"eventToken": "t"}],
                "metrics": [{"type": "click", "eventToken": "c"}],
            },
            {"name": "confirm", "state": "s2"},
            {"name": "thanks", "state": "s3"},
        ],
        "pageLoad": {"state": "p", "options": [{"eventToken": "tp"}]},
        "views": [{"name": "cart", "options": [{"eventToken": "tv"}]}],
    },
}
REQUEST: dict[str, Any] = {"prefetch": {"mboxes": [{"name": "home"}]}}
LATER_S = NOW_S + 90_000  # a day, and the session has long expired


def asked(answer: Answer = ANSWER, request: Any = REQUEST, **options: Any) -> TargetDeliveryResponse:
    return result_of(answer, request, **({"session_id": "session"} | options))


def told(result: TargetDeliveryResponse, now_s: float = LATER_S, **options: Any) -> Call:
    """The call that ``notify`` makes."""
    later = runtime(now_s)
    given = build_notify_options(result, options, later)
    return build_notifications_call(config(), parse_request_options(given), later, None)


def items(result: TargetDeliveryResponse, **options: Any) -> list[dict[str, Any]]:
    return told(result, **options).body["notifications"]


def test_it_is_the_same_visitor_a_day_later_in_another_process() -> None:
    first = asked(request=full_request(), customer_ids={"shop": {"id": "4711", "authState": 1}})
    call = told(pickle.loads(pickle.dumps(first)), displayed=["home"])
    assert (call.session_id, call.cluster) == ("session", "38")
    assert call.device_id == "device.38_0"  # the answer's: newer than the one that was sent
    sent = first._sent
    kept = ("property", "environmentId", "context", "experienceCloud", "preview", "qaMode")
    assert {name: call.body[name] for name in kept} == {name: sent[name] for name in kept}
    assert call.body["id"] == {**sent["id"], "tntId": "device.38_0"}
    new = ("requestId", "impressionId")
    assert all(call.body[name] != sent[name] for name in new)
    assert call.body.keys() == {*kept, *new, "id", "notifications"}


def test_a_new_visitor_has_the_device_id_of_the_answer() -> None:
    assert "id" not in asked()._sent
    assert told(asked(), displayed=["home"]).body["id"] == {"tntId": "device.38_0"}


def test_after_a_204_the_session_is_all_that_is_known() -> None:
    own = Notification(id="n", type="display", timestamp=1)
    call = told(asked(None), displayed=[own])
    assert (call.session_id, call.device_id, call.cluster) == ("session", None, None)


def test_what_is_told() -> None:
    own = Notification(id="own", type="click", timestamp=1, mbox=NotificationMbox(name="x"))
    wire = {"id": "wire", "type": "display", "timestamp": 2}
    found = items(asked(), displayed=["home", wire], clicked=["home", own], page_load=True, views=["cart"], timestamp=5)
    assert [(item["type"], item.get("tokens"), item["timestamp"]) for item in found] == [
        ("display", ["t"], 5),
        ("display", ["tv"], 5),
        ("display", ["tp"], 5),
        ("display", None, 2),
        ("click", ["c"], 5),
        ("click", None, 1),
    ]
    assert [item["id"] for item in found if item["timestamp"] != 5] == ["wire", "own"]
    assert {item["timestamp"] for item in items(asked(), displayed=["home"], clicked=["home"])} == {LATER_S * 1000}
    assert own.impression_id is None, "what a caller gives is never changed"


def test_one_name_need_not_be_a_list() -> None:
    assert [item["type"] for item in items(asked(), displayed="home", clicked="home", views="cart")] == [
        "display",
        "display",
        "click",
    ]


@pytest.mark.parametrize(
    ("options", "carriers"),
    [
        ({"displayed": ["home"]}, ["display home"]),
        ({"displayed": ["home"], "clicked": ["home"]}, ["click home"]),
        ({"displayed": ["home", "confirm"], "page_load": True}, ["display home"]),
        ({"displayed": ["confirm"]}, ["display confirm"]),
        ({"clicked": ["confirm"]}, ["click confirm"]),
        ({"displayed": ["confirm"], "clicked": ["confirm"]}, ["click confirm"]),
        ({"displayed": ["confirm", "thanks"]}, ["display confirm"]),
        ({"clicked": ["confirm", "thanks"]}, ["click confirm"]),
        ({"displayed": [{"id": "n", "type": "display", "timestamp": 1, "mbox": {"name": "own"}}]}, ["display own"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", [Order(id="o", total=5.5), {"id": "o", "total": 5.5}], ids=["model", "dict"])
def test_an_order_is_told_once(options: dict[str, Any], carriers: list[str], order: Any) -> None:
    found = items(asked(), order=order, **options)
    carrying = [item for item in found if "order" in item]
    assert [f"{item['type']} {item['mbox']['name']}" for item in carrying] == carriers
    assert [item["order"] for item in carrying] == [{"id": "o", "total": 5.5}]
    assert all("tokens" in item or "order" in item for item in found), "what has no token is told for its order alone"


@pytest.mark.parametrize("kind", ["displayed", "clicked"])
def test_what_is_told_for_its_order_is_as_complete(kind: str) -> None:
    (found,) = items(asked(), order={"id": "o"}, **{kind: "confirm"})
    assert found["mbox"] == {"name": "confirm", "state": "s2"}
    assert found["timestamp"] == LATER_S * 1000
    assert found["id"].startswith("id-")  # of the client's runtime


def test_an_order_is_told_where_there_was_no_answer() -> None:
    (found,) = items(asked(None), displayed=["confirm"], order={"id": "o"})
    assert (found["mbox"], found["order"]) == ({"name": "confirm"}, {"id": "o"})


def test_an_order_changes_no_notification_of_the_caller() -> None:
    own = Notification(id="own", type="click", timestamp=1)
    (found,) = items(asked(), clicked=[own], order={"id": "o"})
    assert (found["order"], own.order) == ({"id": "o"}, None)


def test_what_the_caller_says_wins() -> None:
    first = asked(request=full_request())
    call = told(
        first,
        displayed=["home"],
        session_id="another",
        target_location_hint="35",
        customer_ids={"crm": {"id": "new", "authState": 1}},
        request={"context": {"channel": "web"}, "property": {"token": "other"}, "notifications": [
            {"id": "more", "type": "click", "timestamp": 1}
        ]},
    )  # fmt: skip
    assert call.session_id == "another"
    assert call.device_id == "device.38_0"
    assert call.body["context"]["channel"] == "web"
    assert call.body["property"] == {"token": "other"}
    assert call.body["preview"] == {"token": "p"}
    assert [entry["id"] for entry in call.body["id"]["customerIds"]] == ["new"]
    assert [item["id"] == "more" for item in call.body["notifications"]] == [True, False]


class TestExperienceCloud:
    """Who the Experience Cloud says the visitor is, as of the call that is told of, unless the caller says it anew."""

    @staticmethod
    def visitor(name: str, **customer_ids: str) -> Visitor:
        visitor = Visitor(ORGANIZATION, f"MCMID|{name}|MCAAMB|blob-{name}|MCAAMLH|9")
        visitor.set_customer_ids({code: {"id": value} for code, value in customer_ids.items()})
        return visitor

    def first(self) -> TargetDeliveryResponse:
        return asked(
            visitor=self.visitor("1" * 38, crm="old", shop="old"),
            customer_ids={"mail": {"id": "old"}},
            request={**REQUEST, "experienceCloud": {"analytics": {"logging": "client_side"}}},
        )

    def codes(self, call: Call) -> dict[str, str]:
        return {entry["integrationCode"]: entry["id"] for entry in call.body["id"]["customerIds"]}

    def test_all_is_kept(self) -> None:
        first = self.first()
        call = told(first, displayed=["home"])
        assert call.body["experienceCloud"] == first._sent["experienceCloud"]
        assert call.body["id"]["marketingCloudVisitorId"] == "1" * 38
        assert self.codes(call) == {"crm": "old", "shop": "old", "mail": "old"}

    def test_a_visitor_given_anew_wins(self) -> None:
        first = self.first()
        call = told(first, displayed=["home"], visitor=self.visitor("2" * 38, crm="new"))
        assert call.body["id"]["marketingCloudVisitorId"] == "2" * 38
        assert call.body["experienceCloud"]["audienceManager"]["blob"] == "blob-" + "2" * 38
        assert call.body["experienceCloud"]["analytics"] == first._sent["experienceCloud"]["analytics"]
        assert self.codes(call) == {"crm": "new", "shop": "old", "mail": "old"}

    def test_so_does_a_cookie_of_one(self) -> None:
        call = told(self.first(), displayed=["home"], visitor_cookie=f"MCMID|{'3' * 38}")
        assert call.body["id"]["marketingCloudVisitorId"] == "3" * 38
        assert "audienceManager" not in call.body["experienceCloud"]

    def test_a_first_call_that_had_none_of_it_is_told_of_as_well(self) -> None:
        options: dict[str, Any] = {"visitor_cookie": f"MCMID|{'3' * 38}", "customer_ids": {"crm": "new"}}
        call = told(asked(), displayed=["home"], **options)
        assert call.body["id"]["marketingCloudVisitorId"] == "3" * 38
        assert self.codes(call) == {"crm": "new"}

    def test_a_consumer_has_a_hit_of_its_own(self) -> None:
        first = self.first()
        call = told(first, displayed=["home"], consumer_id="footer")
        before, after = (body["experienceCloud"]["analytics"] for body in (first._sent, call.body))
        assert before["supplementalDataId"] != after["supplementalDataId"]
        assert after["logging"] == "client_side"

    def test_a_visitor_who_opted_out_since_sends_none(self) -> None:
        call = told(
            self.first(), displayed=["home"], visitor=Visitor(ORGANIZATION, "MCMID|4|MCOPTOUT-99999999999s|true")
        )
        assert call.body["id"].keys() == {"tntId"}

    @pytest.mark.parametrize("visitor", [5, "x", Odd()], ids=["int", "str", "odd"])
    def test_anything_else_is_no_visitor(self, visitor: Any) -> None:
        with pytest.raises(OptionsError, match="must be a Visitor"):
            told(self.first(), displayed=["home"], visitor=visitor)


def test_a_result_whose_cookie_holds_nothing() -> None:
    kind, values = asked().__reduce__()
    nothing = TargetCookie("mbox", "", 1)
    first = kind(*(nothing if isinstance(value, TargetCookie) and value.name == "mbox" else value for value in values))
    assert told(first, displayed=["home"], session_id="given").session_id == "given"
    assert told(first, displayed=["home"]).session_id.startswith("id-")


def test_a_location_hint_of_the_caller_wins_where_no_device_id_names_one() -> None:
    answer = {**ANSWER, "id": {"tntId": "device"}}
    assert told(asked(answer), displayed=["home"]).cluster == "38"
    assert told(asked(answer), displayed=["home"], target_location_hint="35").cluster == "35"


@pytest.mark.parametrize(
    ("cookie", "session", "device", "is_same"),
    [
        ("", "session", "device.38_0", True),
        ("rubbish", "session", "device.38_0", True),
        (f"session#session#{int(LATER_S) + 9}", "session", "device.38_0", True),
        (f"session#session#{int(NOW_S) + 9}", "session", "device.38_0", True),  # expired by now
        (f"PC#device.38_0#{int(LATER_S) + 9}", "session", "device.38_0", True),
        (f"session#newer#{int(LATER_S) + 9}|PC#device.38_0#{int(LATER_S) + 9}", "newer", "device.38_0", True),
        (f"session#session#{int(LATER_S) + 9}|PC#newer.37_0#{int(LATER_S) + 9}", "session", "newer.37_0", True),
        (f"session#other#{int(LATER_S) + 9}", "other", None, False),
        (f"session#other#{int(LATER_S) + 9}|PC#other.1_0#{int(LATER_S) + 9}", "other", "other.1_0", False),
    ],
)
def test_a_cookie_of_the_caller(cookie: str, session: str, device: str | None, is_same: bool) -> None:
    first = asked(
        request={**REQUEST, "id": {"thirdPartyId": "user"}, "experienceCloud": {"audienceManager": {"blob": "b"}}}
    )
    call = told(first, displayed=["home"], target_cookie=cookie)
    assert (call.session_id, call.device_id) == (session, device)
    # What is known of one visitor is never told of another.
    assert (call.body.get("id", {}).get("thirdPartyId") == "user") is is_same
    assert ("audienceManager" in call.body["experienceCloud"]) is is_same


def test_where_there_is_nothing_to_tell_there_is_no_notification() -> None:
    for options in ({}, {"displayed": ["confirm"]}, {"clicked": []}, {"views": []}, {"page_load": False}):
        given = build_notify_options(asked(), options, runtime())
        assert "notifications" not in given["request"]
        build_offers_call(config(), parse_request_options(given), runtime(), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"displayed": ["x"]}, "The answer holds no mbox 'x': it holds 'home', 'confirm', 'thanks'"),
        ({"displayed": 5}, "displayed must be a list of names of mboxes, not int"),
        ({"clicked": [5]}, "clicked must hold names, which are strings, not int"),
        ({"views": ["x"]}, "no view 'x'"),
        ({"page_load": "yes"}, "must be True or False"),
        ({"timestamp": "now"}, "timestamp must be"),
        (
            {"order": {"id": "o"}},
            "^An order belongs to .*: name an mbox in displayed or clicked$",
        ),
        ({"clicked": ["home"] * 1001}, "clicked must hold at most 1000 items"),
        ({"target_cookie": 5}, "Option 'target_cookie' must be a string, not int"),
        ({"displayed": ["home"], "order": 5}, r"request.notifications\[0\].order must be an object"),
        ({"displayd": ["home"]}, "did you mean 'displayed'"),
        ({"target_cooki": "x"}, "did you mean 'target_cookie'"),
        ({"request": 5, "displayed": ["home"]}, "Option 'request' must be a DeliveryRequest or a dict, not int"),
    ],
    ids=str,
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        told(asked(), **options)


@pytest.mark.parametrize("name", ["displayed", "clicked", "views", "page_load", "timestamp", "order", "request"])
def test_what_lies_or_raises_is_refused_in_words(name: str) -> None:
    for value in (Odd(), [Odd()], OddMapping(), [OddMapping()], Nameless(), [Nameless()], OddText("x"), [OddText("x")]):
        for more in ({}, {"displayed": ["home"], "order": {"id": "o"}}):
            with pytest.raises(OptionsError):
                told(asked(), LATER_S, **dict[str, Any]({**more, name: value}))


@pytest.mark.parametrize("result", [None, {}, "result", Notification], ids=repr)
def test_a_result_is_needed(result: Any) -> None:
    with pytest.raises(OptionsError, match=f"What get_offers returned is needed first: .*, not {kind_of(result)}$"):
        build_notify_options(result, {}, runtime())


@given(answer=USUAL | HOSTILE, cookie=st.none() | st.text(max_size=30) | st.just(f"PC#d.38_0#{expires()}"))
def test_of_any_answer_nothing_of_it_picks_who_or_where(answer: Answer, cookie: str | None) -> None:
    """A hostile answer gets into ids only by the rules that a cookie is held to, and the session is never its."""
    first = asked(answer)
    own = {"id": "n", "type": "display", "timestamp": 1}
    call = told(pickle.loads(pickle.dumps(first)), NOW_S, displayed=[own], target_cookie=cookie)
    assert call.session_id == "session" or parse_target_cookie(cookie, NOW_S)
    assert call.cluster is None or (call.cluster.isascii() and call.cluster.isdigit() and len(call.cluster) <= 4)
    assert call.base_url.startswith("https://")
    assert call.base_url.endswith(".tt.omtrdc.net")
    if call.device_id is not None:
        assert call.device_id.isascii()
        assert call.device_id.isprintable()
        assert len(call.device_id) <= 128


AMOUNTS = st.decimals(0, 10**9, places=2)


@given(answer=USUAL, amount=AMOUNTS | st.none(), names=st.sets(st.sampled_from(["home", "cart"])))
def test_whatever_an_account_answers_the_api_takes_what_is_told(
    answer: Answer, amount: Decimal | None, names: set[str]
) -> None:
    first = asked(answer)
    held = {mbox.name for mbox in mboxes_of(first.response)}
    views = {view.name for view in views_of(first.response)} & names
    order = None if amount is None else {"id": "o", "total": amount}
    what: dict[str, Any] = {"displayed": names & held, "clicked": names & held, "views": views, "order": order}
    if order is not None and not what["displayed"]:
        with pytest.raises(OptionsError, match="An order belongs to"):
            build_notify_options(first, {**what, "views": ()}, runtime())
        return
    given = build_notify_options(first, what, runtime())
    if "notifications" not in given["request"]:
        assert order is None
        return
    call = build_notifications_call(config(), parse_request_options(given), runtime(), None)
    assert find_problem({"imsOrgId": ORGANIZATION, "sessionId": call.session_id}, json.loads(call.content)) is None
    orders = [item["order"]["total"] for item in call.body["notifications"] if "order" in item]
    assert [Decimal(str(total)) for total in orders] == ([] if amount is None else [amount])


def test_a_notification_that_cannot_be_read_is_named_as_such() -> None:
    with pytest.raises(OptionsError, match=r"^A notification cannot be read: it raised RuntimeError$"):
        told(asked(), displayed=[OddMapping()], order={"id": "o"})
