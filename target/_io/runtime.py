"""The real clock, time zone and id source."""

from __future__ import annotations

import time

from target.config import Runtime


def system_runtime() -> Runtime:
    """Time and ids as the operating system gives them."""
    return Runtime(now_s=time.time, new_id=_new_id, utc_offset_minutes=_utc_offset_minutes)


def _new_id() -> str:
    import uuid  # imports platform; the first call can wait for it

    return str(uuid.uuid4())


def _utc_offset_minutes() -> int:
    return time.localtime().tm_gmtoff // 60
