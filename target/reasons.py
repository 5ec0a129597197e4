"""Which activity a part of an answer shows, or why it shows none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

#: What rules come to: an activity by a share of visitors; by an audience alone; no activity; no activity here.
RuleReason = Literal["split", "targeting", "default", "remote"]
#: Besides: by the server; by an override; nothing, since the client is offline, or since the visitor is a bot.
Reason = RuleReason | Literal["server", "override", "offline", "bot"]


@dataclass(frozen=True, slots=True)
class PartDecision:
    """What an mbox, a view or the page load shows, or why it shows nothing.

    Attributes:
        kind: ``"mbox"``, ``"view"`` or ``"pageLoad"``.
        name: Of the mbox or view; the page load's is the global mbox. Empty where nobody was asked for "all views".
        mode: ``"execute"`` or ``"prefetch"``.
        reason: ``"split"`` (an activity, by the visitor's share), ``"targeting"`` (an activity, by audience alone),
            ``"default"`` (no activity), ``"remote"`` (no activity, and only the server could say), ``"override"`` (what
            the application or a QA link put there), ``"offline"`` or ``"bot"`` (nothing, by an option of the client);
            in what hooks are told also ``"server"`` (an activity that the server chose, without saying why).
        activity_id: None where no activity is shown; so for all that follow.
        activity_name: As the rules give it; None where they do not.
        experience_id: Experiences of an activity count from 0.
        experience_name: As the rules give it; None where they do not.
    """

    kind: str
    name: str
    mode: str
    reason: Reason
    activity_id: str | None = None
    activity_name: str | None = None
    experience_id: str | None = None
    experience_name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}
