"""Random models and wire objects, built from the spec; and what a value holds."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from target_delivery_api import models
from target_delivery_api.types import Model
from tests.generation.spec import SCHEMAS, properties, target

#: Any JSON value, as json.loads may give it.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
_TIMES = st.datetimes(timezones=_OFFSETS)


def is_model(name: str) -> bool:
    """True for a schema with fields of its own, which is generated as a class."""
    return bool(properties(name))


MODELS = sorted(name for name in SCHEMAS if is_model(name))
ENUMS = sorted(name for name in SCHEMAS if "enum" in SCHEMAS[name])
MAPS = sorted(SCHEMAS.keys() - set(MODELS) - set(ENUMS))


Above = tuple[str, ...]
"""The schemas that a value is inside of."""
_DEEPEST = 2  # how often a schema may hold itself; more, and few examples would end


def wire(schema: Any, above: Above = ()) -> st.SearchStrategy[Any]:
    """Values of a schema as they may arrive, with known and unknown fields and enum values."""
    reference, schema = target(schema)
    return _component(reference, above) if reference else _wire(None, schema, above)


@functools.cache  # one for each schema, however often it is named
def _component(name: str, above: Above) -> st.SearchStrategy[Any]:
    return _wire(name, SCHEMAS[name], (*above, name))


def _ends(schema: Any, above: Above) -> bool:
    """Whether values of ``schema`` hold none of those ``above`` once too often."""
    reference, schema = target(schema)
    if reference:
        return above.count(reference) < _DEEPEST
    inner = schema.get("items") or schema.get("additionalProperties")
    return _ends(inner, above) if isinstance(inner, dict) else True


def _wire(reference: str | None, schema: Any, above: Above) -> st.SearchStrategy[Any]:
    if reference and is_model(reference):
        known = {key: wire(value, above) for key, value in properties(reference).items() if _ends(value, above)}
        unknown = st.dictionaries(st.text(max_size=8).filter(lambda key: key not in known), JSON, max_size=2)
        return st.builds(lambda fields, rest: rest | fields, st.fixed_dictionaries({}, optional=known), unknown)
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | st.text()
    if "oneOf" in schema:
        return st.one_of([wire(choice, above) for choice in schema["oneOf"] if _ends(choice, above)])
    kind = schema.get("type")
    if kind == "array":
        return st.lists(wire(schema["items"], above), max_size=2) if _ends(schema["items"], above) else st.just([])
    if kind == "object":
        values = schema.get("additionalProperties", True)
        if not _ends(schema, above):
            return st.just({})
        return st.dictionaries(st.text(max_size=8), JSON if values is True else wire(values, above), max_size=3)
    if kind == "string":
        return _TIMES.map(datetime.datetime.isoformat) if schema.get("format") == "date-time" else st.text()
    simple = {"integer": st.integers(), "number": st.floats(allow_nan=False), "boolean": st.booleans()}
    return simple[kind] if kind else JSON.filter(lambda value: value is not None)


def wire_objects(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a schema as they may arrive."""
    return wire({"$ref": name})


@functools.cache
def model_objects(name: str, above: Above = ()) -> st.SearchStrategy[Any]:
    """Models of a schema, made by their constructors as a user makes them."""
    above = (*above, name)
    made = getattr(models, name)
    required = set(SCHEMAS[name].get("required", []))
    ending = {key: value for key, value in properties(name).items() if _ends(value, above)}
    fields = {attribute_names(name)[key]: _python(value, above) for key, value in ending.items()}
    needed = {attribute_names(name)[key] for key in required}
    return st.fixed_dictionaries(
        {attribute: value for attribute, value in fields.items() if attribute in needed},
        optional={attribute: value for attribute, value in fields.items() if attribute not in needed},
    ).map(lambda values: made(**values))


@functools.cache
def attribute_names(name: str) -> dict[str, str]:
    """Attribute name of each wire key: a model that holds nothing but a mark is written out, field by field."""
    made = getattr(models, name)
    found = {}
    for attribute in made.__slots__:
        if attribute != "additional_properties":
            (key,) = made(**{**dict.fromkeys(made.__slots__), attribute: "x", "additional_properties": {}}).to_dict()
            found[key] = attribute
    return found


def _python(schema: Any, above: Above) -> st.SearchStrategy[Any]:
    reference, schema = target(schema)
    if reference and is_model(reference):
        return model_objects(reference, above)
    if reference and "enum" in schema:
        return st.sampled_from(list(getattr(models, reference))) | st.sampled_from(schema["enum"])
    if schema.get("type") == "array":
        return st.lists(_python(schema["items"], above), max_size=2) if _ends(schema["items"], above) else st.just([])
    if schema.get("format") == "date-time":
        return _TIMES
    return wire(schema, above)


def containers(value: Any) -> Iterator[int]:
    """The identity of every dict and list in a value, those inside models included."""
    if isinstance(value, Model):
        for attribute in value.__slots__:
            yield from containers(getattr(value, attribute))
    elif isinstance(value, Mapping):
        yield id(value)
        for item in value.values():
            yield from containers(item)
    elif isinstance(value, (list, tuple)):
        yield id(value)
        for item in value:
            yield from containers(item)
