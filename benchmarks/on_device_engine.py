"""What one decision costs on the device, in microseconds: the engine alone, and with the model that a caller gets."""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.command import Command
from benchmarks.measure import in_sequence, take_turns
from benchmarks.report import Row
from target.decisioning.artifact import Artifact, parse_artifact
from target.decisioning.decide import decide
from target_delivery_api.models import DeliveryResponse

ACTIVITIES = (10, 100, 1000)
_FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:78.0) Gecko/20100101 Firefox/78.0"
_CONTEXT = {
    "channel": "web",
    "userAgent": _FIREFOX,
    "address": {"url": "https://shop.example.com/sale"},
    "geo": {"city": "BERN", "countryCode": "CH"},
}


def build_rules(activities: int, name_mbox: Callable[[int], str], with_audience: bool) -> dict[str, list[Any]]:
    """Activities of two experiences each, every visitor in one of them; with an audience, that of one parameter."""
    rules: dict[str, list[Any]] = {}
    for number in range(activities):
        mbox, activity = name_mbox(number), 1000 + number
        for experience, (low, operator) in enumerate(((0, "<="), (50, "<"))):
            share = {
                "and": [{operator: [low, {"var": "allocation"}]}, {">=": [low + 50, {"var": "allocation"}]}],
            }
            audience = {"==": [f"value-{number}", {"var": "mbox.member"}]}
            option = {"type": "json", "eventToken": f"token-{activity}-{experience}", "content": {"shown": number}}
            rules.setdefault(mbox, []).append(
                {
                    "ruleKey": str(activity),
                    "activityId": activity,
                    "meta": {
                        "activity.id": activity,
                        "activity.name": f"Activity {number}",
                        "activity.type": "ab",
                        "experience.id": experience,
                        "audience.ids": [],
                    },
                    "condition": {"and": [share, audience]} if with_audience else share,
                    "consequence": {"name": mbox, "options": [option], "metrics": []},
                }
            )
    return rules


def build_shares(activities: int) -> dict[str, list[Any]]:
    """Activities on the mbox ``hero`` that each take one visitor of ten thousand, but for the last, which takes all."""
    rules = build_rules(activities, lambda _: "hero", with_audience=False)["hero"][::2]
    for rule in rules[:-1]:
        rule["condition"] = {"and": [{"<=": [0, {"var": "allocation"}]}, {"<": [{"var": "allocation"}, 0.01]}]}
    rules[-1]["condition"] = {"<=": [0, {"var": "allocation"}]}
    return {"hero": rules}


def build_artifact(rules: Mapping[str, Any]) -> dict[str, Any]:
    """An artifact in wire form with these rules by mbox."""
    return {
        "version": "1.0.0",
        "meta": {"environment": "production"},
        "globalMbox": "target-global-mbox",
        "geoTargetingEnabled": True,
        "responseTokens": ["activity.id", "activity.name", "geo.city"],
        "localMboxes": sorted(rules),
        "rules": {"mboxes": rules, "views": {}},
    }


def cases() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, artifact and what is asked of it."""
    for count in ACTIVITIES:
        last = {"member": f"value-{count - 1}"}
        one = build_rules(count, lambda _: "hero", with_audience=False)
        yield f"{count} on one mbox, first matches", build_artifact(one), _ask("hero")
        one = build_rules(count, lambda _: "hero", with_audience=True)
        yield f"{count} on one mbox, last matches", build_artifact(one), _ask("hero", parameters=last)
        each = build_rules(count, "hero-{}".format, with_audience=False)
        yield f"{count} on one mbox each", build_artifact(each), _ask(f"hero-{count - 1}")
        page = build_rules(count, lambda _: "target-global-mbox", with_audience=False)
        yield f"{count} on the page load, all match", build_artifact(page), {"pageLoad": {}}


def _ask(mbox: str, **more: Any) -> dict[str, Any]:
    return {"mboxes": [{"name": mbox, "index": 1, **more}]}


def _as_models(decide: Callable[[], dict[str, Any]]) -> Callable[[], object]:
    return lambda: DeliveryResponse.from_dict(decide())


def _decider(artifact: Artifact, asked: dict[str, Any], visitors: Iterator[str]) -> Callable[[], dict[str, Any]]:
    def call() -> dict[str, Any]:
        body = {"requestId": "r", "id": {"tntId": next(visitors)}, "context": _CONTEXT, "prefetch": asked}
        return decide(body, artifact, client="acme", now_s=1_700_000_000.0, new_id=lambda: "id").response

    return call


def main() -> int:
    """Print rows for each case."""
    command = Command("on_device_engine", __doc__)
    blocks, calls = (2, 2) if command.parse().quick else (15, 100)
    rows = []
    for name, data, asked in cases():
        artifact = parse_artifact(data)
        returning = _decider(artifact, asked, itertools.repeat("returning.38_0"))
        new = _decider(artifact, asked, (f"visitor-{number}.38_0" for number in itertools.count()))
        ways: list[Callable[[], object]] = [returning, new, _as_models(new)]
        taken = take_turns([in_sequence(way) for way in ways], blocks, calls)
        for what, times in zip(("returning", "new visitor", "with model"), taken, strict=True):
            rows.append(Row(f"{name}, {what}", statistics.median(times) * 1e6, "us"))
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
