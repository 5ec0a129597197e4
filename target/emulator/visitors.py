"""Owns what the emulator remembers of visitors: who is who, and which experience each stays in.

Target keeps a profile under a tntId, and finds it again by a thirdPartyId or an ECID that came with it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from target.decisioning.experiences import Standing
from target.emulator.answers import tnt_id_of_session, without_cluster

#: As many visitors are remembered; then those go that were away for longest.
MOST_VISITORS = 100_000
_OTHER_IDS = ("marketingCloudVisitorId", "thirdPartyId")


@dataclass(slots=True)
class Visitor:
    """One visitor, by the tntId without its cluster.

    Attributes:
        tnt_id: Without a cluster.
        stays: The experience that the visitor stays in, by activity id.
        shown: Experiences that the visitor has seen.
        converted: Experiences in which the visitor has clicked what counts.
    """

    tnt_id: str
    stays: dict[str, str] = field(default_factory=dict)
    shown: set[Standing] = field(default_factory=set)
    converted: set[Standing] = field(default_factory=set)


class Visitors:
    """All visitors that are remembered. Not safe to share between threads by itself."""

    def __init__(self, most: int = MOST_VISITORS) -> None:
        self._most = most
        self._by_tnt_id: dict[str, Visitor] = {}  # in the order in which they were last here
        self._others: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._by_tnt_id)

    def look_up(self, ids: Mapping[str, Any], session_id: str) -> Visitor:
        """The visitor whom a request names, without remembering anything new of it."""
        tnt_id = self._tnt_id(ids, session_id)
        return self._by_tnt_id.get(tnt_id) or Visitor(tnt_id)

    def find(self, ids: Mapping[str, Any], session_id: str) -> Visitor:
        """The visitor whom a request names; one who names nobody gets a tntId made from the session."""
        tnt_id = self._tnt_id(ids, session_id)
        visitor = self._by_tnt_id.pop(tnt_id, None) or Visitor(tnt_id)
        self._by_tnt_id[tnt_id] = visitor
        for other in _others_of(ids):
            self._others.pop(other, None)
            self._others[other] = tnt_id
        _trim(self._by_tnt_id, self._most)
        _trim(self._others, self._most)
        return visitor

    def clear(self) -> None:
        """Forget everybody."""
        self._by_tnt_id.clear()
        self._others.clear()

    def _tnt_id(self, ids: Mapping[str, Any], session_id: str) -> str:
        known = (self._others[other] for other in _others_of(ids) if other in self._others)
        return without_cluster(ids.get("tntId") or "") or next(known, None) or tnt_id_of_session(session_id)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "visitors": [
                {
                    "tntId": visitor.tnt_id,
                    "stays": visitor.stays,
                    "shown": sorted(visitor.shown),
                    "converted": sorted(visitor.converted),
                }
                for visitor in self._by_tnt_id.values()
            ],
            "others": self._others,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over what ``to_dict`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        visitors = {}
        for item in data["visitors"]:
            shown, converted = ({Standing(*map(str, pair)) for pair in item[key]} for key in ("shown", "converted"))
            stays = {str(activity): str(experience) for activity, experience in item["stays"].items()}
            visitors[str(item["tntId"])] = Visitor(str(item["tntId"]), stays, shown, converted)
        others = {str(other): str(tnt_id) for other, tnt_id in data["others"].items()}
        self._by_tnt_id, self._others = visitors, others


def _others_of(ids: Mapping[str, Any]) -> list[str]:
    return [f"{key} {ids[key]}" for key in _OTHER_IDS if ids.get(key)]


def _trim(kept: dict[str, Any], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
