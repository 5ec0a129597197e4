"""The Visitor: what its cookie says whatever it holds, the ids that stitch calls, and the state for the browser."""

from __future__ import annotations

import copy
import json
import pickle
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from target import AuthenticatedState, OptionsError, config
from target.config import Runtime
from target.visitor import Visitor, visitor_cookie_name, with_suffix
from tests.kit.amcv import FAR, ORG, REAL, ids
from tests.kit.visitors import ECID

pytestmark = pytest.mark.usefixtures("while_the_cookie_is_valid")


# ------------------------------------------------------------------------------------------------- made by the caller


@pytest.mark.parametrize(
    "make",
    [
        lambda: Visitor("", None),
        lambda: Visitor(None, None),  # type: ignore[arg-type]
        lambda: Visitor(ORG, b"1|MCMID|1"),  # type: ignore[arg-type]
        lambda: Visitor.new(""),
    ],
)
def test_what_a_developer_gets_wrong_raises(make: Callable[[], Visitor]) -> None:
    with pytest.raises(OptionsError, match=r"Organization Id is required|'visitor_cookie' must be a string, not bytes"):
        make()


def test_a_new_visitor_has_no_ecid() -> None:
    visitor = Visitor.new(ORG)
    assert visitor.marketing_cloud_visitor_id is None
    assert visitor.cookie_value() == ""
    assert "Only Adobe's ID service can" in str(Visitor.new.__doc__)


def test_a_new_visitor_has_the_ecid_that_was_minted() -> None:
    visitor = Visitor.new(ORG, mint=lambda: ECID)
    assert visitor.marketing_cloud_visitor_id == ECID
    assert ids(visitor.cookie_value()) == (ECID, None, None, False)


@pytest.mark.parametrize("issued", ["", "a b", "a|b", "9" * 129, "\n", "é", "NONE", None, 5])
def test_a_minted_id_that_cannot_be_one_is_refused(issued: Any) -> None:
    with pytest.raises(OptionsError, match="mint must return an Experience Cloud id") as caught:
        Visitor.new(ORG, mint=lambda: issued)
    assert not issued or repr(issued) not in str(caught.value)


def test_a_subclass_makes_its_own() -> None:
    class Guest(Visitor):
        pass

    assert type(Guest.new(ORG)) is Guest


@pytest.mark.parametrize(
    ("organization_id", "name"),
    [("1234", "AMCV_1234@AdobeOrg"), ("1234@AdobeOrg", "AMCV_1234@AdobeOrg"), ("1234@Other", "AMCV_1234@Other")],
)
def test_the_name_of_the_cookie(organization_id: str, name: str) -> None:
    assert visitor_cookie_name(organization_id) == name
    assert f"AMCV_{with_suffix(organization_id)}" == name


def test_no_id_is_in_the_repr() -> None:
    visitor = Visitor(ORG, REAL)
    visitor.set_customer_ids({"crm": "secret-1"})
    assert repr(visitor) == "Visitor(has_id=True, opted_out=False)"


# ------------------------------------------------------------------------------------------------------- customer ids


@pytest.mark.parametrize(
    ("state", "wire", "number"),
    [
        (0, "unknown", 0),
        (1, "authenticated", 1),
        (2, "logged_out", 2),
        ("0", "unknown", 0),
        ("1", "authenticated", 1),
        ("2", "logged_out", 2),
        ("logged_out", "logged_out", 2),
        (AuthenticatedState.UNKNOWN, "unknown", 0),
        (AuthenticatedState.AUTHENTICATED, "authenticated", 1),
        (AuthenticatedState.LOGGED_OUT, "logged_out", 2),
        (None, "unknown", 0),
    ],
)
def test_authentication_states(state: Any, wire: str, number: int) -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": {"id": "1", "authState": state}})
    assert visitor.customer_ids == [{"id": "1", "integrationCode": "crm", "authenticatedState": wire}]
    assert visitor.state() == {ORG: {"customerIDs": {"crm": {"id": "1", "authState": number}}}}


