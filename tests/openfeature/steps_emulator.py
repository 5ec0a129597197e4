"""Steps about what stands behind a provider: the emulator, its rules, and its failures."""

from __future__ import annotations

import json

from tests.openfeature.memory import RULES
from tests.openfeature.scenarios import step
from tests.openfeature.ways import OfTarget
from tests.openfeature.world import World


def _of(world: World) -> OfTarget:
    assert isinstance(world.way, OfTarget)
    return world.way


@step("the server fails")
def server_fails(world: World) -> None:
    _of(world).emulator.fail_next(1000, "500")


@step("rules that cannot be fetched")
@step("the rules cannot be fetched any more")
def rules_fail(world: World) -> None:
    _of(world).emulator.fail_next(1000, "500", of="rules")


@step("the rules can be fetched again")
def rules_come_back(world: World) -> None:
    _of(world).emulator.fail_no_more(of="rules")


@step("the rules change")
def rules_change(world: World) -> None:
    rules = json.loads(RULES.read_text(encoding="utf-8"))
    rules["rules"]["mboxes"]["flags"][0]["consequence"]["options"][0]["content"]["title"] = "Welcome back"
    _of(world).emulator.use_rules(rules)
