"""Conditions in words."""

from __future__ import annotations

import json
from typing import Any

from target.decisioning.ranges import reach_of

_MOST_CHARACTERS = 200


def describe(condition: Any) -> str:
    """What a condition asks of a visitor; empty where it asks for nothing but a place in the activity."""
    if reach_of(condition, "allocation").is_exact:
        return ""
    return json.dumps(condition)[:_MOST_CHARACTERS]
