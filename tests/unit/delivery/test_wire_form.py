"""What a request may hold: every field of every model, as models and as dicts, held to the API's own document."""

from __future__ import annotations

import copy
import datetime
import logging
import threading
from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

import pytest

from target import (
    Address,
    ChannelType,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    Geo,
    MboxRequest,
    Notification,
    OptionsError,
    Order,
    QAMode,
    RequestDetails,
    Screen,
    VisitorId,
)
from target.delivery import unknown_keys, wire_form
from target.delivery.wire_form import write_request
from target.delivery.wire_values import Misfit
from target.loggers import Log
from target.notices import Notices
from tests.kit.odd import Disguised, OddText, Tier

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param({"environmentId": 7.0}, {"environmentId": 7}, id="whole-float"),
        pytest.param({"id": {"tntId": 4711}}, {"id": {"tntId": "4711"}}, id="number-as-id"),
        pytest.param(
            {"id": {"customerIds": [{"id": 4711}]}}, {"id": {"customerIds": [{"id": "4711"}]}}, id="number-as-own-id"
        ),
        pytest.param(
            {Disguised("execute"): {Disguised("mboxes"): []}}, {"execute": {"mboxes": []}}, id="keys-of-a-subclass"
        ),
        pytest.param({"id": {"tntId": Disguised("t")}}, {"id": {"tntId": "t"}}, id="text-of-a-subclass"),
        pytest.param({"context": {"channel": "hologram"}}, {"context": {"channel": "hologram"}}, id="new-enum-value"),
        pytest.param({"context": {"channel": ChannelType.WEB}}, {"context": {"channel": "web"}}, id="enum"),
        pytest.param({"preview": {"token": Tier.GOLD}}, {"preview": {"token": "gold"}}, id="enum-of-the-callers"),
        pytest.param(
            {"future": {"a": [1, None, {"b": Tier.GOLD}]}}, {"future": {"a": [1, None, {"b": "gold"}]}}, id="new"
        ),
        pytest.param(
            {"execute": {"pageLoad": {"order": {"id": UUID(int=5), "total": Decimal("19.99")}}}},
            {"execute": {"pageLoad": {"order": {"id": "00000000-0000-0000-0000-000000000005", "total": 19.99}}}},
            id="money-and-uuid",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"parameters": {"a": Decimal("1E+2"), "b": TIME.date(), "c": UUID(int=5)}}}},
            {
                "execute": {
                    "pageLoad": {
                        "parameters": {"a": "100", "b": "2026-01-02", "c": "00000000-0000-0000-0000-000000000005"}
                    }
                }
            },
            id="money-day-and-uuid-as-parameters",
        ),
        pytest.param({"context": None, "id": {"tntId": None}}, {"id": {}}, id="null-is-unset"),
        pytest.param({"future": [None, {"a": None}]}, {"future": [None, {"a": None}]}, id="null-in-what-is-not-known"),
        pytest.param(
            {"execute": {"mboxes": (None, {"name": "a"})}},
            {"execute": {"mboxes": [{"name": "a"}]}},
            id="null-in-a-list",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"parameters": {"a": 1, "b": True, "c": None, "d": Tier.GOLD, "e": TIME}}}},
            {"execute": {"pageLoad": {"parameters": {"a": 1, "b": True, "d": "gold", "e": TIME.isoformat()}}}},
            id="parameters",
        ),
        pytest.param(
            {"execute": {"pageLoad": {"order": {"time": TIME, "total": 5, "purchasedProductIds": [1, "b"]}}}},
            {
                "execute": {
                    "pageLoad": {"order": {"time": TIME.isoformat(), "total": 5, "purchasedProductIds": ["1", "b"]}}
                }
            },
            id="order",
        ),
        pytest.param(
            {"execute": ExecuteRequest(page_load={})},  # type: ignore[arg-type]
            {"execute": {"pageLoad": {}}},
            id="dict-in-model-in-dict",
        ),
        pytest.param(OrderedDict(execute=MappingProxyType({})), {"execute": {}}, id="other-mappings"),
        pytest.param(
            DeliveryRequest(
                execute=ExecuteRequest(
                    mboxes=[MboxRequest(name="a", additional_properties={"x": Geo(zip="1"), "index": 3})]
                )
            ),
            {"execute": {"mboxes": [{"x": {"zip": "1"}, "index": 3, "name": "a"}]}},
            id="additional-properties",
        ),
    ],
)
def test_what_is_meant_is_written(given: Any, written: Any) -> None:
    assert repr(write_request(given)) == repr(written)


