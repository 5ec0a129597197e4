"""When a client last had an answer, and when it last had none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target.delivery.reply import Reply
from target.delivery.request import Call
from target.errors import ClientClosed, TargetError


class Moments:
    """When a call, whoever made it, last succeeded or failed: by ``monotonic_s``, None where none did."""

    def __init__(self) -> None:
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: no call of this process has ended."""
        self.success_s: float | None = None
        self.failure_s: float | None = None

    def failed(self, error: BaseException) -> None:
        """Take note of what a call raised; one that was ended from here says nothing of the service."""
        if isinstance(error, TargetError) and not isinstance(error, ClientClosed):
            self.failure_s = monotonic_s()

    def around(self, send: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        """``send`` for what is sent in the background, of which it takes note."""
        return partial(self._note, send)

    def _note(self, send: Callable[[Call], Reply], call: Call) -> Reply:
        try:
            reply = send(call)
        except BaseException as error:
            self.failed(error)
            raise
        if reply.status < 400:
            self.success_s = monotonic_s()
        else:
            self.failure_s = monotonic_s()
        return reply
