"""The cookies Target keeps at a visitor: ``mbox`` (session and device id) and ``mboxEdgeCluster``."""

from __future__ import annotations

import math
import re
from urllib.parse import quote, unquote

from target.response import TargetCookie

TARGET_COOKIE_NAME = "mbox"
LOCATION_HINT_COOKIE_NAME = "mboxEdgeCluster"
SESSION = "session"
DEVICE_ID = "PC"
SESSION_MAX_AGE_S = 1860
DEVICE_ID_MAX_AGE_S = 63_244_800
LOCATION_HINT_MAX_AGE_S = 1860

_PLAIN = re.compile(r"[A-Za-z0-9_.!~*'()-]*")
_EPOCH_S = re.compile(r"[0-9]{1,15}")


def parse_target_cookie(value: str | None, now_s: float) -> dict[str, str]:
    """The entries of an ``mbox`` cookie that have not expired, by name. Anything malformed is left out.

    An entry is ``name#value#expires``, name and value percent-encoded, ``expires`` in epoch seconds; entries are
    joined with ``|``. A value that some layer has percent-encoded once more, or quoted, is understood too.
    """
    if not value:
        return {}
    value = value.strip('" ')
    if "#" not in value and "%23" in value:
        value = unquote(value)
    entries: dict[str, str] = {}
    oldest = math.ceil(now_s)
    for entry in value.split("|"):
        parts = entry.split("#", 3)
        if len(parts) >= 3 and _EPOCH_S.fullmatch(parts[2]) and oldest <= int(parts[2]):
            entries[unquote(parts[0])] = unquote(parts[1])
    return entries


def build_target_cookie(session_id: str, device_id: str | None, now_s: float) -> TargetCookie:
    """The ``mbox`` cookie to set: this session, and the device id where one is known."""
    expiries = {SESSION: (session_id, math.ceil(now_s + SESSION_MAX_AGE_S))}
    if device_id:
        expiries[DEVICE_ID] = (device_id, math.ceil(now_s + DEVICE_ID_MAX_AGE_S))
    value = "|".join(f"{name}#{_encode(text)}#{expires}" for name, (text, expires) in expiries.items())
    return TargetCookie(TARGET_COOKIE_NAME, value, DEVICE_ID_MAX_AGE_S if device_id else SESSION_MAX_AGE_S)


def build_location_hint_cookie(cluster: str | None) -> TargetCookie | None:
    """The ``mboxEdgeCluster`` cookie to set, where a cluster is known."""
    return TargetCookie(LOCATION_HINT_COOKIE_NAME, cluster, LOCATION_HINT_MAX_AGE_S) if cluster else None


def _encode(text: str) -> str:
    # Ids are nearly always plain, and looking costs a tenth of quoting.
    return text if _PLAIN.fullmatch(text) else quote(text, safe="!~*'()", errors="replace")
