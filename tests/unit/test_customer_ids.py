"""Customer ids: every form that callers write them in, and how those of call and request come together."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import AuthenticatedState, CustomerId, OptionsError
from target.customer_ids import AUTH_STATES, merge_customer_ids, parse_customer_ids

CRM = {"id": "67312378756723456", "integrationCode": "crm", "authenticatedState": "authenticated"}
SHOP = {"id": "550e8400", "integrationCode": "shop", "authenticatedState": "unknown"}


class Disguised(str):
    def __str__(self) -> str:
        return "evil"


NESTED: list[Any] = []
NESTED.append(NESTED)
NESTED_KEY = ("a", ("b",))


def models() -> Iterator[CustomerId]:
    for entry in (CRM, SHOP):
        yield CustomerId.from_dict(entry)


@pytest.mark.parametrize(
    "given_ids",
    [
        pytest.param({"crm": {"id": CRM["id"], "authState": 1}, "shop": SHOP["id"]}, id="by-integration-code"),
        pytest.param({"crm": {"id": CRM["id"], "authState": "1"}, "shop": {"id": SHOP["id"]}}, id="state-as-text"),
        pytest.param(
            {"crm": {"id": CRM["id"], "authState": AuthenticatedState.AUTHENTICATED}, "shop": SHOP["id"]},
            id="state-as-enum",
        ),
        pytest.param(
            MappingProxyType(OrderedDict(crm=MappingProxyType({"id": CRM["id"], "authState": 1}), shop=SHOP["id"])),
            id="mappings-that-are-no-dicts",
        ),
        pytest.param({"crm": CustomerId.from_dict(CRM), "shop": CustomerId.from_dict(SHOP)}, id="models-by-code"),
        pytest.param([CRM, SHOP], id="wire-dicts"),
        pytest.param(list(models()), id="models"),
        pytest.param(tuple(models()), id="tuple"),
        pytest.param(models(), id="generator-of-models"),
        pytest.param({"a": CRM, "b": CustomerId.from_dict(SHOP)}.values(), id="view-of-models-and-dicts"),
        pytest.param(
            [
                {"id": CRM["id"], "integration_code": "crm", "authenticated_state": AuthenticatedState.AUTHENTICATED},
                {"id": SHOP["id"], "integration_code": "shop", "authenticated_state": None},
            ],
            id="snake-case",
        ),
    ],
)
def test_every_form_is_read(given_ids: Any) -> None:
    assert parse_customer_ids(given_ids) == [CRM, SHOP]


@pytest.mark.parametrize(
    "given_ids",
    [{"crm": 4711}, {"crm": {"id": 4711}}, [{"id": 4711, "integrationCode": "crm"}]],
    ids=["by-code", "in-a-dict", "in-a-list"],
)
def test_an_id_that_is_a_number_becomes_text(given_ids: Any) -> None:
    assert parse_customer_ids(given_ids) == [{"id": "4711", "integrationCode": "crm", "authenticatedState": "unknown"}]


def test_a_string_that_shows_something_else_is_taken_for_what_it_holds() -> None:
    (entry,) = parse_customer_ids({Disguised("crm"): Disguised("4711")})
    assert entry == {"id": "4711", "integrationCode": "crm", "authenticatedState": "unknown"}
    assert [type(value) for value in entry.values()] == [str, str, str]


@pytest.mark.parametrize("nothing", [None, {}, [], ()])
def test_nothing_is_an_empty_list(nothing: Any) -> None:
    assert parse_customer_ids(nothing) == []


def test_the_states_are_the_apis_in_the_order_of_their_numbers() -> None:
    assert AUTH_STATES == ("unknown", "authenticated", "logged_out")
    assert set(AUTH_STATES) == {state.value for state in AuthenticatedState}


@pytest.mark.parametrize(
    ("given_ids", "says"),
    [
        pytest.param(5, r"a list of CustomerId or a dict, not int", id="number"),
        pytest.param("crm", r"a list of CustomerId or a dict, not str", id="text"),
        pytest.param(b"crm", r"a list of CustomerId or a dict, not bytes", id="bytes"),
        pytest.param(CustomerId.from_dict(CRM), r"a list of CustomerId or a dict, not CustomerId", id="one-model"),
        pytest.param(CRM, r"must be a list: put this one id into brackets", id="one-dict"),
        pytest.param({"crm": None}, r"\['crm'\] must be a CustomerId or a dict, not None", id="none-by-code"),
        pytest.param({"crm": 5.0}, r"\['crm'\] must be a CustomerId or a dict, not float", id="number-by-code"),
        pytest.param({"crm": True}, r"\['crm'\] must be a CustomerId or a dict, not bool", id="flag-by-code"),
        pytest.param(dict, r"customer_ids cannot be read: it raised TypeError", id="a-class"),
        pytest.param(itertools.count(), r"customer_ids must hold at most 1000 items", id="endless"),
        pytest.param({"crm": {"id": NESTED}}, r"needs 'id' as a string", id="nested-id"),
        pytest.param({"crm": {"id": "1", "authState": NESTED}}, r"unknown authState", id="nested-state"),
        pytest.param({"crm": {"id": "1", "authState": 10**5000}}, r"unknown authState", id="huge-state"),
        pytest.param({"crm": {"id": "1", NESTED_KEY: 1}}, r"has the unknown key tuple: known are", id="odd-key"),
        pytest.param({"crm": [CRM]}, r"\['crm'\] must be a CustomerId or a dict, not list", id="list-by-code"),
        pytest.param([None], r"\[0\] must be a CustomerId or a dict, not None", id="none-in-a-list"),
        pytest.param([CRM, "1"], r"\[1\] must be a CustomerId or a dict, not str", id="text-in-a-list"),
        pytest.param([{"id": "1"}], r"\[0\] needs 'integrationCode' as a string", id="no-code"),
        pytest.param({"crm": {"authState": 1}}, r"\['crm'\] needs 'id' as a string", id="no-id"),
        pytest.param({"crm": ""}, r"needs 'id' as a string", id="empty-id"),
        pytest.param({"crm": {"id": 1.0}}, r"needs 'id' as a string", id="id-is-a-float"),
        pytest.param({"": "1"}, r"needs 'integrationCode' as a string", id="empty-code"),
        pytest.param({5: "1"}, r"needs 'integrationCode' as a string", id="code-is-a-number"),
        pytest.param({"crm": {"id": "1", "autState": 1}}, r"unknown key 'autState': known are .*authState", id="typo"),
        *(
            pytest.param({"crm": {"id": "1", "authState": state}}, r"unknown authState: use 0", id=f"state-{state!r}")
            for state in (3, -1, "3", "", "AUTHENTICATED", True, False, 1.0, [], {})
        ),
    ],
)
def test_what_cannot_be_sent_is_refused(given_ids: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        parse_customer_ids(given_ids)


@pytest.mark.parametrize("wrong", [{"authState": 9}, {"typo": "x"}, {"integrationCode": 5}])
def test_no_message_shows_an_id(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_customer_ids({"crm": {"id": "SECRET", **wrong}})
    assert "SECRET" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(list(CRM)), inner),
    max_leaves=8,
)


@given(JSON)
def test_anything_is_read_or_refused_and_never_changed(given_ids: Any) -> None:
    before = copy.deepcopy(given_ids)
    try:
        parsed = parse_customer_ids(given_ids)
    except OptionsError:
        parsed = []
    assert repr(given_ids) == repr(before)
    for entry in parsed:
        assert entry.keys() == CRM.keys()
        assert entry["authenticatedState"] in AUTH_STATES
    assert parse_customer_ids(parsed) == parsed


def test_ids_of_the_call_come_ahead_of_the_requests_own() -> None:
    own = [{"id": "own", "integrationCode": "app", "authenticatedState": "logged_out"}]
    assert merge_customer_ids([CRM, SHOP], own) == [CRM, SHOP, *own]
    assert merge_customer_ids([], own) == own
    assert merge_customer_ids([CRM], []) == [CRM]


def test_the_same_id_and_code_is_there_once_with_the_state_of_the_request() -> None:
    own = [{**CRM, "authenticatedState": "logged_out"}, {**CRM, "integrationCode": "app"}, {**CRM, "id": "other"}]
    assert merge_customer_ids([CRM, SHOP], own) == [own[0], SHOP, own[1], own[2]]


@pytest.mark.parametrize("odd", [None, 5, "crm", {}, {"id": "1"}, {"id": ["1"], "integrationCode": {}}])
def test_what_the_request_holds_passes_through(odd: Any) -> None:
    assert merge_customer_ids([CRM], [odd, odd])[:2] == [CRM, odd]
