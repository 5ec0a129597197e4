"""How one call is answered: by rules, by nothing at all, or by the server; and what completes the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from target._http.deadline import Deadline
    from target.delivery.request import Asked, Call
    from target.response import TargetDeliveryResponse

#: Answers a call in process, within a deadline.
Decide = Callable[["Asked", "Deadline"], "TargetDeliveryResponse"]
#: Makes what the caller gets of an answer.
Finish = Callable[["TargetDeliveryResponse"], "TargetDeliveryResponse"]


class Way(NamedTuple):
    """How one call is answered.

    Attributes:
        asked: What is to be sent, or decided.
        method: The client's method, such as ``"get_offers"``; None where nothing is asked or told, after all.
        decide: Answers in process; None where the server does.
        has_rules: Whether that is by rules, which may have to be read, or may need the visitor's place.
        finish: Makes what the caller gets of the answer; None where that is the answer as it is.
        rules_version: What the source of the rules knows them by; None where it says nothing, or nobody is told.
    """

    asked: Asked
    method: str | None
    decide: Decide | None = None
    has_rules: bool = False
    finish: Finish | None = None
    rules_version: str | None = None

    @property
    def call(self) -> Call:
        """All of what is asked."""
        return self.asked.call
