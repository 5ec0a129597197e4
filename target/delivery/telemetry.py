"""Telemetry entries: how long a call or a download took, as Target is told with a later request; they wait for it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from target.config import SERVER_SIDE

EDGE = "edge"
LOCAL = "local"
ARTIFACT_DOWNLOAD = "ArtifactDownload"  # what the requestId of a download's entry says; it has no request id
MOST_ENTRIES = 1000

#: Of execute and of prefetch: whether the page load is asked for, how many mboxes, and how many views.
Asked = tuple[tuple[bool, int, int], tuple[bool, int, int]]
_NONE = (False, 0, 0)


class Measured(NamedTuple):
    """A call that was decided in process, until its entry is needed: plain values, which take little room and which
    the garbage collector does not have to look at again. Nothing in it tells whose call it was.
    """

    request_id: str
    now_s: float
    execution_ms: float
    parsing_ms: float
    decisioning_method: str
    asked: Asked

    def to_entry(self) -> dict[str, Any]:
        """Its entry."""
        entry = _entry(self.request_id, self.now_s, self.execution_ms, self.parsing_ms, None)
        entry["mode"] = LOCAL
        entry["features"] = _features(self.asked, self.decisioning_method)
        return entry


class TelemetryBuffer:
    """At most ``most`` entries that wait, in the order they came; the oldest go first.

    Safe to share between threads: each step is one operation of a deque, so that nobody ever waits. A forked child
    begins with none: what was there at the fork is its parent's to send.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self.begin_anew()

    def begin_anew(self) -> None:
        """Hold nothing; so in a forked child."""
        self._entries: deque[Mapping[str, Any] | Measured] = deque(maxlen=self._most)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Mapping[str, Any] | Measured) -> None:
        """Let ``entry`` wait, or what becomes one."""
        self._entries.append(entry)

    def take_all(self) -> list[Mapping[str, Any]]:
        """All that waits, oldest first."""
        if not self._entries:
            return []
        taken: list[Mapping[str, Any] | Measured] = []
        with contextlib.suppress(IndexError):  # other threads have taken the rest
            while len(taken) < self._most:
                taken.append(self._entries.popleft())
        return [entry.to_entry() if isinstance(entry, Measured) else entry for entry in taken]

    def put_back(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Let what was taken, and not sent, wait again before what came since; without room the oldest are dropped."""
        room = self._most - len(self._entries)
        self._entries.extendleft(islice(reversed(entries), max(0, room)))


def build_request_times(
    first_byte_ms: float | None = None, download_ms: float | None = None, response_bytes: int | None = None
) -> dict[str, Any]:
    """The ``request`` of an entry: what is known of one HTTP exchange."""
    times = {
        "timeToFirstByte": _rounded(first_byte_ms),
        "download": _rounded(download_ms),
        "responseSize": response_bytes,
    }
    return {key: value for key, value in times.items() if value is not None}


def build_download_entry(
    now_s: float, execution_ms: float, parsing_ms: float | None, request: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry of one download of the artifact.

    Args:
        now_s: Epoch seconds.
        execution_ms: All that the download took, reading the artifact included.
        parsing_ms: What reading the artifact took.
        request: From ``build_request_times``.
    """
    return _entry(ARTIFACT_DOWNLOAD, now_s, execution_ms, parsing_ms, request)


def build_call_entry(
    body: Mapping[str, Any],
    *,
    now_s: float,
    execution_ms: float,
    mode: str,
    decisioning_method: str,
    parsing_ms: float | None = None,
    request: Mapping[str, Any] | None = None,
    server_token: str | None = None,
) -> dict[str, Any]:
    """The entry of one call.

    Args:
        body: Its request in wire form.
        now_s: Epoch seconds.
        execution_ms: All that the call took.
        mode: ``EDGE`` for an answer that names an edge host, else ``LOCAL``; see ``mode_of``.
        decisioning_method: ``on-device``, ``server-side`` or ``hybrid``.
        parsing_ms: What reading the answer, or making it a model, took.
        request: From ``build_request_times``, for a call that was sent.
        server_token: ``telemetryServerToken`` of the answer.
    """
    entry = _entry(str(body.get("requestId") or ""), now_s, execution_ms, parsing_ms, request)
    entry["mode"] = mode
    entry["features"] = build_features(body, decisioning_method)
    if server_token:
        entry["telemetryServerToken"] = server_token
    return entry


def build_answered_entry(
    body: Mapping[str, Any], edge_host: str | None, server_token: Any, now_s: float, took_s: float
) -> dict[str, Any]:
    """The entry of a call that the server answered, after so many seconds; with None, that it had nothing to say."""
    return build_call_entry(
        body,
        now_s=now_s,
        execution_ms=took_s * 1000,
        mode=mode_of(edge_host),
        decisioning_method=SERVER_SIDE,
        server_token=server_token,
    )


def mode_of(edge_host: str | None) -> str:
    """Where a call was decided, by the ``edgeHost`` of its answer."""
    return EDGE if edge_host else LOCAL


def build_features(body: Mapping[str, Any], decisioning_method: str) -> dict[str, Any]:
    """What a call asked for, in numbers; what it did not ask for is left out."""
    return _features(count_asked(body), decisioning_method)


def count_asked(body: Mapping[str, Any]) -> Asked:
    """What the request ``body`` asks for, in numbers."""
    execute, prefetch = body.get("execute"), body.get("prefetch")
    return _counted(execute) if execute is not None else _NONE, _counted(prefetch) if prefetch is not None else _NONE


def _counted(asked: Any) -> tuple[bool, int, int]:
    if asked.__class__ is not dict and not isinstance(asked, Mapping):
        return _NONE
    mboxes, views = asked.get("mboxes"), asked.get("views")
    return (
        asked.get("pageLoad") is not None,
        len(mboxes) if isinstance(mboxes, list) else 0,
        len(views) if isinstance(views, list) else 0,
    )


def _features(asked: Asked, decisioning_method: str) -> dict[str, Any]:
    features: dict[str, Any] = {"decisioningMethod": decisioning_method}
    for part, (page_load, mboxes, views) in zip(("execute", "prefetch"), asked, strict=True):
        if page_load:
            features[f"{part}PageLoad"] = True
        if mboxes:
            features[f"{part}MboxCount"] = mboxes
        if views and part == "prefetch":
            features["prefetchViewCount"] = views
    return features


def add_telemetry(body: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``body`` with ``entries`` after those it has already. Neither is changed."""
    if not entries:
        return dict(body)
    telemetry = body.get("telemetry")
    telemetry = telemetry if isinstance(telemetry, Mapping) else {}
    own = telemetry.get("entries")
    return {**body, "telemetry": {**telemetry, "entries": [*(own if isinstance(own, list) else ()), *entries]}}


def _entry(
    request_id: str,
    now_s: float,
    execution_ms: float,
    parsing_ms: float | None,
    request: Mapping[str, Any] | None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "requestId": request_id,
        "timestamp": int(now_s * 1000),
        "execution": _rounded(execution_ms),
    }
    if parsing_ms is not None:
        entry["parsing"] = _rounded(parsing_ms)
    if request:
        entry["request"] = dict(request)
    return entry


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 2)