def test_a_bare_string_is_an_id_of_unknown_state() -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"puuid": "550e8400"})
    assert visitor.customer_ids == [{"id": "550e8400", "integrationCode": "puuid", "authenticatedState": "unknown"}]


def test_a_later_id_replaces_that_of_its_integration_code_only() -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": "1", "shop": "2"})
    visitor.set_customer_ids({"crm": {"id": "3", "authState": 1}})
    assert [(entry["integrationCode"], entry["id"]) for entry in visitor.customer_ids] == [("crm", "3"), ("shop", "2")]


@pytest.mark.parametrize(
    "bad", [None, "crm", ["crm"], 5, {"crm": {}}, {"crm": 5.0}, {"crm": {"id": "1", "authState": 3}}]
)
def test_customer_ids_that_are_none_change_nothing(bad: Any) -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": "1"})
    with pytest.raises(OptionsError, match="customer_ids"):
        visitor.set_customer_ids({"shop": "2", **bad} if isinstance(bad, dict) else bad)
    assert [entry["id"] for entry in visitor.customer_ids] == ["1"]


@pytest.mark.parametrize("twin_of", [copy.deepcopy, copy.copy, lambda visitor: pickle.loads(pickle.dumps(visitor))])
def test_a_pickle_or_a_copy_goes_on_by_itself(twin_of: Callable[[Visitor], Visitor]) -> None:
    visitor = Visitor(ORG, REAL)
    visitor.set_customer_ids({"crm": {"id": "1", "authState": 1}})
    first = visitor.supplemental_data_id("top")
    before = (visitor.state(), visitor.cookie_value(), visitor.customer_ids)
    twin = twin_of(visitor)
    assert (twin.state(), twin.cookie_value(), twin.customer_ids) == before
    assert twin.supplemental_data_id("side") == first
    twin.set_customer_ids({"shop": "2"})
    assert (visitor.state(), visitor.cookie_value(), visitor.customer_ids) == before
    assert visitor.supplemental_data_id("top") != first


def test_a_visitor_is_copied_as_it_is_at_one_moment() -> None:
    visitor = Visitor(ORG)
    ended = threading.Event()

    def use() -> None:
        while not ended.is_set():
            visitor.supplemental_data_id("top")
            visitor.supplemental_data_id("side")

    thread = threading.Thread(target=use)
    thread.start()
    try:
        twins = [copy.deepcopy(visitor) for _ in range(200)]
    finally:
        ended.set()
        thread.join()
    for twin in twins:
        sdid = twin.state()[ORG].get("sdid", {})
        assert set(sdid.get("supplementalDataIDCurrentConsumed", {})) <= {"payload:top", "payload:side"}


def test_what_is_handed_out_is_a_copy() -> None:
    given_ids = {"crm": {"id": "1", "authState": 1}}
    visitor = Visitor(ORG)
    visitor.set_customer_ids(given_ids)
    given_ids["crm"]["id"] = "changed"
    visitor.customer_ids[0]["id"] = "changed"
    visitor.state()[ORG]["customerIDs"]["crm"]["id"] = "changed"
    assert visitor.customer_ids[0]["id"] == "1"
    assert visitor.state()[ORG]["customerIDs"]["crm"]["id"] == "1"


def test_the_state_of_a_visitor_who_opted_out_has_no_customer_ids() -> None:
    visitor = Visitor(ORG, f"1|MCMID|{ECID}|MCOPTOUT-{FAR}s|isoptedout")
    visitor.set_customer_ids({"crm": "1"})
    visitor.supplemental_data_id()
    assert visitor.state()[ORG].keys() == {"sdid"}


# ----------------------------------------------------------------------------------------------- supplemental data id

SDID = re.compile(r"[0-9A-F]{16}-[0-9A-F]{16}")


def test_calls_of_different_consumers_share_one_id() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id()
    assert SDID.fullmatch(first)
    assert len(first) == 33
    assert visitor.supplemental_data_id("header") == visitor.supplemental_data_id("footer") == first


def test_a_consumer_that_asks_again_starts_a_new_id() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id("header")
    second = visitor.supplemental_data_id("header")
    assert second != first
    # Everybody goes on with the new one, who used the old one included.
    assert visitor.supplemental_data_id("footer") == second
    assert visitor.supplemental_data_id("footer") not in (first, second)


