"""What the generated models promise to whoever writes requests with them."""

from __future__ import annotations

import ast
import copy
import datetime
import json
import pickle
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from target_delivery_api import models
from target_delivery_api.models import (
    AuthenticatedState,
    ChannelType,
    Context,
    DeliveryRequest,
    DeliveryResponse,
    ExecuteRequest,
    Geo,
    MboxRequest,
    MboxResponse,
    MetricType,
    Notification,
    NotificationMbox,
    OptionType,
    Order,
    Parameters,
    PrefetchRequest,
    Property,
    QAMode,
    ResponseTokens,
    VisitorId,
)
from target_delivery_api.types import dump
from tests.generation.spec import SCHEMAS, properties
from tests.generation.strategies import ENUMS, MAPS, MODELS, attribute_names, containers

UTC = datetime.UTC
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
each_model = pytest.mark.parametrize("name", MODELS)


def test_the_documented_prefetch_request() -> None:
    prefetch = PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1", index=1)])
    request = DeliveryRequest(prefetch=prefetch)
    assert request.to_dict() == {"prefetch": {"mboxes": [{"name": "home"}, {"index": 1, "name": "product1"}]}}
    assert request.context is None
    assert request.execute is None


def test_the_documented_notification() -> None:
    notification = Notification(
        id="1",
        type=MetricType.DISPLAY,
        timestamp=1621530726000,
        mbox=NotificationMbox(
            name="product1", state="J+W1Fq18hxliDDJonTPfV0S+mzxapAO3d14M43EsM9f12A6QaqL+E3XKkRFlmq9U"
        ),
        tokens=["t0FRvoWosOqHmYL5G18QCZNWHtnQtQrJfmRrQugEa2qCnQ9Y9OaLL2gsdrWQTvE54PwSz67rmXWmSnkXpSSS2Q=="],
    )
    assert notification.type is MetricType.DISPLAY
    assert notification.to_dict() == {
        "id": "1",
        "type": "display",
        "timestamp": 1621530726000,
        "tokens": ["t0FRvoWosOqHmYL5G18QCZNWHtnQtQrJfmRrQugEa2qCnQ9Y9OaLL2gsdrWQTvE54PwSz67rmXWmSnkXpSSS2Q=="],
        "mbox": {"name": "product1", "state": "J+W1Fq18hxliDDJonTPfV0S+mzxapAO3d14M43EsM9f12A6QaqL+E3XKkRFlmq9U"},
    }


def test_attributes_have_plain_names() -> None:
    context = Context(channel=ChannelType.WEB, geo=Geo(zip="8000"))
    request = DeliveryRequest(property=Property(token="t"), context=context)
    assert request.property is not None
    assert request.property.token == "t"
    assert context.geo is not None
    assert context.geo.zip == "8000"
    every = [attribute for name in MODELS for attribute in attribute_names(name).values()]
    assert len(every) > 200
    assert [attribute for attribute in every if attribute.endswith("_") or attribute.startswith("field")] == []


@each_model
def test_unset_fields_read_as_none_and_stay_out_of_json_and_repr(name: str) -> None:
    made = getattr(models, name)
    keys = attribute_names(name)
    required = SCHEMAS[name].get("required", [])
    model = made(**{keys[key]: "x" for key in required})
    assert all(getattr(model, keys[key]) is None for key in keys.keys() - set(required))
    assert sorted(model.to_dict()) == sorted(required)
    assert repr(model) == f"{name}({', '.join(keys[key] for key in keys if key in required)})"
    assert keys.keys() == properties(name).keys()
    with pytest.raises(TypeError):
        made("positional")
    with pytest.raises(TypeError):
        made(**{keys[key]: "x" for key in required}, mispelt="x")
    with pytest.raises(AttributeError):
        model.mispelt = "x"
    if required:
        with pytest.raises(TypeError, match=keys[required[0]]):
            made()


def test_plain_strings_for_enums_dicts_for_models_and_maps() -> None:
    assert Notification(id="1", type="display", timestamp=1).to_dict() == {"id": "1", "type": "display", "timestamp": 1}
    assert Notification(id="1", type="display", timestamp=1) == Notification(
        id="1", type=MetricType.DISPLAY, timestamp=1
    )
    loose: Any = {"order": {"id": "1"}, "parameters": {"a": "b"}, "name": "x"}
    assert MboxRequest(**loose).to_dict() == loose
    loose = [{"name": "x"}]
    assert ExecuteRequest(mboxes=loose).to_dict() == {"mboxes": [{"name": "x"}]}
    assert MboxRequest(name="x", order=None, parameters=None).to_dict() == {"name": "x"}
    assert Parameters(a="b") == ResponseTokens(a="b") == {"a": "b"}


def test_to_dict_reaches_all_the_way_down() -> None:
    loose: Any = {"mboxes": ({"name": "a", "order": Order(id="1", time=datetime.datetime(2021, 2, 1, tzinfo=UTC))},)}
    request = DeliveryRequest(execute=loose, additional_properties={"later": [Order(id="2"), MetricType.CLICK, (1,)]})
    sent = request.to_dict()
    assert sent == {
        "execute": {"mboxes": [{"name": "a", "order": {"id": "1", "time": "2021-02-01T00:00:00+00:00"}}]},
        "later": [{"id": "2"}, "click", [1]],
    }
    assert json.loads(json.dumps(sent)) == sent
    assert type(sent["later"][1]) is str
    assert not set(containers(sent)) & set(containers(request))


