"""Owns what the page shows, as values that its templates write out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from target.decisioning.explanation import ExplainedClause, ExplainedPart, ExplainedRule, Explanation
from target.emulator.desk import Desk
from target.emulator.entries import Entry, Received
from target.emulator.journal import Event
from target.emulator.page.charts import percent, share_chart
from target.emulator.page.statistics import Rate, SampleRatio, conversion, sample_ratio, seen_shares, wanted_shares
from target.emulator.tally import ActivityCount, ExperienceCount

#: As many are shown at once.
MOST_ACTIVITIES = 20
MOST_REQUESTS = 50
MOST_TRIED = 50
NOTHING_TRIED: dict[str, Any] = {"tried": [], "more_parts": 0}
_MOST_CHOICES = 200
_MOST_NAMES = 8
_MOST_TEXT = 120
_MOST_CONTENT = 4000
_SHOWN_OF_ID = 8
_EVERYBODY = "everybody"
_ACTIVITY_TYPES = {"ab": "A/B test", "landing": "experience targeting", "xt": "experience targeting"}
_CALLS = {"delivery": "calls to the API", "rules": "downloads of rules", "geo": "lookups of places"}
_FAULTS = {
    "503": "status 503",
    "500": "status 500",
    "429": "status 429, with Retry-After",
    "403": "status 403",
    "304": "status 304",
    "reset": "the connection is reset",
    "drip": "the answer drips",
    "half": "half an answer",
    "": "nothing but latency",
}
CALLS, KINDS = tuple(_CALLS.items()), tuple(_FAULTS.items())


def show_activities(counts: Sequence[ActivityCount], number: int) -> dict[str, Any]:
    """One page of the activities, and which of how many it is."""
    last = max(1, math.ceil(len(counts) / MOST_ACTIVITIES))
    number = min(max(number, 1), last)
    listed = counts[(number - 1) * MOST_ACTIVITIES : number * MOST_ACTIVITIES]
    return {"activities": [_activity(each) for each in listed], "page": {"number": number, "last": last}}


def show_received(desk: Desk) -> dict[str, Any]:
    """The newest requests and notifications, the newest first, and how many there were."""
    counted = desk.journal.counts().values()
    requests = [(one.number, show_request(one)) for one in desk.journal.received[-MOST_REQUESTS:]]
    fetched = [(one.number, show_request(one)) for one in desk.journal.fetched[-MOST_REQUESTS:]]
    told = [(one["number"], show_notification(one)) for one in desk.journal.notifications[-MOST_REQUESTS:]]
    newest = sorted([*requests, *fetched, *told], key=lambda row: row[0], reverse=True)
    return {
        "requests": [row for _, row in newest[:MOST_REQUESTS]],
        "received": sum(each.received for each in counted),
        "dropped": sum(each.dropped for each in counted),
    }


def show_event(event: Event) -> dict[str, Any] | None:
    """A row for what the journal tells; None for what is no request and no notification."""
    if event.kind == "notification":
        return show_notification(event.data)
    if event.kind != "request":
        return None
    return show_request(Received(**event.data))


def show_request(received: Received) -> dict[str, Any]:
    """A row for a request."""
    body = received.body if isinstance(received.body, dict) else {}
    fault = "" if received.fault is None else f" ({received.fault})"
    status = "none" if received.status is None else str(received.status)
    return {
        "time": _time(received.at),
        "kind": _CALLS[received.of] if received.of != "delivery" else _parts(body),
        "what": ", ".join(_names(body)) if received.of == "delivery" else _cut(received.path),
        "session": _short(received.query.get("sessionId", "")),
        "status": status + fault,
        "is_bad": received.status is None or received.status >= 400,
    }


def show_notification(entry: Entry) -> dict[str, Any]:
    """A row for a notification."""
    told = entry["notification"]
    place = (told.get("mbox") or told.get("view") or {}).get("name", "page load")
    said = ["counted before"] if entry.get("repeat") else []
    if not entry.get("known"):
        said.append("token not known")
    return {
        "time": _time(entry["at"]),
        "kind": f"{told.get('type', '')} told",
        "what": _cut(str(place)),
        "session": _short(entry["sessionId"]),
        "status": ", ".join(said) or "taken",
        "is_bad": not entry.get("known"),
    }


def show_tried(answered: Entry, explanation: Explanation) -> dict[str, Any]:
    """What was tried, part by part."""
    parts = explanation.parts[:MOST_TRIED]
    return {
        "tried": [show_part(part, contents_of(answered, part)) for part in parts],
        "more_parts": len(explanation.parts) - len(parts),
    }


def show_part(part: ExplainedPart, contents: Sequence[Any]) -> dict[str, Any]:
    """One part of what was tried."""
    kinds = {"mbox": "mbox", "view": "view", "pageLoad": "page load"}
    content = "\n".join(
        each if isinstance(each, str) else json.dumps(each, indent=1, ensure_ascii=False) for each in contents
    )
    return {
        "title": f"{kinds.get(part.kind, part.kind)} {_cut(part.name)}",
        "why": part.why,
        "content": content if len(content) <= _MOST_CONTENT else f"{content[:_MOST_CONTENT]}…",
        "rules": [_rule(rule) for rule in part.rules[:MOST_TRIED]],
        "more_rules": max(0, len(part.rules) - MOST_TRIED),
    }


def contents_of(answered: Entry, part: ExplainedPart) -> list[Any]:
    """What an answer shows at a part of it."""
    section = answered.get(part.mode) or {}
    if part.kind == "pageLoad":
        places = [section.get("pageLoad") or {}]
    else:
        listed = section.get("mboxes" if part.kind == "mbox" else "views") or ()
        named = [place for place in listed if place.get("name") == part.name]
        places = [place for place in named if part.index in (None, place.get("index"))]
    return [option["content"] for place in places for option in place.get("options") or () if "content" in option]


def show_switches(desk: Desk, counts: Sequence[ActivityCount]) -> dict[str, Any]:
    """What is forced, which faults are to come, and what can be chosen."""
    experiences = [(each, one) for each in counts for one in each.experiences]
    names = {(each.id, one.id): (_named(each.name, each.id), _named(one.name, one.id)) for each, one in experiences}
    forced = []
    for one in desk.forced():
        activity, experience = names.get((one["activity"], one["experience"]), (one["activity"], one["experience"]))
        where = f" at {one['mbox']}" if one["mbox"] else ""
        who = "" if one["visitor"] is None else f" for {_short(one['visitor'])}"
        forced.append({**one, "words": _cut(f"{experience} of {activity}{where}{who}")})
    choices = [
        {
            "id": each.id,
            "name": _cut(_named(each.name, each.id)),
            "experiences": [{"id": one.id, "name": _cut(_named(one.name, one.id))} for one in each.experiences],
        }
        for each in counts[:_MOST_CHOICES]
    ]
    moment = datetime.fromtimestamp(desk.stage.now_s(), UTC)
    return {
        "forced": forced,
        "choices": choices,
        "more_choices": max(0, len(counts) - _MOST_CHOICES),
        "faults": [_fault(one) for one in desk.faults.waiting()],
        "calls": CALLS,
        "kinds": KINDS,
        "clock_value": f"{moment:%Y-%m-%dT%H:%M}" if desk.stage.is_clock_set else "",
    }


def _activity(activity: ActivityCount) -> dict[str, Any]:
    ratio, wanted = sample_ratio(activity), wanted_shares(activity)
    names = [_named(each.name, each.id) for each in activity.experiences]
    chart = None
    if ratio is not None and wanted is not None:
        chart = share_chart(names, wanted, seen_shares([each.visitors for each in activity.experiences]))
    return {
        "id": activity.id,
        "name": _cut(_named(activity.name, activity.id)),
        "type": _ACTIVITY_TYPES.get(activity.type or "", activity.type or "of no type"),
        "chart": chart,
        "ratio": None if ratio is None else {"text": _ratio(ratio), "is_mismatch": ratio.is_mismatch},
        "experiences": [_experience(each, name) for each, name in zip(activity.experiences, names, strict=True)],
    }


def _experience(experience: ExperienceCount, name: str) -> dict[str, Any]:
    return {
        "id": experience.id,
        "name": _cut(name),
        "audience": experience.audience or _EVERYBODY,
        "share": "all of the audience" if experience.share is None else percent(experience.share),
        "visitors": experience.visitors,
        "impressions": experience.impressions,
        "conversion": _rate(conversion(experience), experience),
    }


def _ratio(ratio: SampleRatio) -> str:
    if ratio.p_value is None:
        return "Too few visitors to test the split."
    p_value = f"p = {ratio.p_value:.3f}" if ratio.p_value >= 0.001 else "p < 0.001"
    said = "The split is not as wanted" if ratio.is_mismatch else "The split fits the shares"
    return f"{said} (chi-squared, {p_value})."


def _rate(rate: Rate | None, experience: ExperienceCount) -> str:
    if rate is None:
        return "no visitors yet"
    interval = f"95 %: {percent(rate.low)} to {percent(rate.high)}"
    return f"{percent(rate.share)} ({interval}), {experience.conversions} clicks"


def _rule(rule: ExplainedRule) -> dict[str, Any]:
    activity = _named(rule.activity_name, rule.activity_id or "")
    experience = _named(rule.experience_name, rule.experience_id or "")
    return {
        "position": rule.position,
        "has_won": rule.has_won,
        "title": _cut(f"{activity}, {experience}") if rule.activity_id is not None else f"rule {rule.position}",
        "why": rule.why,
        "clauses": [_clause(clause) for clause in rule.clauses],
    }


def _clause(clause: ExplainedClause) -> str:
    verdict = {True: "yes", False: "no", None: "cannot be said here"}[clause.holds]
    seen = clause.to_dict().get("seen") or {}
    shown = ", ".join("nothing" if value is None else json.dumps(value, ensure_ascii=False) for value in seen.values())
    return f"{clause.words}: {verdict}" + (f" (seen: {_cut(shown)})" if shown else "")


def _fault(one: dict[str, Any]) -> str:
    what = _FAULTS.get(one["fault"] or "", f"status {one['fault']}")
    after = f" after {one['latency_ms']:g} ms" if one["latency_ms"] else ""
    return f"The next {one['n']} {_CALLS[one['of']]}: {what}{after}."


def _parts(body: Entry) -> str:
    return ", ".join(name for name in ("execute", "prefetch", "notifications") if body.get(name)) or "no request"


def _names(body: Entry) -> list[str]:
    names = []
    for mode in ("execute", "prefetch"):
        section = body.get(mode)
        if isinstance(section, dict):
            mboxes = section.get("mboxes")
            listed = mboxes if isinstance(mboxes, list) else []
            names += [str(mbox.get("name")) for mbox in listed if isinstance(mbox, dict)]
            names += ["page load"] if section.get("pageLoad") is not None else []
            names += ["views"] if section.get("views") else []
    shown = [_cut(name) for name in names[:_MOST_NAMES]]
    return shown + ([f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else [])


def _named(name: str | None, otherwise: str) -> str:
    return name or otherwise or "without a name"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_OF_ID else f"{text[:_SHOWN_OF_ID]}…"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"