def test_no_two_visitors_share_an_id() -> None:
    assert len({Visitor(ORG, REAL).supplemental_data_id() for _ in range(1000)}) == 1000


def test_the_default_consumer_is_the_global_mbox() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id()
    assert visitor.supplemental_data_id("target-global-mbox") != first


def test_the_state_names_current_and_last_with_their_consumers() -> None:
    visitor = Visitor("1234")
    assert visitor.state() == {"1234@AdobeOrg": {}}
    first = visitor.supplemental_data_id("header")
    visitor.supplemental_data_id("footer")
    current = {
        "supplementalDataIDCurrent": first,
        "supplementalDataIDCurrentConsumed": {"payload:header": True, "payload:footer": True},
    }
    assert visitor.state() == {"1234@AdobeOrg": {"sdid": current}}
    second = visitor.supplemental_data_id("header")
    assert visitor.state() == {
        "1234@AdobeOrg": {
            "sdid": {
                "supplementalDataIDCurrent": second,
                "supplementalDataIDCurrentConsumed": {"payload:header": True},
                "supplementalDataIDLast": first,
                "supplementalDataIDLastConsumed": {"payload:header": True, "payload:footer": True},
            }
        }
    }


def in_threads(work: Callable[[int], None], count: int) -> None:
    failed: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_threads_with_one_consumer_each_share_one_id() -> None:
    for _ in range(20):
        visitor, seen = Visitor(ORG), []
        in_threads(lambda number: seen.append(visitor.supplemental_data_id(f"c{number}")), 16)  # noqa: B023
        assert len(seen) == 16
        assert len(set(seen)) == 1
        assert len(visitor.state()[ORG]["sdid"]["supplementalDataIDCurrentConsumed"]) == 16


def test_threads_with_the_same_consumer_never_share_an_id() -> None:
    visitor, seen = Visitor(ORG), []

    def work(_: int) -> None:
        seen.extend(visitor.supplemental_data_id() for _ in range(200))

    in_threads(work, 8)
    assert len(seen) == len(set(seen)) == 1600


def test_the_state_is_readable_while_threads_change_it() -> None:
    visitor = Visitor(ORG)

    def work(number: int) -> None:
        for index in range(100):
            visitor.set_customer_ids({f"code{number}-{index}": "1"})
            visitor.supplemental_data_id(f"c{number}-{index % 3}")
            assert len(visitor.state()[ORG]["customerIDs"]) <= len(visitor.customer_ids)

    in_threads(work, 4)
    assert len(visitor.customer_ids) == 400


# ---------------------------------------------------------------------------------------------------- inside a script


@pytest.mark.parametrize(
    "hostile", ["</script><script>alert(1)</script>", "<!--", "]]>", "\u2028", "\u2029", "&quot;", "'\"\\", "\ud800"]
)
def test_the_state_is_safe_inside_a_script_element(hostile: str) -> None:
    visitor = Visitor(hostile)
    visitor.set_customer_ids({hostile: {"id": hostile}})
    visitor.supplemental_data_id(hostile)
    text = visitor.state_json()
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == visitor.state()
    assert hostile in visitor.state()[with_suffix(hostile)]["customerIDs"]


def test_time_ids_and_locks_are_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[Any] = []

    def new_lock() -> Any:
        locks.append(threading.Lock())
        return locks[-1]

    monkeypatch.setattr(config, "default_runtime", Runtime(lambda: float(FAR), lambda: "made-id", lambda: 0, new_lock))
    first, second = Visitor(ORG, f"1|MCMID-{FAR}|{ECID}"), Visitor(ORG, f"1|MCMID-{FAR - 1}|{ECID}")
    assert [visitor.marketing_cloud_visitor_id for visitor in (first, second)] == [ECID, None]
    assert first.supplemental_data_id() == second.supplemental_data_id()
    assert len(locks) == 2
    with locks[0]:
        assert pickle.loads(pickle.dumps(second)).supplemental_data_id("other") == second.supplemental_data_id("other")
    assert len(locks) == 3
