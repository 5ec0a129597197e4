"""Owns the search for what a cassette must never hold: known secrets, and what looks like an id or a time."""

from __future__ import annotations

from collections.abc import Iterable

from target.testing._masking import PATTERNS, spellings_of


def find_leaks(text: str, secrets: Iterable[str] = ()) -> list[str]:
    """What `text` gives away, one line each: the `secrets`, also percent-encoded, and whatever fits a pattern."""
    found = [
        f"secret {secret!r}" for secret in secrets if any(form.lower() in text.lower() for form in spellings_of(secret))
    ]
    for name, pattern in PATTERNS.items():
        found += [f"{name} {match[0]!r}" for match in pattern.regex.finditer(text)]
    return found
