"""Every scenario of the features beside this file, against every provider that it is for.

Which those are is said by tags: ``@provider`` is for ours alone, ``@on-device`` and ``@server-side`` for clients that
decide so. ``@not-by-the-sdk`` is what openfeature-sdk itself lacks, whatever the provider, ``@not-in-memory-async``
what it lacks where a provider does not make up for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from openfeature import api

from target.emulator import Emulator, running
from tests.openfeature import steps_emulator, steps_evaluation, steps_events, steps_hooks  # noqa: F401  # they define
from tests.openfeature.memory import RULES
from tests.openfeature.scenarios import Scenario, read_scenarios, step
from tests.openfeature.ways import WAYS, tags_of, way_of
from tests.openfeature.world import World

SCENARIOS = read_scenarios()
NEEDS = {"provider", "on-device", "server-side"}


def rows() -> Iterator[Any]:
    for scenario in SCENARIOS:
        for way in WAYS:
            if scenario.tags & NEEDS <= tags_of(way):
                marks = [pytest.mark.waits] if "waits" in scenario.tags else []
                yield pytest.param(scenario, way, id=f"{scenario} [{way}]", marks=marks)


@pytest.fixture(scope="module")
def running_emulator() -> Iterator[Emulator]:
    with running(rules=RULES) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    """One that serves rules.json, and has seen nobody."""
    running_emulator.use_rules(json.loads(RULES.read_text(encoding="utf-8")))
    running_emulator.reset()
    return running_emulator


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is left at the end, in the opposite order; the API holds nothing of a test afterwards."""
    with ExitStack() as entered:
        yield entered
        api.shutdown()


@pytest.mark.parametrize(("scenario", "way"), list(rows()))
def test_scenario(scenario: Scenario, way: str, stack: ExitStack, emulator: Emulator) -> None:
    world = World(stack.enter_context(way_of(way, emulator)))
    for each in scenario.steps:
        action, arguments = step.find(each)
        try:
            action(world, **arguments)
        except AssertionError as error:
            error.add_note(f"in the step: {each.text}")
            if lacking(way) & scenario.tags:
                pytest.xfail("openfeature-sdk lacks it")
            raise


def lacking(way: str) -> set[str]:
    """The tags of scenarios that this way cannot pass."""
    return {"not-by-the-sdk", f"not-{way.replace(', ', '-').replace(' ', '-')}"}


def test_every_step_is_one_of_some_scenario() -> None:
    assert step.all_actions - step.actions(SCENARIOS) == set()


def test_every_way_runs_most_scenarios() -> None:
    """What tags leave out is little: the same is asked of all."""
    for way in WAYS:
        left_out = [scenario for scenario in SCENARIOS if not scenario.tags & NEEDS <= tags_of(way)]
        assert len(left_out) < len(SCENARIOS) / 5, way


def test_every_scenario_names_what_it_proves() -> None:
    assert [str(each) for each in SCENARIOS if not any(tag.startswith("req-") for tag in each.tags)] == []
