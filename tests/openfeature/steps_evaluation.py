"""Steps about the evaluation of flags, and about contexts."""

from __future__ import annotations

import json
import threading
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import Reason

from tests.kit.calls import eventually
from tests.openfeature.scenarios import step
from tests.openfeature.world import World, read_value, same


@step("the {kind} flag {key} is evaluated with the default {default}")
def evaluate_value(world: World, kind: str, key: str, default: str) -> None:
    details = world.evaluate(kind, json.loads(key), read_value(default))
    assert details.value == getattr(world.last, "value", None)


@step("the details of the {kind} flag {key} are evaluated with the default {default}")
def evaluate_details(world: World, kind: str, key: str, default: str) -> None:
    world.evaluate(kind, json.loads(key), read_value(default))


@step(
    "the details of the {kind} flag {key} are evaluated with the default {default} and the attribute {name} as {value}"
)
def evaluate_with(world: World, kind: str, key: str, default: str, name: str, value: str) -> None:
    world.context = world.context.merge(EvaluationContext(None, {json.loads(name): read_value(value)}))
    world.evaluate(kind, json.loads(key), read_value(default))
    world.context = EvaluationContext()


@step("the flag {key} is evaluated in the domain {domain}")
def evaluate_in_domain(world: World, key: str, domain: str) -> None:
    world.evaluate("boolean", json.loads(key), False, world.client_of(json.loads(domain)))


@step("the string flag {key} is evaluated in the domain {domain}")
def evaluate_text_in_domain(world: World, key: str, domain: str) -> None:
    world.evaluate("string", json.loads(key), "none", world.client_of(json.loads(domain)))


@step("the string flag {key} is evaluated in another thread")
def evaluate_in_thread(world: World, key: str) -> None:
    thread = threading.Thread(target=world.evaluate, args=("string", json.loads(key), "none"))
    thread.start()
    thread.join(20)


@step("the string flag {key} is soon {value}")
def value_soon(world: World, key: str, value: str) -> None:
    expected = json.loads(value)
    assert eventually(lambda: world.evaluate("string", json.loads(key), "none").value == expected, 10)


@step("the value is {value}")
def value_is(world: World, value: str) -> None:
    assert same(world.last.value, read_value(value)), world.last


@step("the key is {key}")
def key_is(world: World, key: str) -> None:
    assert world.last.flag_key == json.loads(key)


@step("the variant is {variant}")
def variant_is(world: World, variant: str) -> None:
    assert world.last.variant == json.loads(variant), world.last


@step("the reason is {reason}")
def reason_is(world: World, reason: str) -> None:
    if reason == "one that the provider may give":
        assert world.last.reason in world.way.reasons(), world.last
    elif reason.startswith("not "):
        assert world.last.reason != json.loads(reason.removeprefix("not "))
    else:
        assert world.last.reason == json.loads(reason), world.last


@step("the error code is {code}")
def error_code_is(world: World, code: str) -> None:
    assert world.last.error_code == json.loads(code), world.last


@step("the error message has words")
def error_message_has_words(world: World) -> None:
    assert world.last.error_message


@step("there is no error")
def no_error(world: World) -> None:
    assert (world.last.error_code, world.last.error_message) == (None, None), world.last
    assert world.last.reason != Reason.ERROR


@step("nothing was raised")
def nothing_raised(world: World) -> None:
    assert world.raised is None


@step("the metadata has entries, of booleans, numbers and text alone")
def metadata_is_simple(world: World) -> None:
    entries = dict(world.last.flag_metadata)
    assert entries
    assert all(type(name) is str and type(value) in (bool, int, float, str) for name, value in entries.items())


@step("the metadata refuses to be changed")
def metadata_is_immutable(world: World) -> None:
    metadata: Any = world.last.flag_metadata
    world.attempt(lambda: metadata.update(extra=1))
    world.attempt(lambda: metadata.__setitem__("extra", 1))
    assert isinstance(world.raised, AttributeError | TypeError)
    assert "extra" not in metadata


@step("the attribute {name} as {value} on the level {level}")
def attribute_on_level(world: World, name: str, value: str, level: str) -> None:
    world.add_context(EvaluationContext(None, {json.loads(name): read_value(value)}), json.loads(level))


@step("the attribute {name} on these levels: {levels}")
def attribute_on_levels(world: World, name: str, levels: str) -> None:
    for level in levels.split(", "):
        world.add_context(EvaluationContext(None, {json.loads(name): level}), level)


@step("targeting keys on these levels: {levels}")
def targeting_keys_on_levels(world: World, levels: str) -> None:
    for level in levels.split(", "):
        world.add_context(EvaluationContext(level), level)


@step("the provider was asked for the visitor {visitor}")
def asked_for_visitor(world: World, visitor: str) -> None:
    assert world.way.visitor(world.providers[-1]) == json.loads(visitor)