def test_a_known_key_among_additional_properties_is_held_to_its_type() -> None:
    request = DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(additional_properties={"name": [5]})]))
    with pytest.raises(OptionsError, match=r"^request\.execute\.mboxes\[0\]\.name must be a string, not list$"):
        write_request(request)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        pytest.param(
            DeliveryRequest(execute=ExecuteRequest(page_load=MboxRequest(name="a"))),  # type: ignore[arg-type]
            r"request\.execute\.pageLoad must be an object \(RequestDetails\), not MboxRequest",
            id="a-sibling",
        ),
        pytest.param(
            {"context": {"address": Screen(width=1)}}, r"request\.context\.address .*not Screen", id="in-a-dict"
        ),
        pytest.param({"execute": {"mboxes": [Address(url="a")]}}, r"mboxes\[0\] .*not Address", id="in-a-list"),
        pytest.param(
            {"id": {"customerIds": VisitorId()}}, r"customerIds must be a list, not VisitorId", id="for-a-list"
        ),
    ],
)
def test_a_model_of_another_class_is_refused(request_: Any, says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        write_request(request_)


def test_a_class_of_ones_own_is_the_model_that_it_descends_from() -> None:
    class Page(RequestDetails):
        __slots__ = ()

    assert write_request({"execute": {"pageLoad": Page(parameters={"a": "b"})}}) == {
        "execute": {"pageLoad": {"parameters": {"a": "b"}}}
    }


def nested(levels: int) -> Any:
    deep: Any = "x"
    for level in range(levels):
        deep = {"a": deep} if level % 2 else [deep]
    return deep


@pytest.mark.parametrize("place", ["future", "execute"])
def test_64_levels_are_written_and_more_are_refused(place: str) -> None:
    def request(levels: int) -> Any:
        deep = {"future": nested(levels)}
        return deep if place == "future" else {"execute": {"mboxes": [deep]}}

    assert write_request(request(64)) == request(64)
    for levels in (65, 100_000):
        with pytest.raises(OptionsError, match=r"is nested more than 64 deep, or holds itself$") as caught:
            write_request(request(levels))
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", ["NaN", "sNaN", "-Infinity", "1E+999999999", "1E-999999999"])
def test_a_decimal_that_no_shop_has_is_refused(number: str) -> None:
    with pytest.raises(
        OptionsError, match=r"^request\.execute\.pageLoad\.parameters\.a must be a string, not Decimal$"
    ):
        write_request({"execute": {"pageLoad": {"parameters": {"a": Decimal(number)}}}})


@pytest.mark.parametrize("key", ["a\nb", "x" * 1000, "ü ö", ""], ids=["line-break", "long", "space", "empty"])
def test_a_message_stays_on_its_line(key: str) -> None:
    with pytest.raises(OptionsError) as caught:
        write_request({"execute": {"mboxes": [{"parameters": {key: []}}]}})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_model_whose_field_was_deleted_is_refused() -> None:
    request = DeliveryRequest()
    del request.execute
    with pytest.raises(OptionsError, match="cannot be read: it raised AttributeError"):
        write_request(request)


def test_what_is_written_shares_nothing_with_what_was_given() -> None:
    given: dict[str, Any] = {
        "id": VisitorId(customer_ids=[{"id": "1", "integrationCode": "a"}]),  # type: ignore[list-item]
        "qaMode": QAMode(evaluate_as_true_audience_ids=[1]),
        "execute": {"pageLoad": {"parameters": {"a": "b"}}},
        "notifications": [Notification(id="n", type="display", timestamp=1, order=Order(purchased_product_ids=["a"]))],
        "context": Context(channel="web"),
        "future": {"list": [{"a": 1}]},
    }
    written = write_request(given)
    before = copy.deepcopy(written)
    given["id"].customer_ids[0]["id"] = "changed"
    given["qaMode"].evaluate_as_true_audience_ids.append(2)
    given["execute"]["pageLoad"]["parameters"]["a"] = "changed"
    given["notifications"][0].order.purchased_product_ids.append("changed")
    given["future"]["list"][0]["a"] = "changed"
    assert written == before


def test_a_dict_that_another_thread_changes_is_read_as_it_was_at_one_moment() -> None:
    parameters: dict[str, str] = {}
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            parameters.update({str(number): "x" for number in range(50)})
            parameters.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            write_request({"execute": {"pageLoad": {"parameters": parameters}}, "future": parameters})
    finally:
        ended.set()
        thread.join()


def test_a_request_that_cannot_be_read_says_what_it_raised() -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise ZeroDivisionError

        keys = __iter__ = items

    for request in (Odd(execute={}), {"execute": Odd(mboxes=[])}):
        with pytest.raises(OptionsError, match=r"cannot be read: it raised ZeroDivisionError$"):
            write_request(request)


def test_a_key_that_cannot_be_compared_is_told_as_such() -> None:
    with pytest.raises(OptionsError, match=r"^The request cannot be read: it raised RuntimeError$"):
        write_request({OddText("execute"): {}})


def test_a_key_that_is_not_known_is_sent_and_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_through = []
    tell = unknown_keys.tell_unknown_keys
    monkeypatch.setattr(unknown_keys, "tell_unknown_keys", lambda *told: (looked_through.append(told), tell(*told)))
    notices = Notices(Log(logging.getLogger("shop")))
    assert write_request({"exectue": {}}, notices) == {"exectue": {}}
    assert caplog.messages == [
        "request.exectue is not known to the Delivery API, and is sent as it is: is 'execute' meant?"
    ]
    write_request({"execute": {}}, notices)
    assert len(looked_through) == 1


@pytest.mark.parametrize("blank", [None, "", " "])
def test_blank_fields_are_left_out_and_those_after_them_are_written(blank: Any) -> None:
    given = {"context": {"channel": "web", "screen": {"width": blank, "height": 5}, "timeOffsetInMinutes": 1}}
    left = {"context": {"channel": "web", "screen": {"height": 5}, "timeOffsetInMinutes": 1}}
    assert write_request(given) == left
    screen = Screen(width=blank, height=5)
    assert write_request({"context": {"screen": screen}}) == {"context": {"screen": {"height": 5}}}


@pytest.mark.parametrize("name", ["id", "type", "timestamp"])
def test_what_makes_a_notification_invalid_is_left_to_the_check_of_notifications(name: str) -> None:
    request = {"notifications": [{"id": "n", "type": "click", "timestamp": 1, name: [1]}]}
    assert write_request(request) == request


def test_a_model_that_holds_itself_is_written_at_any_depth() -> None:
    class Tree(Geo):
        FIELDS: ClassVar[dict[str, Any]] = {"city": ("city", str), "zip": ("zip", str)}

    Tree.FIELDS["zip"] = ("parts", [Tree])
    write = wire_form._writer_of(Tree)
    wire = {"city": "a", "parts": [{"city": "b", "parts": [{"city": "c"}]}]}
    assert write(wire) == wire
    with pytest.raises(Misfit):
        write({"parts": [{"parts": [{"city": []}]}]})


def test_models_that_hold_each_other_are_written_at_any_depth() -> None:
    class Tree(Geo):
        FIELDS: ClassVar[dict[str, Any]] = {"city": ("city", str), "zip": ("id", str)}

    class Branch(Geo):
        FIELDS: ClassVar[dict[str, Any]] = {"city": ("tree", Tree), "zip": ("free", {str: object})}

    Tree.FIELDS["city"] = ("branch", Branch)
    write = wire_form._writer_of(Tree)
    wire = {"branch": {"tree": {"branch": {"free": {"a": [1, None]}}}}}
    assert write(wire) == wire
    with pytest.raises(Misfit, match=r"branch\.tree\.branch must be an object \(Branch\), not int"):
        write({"branch": {"tree": {"branch": 5}}})
