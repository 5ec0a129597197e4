"""Steps about hooks."""

from __future__ import annotations

import json
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.hook import Hook

from tests.openfeature.scenarios import Table, step
from tests.openfeature.world import Adding, World

LEVELS = ("API", "client", "invocation", "provider")


class Noting(Hook):
    """Notes which stage it was in, and with what; fails in the stage ``fails``; sets ``sets`` of the hook's context."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name
        self.fails: str | None = None
        self.sets: str | None = None
        self.keeps = False
        self.found: list[Any] = []

    def _note(self, stage: str, hook_context: Any, hints: Any, **told: Any) -> None:
        self._world.calls.append((stage, self.name, {"context": hook_context, "hints": hints, **told}))
        if self.keeps:
            self.found.append(hook_context.hook_data.get("stage"))
            hook_context.hook_data["stage"] = f"{self.name} {stage}"
        if self.sets is not None:
            setattr(hook_context, self.sets, "changed")
        if self.fails == stage:
            raise ValueError(f"{self.name} fails in {stage}")

    def before(self, hook_context: Any, hints: Any) -> EvaluationContext | None:
        self._note("before", hook_context, hints)
        return None

    def after(self, hook_context: Any, details: Any, hints: Any) -> None:
        self._note("after", hook_context, hints, details=details)

    def error(self, hook_context: Any, exception: Exception, hints: Any) -> None:
        self._note("error", hook_context, hints, exception=exception)

    def finally_after(self, hook_context: Any, details: Any, hints: Any) -> None:
        self._note("finally", hook_context, hints, details=details)


def add(world: World, level: str, name: str | None = None) -> Noting:
    hook = Noting(world, name or level)
    world.hooks[hook.name] = hook
    world.add_hook(hook, level)
    return hook


def told(world: World, stage: str) -> dict[str, Any]:
    """What the one hook was told in a stage."""
    (found,) = [what for each, _, what in world.calls if each == stage]
    return found


@step("a hook of the {level}")
def one_hook(world: World, level: str) -> None:
    name, _, more = level.partition(" that ")
    if more.startswith("adds the attribute "):
        attribute, value = map(json.loads, more.removeprefix("adds the attribute ").split(" as "))
        world.add_hook(Adding(EvaluationContext(None, {attribute: value})), name)
        return
    hook = add(world, name)
    if more.startswith("sets "):
        hook.sets = json.loads(more.removeprefix("sets "))
    elif more:
        assert more == "keeps what stage it was in"
        hook.keeps = True


@step("the hook {name} of the {level}")
def named_hook(world: World, name: str, level: str) -> None:
    add(world, level, json.loads(name))


@step("hooks of the API, the client, the invocation and the provider")
def hooks_of_all(world: World) -> None:
    for level in LEVELS:
        add(world, level)


@step("the hook {name} fails in the stage {stage}")
def hook_fails(world: World, name: str, stage: str) -> None:
    world.hooks[json.loads(name)].fails = json.loads(stage)


@step("the hint {name} as {value}")
def hint(world: World, name: str, value: str) -> None:
    world.options.hook_hints = {json.loads(name): json.loads(value)}


@step("the hooks ran in the order")
def hooks_ran(world: World, table: Table) -> None:
    assert [(stage, name) for stage, name, _ in world.calls] == list(table)


@step("the stage {stage} ran for {names}")
def stage_ran(world: World, stage: str, names: str) -> None:
    assert [name for each, name, _ in world.calls if each == json.loads(stage)] == names.split(", ")


@step("the hook was told the key {key}, the type {kind} and the default {default}")
def told_flag(world: World, key: str, kind: str, default: str) -> None:
    for _, _, what in world.calls:
        context = what["context"]
        expected = (json.loads(key), json.loads(kind), json.loads(default))
        assert (context.flag_key, context.flag_type, context.default_value) == expected
    assert world.calls


@step("the hook was told the attribute {name} as {value}")
def told_attribute(world: World, name: str, value: str) -> None:
    assert told(world, "before")["context"].evaluation_context.attributes.get(json.loads(name)) == json.loads(value)


@step("the hook was told the names of client and provider")
def told_names(world: World) -> None:
    context = told(world, "before")["context"]
    assert context.client_metadata.domain == world.client.domain
    assert context.provider_metadata.name == world.providers[-1].get_metadata().name


@step("the stage {stage} was told the value {value} and the variant {variant}")
def stage_told(world: World, stage: str, value: str, variant: str) -> None:
    details = told(world, json.loads(stage))["details"]
    assert (details.value, details.variant) == (json.loads(value), json.loads(variant))


@step("the stage {stage} was told a {name}")
def stage_told_error(world: World, stage: str, name: str) -> None:
    assert type(told(world, json.loads(stage))["exception"]).__name__ == json.loads(name)


@step("every stage was told the hint {name} as {value}")
def told_hint(world: World, name: str, value: str) -> None:
    assert [what["hints"][json.loads(name)] for _, _, what in world.calls] == [json.loads(value)] * 3


@step("each hook found what it kept itself")
def found_what_it_kept(world: World) -> None:
    for name, hook in world.hooks.items():
        assert hook.found == [None, f"{name} before", f"{name} after"]
    assert len(world.hooks) == 2
