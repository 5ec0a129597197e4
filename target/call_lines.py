"""``debug_calls``: one line for each call, for people. It names places, activities and experiences, and no visitor."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable

from target.hooks import CallInfo, CallOutcome, Hook, NotificationInfo
from target.loggers import Log, fields
from target.reasons import PartDecision

_MOST_PLACES = 10  # of a call that asks for more, the others are counted
_LONGEST_NAME = 60
_IN_PROCESS = "on-device"
#: What is said where no activity is shown, by the reason.
_NOTHING = {
    "default": "default content",
    "remote": "default content, since only the server can decide it",
    "offline": "default content, since the client is offline",
    "bot": "default content, since the visitor is a bot",
    "server": "content of the server",
    "override": "an override",
}
#: How a place is called before its name.
_PLACES = {"mbox": "", "view": "view "}


class CallLines(Hook):
    """Writes a line when a call has ended: to the log at INFO, and where nobody would see that, to stderr.

    Args:
        log: The client's.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def after_call(self, call: CallInfo, outcome: CallOutcome) -> None:
        """Say what came of it."""
        found = [*_what_is_shown(call, outcome), *_what_was_told(call, outcome)]
        parts = [*found[:_MOST_PLACES], *([f"{len(found) - _MOST_PLACES} more"] if len(found) > _MOST_PLACES else [])]
        line = f"{'; '.join(parts) or call.method}, {_took(outcome)}"
        self._write(line, call.method, outcome.host, outcome.status, outcome.milliseconds)

    def on_notification(self, notification: NotificationInfo) -> None:
        """Say what no call says: that it waits, or was given up."""
        call, state = notification.call, notification.state
        if state == "sent" or (state == "failed" and call is not None and _tells(call)):
            return  # which its call has said
        why = f" ({printable(notification.error)})" if notification.error else ""
        what = _named_notification(notification.type, notification.mbox or notification.view)
        self._write(f"{what}: {'queued' if state == 'queued' else 'given up'}{why}", call.method if call else "outbox")

    def _write(
        self, line: str, method: str, host: str | None = None, status: int | None = None, ms: float | None = None
    ) -> None:
        if self._log.reaches_somebody(logging.INFO):
            self._log.info("%s", line, extra=fields(method=method, host=host, status=status, ms=ms))
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or there is none
            sys.stderr.write(f"target: {line}\n")
            sys.stderr.flush()


def printable(name: str) -> str:
    """A name from outside as it may stand in a line: what is not printable is escaped, and what is long is cut."""
    cut = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def _what_is_shown(call: CallInfo, outcome: CallOutcome) -> Iterable[str]:
    if outcome.decisions and outcome.error is None:
        yield from map(_shown, outcome.decisions)
        return
    if not {"execute", "prefetch"} & set(call.kind.split("+")):
        return
    names = [printable(name) for name in (*call.mboxes, *(f"view {view}" for view in call.views))]
    more = f" and {len(names) - _MOST_PLACES} more" if len(names) > _MOST_PLACES else ""
    yield f"{', '.join(names[:_MOST_PLACES]) or 'page load'}{more}: {_failure(outcome) or 'no answer'}"


def _shown(decision: PartDecision) -> str:
    place = "page load" if decision.kind == "pageLoad" else _PLACES.get(decision.kind, "") + printable(decision.name)
    prefix = "prefetch of " if decision.mode == "prefetch" else ""
    named = [
        f"{what} {printable(name)}"
        for what, name in (
            ("activity", decision.activity_name or decision.activity_id),
            ("experience", decision.experience_name or decision.experience_id),
        )
        if name is not None
    ]
    if named:
        return f"{prefix}{place}: {decision.reason} ({', '.join(named)})"
    return f"{prefix}{place}: {_NOTHING.get(decision.reason, decision.reason)}"


def _what_was_told(call: CallInfo, outcome: CallOutcome) -> Iterable[str]:
    if not _tells(call):
        return
    names = [_named_notification(*each) for each in call.notifications]
    if names:
        more = f" and {len(names) - _MOST_PLACES} more" if len(names) > _MOST_PLACES else ""
        failure = _failure(outcome) or ("not told" if outcome.status is None else "taken")
        yield f"{', '.join(names[:_MOST_PLACES])}{more}: {failure}"
    elif call.kind == "telemetry":
        yield f"telemetry: {_failure(outcome) or 'taken'}"


def _tells(call: CallInfo) -> bool:
    return bool({"notifications", "telemetry"} & set(call.kind.split("+")))


def _named_notification(kind: str, place: str | None) -> str:
    return printable(kind) if place is None else f"{printable(kind)} of {printable(place)}"


def _failure(outcome: CallOutcome) -> str | None:
    """What it failed with; None where it did not."""
    status = "" if outcome.status is None else f" ({outcome.status})"
    if outcome.error is not None:
        return f"failed with {printable(outcome.error)}{status}"
    return f"not taken{status}" if outcome.status is not None and outcome.status >= 400 else None


def _took(outcome: CallOutcome) -> str:
    ms = outcome.milliseconds
    took = f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    attempts = f", {len(outcome.attempts)} attempts" if len(outcome.attempts) > 1 else ""
    return f"{took}{' in process' if outcome.decisioning_method == _IN_PROCESS else ''}{attempts}"
