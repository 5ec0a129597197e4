"""A store of the outbox as somebody else would write it, from target.protocols alone: all of it in one JSON file."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from target.protocols import (
    MOST_PER_BATCH,
    Claim,
    Counts,
    Death,
    Entry,
    IsOpen,
    LaneState,
    Moment,
    Settlement,
    Store,
    StoreBroken,
    StoreSettings,
)


class JsonStore(Store):
    """Reads and writes the whole file for everything, which does for a few hundred entries.

    Args:
        path: The file; another beside it is the lock that its processes share.
        settings: See Store.
    """

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        self.name = f"file {path}"
        self._path = path
        self._settings = settings
        self._lock = threading.Lock()

    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        with self._content() as content:
            box = content.box
            excess = 0 if promised else self._settings.require_room(len(box["entries"]), len(entries))
            del box["entries"][:excess]
            for entry in entries:
                box["entries"].append(content.numbered(entry))
            content.lane_of(entries[0].session_id, due_s)
            return excess

    def claim(self, is_open: IsOpen, /) -> Claim | None:
        now_s = self._settings.now_s()
        with self._content() as content:
            due = [lane for free_s, lane in content.free(is_open) if free_s <= now_s]
            if not due:
                return None
            lane = min(due, key=lambda lane: lane["state"][0])
            lane["token"], lane["ends_s"] = secrets.token_hex(8), now_s + self._settings.lease_s
            entries = content.entries_of(lane["session_id"])[:MOST_PER_BATCH]
            state = LaneState(*lane["state"])
            return Claim(lane["token"], state, lane["session_id"], tuple(entries), len(due) > 1, lane["ends_s"])

    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        with self._content() as content:
            box = content.box
            lane = box["lanes"].get(claim.session_id)
            if lane is None or lane["token"] != claim.token:
                return False
            missed = {entry.seq for entry in settlement.missed}
            dead = {death.entry.seq: death for death in settlement.dead}
            gone = {entry.seq for entry in settlement.acknowledged} | dead.keys()
            waiting = {entry[0] for entry in box["entries"]}
            box["dead"] += [death for seq, death in dead.items() if seq in waiting]
            box["dead"] = box["dead"][-self._settings.max_pending :]
            box["entries"] = [
                [*entry[:8], entry[8] + (entry[0] in missed)] for entry in box["entries"] if entry[0] not in gone
            ]
            lane.update(state=settlement.state, token=None, ends_s=0.0)
            return True

    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        with self._content() as content:
            return min((free_s for free_s, _ in content.free(is_open)), default=None)

    def hurry(self) -> None:
        now_s = self._settings.now_s()
        with self._content() as content:
            for lane in content.box["lanes"].values():
                lane["state"] = [min(lane["state"][0], now_s), *lane["state"][1:]]

    def mark(self) -> int:
        with self._content() as content:
            return int(content.box["seq"])

    def passed(self, mark: int, /) -> bool:
        with self._content() as content:
            return all(entry[0] > mark for entry in content.box["entries"])

    def counts(self) -> Counts:
        with self._content() as content:
            return Counts(len(content.box["entries"]), len(content.box["dead"]))

    def dead_letters(self) -> Sequence[Death]:
        with self._content() as content:
            return [Death(_entry(entry), *why) for entry, *why in content.box["dead"]]

    def revive(self) -> int:
        now = self._settings.now()
        with self._content() as content:
            box, revived = content.box, 0
            kept: list[Any] = []
            for death in box["dead"]:
                entry, reason = _entry(death[0]), death[1]
                if reason == "unreadable" or len(box["entries"]) >= self._settings.max_pending:
                    kept.append(death)
                    continue
                box["entries"].append(content.numbered(entry._replace(telemetry=None, since=now, misses=0)))
                content.lane_of(entry.session_id, now.steady_s)
                revived += 1
            box["dead"] = kept
            return revived

    def begin_anew(self) -> None:
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing is open between two calls."""

    @contextmanager
    def _content(self) -> Iterator[_Content]:
        """What the file holds, alone; written back unless something is raised."""
        try:
            with self._lock, self._path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                whole = json.loads(self._path.read_text()) if self._path.exists() else {}
                content = _Content(whole.setdefault(self._settings.account, _empty()), self._settings)
                before = json.dumps(whole)
                yield content
                content.forget_empty_lanes()
                if (after := json.dumps(whole)) != before:
                    temporary = self._path.with_suffix(".new")
                    temporary.write_text(after)
                    os.replace(temporary, self._path)
        except OSError as error:
            raise StoreBroken(error.strerror or type(error).__name__) from error
        except ValueError as error:
            raise StoreBroken("the file holds no JSON") from error


class _Content:
    """One account's part of the file: ``entries`` in the order of ``seq``, ``dead``, ``lanes``, the last ``seq``."""

    def __init__(self, box: dict[str, Any], settings: StoreSettings) -> None:
        self.box = box
        self._settings = settings

    def numbered(self, entry: Entry) -> list[Any]:
        self.box["seq"] += 1
        return list(entry._replace(seq=self.box["seq"]))

    def entries_of(self, session_id: str) -> list[Entry]:
        return [_entry(entry) for entry in self.box["entries"] if entry[1] == session_id]

    def lane_of(self, session_id: str, due_s: float) -> None:
        lane = {"session_id": session_id, "state": LaneState(due_s), "token": None, "ends_s": 0.0}
        self.box["lanes"].setdefault(session_id, lane)

    def free(self, is_open: IsOpen) -> Iterator[tuple[float, dict[str, Any]]]:
        """When each lane that may be sent can be claimed."""
        now_s = self._settings.now_s()
        for session_id, lane in self.box["lanes"].items():
            if not is_open(self.entries_of(session_id)[0].cluster):
                continue
            due_s, ends_s = lane["state"][0], lane["ends_s"]
            if due_s > now_s + self._settings.longest_wait_s:  # of before the machine started again
                due_s = now_s
            if ends_s > now_s + 2 * self._settings.lease_s:
                ends_s = now_s
            yield max(due_s, ends_s), lane

    def forget_empty_lanes(self) -> None:
        used = {entry[1] for entry in self.box["entries"]}
        self.box["lanes"] = {name: lane for name, lane in self.box["lanes"].items() if name in used}


def _empty() -> dict[str, Any]:
    return {"seq": 0, "entries": [], "dead": [], "lanes": {}}


def _entry(values: Sequence[Any]) -> Entry:
    return Entry(*values[:7], Moment(*values[7]), *values[8:])  # type: ignore[call-arg]
