"""What a call says of its visitor to the Experience Cloud: which source wins, and what an opt-out silences."""

from __future__ import annotations

import copy
import re
from typing import Any
from unittest.mock import sentinel

import pytest

from target import AuthenticatedState, CustomerId, OptionsError, Visitor
from target.config import parse_request_options
from target.delivery.identity import build_experience_cloud, build_id, find_visitor
from tests.kit.built_calls import PAGE_LOAD, config, offers, runtime

ORGANIZATION = "1234@AdobeOrg"
ECID = "07327024324407615852294135870030620007"
BLOB = "RKhpRz8krg2tLO6pguXWp5olkAcUniQYPHaMWWgdJ3xzPWQmdj0y"
COOKIE = f"1|MCIDTS|18341|MCMID|{ECID}|MCAAMLH-9585281503|9|MCAAMB-9585281503|{BLOB}|vVersion|5.2.0"
OPTED_OUT = f"{COOKIE}|MCOPTOUT-9585281503s|1"
SDID = re.compile(r"[0-9A-F]{16}-[0-9A-F]{16}")
OWN_SDID = "2C9C1AA0B5A3D8F1-0123456789ABCDEF"


def customer_id(code: str, id_: str, state: str = "unknown") -> dict[str, str]:
    return {"id": id_, "integrationCode": code, "authenticatedState": state}


def visitor(cookie: str | None = COOKIE, **customer_ids: Any) -> Visitor:
    made = Visitor(ORGANIZATION, cookie)
    made.set_customer_ids(customer_ids)
    return made


