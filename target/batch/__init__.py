"""Deciding for many visitors at once, from the rules of an artifact: without a client, a network or an account.

What is public here needs the extra ``batch``, and is imported when it is first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from target.batch.decider import BatchDecider
    from target.batch.experiments import power, sample_ratio
    from target.batch.forecasts import forecast, overlap, sample_sizes
    from target.batch.frames import decide_frame

__all__ = ["BatchDecider", "decide_frame", "forecast", "overlap", "power", "sample_ratio", "sample_sizes"]

_HOMES = {
    "BatchDecider": "target.batch.decider",
    "decide_frame": "target.batch.frames",
    "forecast": "target.batch.forecasts",
    "overlap": "target.batch.forecasts",
    "power": "target.batch.experiments",
    "sample_ratio": "target.batch.experiments",
    "sample_sizes": "target.batch.forecasts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
