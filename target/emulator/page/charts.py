"""Owns the charts: SVG of plain numbers, with the same in words for those who do not see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Names stand above their bars, so that a narrow screen can show both in letters that are large enough.
_BAR_WIDTH = 300
_VALUE_WIDTH = 60
_BAR_HEIGHT = 12
_LABEL_HEIGHT = 18
_ROW_HEIGHT = 54
_MOST_LABEL = 44


class Bar(NamedTuple):
    """One bar. ``kind`` is ``wanted`` or ``seen``; ``y`` is its upper edge, ``width`` its length."""

    kind: str
    y: int
    width: float
    text: str


class Row(NamedTuple):
    """The bars of one experience, and its name as long as there is room."""

    label: str
    y: int
    bars: tuple[Bar, ...]


class Chart(NamedTuple):
    """A bar chart: what a template draws, and what it says in words."""

    width: int
    height: int
    full_width: int
    rows: tuple[Row, ...]
    words: str


def share_chart(names: Sequence[str], wanted: Sequence[float], seen: Sequence[float]) -> Chart:
    """The share that each experience is to get beside the share that it got, both from 0 to 1."""
    rows = []
    for position, (name, *shares) in enumerate(zip(names, wanted, seen, strict=True)):
        top = position * _ROW_HEIGHT + _LABEL_HEIGHT
        bars = (
            Bar(kind, top + number * (_BAR_HEIGHT + 2), round(share * _BAR_WIDTH, 1), percent(share))
            for number, (kind, share) in enumerate(zip(("wanted", "seen"), shares, strict=True))
        )
        rows.append(Row(_cut(name), top - 5, tuple(bars)))
    said = (f"{name}: wanted {percent(a)}, seen {percent(b)}" for name, a, b in zip(names, wanted, seen, strict=True))
    return Chart(
        width=_BAR_WIDTH + _VALUE_WIDTH,
        height=len(rows) * _ROW_HEIGHT,
        full_width=_BAR_WIDTH,
        rows=tuple(rows),
        words="; ".join(said),
    )


def percent(share: float) -> str:
    """A share from 0 to 1 as people write it."""
    return f"{share * 100:.1f} %"


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_LABEL else f"{name[: _MOST_LABEL - 1]}…"
