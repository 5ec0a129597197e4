"""The flags of rules.json in openfeature-sdk's own provider in memory: what it passes, the scenarios do not mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

RULES = Path(__file__).with_name("rules.json")


class MemoryProvider(InMemoryProvider):
    """Knows what it was asked with, and what it was told."""

    def __init__(self) -> None:
        super().__init__(read_flags())
        self.asked: list[EvaluationContext] = []
        self.tracked: list[tuple[str, EvaluationContext, Any]] = []

    def _resolve(self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None) -> Any:
        self.asked.append(evaluation_context or EvaluationContext())
        return super()._resolve(flag_key, default_value, evaluation_context)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: Any = None,
    ) -> None:
        self.tracked.append((tracking_event_name, evaluation_context or EvaluationContext(), tracking_event_details))
        super().track(tracking_event_name, evaluation_context, tracking_event_details)


def read_flags() -> dict[str, InMemoryFlag[Any]]:
    """A flag ``mbox.attribute`` for each attribute of a JSON offer in rules.json."""
    flags: dict[str, InMemoryFlag[Any]] = {}
    for mbox, rules in json.loads(RULES.read_text(encoding="utf-8"))["rules"]["mboxes"].items():
        contents = [rule["consequence"]["options"][0]["content"] for rule in rules]
        for attribute in {name for content in contents if isinstance(content, dict) for name in content}:
            flags[f"{mbox}.{attribute}"] = _flag(rules, attribute)
    return flags


def _flag(rules: list[dict[str, Any]], attribute: str) -> InMemoryFlag[Any]:
    variants = {
        rule["meta"]["experience.name"]: rule["consequence"]["options"][0]["content"].get(attribute) for rule in rules
    }
    metadata = {"activity.name": rules[0]["meta"]["activity.name"]}

    def decide(flag: InMemoryFlag[Any], context: EvaluationContext) -> FlagResolutionDetails[Any]:
        """The first rule that fits. A share, and a property, fit everybody."""
        for rule in rules:
            expected, name = _asked(rule["condition"])
            if name is None or context.attributes.get(name) == expected:
                variant = rule["meta"]["experience.name"]
                reason = Reason.STATIC if name is None else Reason.TARGETING_MATCH
                return FlagResolutionDetails(variants[variant], None, None, reason, variant, metadata)
        raise LookupError("a flag of this provider has a value for everybody")

    return InMemoryFlag(next(iter(variants)), variants, metadata, context_evaluator=decide)


def _asked(condition: Any) -> tuple[Any, str | None]:
    """Which attribute has to have which value; None where the rule is for everybody."""
    if condition is True or "==" not in condition:
        return None, None
    expected, variable = condition["=="]
    return expected, variable["var"].removeprefix("mbox.")
