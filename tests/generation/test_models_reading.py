"""What the generated models promise to whoever reads answers with them."""

from __future__ import annotations

import copy
import datetime
import pickle
from types import MappingProxyType
from typing import Any

import pytest

from target_delivery_api import models
from target_delivery_api.models import (
    ABTOrder,
    DeliveryResponse,
    ExecuteRequest,
    ExecuteResponse,
    MboxRequest,
    Notification,
    Option,
    OptionType,
    Order,
    Trace,
    UnexpectedError,
)
from target_delivery_api.types import Model
from tests.generation.spec import properties
from tests.generation.strategies import MODELS, attribute_names, containers

UTC = datetime.UTC
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
each_model = pytest.mark.parametrize("name", MODELS)


def test_unknown_fields_and_enum_values_survive() -> None:
    wire = {
        "type": "video",
        "content": [{"a": 1}],
        "later": {"x": [1]},
        "responseTokens": {"activity.id": "1", "c": ["a"]},
    }
    option = Option.from_dict(wire)
    assert option.type == "video"
    assert isinstance(option.type, OptionType)
    assert option.additional_properties == {"later": {"x": [1]}}
    assert option.response_tokens == {"activity.id": "1", "c": ["a"]}
    assert option.to_dict() == wire


def test_known_enum_values_read_as_their_members() -> None:
    assert Option.from_dict({"type": "html"}).type is OptionType.HTML
    assert Option.from_dict({"type": OptionType.HTML}).type is OptionType.HTML
    assert Option.from_dict({"type": 7}).to_dict() == {"type": 7}


@each_model
def test_null_reads_as_none_for_every_field(name: str) -> None:
    read = getattr(models, name).from_dict(dict.fromkeys(properties(name)))
    assert all(getattr(read, attribute) is None for attribute in attribute_names(name).values())
    assert read.to_dict() == {}
    assert read.additional_properties == {}


def test_null_items_among_models_are_skipped_and_among_plain_values_kept() -> None:
    assert len(ExecuteResponse.from_dict({"mboxes": [None, {"name": "a"}, None]}).mboxes or []) == 1
    assert Notification.from_dict({"tokens": ["a", None]}).tokens == ["a", None]


def test_a_missing_required_field_reads_as_none() -> None:
    assert UnexpectedError.from_dict({"message": "x"}).status is None


def test_scalars_of_the_wrong_type_stay_as_they_are() -> None:
    wire = {"status": "200", "requestId": 7, "client": True, "edgeHost": 1.5}
    assert DeliveryResponse.from_dict(wire).to_dict() == wire


@pytest.mark.parametrize(
    ("model", "wire", "message"),
    [
        (DeliveryResponse, {"execute": 5}, "DeliveryResponse.execute: expected an object, got a number"),
        (DeliveryResponse, {"execute": [5]}, "DeliveryResponse.execute: expected an object, got a list"),
        (DeliveryResponse, {"execute": {"mboxes": {}}}, "ExecuteResponse.mboxes: expected a list, got an object"),
        (DeliveryResponse, {"execute": {"mboxes": "s3cret"}}, "ExecuteResponse.mboxes: expected a list, got a string"),
        (
            DeliveryResponse,
            {"execute": {"mboxes": [True]}},
            "ExecuteResponse.mboxes[]: expected an object, got a boolean",
        ),
        (DeliveryResponse, {"execute": {"pageLoad": ""}}, "ExecuteResponse.pageLoad: expected an object, got a string"),
        (
            MboxRequest,
            {"profileParameters": ["s3cret"]},
            "MboxRequest.profileParameters: expected an object, got a list",
        ),
        (Notification, {"tokens": "s3cret"}, "Notification.tokens: expected a list, got a string"),
        (Trace, {"usage": 1}, "Trace.usage: expected an object, got a number"),
        (Option, {"responseTokens": 1.5}, "Option.responseTokens: expected an object, got a number"),
        (Option, None, "Option: expected an object, got null"),
        (Option, ["s3cret"], "Option: expected an object, got a list"),
        (Option, b"s3cret", "Option: expected an object, got a bytes"),
    ],
)
def test_the_wrong_json_type_is_named_and_never_the_value(model: type[Model], wire: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        model.from_dict(wire)
    assert str(caught.value) == message


def test_any_mapping_and_any_model_can_be_read() -> None:
    inner = MappingProxyType({"name": "a"})
    read = ExecuteRequest.from_dict(MappingProxyType({"mboxes": (inner, MboxRequest(name="b"))}))
    assert read == ExecuteRequest(mboxes=[MboxRequest(name="a"), MboxRequest(name="b")])


def test_reading_shares_nothing_with_its_input_and_leaves_it_alone() -> None:
    wire: dict[str, Any] = {
        "later": {"a": [1]},
        "execute": {"mboxes": [{"name": "a", "options": [{"content": {"x": [1]}, "responseTokens": {"t": ["a"]}}]}]},
        "notifications": [{"id": "1", "trace": {"deep": {"er": []}}}],
    }
    before = copy.deepcopy(wire)
    read = DeliveryResponse.from_dict(wire)
    assert wire == before
    assert not set(containers(read)) & set(containers(wire))


def test_an_answer_nested_too_deeply_is_a_value_error() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        Option.from_dict({"content": deep})


@pytest.mark.parametrize("model", [Order, ABTOrder])
def test_times_are_datetimes(model: type[Order] | type[ABTOrder]) -> None:
    read = model.from_dict({"time": "2021-02-01T10:00:00.123Z"})
    assert read.time == datetime.datetime(2021, 2, 1, 10, 0, 0, 123000, UTC)
    assert read.to_dict() == {"time": "2021-02-01T10:00:00.123000+00:00"}
    assert model.from_dict({"time": "2021-02-01T10:00:00+0530"}).to_dict() == {"time": "2021-02-01T10:00:00+05:30"}


def test_a_time_without_a_zone_counts_as_utc_both_ways() -> None:
    assert Order(time=datetime.datetime(2021, 2, 1, 10)).to_dict() == {"time": "2021-02-01T10:00:00+00:00"}
    assert Order.from_dict({"time": "2021-02-01T10:00:00"}).time == datetime.datetime(2021, 2, 1, 10, tzinfo=UTC)


def test_a_time_given_as_text_or_read_from_a_datetime_is_kept() -> None:
    text: Any = "2021-02-01T10:00:00Z"
    assert Order(time=text).to_dict() == {"time": "2021-02-01T10:00:00Z"}
    time = datetime.datetime(2021, 2, 1, tzinfo=UTC)
    assert Order.from_dict({"time": time}).time is time
    assert Order.from_dict({"time": 1612173600}).to_dict() == {"time": 1612173600}


@pytest.mark.parametrize("text", ["s3cret", "", "2021-13-01", "9999-12-31T24:00:00", "2021-01-01T00:00:00+99:00"])
def test_a_time_that_cannot_be_read_is_named_without_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Order\.time: expected an ISO 8601 date-time, got another text$") as caught:
        Order.from_dict({"time": text})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
