"""What a finding about an artifact is, and how it names a place, a rule and a share."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from target.decisioning.catalogue import experience_id_of
from target.decisioning.ranges import Ranges, in_percent
from target.decisioning.rules import Rule

#: Severities, the worst first. An error keeps visitors from what the author wanted; a warning may be meant so.
ERROR = "error"
WARNING = "warning"
NOTE = "note"
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: What kind of thing, e.g. ``unreachable``.
        severity: ``error``, ``warning`` or ``note``.
        pointer: Where in the artifact, as a JSON pointer (RFC 6901); empty for the artifact as a whole.
        message: What.
        advice: What to do about it.
    """

    code: str
    severity: str
    pointer: str
    message: str
    advice: str

    def to_dict(self) -> dict[str, str]:
        """The attributes as JSON."""
        return {name: getattr(self, name) for name in ("code", "severity", "pointer", "message", "advice")}


def in_place(kind: str, name: str) -> str:
    """``mboxes`` or ``views`` and a name, in words."""
    return f'{"mbox" if kind == "mboxes" else "view"} "{name}"'


def name_rule(rule: Rule) -> str:
    """Experience and activity of a rule, in words."""
    return f"{name_experience(experience_id_of(rule.meta), rule.meta.get('experience.name'))} of {name_activity(rule)}"


def name_activity(rule: Rule) -> str:
    """The activity of a rule, in words."""
    name = rule.meta.get("activity.name")
    return f'activity {rule.activity_id} "{name}"' if isinstance(name, str) else f"activity {rule.activity_id}"


def name_experience(experience_id: str, name: Any) -> str:
    """An experience, in words."""
    if isinstance(name, str):
        return f'"{name}"' if name.startswith("Experience") else f'experience "{name}"'
    return f"experience {experience_id}" if experience_id else "the experience"


def say_ranges(ranges: Ranges) -> str:
    """Ranges of an allocation: ``0-30 % and 50-100 %``."""
    return " and ".join(f"{least:g}-{most:g} %" for least, most in in_percent(ranges)) or "0 %"


def say_date(at_s: float) -> str:
    """A date: ``2026-11-30 12:00 UTC``."""
    try:
        return f"{datetime.datetime.fromtimestamp(at_s, datetime.UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):  # beyond the years that Python has
        return f"{at_s:.0f} s after 1970"
