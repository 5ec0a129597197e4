"""What is made of an answer without copies is what ``from_dict`` makes of it, and nothing else is made so."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_delivery_api import models
from target_delivery_api.models import DeliveryResponse, MboxResponse, OptionType
from target_delivery_api.types import MOST_LEVELS, Model, fits, take
from tests.generation.spec import answered, properties
from tests.generation.strategies import JSON, MODELS, wire_objects
from tests.generation.test_models_any import holds_a_time, read_or_refusal
from tests.kit.properties import examples

few = settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
ANSWERED = sorted(answered())
each_model = pytest.mark.parametrize("name", ANSWERED)
# Where answers have objects and lists, and beside them what belongs elsewhere.
KEYS = ["execute", "prefetch", "mboxes", "views", "pageLoad", "options", "metrics", "analytics", "payload", "id"]
ANSWERS = st.recursive(
    JSON | st.sampled_from([None, {}, [], [None], [{}], "html", "json", "home"]),
    lambda inner: st.dictionaries(
        st.sampled_from([*KEYS, "name", "content", "responseTokens", "trace", "notifications", "type", "later"]),
        inner | st.lists(inner, max_size=2),
        max_size=4,
    ),
    max_leaves=12,
)


def check(model: type[Model], wire: dict[str, Any]) -> bool:
    """Whether ``wire`` fits; if it does, it is read and taken alike."""
    if not fits(model, wire):
        return False
    read = model.from_dict(copy.deepcopy(wire))
    taken = take(model, copy.deepcopy(wire))
    assert type(taken) is type(read)
    assert taken == read
    assert repr(taken) == repr(read)
    assert repr(taken.to_dict()) == repr(read.to_dict())
    assert pickle.dumps(taken.to_dict()) == pickle.dumps(read.to_dict())
    return True


@each_model
@few
@given(data=st.data())
def test_an_object_as_the_api_documents_it_fits(name: str, data: st.DataObject) -> None:
    wire = data.draw(wire_objects(name))
    assert check(getattr(models, name), wire) or holds_a_time(name)


def test_what_is_no_part_of_an_answer_does_not_fit() -> None:
    others = [name for name in MODELS if name not in ANSWERED]
    assert {"DeliveryRequest", "Notification"} <= set(others)
    assert not [name for name in others if fits(getattr(models, name), {})]


@each_model
@few
@given(data=st.data())
def test_any_json_in_any_field_fits_only_where_it_is_read(name: str, data: st.DataObject) -> None:
    wire = {data.draw(st.sampled_from(sorted(properties(name)))): data.draw(JSON)}
    if not check(getattr(models, name), wire) and not holds_a_time(name):
        assert isinstance(read_or_refusal(name, wire), str)


@many
@given(wire=ANSWERS)
def test_any_answer_fits_where_it_is_read_and_nowhere_else(wire: Any) -> None:
    if isinstance(wire, dict):
        assert check(DeliveryResponse, wire) is not isinstance(read_or_refusal("DeliveryResponse", wire), str)


@pytest.mark.parametrize("levels", range(MOST_LEVELS - 4, MOST_LEVELS + 4))
@pytest.mark.parametrize("key", ["client", "later", "execute"])
@pytest.mark.parametrize("holds", [lambda deep: [deep], lambda deep: {"deep": deep}])
def test_what_is_nested_too_deeply_does_not_fit(levels: int, key: str, holds: Any) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = holds(deep)
    wire = {key: {"later": deep} if key == "execute" else deep}
    assert fits(DeliveryResponse, wire, levels=MOST_LEVELS), "it was known to be shallow"
    if isinstance(read_or_refusal("DeliveryResponse", wire), str):
        assert not fits(DeliveryResponse, wire)
    if levels < MOST_LEVELS - 2:
        assert check(DeliveryResponse, wire)


@pytest.mark.parametrize(
    "wire",
    [
        {"execute": MappingProxyType({})},
        {"execute": OrderedDict()},
        {"execute": {"mboxes": ()}},
        {"execute": {"mboxes": [MboxResponse(name="a")]}},
        {"client": OptionType.HTML},
        {"client": ("a",)},
        {"later": object()},
    ],
)
def test_what_is_no_plain_json_is_looked_at_closely(wire: dict[str, Any]) -> None:
    assert not fits(DeliveryResponse, wire)


def test_what_holds_itself_does_not_fit() -> None:
    wire: dict[str, Any] = {}
    wire["later"] = wire
    assert not fits(DeliveryResponse, wire)


def test_what_is_taken_is_not_copied() -> None:
    given: dict[str, Any] = {"content": {"a": []}, "responseTokens": {"b": "c"}}
    wire = {"later": [1], "execute": {"mboxes": [{"options": [given]}]}}
    taken = take(DeliveryResponse, wire)
    assert taken.execute is not None
    assert taken.execute.mboxes is not None
    assert taken.execute.mboxes[0].options is not None
    (option,) = taken.execute.mboxes[0].options
    assert option.content is given["content"]
    assert option.response_tokens is given["responseTokens"]
    assert taken.additional_properties["later"] is wire["later"]
    assert taken.to_dict()["later"] is not wire["later"]
