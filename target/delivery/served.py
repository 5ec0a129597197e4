"""Which activities an answer of the server shows, as far as its response tokens tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from target.reasons import PartDecision

if TYPE_CHECKING:
    from target_delivery_api.models import DeliveryResponse

_LONGEST = 250  # of a name, which Target itself keeps shorter
#: What the page load is called where rules decide it, too.
GLOBAL_MBOX = "target-global-mbox"


def list_served(response: DeliveryResponse | None) -> Iterator[PartDecision]:
    """What each part of the answer shows, in its order: an activity for each that its tokens name. No answer makes this
    raise."""
    if response is None:
        return
    for mode in ("execute", "prefetch"):
        part = getattr(response, mode, None)
        page_load = getattr(part, "page_load", None)
        if page_load is not None:
            yield from _served(mode, "pageLoad", GLOBAL_MBOX, page_load)
        for kind, places in (("view", getattr(part, "views", None)), ("mbox", getattr(part, "mboxes", None))):
            for place in places or ():
                yield from _served(mode, kind, as_text(place.name) or "", place)


def _served(mode: str, kind: str, name: str, place: Any) -> Iterator[PartDecision]:
    shown: dict[tuple[str | None, ...], None] = {}
    for option in place.options or ():
        tokens = option.response_tokens if isinstance(option.response_tokens, Mapping) else {}
        keys = ("activity.id", "activity.name", "experience.id", "experience.name")
        shown[tuple(as_text(tokens.get(key)) for key in keys)] = None
    for names in shown:
        yield PartDecision(kind, name, mode, "server", *names)
    if not shown:
        yield PartDecision(kind, name, mode, "default")


def as_text(value: object) -> str | None:
    """A name or id of an answer, cut where it is longer than any of Target's; None for what is none."""
    if isinstance(value, str):
        return value[:_LONGEST]
    return str(value) if type(value) is int else None
