"""The models' promises for any model and any JSON, with values hypothesis makes from the spec."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_delivery_api import models
from target_delivery_api.types import Model, Unusual, strict_dict
from tests.generation.spec import SCHEMAS, properties
from tests.generation.strategies import JSON, MODELS, containers, model_objects, wire_objects
from tests.kit.properties import examples

few = settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
each_model = pytest.mark.parametrize("name", MODELS)

REFUSAL = re.compile(
    r"(\w+)(\.\w+(\[\])?)?: "
    r"expected (an object|a list|an ISO 8601 date-time), "
    r"got (another text|null|an? (boolean|number|string|list|object))"
)


def holds_a_time(name: str) -> bool:
    """True if a date-time is somewhere in the schema: its text may come back in another form."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        text = json.dumps(properties(todo.pop()))
        if "date-time" in text:
            return True
        todo += [other for other in SCHEMAS if f'schemas/{other}"' in text and other not in seen]
        seen.update(todo)
    return False


def read_or_refusal(name: str, value: Any) -> Model | str:
    """What ``from_dict`` gives, or the message of the only errors it may raise."""
    try:
        read: Model = getattr(models, name).from_dict(value)
    except (TypeError, ValueError) as error:
        return str(error)
    return read


@each_model
@few
@given(data=st.data())
def test_a_model_survives_its_json(name: str, data: st.DataObject) -> None:
    model = data.draw(model_objects(name))
    sent = model.to_dict()
    assert type(model).from_dict(json.loads(json.dumps(sent))) == model
    assert not set(containers(sent)) & set(containers(model))


@each_model
@few
@given(data=st.data())
def test_an_object_survives_its_model_with_all_it_holds(name: str, data: st.DataObject) -> None:
    wire = data.draw(wire_objects(name))
    before = copy.deepcopy(wire)
    read = getattr(models, name).from_dict(wire)
    assert wire == before
    assert not set(containers(read)) & set(containers(wire))
    sent = read.to_dict()
    assert type(read).from_dict(sent) == read
    if not holds_a_time(name):
        assert sent == wire
    assert copy.deepcopy(read) == read
    assert pickle.loads(pickle.dumps(read)) == read


@given(name=st.sampled_from(MODELS), value=JSON)
def test_any_json_is_read_or_refused(name: str, value: Any) -> None:
    read = read_or_refusal(name, value)
    if isinstance(read, str):
        assert REFUSAL.fullmatch(read), read
    else:
        assert isinstance(value, dict)
        assert isinstance(read, getattr(models, name))


@each_model
@few
@given(data=st.data())
def test_any_json_in_any_field_is_read_or_refused_by_class_and_key(name: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(properties(name))))
    value = data.draw(JSON)
    read = read_or_refusal(name, {key: value})
    if isinstance(read, str):
        assert REFUSAL.fullmatch(read), read
        # A value of the right type may still hold something of the wrong one, which is named by its own class.
        assert isinstance(value, (dict, list)) or read.startswith(f"{name}.{key}: ")
        return
    sent = json.loads(json.dumps(read.to_dict()))
    if value is None:
        assert sent == {}
    elif not has_null(value) and properties(name)[key].get("format") != "date-time":
        assert sent == {key: value}


def has_null(value: Any) -> bool:
    """True if a null is somewhere in the value: as a field or among models it is not written again."""
    if isinstance(value, dict):
        return any(item is None or has_null(item) for item in value.values())
    return isinstance(value, list) and any(item is None or has_null(item) for item in value)


def test_the_tests_see_times() -> None:
    assert holds_a_time("DeliveryRequest")
    assert not holds_a_time("DeliveryResponse")


@each_model
@few
@given(data=st.data())
def test_what_is_written_strictly_is_what_is_written_otherwise(name: str, data: st.DataObject) -> None:
    model = data.draw(model_objects(name))
    try:
        written = strict_dict(model)
    except Unusual:
        return
    assert written == model.to_dict()
    assert not set(containers(written)) & set(containers(model))


@each_model
@few
@given(data=st.data())
def test_any_json_in_any_field_is_written_strictly_only_where_it_belongs(name: str, data: st.DataObject) -> None:
    model = getattr(models, name).from_dict({})
    attribute, value = data.draw(st.sampled_from(sorted(model.FIELDS))), data.draw(JSON)
    setattr(model, attribute, value)
    key, kind = model.FIELDS[attribute]
    belongs = value is None or (type(value) is kind and kind is not object) or (kind is float and type(value) is int)
    if isinstance(kind, list):
        inner = kind[0]
        belongs = belongs or (type(value) is list and all(type(item) is inner for item in value) and inner is not int)
    if isinstance(kind, dict):
        texts = type(value) is dict and all(type(item) is str for item in value.values())
        belongs = belongs or (texts and kind[str] is str)
    if not belongs:
        with pytest.raises(Unusual):
            strict_dict(model)
    elif value is not None and not (isinstance(value, int | float) and abs(value) > 2**62):
        assert strict_dict(model) == {key: value}
