"""What on-device decisioning is measured with: artifacts, and what is asked of each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.on_device_engine import build_artifact, build_rules, build_shares

SHARED = Path(__file__).parents[2] / "shared" / "scenarios"
ACTIVITIES = (10, 100, 1000)
CONTEXT = {
    "channel": "web",
    "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:78.0) Gecko/20100101 Firefox/78.0",
    "address": {"url": "https://shop.example.com/sale?size=9"},
    "geo": {"city": "BERN", "countryCode": "CH", "stateCode": "BE", "latitude": 46.9, "longitude": 7.4},
}
# Suite, scenario, and the name of its row. All prefetch, so that nothing is sent while a decision is timed.
_SCENARIOS = (
    ("AB_SIMPLE", "ab_execute", "AB_SIMPLE"),
    ("PAGELOAD_VEC_XT", "without_params_prefetch", "VEC_XT"),
    ("PAGELOAD", "simple_prefetch", "GLOBAL_MBOX"),
)


class Case(NamedTuple):
    """One row: an artifact, and a request that lacks only its visitor."""

    name: str
    artifact: dict[str, Any]
    request: dict[str, Any]


def build_cases() -> Iterator[Case]:
    """Those of Adobe's scenarios, where a checkout has them, and synthetic ones."""
    for suite, scenario, name in _SCENARIOS:
        if SHARED.exists():
            yield _from_scenario(suite, scenario, name)
    for count in ACTIVITIES:
        rules = build_rules(count, "hero-{}".format, with_audience=False)
        asked = {"mboxes": [{"name": f"hero-{count - 1}", "index": 1}]}
        yield Case(f"{count:,} activities, one mbox each", build_artifact(rules), _request(asked))
    for count in ACTIVITIES:
        rules = build_rules(count, lambda _: "hero", with_audience=True)
        last = {"name": "hero", "index": 1, "parameters": {"member": f"value-{count - 1}"}}
        yield Case(f"{count:,} activities, same mbox", build_artifact(rules), _request({"mboxes": [last]}))
    most = ACTIVITIES[-1]
    asked = {"mboxes": [{"name": "hero", "index": 1}]}
    yield Case(f"{most:,} activities, same mbox, shares only", build_artifact(build_shares(most)), _request(asked))


def requests(case: Case, new_visitors: bool) -> Iterator[dict[str, Any]]:
    """One request after another: each of a new visitor, or all of the same."""
    for number in itertools.count():
        yield {**case.request, "id": {"tntId": f"visitor-{number if new_visitors else 0}.38_0"}}


def _request(prefetch: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestId": "request-1", "context": CONTEXT, "prefetch": prefetch}


def _from_scenario(suite: str, scenario: str, name: str) -> Case:
    data = json.loads((SHARED / "models" / f"TEST_SUITE_{suite}.json").read_text())
    request = data["test"][scenario]["input"]["request"]
    context = {key: value for key, value in request["context"].items() if value is not None}
    asked = request.get("prefetch") or request["execute"]
    artifact = json.loads((SHARED / "artifacts" / f"{data['artifact']}.json").read_text())
    return Case(name, artifact, {**_request(asked), "context": {**context, "geo": CONTEXT["geo"]}})