def sent_id(own: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return offers({**PAGE_LOAD, "id": own}, **options).body.get("id", {})


def sent_cloud(own: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    cloud: dict[str, Any] = offers({**PAGE_LOAD, "experienceCloud": own}, **options).body["experienceCloud"]
    return cloud


class TestWhichVisitor:
    def test_the_one_given(self) -> None:
        given = visitor()
        assert (
            find_visitor(parse_request_options({"visitor": given, "visitor_cookie": "MCMID|1"}), config(), runtime())
            is given
        )

    def test_one_from_the_cookie(self) -> None:
        found = find_visitor(parse_request_options({"visitor_cookie": COOKIE}), config(), runtime())
        assert found is not None
        assert (found.organization_id, found.marketing_cloud_visitor_id) == (ORGANIZATION, ECID)

    def test_one_without_ids_for_a_consumer(self) -> None:
        found = find_visitor(parse_request_options({"consumer_id": "top"}), config(), runtime())
        assert found is not None
        assert found.marketing_cloud_visitor_id is None

    @pytest.mark.parametrize(
        "options", [{"request": PAGE_LOAD}, {"visitor": None}, {"consumer_id": ""}, {"customer_ids": {"crm": "1"}}]
    )
    def test_none(self, options: dict[str, Any]) -> None:
        assert find_visitor(parse_request_options(options), config(), runtime()) is None

    @pytest.mark.parametrize("cookie", [None, ""], ids=repr)
    def test_one_without_ids_for_a_cookie_that_is_not_there_yet(self, cookie: str | None) -> None:
        found = find_visitor(parse_request_options({"visitor_cookie": cookie}), config(), runtime())
        assert found is not None
        assert found.marketing_cloud_visitor_id is None

    def test_each_cookie_makes_a_visitor_of_its_own(self) -> None:
        options = parse_request_options({"visitor_cookie": COOKIE})
        assert find_visitor(options, config(), runtime()) is not find_visitor(options, config(), runtime())

    @pytest.mark.parametrize("wrong", ["visitor", "", 0, False, {}, sentinel.another, Visitor], ids=repr)
    def test_anything_else_is_refused(self, wrong: Any) -> None:
        with pytest.raises(OptionsError, match="'visitor' must be a Visitor, not"):
            find_visitor(parse_request_options({"visitor": wrong}), config(), runtime())

    @pytest.mark.parametrize(
        "given",
        [{"crm": {"id": "1", "authState": 1}}, [CustomerId(id="1", integration_code="crm", authenticated_state="1")]],
        ids=["dict", "list"],
    )
    def test_customer_ids_of_the_call_are_in_the_state_of_a_visitor_from_a_cookie(self, given: Any) -> None:
        found = find_visitor(
            parse_request_options({"visitor_cookie": COOKIE, "customer_ids": given}), config(), runtime()
        )
        assert found is not None
        assert found.state() == {ORGANIZATION: {"customerIDs": {"crm": {"id": "1", "authState": 1}}}}

    @pytest.mark.parametrize("made", [{"visitor_cookie": "SECRET"}, {"visitor": Visitor(ORGANIZATION, "SECRET")}])
    def test_one_of_a_cookie_that_cannot_be_read_is_told_of_once(
        self, made: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = config()
        for _ in range(2):
            find_visitor(parse_request_options(made), client, runtime())
        assert caplog.messages == [
            "The AMCV cookie of a call cannot be read, so that its visitor has no Experience Cloud id: pass the value "
            "of the cookie that client.visitor_cookie_name(organization_id) names"
        ]
        assert client.notices.has_told(("AMCV",))

    def test_customer_ids_of_the_call_stay_out_of_a_visitor_given(self) -> None:
        given = visitor(crm="1")
        find_visitor(parse_request_options({"visitor": given, "customer_ids": {"crm": "2"}}), config(), runtime())
        assert given.state() == {ORGANIZATION: {"customerIDs": {"crm": {"id": "1", "authState": 0}}}}


class TestIds:
    @pytest.mark.parametrize(
        ("own", "options", "ecid"),
        [
            pytest.param(None, {"visitor_cookie": COOKIE}, ECID, id="cookie"),
            pytest.param(None, {"visitor": visitor()}, ECID, id="visitor"),
            pytest.param({"marketingCloudVisitorId": "own"}, {"visitor": visitor()}, "own", id="request-first"),
            pytest.param({"marketingCloudVisitorId": ""}, {"visitor": visitor()}, ECID, id="empty-is-none"),
            pytest.param({"marketingCloudVisitorId": None}, {"visitor": visitor()}, ECID, id="null-is-none"),
            pytest.param({"marketingCloudVisitorId": "own"}, {}, "own", id="request-alone"),
            pytest.param(None, {"visitor_cookie": "MCMID|NONE"}, None, id="sentinel"),
            pytest.param(None, {"visitor": visitor(None)}, None, id="new-visitor"),
        ],
    )
    def test_ecid(self, own: Any, options: dict[str, Any], ecid: str | None) -> None:
        assert sent_id(own, **options).get("marketingCloudVisitorId") == ecid

    def test_other_ids_stay(self) -> None:
        own = {"tntId": "t.38_0", "thirdPartyId": "p"}
        assert sent_id(own, visitor=visitor()) == {**own, "marketingCloudVisitorId": ECID}

    @pytest.mark.parametrize(
        ("on_visitor", "on_call", "own", "sent"),
        [
            pytest.param({"a": "1"}, None, [], [("a", "1")], id="visitor"),
            pytest.param({}, {"a": "1"}, [], [("a", "1")], id="call"),
            pytest.param({}, None, [("a", "1")], [("a", "1")], id="request"),
            pytest.param({"a": "1"}, {"b": "2"}, [("c", "3")], [("a", "1"), ("b", "2"), ("c", "3")], id="order"),
            pytest.param({"a": "1", "b": "2"}, {"a": "9"}, [], [("b", "2"), ("a", "9")], id="call-replaces-visitor"),
            pytest.param({"a": "1"}, {}, [], [("a", "1")], id="empty-call"),
            pytest.param({"a": "1"}, None, [("a", "1")], [("a", "1")], id="same-once"),
            pytest.param({"a": "1"}, None, [("a", "2")], [("a", "1"), ("a", "2")], id="two-ids-of-one-code"),
            pytest.param({"a": "1"}, {"a": "2"}, [("a", "2")], [("a", "2")], id="all-three"),
            pytest.param({}, {}, [], [], id="none"),
        ],
    )
    def test_customer_ids(
        self, on_visitor: dict[str, str], on_call: Any, own: list[tuple[str, str]], sent: list[tuple[str, str]]
    ) -> None:
        request = {"customerIds": [customer_id(code, id_) for code, id_ in own]} if own else None
        ids = sent_id(request, visitor=visitor(None, **on_visitor), customer_ids=on_call)
        assert [(entry["integrationCode"], entry["id"]) for entry in ids.get("customerIds", [])] == sent

    def test_of_the_same_id_the_state_in_the_request_counts(self) -> None:
        own = {"customerIds": [customer_id("crm", "1", "authenticated")]}
        ids = sent_id(own, visitor=visitor(None, crm={"id": "1", "authState": 2}))
        assert ids["customerIds"] == own["customerIds"]

    @pytest.mark.parametrize("state", [1, "1", "authenticated", AuthenticatedState.AUTHENTICATED], ids=repr)
    def test_states_of_every_form(self, state: Any) -> None:
        ids = sent_id(visitor=visitor(None, crm={"id": "1", "authState": state}), customer_ids={"shop": "2"})
        assert ids["customerIds"] == [customer_id("crm", "1", "authenticated"), customer_id("shop", "2")]


class TestAudienceManager:
    @pytest.mark.parametrize(
        ("own", "sent"),
        [
            pytest.param(None, {"locationHint": 9, "blob": BLOB}, id="visitor"),
            pytest.param({"locationHint": 7}, {"locationHint": 7, "blob": BLOB}, id="field-by-field"),
            pytest.param({"locationHint": None}, {"locationHint": 9, "blob": BLOB}, id="null-is-none"),
            pytest.param({"locationHint": 7, "blob": "b"}, {"locationHint": 7, "blob": "b"}, id="request-first"),
        ],
    )
    def test_precedence(self, own: Any, sent: dict[str, Any]) -> None:
        assert sent_cloud({"audienceManager": own}, visitor=visitor())["audienceManager"] == sent

    @pytest.mark.parametrize(
        "cookie", ["MCMID|1", "MCAAMLH|NONE|MCAAMB|NONE", "MCAAMLH|0", "MCAAMLH|x", "MCAAMB|", "MCAAMLH-1|9"]
    )
    def test_absent_when_the_cookie_has_none(self, cookie: str) -> None:
        assert "audienceManager" not in sent_cloud(visitor_cookie=cookie)

    def test_the_requests_own_goes_out_without_a_visitor(self) -> None:
        assert sent_cloud({"audienceManager": {"locationHint": 7}})["audienceManager"] == {"locationHint": 7}


class TestAnalytics:
    def test_by_default_target_logs(self) -> None:
        assert sent_cloud() == {"analytics": {"logging": "server_side"}}

    def test_what_the_request_says_stays(self) -> None:
        own = {"logging": "client_side", "trackingServer": "t.example", "trackingServerSecure": "s.example"}
        assert sent_cloud({"analytics": own}) == {"analytics": own}

    @pytest.mark.parametrize(
        "options", [{"visitor": visitor()}, {"visitor_cookie": COOKIE}, {"consumer_id": "top"}, {"visitor_cookie": "x"}]
    )
    def test_a_visitor_gets_a_supplemental_data_id(self, options: dict[str, Any]) -> None:
        assert SDID.fullmatch(sent_cloud(**options)["analytics"]["supplementalDataId"])

    def test_a_callers_own_stays_and_uses_up_none_of_the_visitors(self) -> None:
        given = visitor()
        own = {"analytics": {"supplementalDataId": OWN_SDID}}
        assert sent_cloud(own, visitor=given)["analytics"]["supplementalDataId"] == OWN_SDID
        assert given.state() == {ORGANIZATION: {}}

    def test_calls_that_name_different_consumers_share_one(self) -> None:
        given = visitor()
        top, side, again = (
            sent_cloud(visitor=given, consumer_id=consumer)["analytics"]["supplementalDataId"]
            for consumer in ("top", "side", "top")
        )
        assert top == side
        assert again != top
        assert given.state()[ORGANIZATION]["sdid"] == {
            "supplementalDataIDCurrent": again,
            "supplementalDataIDCurrentConsumed": {"payload:top": True},
            "supplementalDataIDLast": top,
            "supplementalDataIDLastConsumed": {"payload:top": True, "payload:side": True},
        }

    def test_a_call_that_names_no_consumer_is_the_global_mbox(self) -> None:
        given = visitor()
        sent_cloud(visitor=given)
        assert given.state()[ORGANIZATION]["sdid"]["supplementalDataIDCurrentConsumed"] == {
            "payload:target-global-mbox": True
        }


OWN_ID: dict[str, Any] = {
    "tntId": "t.38_0",
    "thirdPartyId": "p",
    "marketingCloudVisitorId": "own",
    "customerIds": [customer_id("own", "3")],
}


class TestOptOut:
    @pytest.mark.parametrize("cookie", [OPTED_OUT, f"{COOKIE}|MCOPTOUT|0", f"{COOKIE}|MCOPTOUT|"])
    def test_no_ecid_and_no_customer_id_whoever_named_them(self, cookie: str) -> None:
        ids = sent_id(OWN_ID, visitor=visitor(cookie, crm="1"), customer_ids={"shop": "2"})
        assert ids == {"tntId": "t.38_0", "thirdPartyId": "p"}

    def test_no_audience_manager_data_whoever_named_it(self) -> None:
        own = {"audienceManager": {"locationHint": 7, "blob": "b"}, "analytics": {"trackingServer": "t.example"}}
        cloud = sent_cloud(own, visitor_cookie=OPTED_OUT)
        assert set(cloud) == {"analytics"}
        assert cloud["analytics"]["trackingServer"] == "t.example"

    def test_a_mistake_in_the_options_is_still_a_mistake(self) -> None:
        with pytest.raises(OptionsError, match="authState"):
            sent_id(visitor_cookie=OPTED_OUT, customer_ids={"crm": {"id": "1", "authState": 3}})

    @pytest.mark.parametrize("cookie", [f"{COOKIE}|MCOPTOUT-9585281503s|NONE", f"{COOKIE}|MCOPTOUT-1s|1"])
    def test_none_and_an_expired_one_are_no_opt_out(self, cookie: str) -> None:
        assert sent_id(visitor_cookie=cookie)["marketingCloudVisitorId"] == ECID

    def test_a_visitor_given_outweighs_an_opt_out_in_the_cookie(self) -> None:
        assert sent_id(visitor=visitor(), visitor_cookie=OPTED_OUT)["marketingCloudVisitorId"] == ECID
        assert "marketingCloudVisitorId" not in sent_id(visitor=visitor(OPTED_OUT), visitor_cookie=COOKIE)


def test_what_is_given_is_only_read() -> None:
    given = visitor(crm="1")
    options = parse_request_options({"visitor": given, "customer_ids": {"shop": "2"}})
    own_id = {"customerIds": [customer_id("own", "3")], "tntId": "", "thirdPartyId": None}
    own_cloud = {"audienceManager": {"locationHint": 7}, "analytics": {"logging": None}}
    before = copy.deepcopy((own_id, own_cloud, given.customer_ids))
    ids, cloud = (
        build_id(own_id, "d.38_0", options, given),
        build_experience_cloud(own_cloud, options, given),
    )
    ids["customerIds"][0]["id"] = cloud["audienceManager"]["locationHint"] = "changed"
    assert (own_id, own_cloud, given.customer_ids) == before


@pytest.mark.parametrize(
    "request_",
    [
        {"id": []},
        {"id": {"customerIds": {}}},
        {"experienceCloud": "x"},
        {"experienceCloud": {"analytics": []}},
        {"experienceCloud": {"audienceManager": []}},
    ],
    ids=repr,
)
def test_what_is_no_object_or_list_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match=r"request|DeliveryRequest|VisitorId|ExperienceCloud"):
        offers({**PAGE_LOAD, **request_}, visitor=visitor(crm="1"))


def test_what_is_no_visitor_is_named() -> None:
    with pytest.raises(OptionsError, match=r"^Option 'visitor' must be a Visitor, not dict$"):
        offers(visitor={"a": 1})
