"""Artifacts and calls to test the engine with: small, and of our own making."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from target.decisioning.allocation import Allocations
from target.decisioning.artifact import Artifact, parse_artifact
from target.decisioning.context import Scope, Visit
from target.decisioning.decide import Decision, decide

NOW_S = 1_700_000_000.5  # Tuesday 14 November 2023, 22:13:20 UTC
FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:78.0) Gecko/20100101 Firefox/78.0"
VISITOR = {"tntId": "8d2f0c31.38_0"}


def build_rule(condition: Any = True, activity: int = 10, **changes: Any) -> dict[str, Any]:
    """A rule with one html option."""
    options = [{"type": "html", "content": f"offer {activity}", "eventToken": f"token-{activity}"}]
    return {
        "ruleKey": str(activity),
        "activityId": activity,
        "meta": {"activity.id": activity, "activity.type": "ab", "experience.id": 0, "audience.ids": [activity * 10]},
        "condition": condition,
        "consequence": {"name": "hero", "options": options, "metrics": []},
        **changes,
    }


def build_artifact(*rules: Any, **changes: Any) -> dict[str, Any]:
    """An artifact in wire form whose mbox ``hero`` has these rules."""
    return {
        "version": "1.0.0",
        "meta": {"clientCode": "acme", "environment": "production"},
        "globalMbox": "target-global-mbox",
        "geoTargetingEnabled": False,
        "responseTokens": [],
        "remoteMboxes": [],
        "remoteViews": [],
        "localMboxes": ["hero", "target-global-mbox", "quiet"],
        "localViews": ["home", "cart"],
        "rules": {"mboxes": {"hero": list(rules)}, "views": {}},
        **changes,
    }


def build_offer(condition: Any = True, activity: int = 10, *options: Any, **changes: Any) -> dict[str, Any]:
    """A rule with these options, and what else its consequence holds."""
    return build_rule(condition, activity, consequence={"options": list(options), "metrics": [], **changes})


def run(artifact: Mapping[str, Any] | Artifact, /, **request: Any) -> Decision:
    """Decide a request for the sample visitor; arguments that begin with ``_`` go to ``decide``."""
    arguments = {key[1:]: request.pop(key) for key in list(request) if key.startswith("_")}
    numbers = itertools.count(1)
    defaults = {"client": "acme", "now_s": NOW_S, "new_id": lambda: f"id-{next(numbers)}"}
    parsed = artifact if isinstance(artifact, Artifact) else parse_artifact(artifact)
    return decide({"requestId": "r1", "id": VISITOR, **request}, parsed, **{**defaults, **arguments})


def ask(*names: str, **more: Any) -> dict[str, Any]:
    """A section of a request that asks for these mboxes."""
    return {"mboxes": [{"name": name, "index": index, **more} for index, name in enumerate(names)]}


def build_scope(context: Mapping[str, Any] | None = None, now_s: float = NOW_S, **part: Any) -> Scope:
    """The scope of an mbox of the sample visitor."""
    context = context or {}
    visit = Visit(context, context.get("geo") or {}, Allocations("acme", "8d2f0c31"), now_s)
    return Scope(visit, {"name": "hero", **part})
