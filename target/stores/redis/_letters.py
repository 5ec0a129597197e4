"""Owns how a notification is written into Redis, and read back: what is there may be anybody's."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from target.protocols import Death, Entry, Moment
from target.stores.redis._server import AGREES_S, Nonsense

VERSION = 1
_LENGTH = 32  # of the names of lanes and accounts, which nobody can read


def name_of(*parts: str) -> str:
    """A name for what must not be read out of a key."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:_LENGTH]


def mark_of(cluster: str | None) -> str:
    """An edge cluster as it stands in names and keys."""
    return "-" if cluster is None else f"+{cluster}"


def cluster_of(mark: str) -> str | None:
    """The edge cluster of a mark."""
    return None if mark == "-" else mark[1:]


def pack_entry(entry: Entry, offset_s: float) -> bytes:
    """An entry as it is kept; ``offset_s`` tells other machines how its steady clock is to be read."""
    return _dump(_fields(entry, offset_s))


def unpack_entry(data: bytes, seq: int, misses: int, offset_s: float, key: str) -> Entry:
    """What ``pack_entry`` made. Raises Nonsense, which names ``key``."""
    return _entry(_load(data, key), seq, misses, offset_s, key)


def pack_death(death: Death, offset_s: float) -> bytes:
    """A dead letter as it is kept."""
    told = {"reason": death.reason, "status": death.status, "message": death.message}
    return _dump({**_fields(death.entry, offset_s), **told})


def unpack_death(data: bytes, seq: int, offset_s: float, key: str) -> Death:
    """What ``pack_death`` made. Raises Nonsense, which names ``key``."""
    fields = _load(data, key)
    reason: Any = fields.get("reason")
    return Death(_entry(fields, seq, 0, offset_s, key), reason, fields.get("status"), fields.get("message"))


def _fields(entry: Entry, offset_s: float) -> dict[str, Any]:
    return {
        "v": VERSION,
        "session": entry.session_id,
        "cluster": entry.cluster,
        "envelope": entry.envelope,
        "notification": entry.notification,
        "telemetry": entry.telemetry,
        "queued_at": entry.queued_at,
        "since": [*entry.since, offset_s],
        "misses": entry.misses,
    }


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _load(data: bytes, key: str) -> dict[str, Any]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or fields.get("v") != VERSION:
        raise Nonsense.of(key)
    return fields


def _entry(fields: dict[str, Any], seq: int, misses: int, offset_s: float, key: str) -> Entry:
    try:
        wall_s, steady_s, written_s = fields["since"]
        if abs(written_s - offset_s) > AGREES_S:  # of another machine, or of before this one started again
            steady_s += written_s - offset_s
        return Entry(
            seq,
            fields["session"],
            fields["cluster"],
            fields["envelope"],
            fields["notification"],
            fields["telemetry"],
            fields["queued_at"],
            Moment(wall_s, steady_s),
            fields["misses"] + misses,
        )
    except (KeyError, TypeError, ValueError):
        raise Nonsense.of(key) from None
