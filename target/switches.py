"""What the options ``offline`` and ``exclude_bots`` make of a call: nobody is asked, and nobody is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from target.config import ClientConfig
from target.delivery.defaults import answer_with_defaults
from target.delivery.request import Asked, Call
from target.reasons import Reason
from target.ways import Decide

if TYPE_CHECKING:
    from target.response import TargetDeliveryResponse


class Switches:
    """Those of one client.

    Args:
        config: The client's options.
        now_s: Epoch seconds.

    Raises:
        OptionsError: Bots are to be excluded, and what recognises them is not installed.
    """

    def __init__(self, config: ClientConfig, now_s: Callable[[], float]) -> None:
        self.offline = config.offline
        self._client = config.client
        self._now_s = now_s
        self._is_bot: Callable[[Any], bool] | None = None
        if config.exclude_bots:
            from target.decisioning.bots import is_bot, require_parser  # which an offline client does not need

            require_parser()
            self._is_bot = is_bot

    def load(self) -> None:
        """Load what recognises bots, which takes some 300 ms, so that no call has to wait for it."""
        if self._is_bot is not None:
            self._is_bot("Mozilla/5.0")

    def is_bot(self, context: Mapping[str, Any]) -> bool:
        """Whether the ``context`` of a request, in wire form, is a bot's, and bots are excluded."""
        return self._is_bot is not None and self._is_bot(context.get("userAgent"))

    def nothing(self, call: Call, has_rules: bool = False) -> Decide | None:
        """What answers ``call`` with default content alone; None where rules or the server are to answer it.

        Args:
            call: What is asked, or told.
            has_rules: Whether there are rules to decide it by, which need nobody else.
        """
        if self.is_bot(call.body["context"]):
            return self._because("bot")
        return self._because("offline") if self.offline and not has_rules else None

    def _because(self, reason: Reason) -> Decide:
        def answer(asked: Asked, _: object) -> TargetDeliveryResponse:
            return answer_with_defaults(asked.call, self._client, self._now_s(), reason)

        return answer
