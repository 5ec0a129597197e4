"""What holds for any two documents: a document is equal to itself in any order, and equal after the update."""

from __future__ import annotations

import copy
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from published import update
from published.compare import compare
from published.plain import plain
from published.reading import Document, read
from tests.generation.ours import LOADED, OURS, loaded
from tests.generation.published import Published

NAMES = sorted(OURS.schemas)
RECORDS = sorted(name for name, schema in OURS.schemas.items() if schema.get("properties"))
ENUMS = sorted(name for name, schema in OURS.schemas.items() if schema.get("enum"))

words = st.from_regex(r"[a-z][A-Za-z0-9]{1,8}", fullmatch=True)
limits = st.fixed_dictionaries({}, optional={"minLength": st.integers(1, 5), "maxLength": st.integers(6, 99)})
bounds = st.fixed_dictionaries({}, optional={"minimum": st.integers(-9, 0), "maximum": st.integers(1, 99)})
simple = st.one_of(
    limits.map(lambda limit: {"type": "string", **limit}),
    bounds.map(lambda bound: {"type": "integer", **bound}),
    st.sampled_from([{"type": "boolean"}, {"type": "number", "format": "double"}, {}]),
    st.sampled_from(NAMES).map(lambda name: {"$ref": name}),
    st.lists(words, min_size=1, max_size=3, unique=True).map(lambda values: {"type": "string", "enum": values}),
)
schemas = st.recursive(
    simple,
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        inner.map(lambda value: {"type": "object", "additionalProperties": value}),
        st.dictionaries(words, inner, min_size=1, max_size=3).map(lambda own: {"type": "object", "properties": own}),
        st.lists(inner, min_size=2, max_size=3, unique_by=json.dumps).map(lambda parts: {"oneOf": parts}),
        inner.map(lambda part: {"allOf": [part], "nullable": True}),
    ),
    max_leaves=4,
)
whole = st.dictionaries(words, schemas, min_size=1, max_size=3).map(lambda own: {"type": "object", "properties": own})
edits = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(RECORDS), words, schemas, st.booleans()),
    st.tuples(st.just("remove"), st.sampled_from(RECORDS), st.integers(0, 20)),
    st.tuples(st.just("rename"), st.sampled_from(RECORDS), st.integers(0, 20), words),
    st.tuples(st.just("replace"), st.sampled_from(RECORDS), st.integers(0, 20), schemas),
    st.tuples(st.just("require"), st.sampled_from(RECORDS), st.integers(0, 20)),
    st.tuples(st.just("enum"), st.sampled_from(ENUMS), st.lists(words, min_size=1, max_size=4, unique=True)),
    st.tuples(st.just("schema"), words.map(str.title), whole),
    st.tuples(st.just("parameter"), words, limits, st.booleans()),
)


def as_read(document: Published) -> Document:
    with tempfile.TemporaryDirectory() as folder:
        return read(document.file(Path(folder) / "api.json"))


def ours() -> Published:
    """Our own document in the published form, without the deviations."""
    document = Published()
    document.schemas = json.loads(json.dumps(LOADED["components"]["schemas"]).replace("#/components/schemas/", ""))
    return document


def edit(document: Published, change: tuple[Any, ...]) -> None:
    kind, name, *rest = change
    if kind == "enum":
        document.schemas[name]["enum"] = rest[0]
    elif kind == "schema":
        document.schemas[name] = rest[0]
    elif kind == "parameter":
        parameter = {"name": name, "in": "query", "required": rest[1], "schema": {"type": "string", **rest[0]}}
        if name not in [each["name"] for each in document.operation["parameters"]]:
            document.operation["parameters"].append(parameter)
    else:
        properties = document.properties(name)
        if kind == "add":
            properties[rest[0]] = rest[1]
            if rest[2]:
                document.schemas[name]["required"] = [*document.schemas[name].get("required", []), rest[0]]
            return
        key = list(properties)[rest[0] % len(properties)]
        required = document.schemas[name].get("required", [])
        if kind == "require":
            document.schemas[name]["required"] = [*required, *([] if key in required else [key])]
        elif kind == "replace":
            properties[key] = rest[1]
        elif kind == "rename" and rest[1] not in properties:
            properties[rest[1]] = properties.pop(key)
            document.schemas[name]["required"] = [rest[1] if each == key else each for each in required]
        elif kind == "remove" and len(properties) > 1:
            del properties[key]
            document.schemas[name]["required"] = [each for each in required if each != key]


def shuffled(node: Any, order: random.Random) -> Any:
    """A node in another order, as far as order says nothing."""
    if isinstance(node, dict):
        keys = list(node)
        order.shuffle(keys)
        return {key: shuffled(node[key], order) for key in keys}
    if isinstance(node, list):
        items = [shuffled(item, order) for item in node]
        order.shuffle(items)
        return items
    return node


slowly = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.waits
@slowly
@given(st.lists(edits, max_size=8), st.integers())
def test_a_document_is_equal_to_itself_in_any_order(changes: list[tuple[Any, ...]], seed: int) -> None:
    document = ours()
    for change in changes:
        edit(document, change)
    one = as_read(document)
    assert compare(one, copy.deepcopy(one)) == []
    document.schemas = shuffled(document.schemas, random.Random(seed))
    document.item = shuffled(document.item, random.Random(seed))
    assert compare(one, as_read(document)) == []


@pytest.mark.waits
@slowly
@given(st.lists(edits, min_size=1, max_size=8))
def test_after_the_update_nothing_differs(changes: list[tuple[Any, ...]]) -> None:
    document = ours()
    for change in changes:
        edit(document, change)
    wanted = as_read(document)
    written = loaded()
    assert update.apply(written, compare(OURS, wanted), remove=True) == []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ours.json"
        path.write_text(json.dumps(written), encoding="utf-8")
        assert compare(read(path), wanted) == []


@pytest.mark.waits
@slowly
@given(st.lists(edits, min_size=1, max_size=5))
def test_what_was_kept_is_all_that_differs(changes: list[tuple[Any, ...]]) -> None:
    document = ours()
    for change in changes:
        edit(document, change)
    wanted = as_read(document)
    written = loaded()
    update.apply(written, compare(OURS, wanted), remove=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ours.json"
        path.write_text(json.dumps(written), encoding="utf-8")
        left = compare(read(path), wanted)
    assert {change.kind for change in left} <= {"removed", "renamed"}


@given(schemas)
def test_the_plain_form_is_plain_already(schema: dict[str, Any]) -> None:
    first = plain(schema)
    assert plain(as_written(first)) == first


def as_written(node: Any) -> Any:
    """A plain schema as one would write it."""
    if isinstance(node, dict):
        lists = ("required", "enum", "allOf", "oneOf", "anyOf")
        return {
            key: [as_written(item) for item in value.values()] if key in lists else as_written(value)
            for key, value in node.items()
        }
    return node
