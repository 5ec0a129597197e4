"""How many examples of a property are tried: all by `make check`, a fifth by `make test`."""

from __future__ import annotations

import os

from hypothesis import settings

ALL = 100


def begin(thorough: bool) -> None:
    """Before tests are collected. Where a change is judged, it is by the same examples each time."""
    of_this_run = settings(
        deadline=None,  # a busy machine is no counterexample
        derandomize=bool(os.environ.get("CI")),
        max_examples=ALL if thorough else ALL // 5,
    )
    settings.register_profile("of this run", of_this_run)
    settings.load_profile("of this run")


def examples(count: int) -> int:
    """What this run tries of ``count`` examples."""
    return max(1, count * settings().max_examples // ALL)
