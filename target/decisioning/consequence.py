"""What a matching rule gives: its options and click metrics, as execute and as prefetch answer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from target.decisioning.macros import Render, compile_content
from target_delivery_api.models import Metric, Option

EXECUTE = "execute"
PREFETCH = "prefetch"
_METHOD_TOKEN = "activity.decisioningMethod"


@dataclass(frozen=True, slots=True)
class Offer:
    """One option. ``wire`` is what prefetch answers; ``content``, where it is not None, writes the content anew."""

    wire: dict[str, Any]
    content: Render | None
    in_execute: bool


@dataclass(frozen=True, slots=True)
class Consequence:
    """A rule's options and metrics. What never changes is made once, by mode, and shared by all answers."""

    offers: tuple[Offer, ...]
    fixed: Mapping[str, list[dict[str, Any]]] | None
    metrics: list[dict[str, Any]]
    event_tokens: tuple[str, ...]

    @property
    def has_content(self) -> bool:
        """Whether it shows anything; without, the page keeps its default content."""
        return any(offer.in_execute for offer in self.offers)

    def options(self, mode: str, part: Mapping[str, Any], geo_tokens: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The options for the asked ``part``; not to be changed, since they may be shared."""
        options = _build_options(self.offers, mode, part) if self.fixed is None else self.fixed[mode]
        if not geo_tokens:
            return options
        return [{**option, "responseTokens": {**option["responseTokens"], **geo_tokens}} for option in options]


def parse_consequence(data: Mapping[str, Any], meta: Mapping[str, Any], tokens: Iterable[str]) -> Consequence:
    """Read a rule's consequence; ``tokens`` are the response tokens that the artifact lets through.

    Raises:
        TypeError, ValueError: It is not as the Delivery API documents options and metrics.
    """
    response_tokens = {token: meta[token] for token in tokens if meta.get(token) is not None}
    response_tokens[_METHOD_TOKEN] = "on-device"
    offers = tuple(_parse_offer(option, meta, response_tokens) for option in _list(data, "options"))
    metrics = [Metric.from_dict(metric).to_dict() for metric in _list(data, "metrics")]
    fixed = None
    if all(offer.content is None for offer in offers):
        fixed = {mode: _build_options(offers, mode, {}) for mode in (EXECUTE, PREFETCH)}
    event_tokens = (offer.wire.get("eventToken") for offer in offers)
    return Consequence(
        offers, fixed, metrics, tuple(dict.fromkeys(token for token in event_tokens if isinstance(token, str)))
    )


def once_per_token(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Click metrics without those whose event token another one has; all that have none."""
    if not metrics:
        return []
    seen: dict[Any, dict[str, Any]] = {}
    for position, metric in enumerate(metrics):
        token = metric.get("eventToken")
        seen.setdefault(token if isinstance(token, str) else position, metric)
    return list(seen.values())


def of_one_activity(metrics: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Click metrics of a view, each with the id of its activity, without those that another activity has given.

    Rules of one activity repeat theirs: so Target answers for views, as its scenarios for all its SDKs have it.
    """
    owners: dict[str, str] = {}
    kept = []
    for activity_id, metric in metrics:
        token = metric.get("eventToken")
        if not isinstance(token, str) or owners.setdefault(token, activity_id) == activity_id:
            kept.append(metric)
    return kept


def _parse_offer(option: Any, meta: Mapping[str, Any], response_tokens: Mapping[str, Any]) -> Offer:
    Option.from_dict(option)  # only to refuse here, not in a call, what the model cannot take
    content = compile_content(option.get("type"), option.get("content"), meta)
    wire = {**option, "responseTokens": {**(option.get("responseTokens") or {}), **response_tokens}}
    render = content if callable(content) else None
    if render is None and "content" in wire:
        wire["content"] = content
    in_execute = option.get("type") is not None or option.get("content") is not None
    return Offer(wire, render, in_execute)


def _build_options(offers: Iterable[Offer], mode: str, part: Mapping[str, Any]) -> list[dict[str, Any]]:
    options = []
    for offer in offers:
        if mode == EXECUTE and not offer.in_execute:
            continue
        option = offer.wire.copy()
        if mode == EXECUTE:
            option.pop("eventToken", None)
        if offer.content is not None:
            option["content"] = offer.content(part)
        options.append(option)
    return options


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{key} is not a list")
    return value
