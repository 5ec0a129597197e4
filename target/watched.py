"""One call that hooks watch: what is known of it as it begins, and as it ends."""

from __future__ import annotations

from collections.abc import Iterable

from target._background.clock import monotonic_s
from target.config import SERVER_SIDE
from target.delivery.request import Attempted, Call
from target.delivery.served import list_served
from target.hooks import Attempt, CallInfo, CallOutcome
from target.reasons import PartDecision
from target.response import TargetDeliveryResponse
from target.ways import Way


class Watched:
    """One call that hooks watch; its ``way`` has what they added."""

    __slots__ = ("attempted", "began_s", "info", "way")

    way: Way

    def __init__(self, info: CallInfo) -> None:
        self.info = info
        self.attempted: list[Attempted] = []
        self.began_s = monotonic_s()

    def outcome(self, decisions: tuple[PartDecision, ...], error: BaseException | None) -> CallOutcome:
        """How it ended."""
        attempts = tuple(self._attempt(each) for each in self.attempted)
        last = self.attempted[-1] if self.attempted else None
        return CallOutcome(
            milliseconds=(monotonic_s() - self.began_s) * 1000,
            status=None if last is None else last.status,
            host=self.info.host if last is None else host_of_call(last.call),
            attempts=attempts,
            request_bytes=0 if last is None else len(last.call.content),
            response_bytes=0 if last is None else last.response_bytes,
            decisioning_method=self.info.decisioning_method,
            decisions=decisions,
            error=None if error is None else type(error).__name__,
            rules_version=self.way.rules_version,
        )

    def _attempt(self, attempted: Attempted) -> Attempt:
        return Attempt(
            host=host_of_call(attempted.call),
            after_ms=(attempted.started_s - self.began_s) * 1000,
            milliseconds=(attempted.ended_s - attempted.started_s) * 1000,
            status=attempted.status,
            response_bytes=attempted.response_bytes,
            error=attempted.error,
        )


def decisions_of(result: TargetDeliveryResponse) -> tuple[PartDecision, ...]:
    """What the parts of a result show: as its meta says, and else as its tokens tell."""
    known = result.meta.decisions
    if result.meta.decisioning_method != SERVER_SIDE:
        return tuple(known)
    places = {(each.mode, each.kind, each.name) for each in known}
    served: Iterable[PartDecision] = list_served(result.response)
    return (*known, *(each for each in served if (each.mode, each.kind, each.name) not in places))


def host_of_call(call: Call) -> str:
    """Where it goes, with a port if there is one."""
    return call.base_url.partition("://")[2]
