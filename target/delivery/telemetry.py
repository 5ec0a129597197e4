"""Telemetry entries: how long a call or a download took, as Target is told with a later request; they wait for it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from target.config import SERVER_SIDE

EDGE = "edge"
LOCAL = "local"
ARTIFACT_DOWNLOAD = "ArtifactDownload"  # what the requestId of a download's entry says; it has no request id
MOST_ENTRIES = 1000

#: Of execute and of prefetch: whether the page load is asked for, how many mboxes, and how many views.
AskedFor = tuple[tuple[bool, int, int], tuple[bool, int, int]]
_NONE = (False, 0, 0)
_WRITE = json.JSONEncoder(separators=(",", ":")).encode
_quoted = _WRITE  # of a text


class Measured(NamedTuple):
    """A call, until its entry is needed: plain values, which take little room and which the garbage collector does not
    have to look at again. Nothing in it tells whose call it was.

    Attributes:
        request_id: Its ``requestId``.
        now_s: When it ended, in epoch seconds.
        execution_ms: All that it took.
        parsing_ms: What making its answer a result took; None where nobody measured that.
        mode: ``EDGE`` for an answer that names an edge host, else ``LOCAL``; see ``mode_of``.
        decisioning_method: ``on-device`` or ``server-side``.
        asked: From ``count_asked``.
        server_token: ``telemetryServerToken`` of the answer.
    """

    request_id: str
    now_s: float
    execution_ms: float
    parsing_ms: float | None
    mode: str
    decisioning_method: str
    asked: AskedFor
    server_token: Any = None

    def to_entry(self) -> dict[str, Any]:
        """Its entry."""
        entry = _entry(self.request_id, self.now_s, self.execution_ms, self.parsing_ms, None)
        entry["mode"] = self.mode
        entry["features"] = _features(self.asked, self.decisioning_method)
        if self.server_token:
            entry["telemetryServerToken"] = self.server_token
        return entry

    def to_json(self) -> str | None:
        """That as JSON, in a third of the time; None where the answer's token is no text."""
        parsing, token = "", ""
        if self.parsing_ms is not None:
            parsing = f',"parsing":{round(self.parsing_ms, 2)!r}'
        if self.server_token:
            if type(self.server_token) is not str:
                return None
            token = f',"telemetryServerToken":{_quoted(self.server_token)}'
        return (
            f'{{"requestId":{_quoted(self.request_id)},"timestamp":{int(self.now_s * 1000)},'
            f'"execution":{round(self.execution_ms, 2)!r}{parsing},'
            f"{_write_what(self.mode, self.decisioning_method, self.asked)}{token}}}"
        )


@lru_cache(maxsize=256)
def _write_what(mode: str, decisioning_method: str, asked: AskedFor) -> str:
    """The part of an entry's JSON that is the same for all calls which ask as much."""
    return _WRITE({"mode": mode, "features": _features(asked, decisioning_method)})[1:-1]


#: What waits: an entry, or what becomes one.
Entry = Mapping[str, Any] | Measured


def as_entry(entry: Entry) -> Mapping[str, Any]:
    """The entry itself."""
    return entry.to_entry() if isinstance(entry, Measured) else entry


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
        self._entries: deque[Entry] = deque(maxlen=self._most)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Let ``entry`` wait."""
        self._entries.append(entry)

    def take_all(self) -> list[Entry]:
        """All that waits, oldest first."""
        entries, taken = self._entries, list[Entry]()
        while entries and len(taken) < self._most:
            try:
                taken.append(entries.popleft())
            except IndexError:  # other threads have taken the rest
                break
        return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
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


def measure_answer(
    body: Mapping[str, Any], edge_host: str | None, server_token: Any, now_s: float, took_s: float
) -> Measured:
    """A call that the server answered, after so many seconds; with None, that it had nothing to say."""
    request_id = str(body.get("requestId") or "")
    mode, asked = mode_of(edge_host), count_asked(body)
    return Measured(request_id, now_s, took_s * 1000, None, mode, SERVER_SIDE, asked, server_token)


def mode_of(edge_host: str | None) -> str:
    """Where a call was decided, by the ``edgeHost`` of its answer."""
    return EDGE if edge_host else LOCAL


def count_asked(body: Mapping[str, Any]) -> AskedFor:
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


def _features(asked: AskedFor, decisioning_method: str) -> dict[str, Any]:
    """What a call asked for; what it did not ask for is left out."""
    features: dict[str, Any] = {"decisioningMethod": decisioning_method}
    for part, (page_load, mboxes, views) in zip(("execute", "prefetch"), asked, strict=True):
        if page_load:
            features[f"{part}PageLoad"] = True
        if mboxes:
            features[f"{part}MboxCount"] = mboxes
        if views and part == "prefetch":
            features["prefetchViewCount"] = views
    return features


def add_telemetry(body: Mapping[str, Any], entries: Sequence[Entry]) -> dict[str, Any]:
    """``body`` with ``entries`` after those it has already. Neither is changed."""
    if not entries:
        return dict(body)
    telemetry = body.get("telemetry")
    telemetry = telemetry if isinstance(telemetry, Mapping) else {}
    own = telemetry.get("entries")
    return {
        **body,
        "telemetry": {**telemetry, "entries": [*(own if isinstance(own, list) else ()), *map(as_entry, entries)]},
    }


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
