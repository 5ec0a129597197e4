"""The scenarios of the features beside this file, and the steps that carry them out.

A step is a function of a ``World`` and what stands in braces in its words: ``@step('the value is {value}')``. Where the
words of several fit, it is the one with the most words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler, GherkinDocumentWithURI

HERE = Path(__file__).parent

#: Rows of a table that stands below a step, its heading left out.
Table = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Step:
    """One line of a scenario, and the table below it."""

    text: str
    table: Table = ()


@dataclass(frozen=True)
class Scenario:
    """One scenario, or one row of the examples of one."""

    feature: str
    name: str
    tags: frozenset[str]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.feature}: {self.name}"


def read_scenarios() -> list[Scenario]:
    """Those of every feature, in order; the rows of examples are numbered."""
    return [each for path in sorted(HERE.glob("*.feature")) for each in parse(path.stem, path.read_text("utf-8"))]


def parse(feature: str, text: str) -> list[Scenario]:
    """The scenarios of a feature's text."""
    document = cast(GherkinDocumentWithURI, {**Parser().parse(text), "uri": feature})
    pickles: list[Any] = list(Compiler().compile(document))
    names = [pickle["name"] for pickle in pickles]
    found = []
    for place, pickle in enumerate(pickles):
        name = names[place]
        row = f" ({names[:place].count(name) + 1})" if names.count(name) > 1 else ""
        tags = frozenset(tag["name"].removeprefix("@") for tag in pickle["tags"])
        found.append(Scenario(feature, name + row, tags, tuple(map(_step, pickle["steps"]))))
    return found


def _step(data: dict[str, Any]) -> Step:
    rows = data.get("argument", {}).get("dataTable", {}).get("rows", [])
    return Step(data["text"], tuple(tuple(cell["value"] for cell in row["cells"]) for row in rows[1:]))


Action = Callable[..., object]


class Steps:
    """Steps by their words."""

    def __init__(self) -> None:
        self._known: list[tuple[re.Pattern[str], Action]] = []

    def __call__(self, words: str) -> Callable[[Action], Action]:
        """The function below is the step of these words. ``{name}`` is its argument ``name``; ``table``, where the
        function has such an argument, the table below the step."""
        pattern = re.compile(
            "".join(
                f"(?P<{part[1:-1]}>.+?)" if part.startswith("{") else re.escape(part)
                for part in re.split(r"(\{\w+\})", words)
            )
        )

        def define(action: Action) -> Action:
            self._known.append((pattern, action))
            return action

        return define

    def __len__(self) -> int:
        return len(self._known)

    def find(self, step: Step) -> tuple[Action, dict[str, Any]]:
        """The function of a step, and its arguments; LookupError where there is none, or no telling which."""
        fitting = [(pattern.fullmatch(step.text), action) for pattern, action in self._known]
        matches = [(match, action) for match, action in fitting if match is not None]
        least = min((_given(match) for match, _ in matches), default=0)
        found = [(action, match.groupdict()) for match, action in matches if _given(match) == least]
        if len(found) != 1:
            raise LookupError(f"{len(found)} steps are {step.text!r}")
        action, arguments = found[0]
        return action, {**arguments, **({"table": step.table} if step.table else {})}

    def actions(self, scenarios: Sequence[Scenario]) -> set[Action]:
        """The functions that these scenarios need."""
        return {self.find(step)[0] for scenario in scenarios for step in scenario.steps}

    @property
    def all_actions(self) -> set[Action]:
        """Every function that is a step."""
        return {action for _, action in self._known}


def _given(match: re.Match[str]) -> int:
    """How much of a step is not the words of its function."""
    return sum(map(len, match.groups()))


#: The steps of this folder.
step = Steps()
