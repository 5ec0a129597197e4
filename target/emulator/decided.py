"""Owns the answer where rules and offers meet: rules come first, offers fill what the rules leave to the server.

A decision has the device's form: this gives it the server's, with states, Analytics payloads and the server's token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from target.decisioning.decide import Decision
from target.decisioning.experiences import standing_of
from target.decisioning.parts import MBOX, PAGE_LOAD, VIEW
from target.decisioning.rules import Rule
from target.emulator.answers import Wire, analytics_of, digest, wants_analytics

_METHOD_TOKEN = "activity.decisioningMethod"
_SERVER_SIDE = "server-side"


def join(body: Wire, offered: Wire, decision: Decision, global_mbox: str, tokens: frozenset[str]) -> Wire:
    """``offered``, the answer that offers give to a request, with what was decided by rules.

    Args:
        body: The request.
        offered: The whole answer from offers; its mboxes are in the order of the request.
        decision: What the rules say of the same request.
        global_mbox: The mbox that the page load stands for.
        tokens: The response tokens that the rules let through.
    """
    joined = dict(offered)
    for mode in ("execute", "prefetch"):
        if mode in joined:
            section = _Section(body, mode, decision, tokens)
            joined[mode] = section.join(joined[mode], decision.response.get(mode) or {}, global_mbox)
    return joined


class _Section:
    """``execute`` or ``prefetch`` of one answer."""

    def __init__(self, body: Wire, mode: str, decision: Decision, tokens: frozenset[str]) -> None:
        self._wants_state, self._wants_analytics = mode == "prefetch", wants_analytics(body)
        self._tokens = tokens
        self._remote_mboxes, self._remote_views = set(decision.remote_mboxes), set(decision.remote_views)
        self._shown = [shown[1:] for shown in decision.shown if shown[0] == mode]

    def join(self, offered: Wire, decided: Mapping[str, Any], global_mbox: str) -> Wire:
        joined: Wire = {}
        if "pageLoad" in offered:
            is_remote = global_mbox in self._remote_mboxes
            part = self._server_form(PAGE_LOAD, "", decided["pageLoad"], self._rules(PAGE_LOAD))
            joined["pageLoad"] = _added(part, offered["pageLoad"]) if is_remote else part
        if "mboxes" in offered:
            joined["mboxes"] = self._mboxes(offered["mboxes"], decided["mboxes"])
        if "views" in offered:
            joined["views"] = self._views(offered["views"], decided["views"])
        return joined

    def _mboxes(self, offered: list[Wire], decided: list[Wire]) -> list[Wire]:
        rules = iter(self._rules(MBOX))  # one for each mbox that has options
        joined = []
        for from_offers, from_rules in zip(offered, decided, strict=True):
            matched = [next(rules)] if "options" in from_rules else []
            if not matched and from_rules["name"] in self._remote_mboxes:
                joined.append(from_offers)
            else:
                names = {"index": from_offers["index"], "name": from_offers["name"]}
                joined.append(names | self._server_form(MBOX, from_rules["name"], from_rules, matched))
        return joined

    def _views(self, offered: list[Wire], decided: list[Wire]) -> list[Wire]:
        rules: dict[str, list[Rule]] = {}
        for kind, place, rule in self._shown:
            if kind == VIEW:
                rules.setdefault(place, []).append(rule)
        views = {}
        for view in decided:
            name = view["name"]
            views[name] = {"name": name} | self._server_form(VIEW, name, view, rules.get(name, ()))
        for view in offered:
            if view["name"] not in views or view["name"] in self._remote_views:
                decided_view = views.get(view["name"])
                views[view["name"]] = view if decided_view is None else _added(decided_view, view)
        return list(views.values())

    def _rules(self, wanted: str) -> list[Rule]:
        return [rule for kind, _, rule in self._shown if kind == wanted]

    def _server_form(self, kind: str, name: str, part: Wire, rules: Sequence[Rule]) -> Wire:
        formed: Wire = {}
        options = [self._option(option) for option in part.get("options") or []]
        if options:
            formed["options"] = options
        if part.get("metrics"):
            formed["metrics"] = part["metrics"]
        if options and self._wants_analytics:
            standings = dict.fromkeys(map(standing_of, rules))
            formed["analytics"] = analytics_of(f"{each.activity}:{each.experience}" for each in standings)
        if "trace" in part:
            formed["trace"] = part["trace"]
        if self._wants_state:
            formed["state"] = digest(kind, name, "state", options)
        return formed

    def _option(self, option: Wire) -> Wire:
        tokens = dict(option.get("responseTokens") or {})
        tokens.pop(_METHOD_TOKEN, None)
        if _METHOD_TOKEN in self._tokens:
            tokens[_METHOD_TOKEN] = _SERVER_SIDE
        return {**option, "responseTokens": tokens}


def _added(part: Wire, other: Wire) -> Wire:
    """``part`` and, after what it has, what ``other`` has of options and metrics."""
    lists = {key: [*part.get(key, []), *other.get(key, [])] for key in ("options", "metrics")}
    return {**other, **part, **{key: both for key, both in lists.items() if both}}
