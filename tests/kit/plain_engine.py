"""The engine as plainly as it can be put: each rule of a place is asked in turn, and what is remote is found apart.

The engine itself takes shorter ways to the same answers; tests hold it to this one. It leaves out traces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from target.decisioning.allocation import Allocations, visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE, PREFETCH, of_one_activity
from target.decisioning.context import Scope, Visit
from target.decisioning.decide import Decision
from target.decisioning.geo import RESPONSE_TOKENS
from target.decisioning.remote import find_remote
from target.decisioning.rules import Gap, Rule


def matching(rules: Iterable[Rule | Gap], scope: Scope, token: str | None) -> Iterator[Rule]:
    """The rules that match, in order; of those with one key only the first, and none below a gap that might."""
    taken: set[str | None] = set()
    for rule in rules:
        if rule.key in taken or (rule.property_tokens is not None and token not in rule.property_tokens):
            continue
        if rule.test(scope):
            if isinstance(rule, Gap):
                return
            taken.add(rule.key)
            yield rule


class PlainEngine:
    """Decides one request."""

    def __init__(self, body: Mapping[str, Any], artifact: Artifact, places: Mapping[str, float] | None = None) -> None:
        self.body = body
        self.artifact = artifact
        self.ids = _object(body.get("id"))
        visitor = visitor_of(self.ids)
        if visitor is None:
            visitor = "new"
            self.ids = {**self.ids, "tntId": "new"}
        allocations = Allocations("acme", visitor)
        allocations.update(places or {})
        context = _object(body.get("context"))
        self.geo = _object(context.get("geo"))
        self.visit = Visit(context, self.geo, allocations, 1_700_000_000.5)
        token = _object(body.get("property")).get("token")
        self.token = token if isinstance(token, str) and token else None
        self.shown: list[tuple[str, str, str, Rule]] = []
        self.parts: list[tuple[str, str, str, int]] = []
        self.told: dict[tuple[str, str], dict[str, Any]] = {}

    def decide(self) -> Decision:
        """What it comes to, for a visitor who is called ``new`` where the request has no id."""
        remote = find_remote(self.body, self.artifact)
        response: dict[str, Any] = {"status": 206 if any(remote) else 200}
        if self.body.get("requestId") is not None:
            response["requestId"] = self.body["requestId"]
        response.update({"id": self.ids, "client": "acme"})
        for mode in (EXECUTE, PREFETCH):
            if isinstance(self.body.get(mode), Mapping):
                response[mode] = dict(self._sections(mode, self.body[mode]))
        return Decision(response, list(self.told.values()), *remote, self.shown, self.parts)

    def _sections(self, mode: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        if asked.get("pageLoad") is not None:
            name = self.artifact.global_mbox
            part = {**_object(asked["pageLoad"]), "name": name}
            answer, _ = self._answer(mode, "pageLoad", name, part, self._matching(name, part))
            yield "pageLoad", answer
        if asked.get("mboxes") is not None:
            yield "mboxes", [self._mbox(mode, mbox) for mbox in _objects(asked["mboxes"])]
        if mode == PREFETCH and asked.get("views") is not None:
            yield "views", list(self._views(_objects(asked["views"])))

    def _mbox(self, mode: str, mbox: Mapping[str, Any]) -> dict[str, Any]:
        name = str(mbox.get("name"))
        head = {key: mbox[key] for key in ("index", "name") if mbox.get(key) is not None}
        first = list(self._matching(name, mbox))[:1]
        answer, is_found = self._answer(mode, "mbox", name, mbox, first)
        return {**head, **answer} if is_found else head

    def _views(self, asked: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        answered = set()
        named = [(view["name"], view) for view in asked if isinstance(view.get("name"), str)]
        every = [(name, view) for view in asked if view.get("name") is None for name in self.artifact.views]
        for name, view in (*named, *every):
            if name in answered:
                continue
            rules = list(matching(self.artifact.views[name].rules, Scope(self.visit, view), self.token))
            if not rules and view.get("name") is None:
                continue
            answer, is_found = self._answer(PREFETCH, "view", name, {**view, "name": name}, rules)
            if is_found:
                answered.add(name)
                yield {"name": name, **answer}

    def _matching(self, mbox: str, part: Mapping[str, Any]) -> Iterator[Rule]:
        return matching(self.artifact.mboxes[mbox].rules, Scope(self.visit, part), self.token)

    def _answer(
        self, mode: str, kind: str, name: str, part: Mapping[str, Any], rules: Iterable[Rule]
    ) -> tuple[dict[str, Any], bool]:
        """Options and metrics of ``rules``, and whether there are any."""
        before = len(self.shown)
        options = [option for rule in rules for option in self._deliver(mode, kind, name, part, rule)]
        shown = [rule for *_, rule in self.shown[before:]]
        self.parts.append((mode, kind, name, len(self.shown)))
        metrics = [(rule.activity_id, metric) for rule in shown for metric in rule.consequence.metrics]
        once = of_one_activity(metrics) if kind == "view" else _once([metric for _, metric in metrics])
        return {"options": options, "metrics": once}, bool(shown)

    def _deliver(self, mode: str, kind: str, name: str, part: Mapping[str, Any], rule: Rule) -> Iterator[Any]:
        self.shown.append((mode, kind, name, rule))
        for token in rule.consequence.event_tokens if mode == EXECUTE else ():
            notification = {"id": "new", "impressionId": "new", "timestamp": 1_700_000_000_500, "type": "display"}
            self.told.setdefault((name, token), {**notification, "mbox": {"name": name}, "tokens": [token]})
        known = {name: self.geo.get(RESPONSE_TOKENS[name]) for name in self.artifact.geo_tokens}
        tokens = {name: value for name, value in known.items() if value is not None}
        for option in rule.consequence.options(mode, part, {}):
            yield {**option, "responseTokens": {**option["responseTokens"], **tokens}}


def _once(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: set[str] = set()
    kept = []
    for metric in metrics:
        token = metric.get("eventToken")
        if not isinstance(token, str) or token not in seen:
            kept.append(metric)
        if isinstance(token, str):
            seen.add(token)
    return kept


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