def test_a_container_where_a_scalar_belongs_is_not_shared_either() -> None:
    wrong: Any = ["x"]
    mbox = MboxRequest(name=wrong)
    mbox.to_dict()["name"].append("y")
    assert wrong == ["x"]
    read = MboxRequest.from_dict({"name": wrong})
    wrong.append("z")
    assert read.to_dict() == {"name": ["x"]}


def test_dump_of_what_json_does_not_know_is_the_value_itself() -> None:
    marker = object()
    assert dump(marker) is marker
    assert dump(MappingProxyType({"a": (marker, OptionType.HTML)})) == {"a": [marker, "html"]}
    assert type(dump(OrderedDict(a=1))) is dict


@pytest.mark.parametrize("name", ENUMS)
def test_enums_are_strings_with_the_published_values(name: str) -> None:
    enum = getattr(models, name)
    assert [member.value for member in enum] == SCHEMAS[name]["enum"]
    for member in enum:
        assert member == member.value
        assert hash(member) == hash(member.value)
        assert f"{member}" == member.value
        assert enum(member.value) is member


def test_an_unknown_value_is_a_member_of_its_own() -> None:
    known = list(OptionType)
    video = OptionType("video")
    assert isinstance(video, OptionType)
    assert video == "video" == OptionType("video")
    assert hash(video) == hash("video")
    assert {video: 1}["video"] == 1
    assert (video.value, video.name, str(video), json.dumps(video)) == ("video", "video", "video", '"video"')
    assert list(OptionType) == known
    assert "video" not in OptionType.__members__
    assert video != OptionType.HTML
    for protocol in PROTOCOLS:
        assert pickle.loads(pickle.dumps(video, protocol)) == video
    assert copy.deepcopy(video) == copy.copy(video) == video
    assert AuthenticatedState("other").name != AuthenticatedState.UNKNOWN.name
    with pytest.raises(ValueError, match="7 is not a valid OptionType"):
        OptionType(7)  # type: ignore[arg-type]


def test_models_are_equal_by_value_copied_and_pickled() -> None:
    model = DeliveryResponse.from_dict(
        {"status": 200, "x": 1, "execute": {"mboxes": [{"name": "a", "options": [{"type": "video", "y": [1]}]}]}}
    )
    assert model == copy.deepcopy(model) == DeliveryResponse.from_dict(model.to_dict())
    assert not set(containers(model)) & set(containers(copy.deepcopy(model)))
    for protocol in PROTOCOLS:
        assert pickle.loads(pickle.dumps(model, protocol)) == model
    assert model != DeliveryResponse.from_dict({"status": 200})
    assert MboxRequest(name="a") != NotificationMbox(name="a")


def test_repr_tells_what_is_set_and_no_text() -> None:
    assert repr(DeliveryResponse.from_dict({"status": 200, "requestId": "r", "client": "acme", "x": 1})) == (
        "DeliveryResponse(status=200, request_id, client, additional_properties=[1])"
    )
    assert repr(ExecuteRequest(mboxes=[MboxRequest(name="a", index=0)])) == "ExecuteRequest(mboxes=[1])"
    assert repr(MboxRequest(name="a", index=0, parameters={"a": "b", "c": "d"})) == (
        "MboxRequest(parameters=[2], index=0, name)"
    )
    notification: Any = Notification(id=4711, type="display", timestamp=5)  # type: ignore[arg-type]
    assert repr(notification) == "Notification(id, type, timestamp=5)"
    assert repr(Notification.from_dict(notification.to_dict())) == "Notification(id, type='display', timestamp=5)"
    assert repr(Notification.from_dict({"id": "n", "type": "an-id", "timestamp": "an-id"})) == (
        "Notification(id, type, timestamp)"
    )
    assert "4711" not in repr(VisitorId(third_party_id=4711))  # type: ignore[arg-type]


def test_to_str_is_the_json_form_for_people() -> None:
    model = DeliveryResponse.from_dict({"status": 200, "requestId": "r", "execute": {"mboxes": [{"name": "home"}]}})
    assert model.to_str() == "{'status': 200, 'requestId': 'r', 'execute': {'mboxes': [{'name': 'home'}]}}"
    assert ast.literal_eval(model.to_str()) == model.to_dict()


def test_the_namespace_is_complete_and_closed() -> None:
    assert len(MODELS) + len(ENUMS) + len(MAPS) == len(models.__all__) == 63
    assert set(models.__all__) <= set(dir(models))
    with pytest.raises(AttributeError, match="Nope"):
        models.Nope  # noqa: B018
    import target_delivery_api

    with pytest.raises(AttributeError, match="Nope"):
        target_delivery_api.Nope  # noqa: B018


def test_the_maps_are_dicts() -> None:
    assert [getattr(models, name)() for name in MAPS] == [{}, {}, {}]
    assert MAPS == ["Parameters", "ResponseTokens", "TraceResponse"]
    assert VisitorId.from_dict({"customerIds": []}).customer_ids == []
    assert QAMode(evaluate_as_true_audience_ids=[2**40]).to_dict() == {"evaluateAsTrueAudienceIds": [2**40]}
    assert MboxResponse.from_dict({"trace": {"a": {"b": [1]}}}).trace == {"a": {"b": [1]}}
