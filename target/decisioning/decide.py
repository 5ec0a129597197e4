"""Decides a request from a parsed artifact: the response in wire form, and what Target is to be told of it.

Time and ids come in as arguments, and nothing is kept from one call to the next.

- ``decide`` answers a request. What cannot be decided from the artifact is answered without offers, but for those of
  rules ahead of the first that cannot be decided; it is named in the decision, and makes the status 206.
- ``remote.needs_remote`` says beforehand whether that will be so: then hybrid goes to the server.
- ``needs_geo`` says whether the visitor's place should be looked up first, and for which address.

The response shares its parts with the artifact, which is what makes it cheap. Make a DeliveryResponse of it with
``DeliveryResponse.from_dict``, which copies, before a caller sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from target.decisioning.allocation import Allocations, visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE, PREFETCH
from target.decisioning.context import Visit
from target.decisioning.geo import build_geo_tokens, geo_of, ip_to_look_up
from target.decisioning.notifications import Notifications
from target.decisioning.outcomes import list_outcomes
from target.decisioning.parts import Situation, Tracing, decide_mbox, decide_page_load, decide_views
from target.decisioning.remote import is_object, objects, once_each, property_token_of, section
from target.decisioning.rules import Rule
from target.decisioning.trace import Retrieval
from target.reasons import PartDecision

DECIDED = 200
PARTLY_DECIDED = 206


class Decision(NamedTuple):
    """What a decision comes to.

    Attributes:
        response: The delivery response in wire form; to be copied, not changed.
        notifications: Display notifications to send, in wire form; none for prefetch.
        remote_mboxes: Mboxes that only the server can decide.
        remote_views: Views that only the server can decide.
        shown: What gave offers, in order: the mode, what it is (``pageLoad``, ``mbox``, ``view``), the name, and
            the rule. The page load has the name of the global mbox.
        parts: What was decided, in order: the mode, what it is, the name, and how many of ``shown`` there were then.
    """

    response: dict[str, Any]
    notifications: list[dict[str, Any]]
    remote_mboxes: list[str]
    remote_views: list[str]
    shown: list[tuple[str, str, str, Rule]]
    parts: list[tuple[str, str, str, int]]

    def outcomes(self) -> Callable[[], Iterator[PartDecision]]:
        """What says, when it is called, what each part comes to, and why; see ``list_outcomes``. Whoever keeps it keeps
        no rule, and so not all of the artifact's text."""
        signs = [rule.sign for _, _, _, rule in self.shown]
        return partial(list_outcomes, self.parts, signs, self.remote_mboxes, self.remote_views)

    @property
    def is_complete(self) -> bool:
        """Whether the artifact could decide all of the request."""
        return bool(self.response["status"] == DECIDED)


def needs_geo(body: Mapping[str, Any], artifact: Artifact) -> str | None:
    """The IP address to look up before deciding; None where the artifact or the request makes that needless."""
    geo = geo_of(body) if artifact.geo_targeting_enabled else None
    return ip_to_look_up(geo) if geo else None


def decide(
    body: Mapping[str, Any],
    artifact: Artifact,
    *,
    client: str,
    now_s: float,
    new_id: Callable[[], str],
    session_id: str | None = None,
    location_hint: str | None = None,
    geo: Mapping[str, Any] | None = None,
    retrieval: Retrieval | None = None,
    allocations: Mapping[str, float] | None = None,
) -> Decision:
    """Decide a request in wire form. Neither it nor the artifact is changed, and no JSON makes this fail.

    Args:
        body: The request. Keys that are not known are passed over.
        artifact: What to decide from.
        client: The client code; part of what allocates visitors.
        now_s: Epoch seconds.
        new_id: Makes the ids of notifications, and of a visitor that has none.
        session_id: For the trace only.
        location_hint: Edge cluster for the device id of a new visitor.
        geo: Where the visitor is, under the keys of a request, if it was looked up; else what the request says.
        retrieval: How the artifact came here, for the trace only.
        allocations: Places of the visitor by activity id, 0 up to 100, which win over those that the ids give.
    """
    ids, visit = open_visit(body, client, now_s, new_id, location_hint, geo, allocations)
    tracing = None if body.get("trace") is None else Tracing(client, ids, session_id, retrieval)
    tokens = build_geo_tokens(visit.geo, artifact.geo_tokens) if artifact.geo_tokens else {}
    token = property_token_of(body) if "property" in body else None
    told = Notifications(now_s, new_id)
    found = Situation(artifact, token, visit, tokens, told, [], [], [], [], tracing)
    response: dict[str, Any] = {"status": DECIDED, "requestId": body.get("requestId"), "id": ids, "client": client}
    if response["requestId"] is None:
        del response["requestId"]
    for mode in (EXECUTE, PREFETCH):
        asked = body.get(mode)
        if is_object(asked):
            response[mode] = _decide_section(found, mode, asked)
    if found.remote_mboxes or found.remote_views:
        response["status"] = PARTLY_DECIDED
    return Decision(response, told.items, once_each(found.remote_mboxes), found.remote_views, found.shown, found.parts)


def open_visit(
    body: Mapping[str, Any],
    client: str,
    now_s: float,
    new_id: Callable[[], str],
    location_hint: str | None,
    geo: Mapping[str, Any] | None,
    allocations: Mapping[str, float] | None,
) -> tuple[Mapping[str, Any], Visit]:
    """Who a request is for and all that holds for the whole of it; the arguments are those of ``decide``."""
    ids = section(body, "id")
    visitor = visitor_of(ids)
    if visitor is None:
        visitor = new_id()
        ids = {**ids, "tntId": f"{visitor}.{location_hint}_0" if location_hint else visitor}
    places = Allocations(client, visitor, given=allocations)
    context = section(body, "context")
    place = section(context, "geo")
    return ids, Visit(context, {**place, **geo} if geo else place, places, now_s)


def _decide_section(situation: Situation, mode: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What ``execute`` or ``prefetch`` is answered with: only what was asked for."""
    answer: dict[str, Any] = {}
    page_load = asked.get("pageLoad")
    if page_load is not None:
        answer["pageLoad"] = decide_page_load(situation, mode, page_load if is_object(page_load) else {})
    if asked.get("mboxes") is not None:
        answer["mboxes"] = [decide_mbox(situation, mode, mbox) for mbox in objects(asked, "mboxes")]
    if mode == PREFETCH and asked.get("views") is not None:
        answer["views"] = decide_views(situation, asked)
    return answer
