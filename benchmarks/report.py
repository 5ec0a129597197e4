"""How results are printed: the ratio first, since only ratios carry over to another machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.measure import Comparison, load_average


@dataclass(frozen=True)
class Row:
    """One result. ``at_most`` or ``at_least`` is its target, where it has one; ``absolute`` explains it.

    ``spread`` is the middle half of what was measured, of which ``value`` is the median.
    """

    name: str
    value: float
    unit: str = "x"
    spread: tuple[float, float] | None = None
    at_most: float | None = None
    at_least: float | None = None
    absolute: str = ""

    @property
    def missed(self) -> bool:
        """Whether the value, as measured and not as rounded, is past its target."""
        return (self.at_most is not None and self.value > self.at_most) or (
            self.at_least is not None and self.value < self.at_least
        )

    def __str__(self) -> str:
        value = f"{self.value:.0f}" if self.unit == "" else f"{self.value:.2f} {self.unit}"
        target = verdict = ""
        if self.at_most is not None or self.at_least is not None:
            sign, limit = ("<=", self.at_most) if self.at_most is not None else (">=", self.at_least)
            target, verdict = f"{sign} {limit:g}", "miss" if self.missed else "ok"
        middle = "" if self.spread is None else f"{self.spread[0]:.2f}..{self.spread[1]:.2f}"
        line = f"{self.name:<50} {value:>9}  {middle:<12}  {target:<8}{verdict:<5}"
        return (f"{line} ({self.absolute})" if self.absolute else line).rstrip()

    def as_json(self) -> dict[str, Any]:
        """The same for programs; ``ok`` is None where there is no target."""
        has_target = self.at_most is not None or self.at_least is not None
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "middle_half": self.spread,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "ok": not self.missed if has_target else None,
            "detail": self.absolute,
        }


def describe_run(load_before: str) -> str:
    """What a reader needs to judge the figures by."""
    return (
        f"Python {platform.python_version()}, urllib3 {version('urllib3')}, {os.cpu_count()} cores, "
        f"load average {load_before} before and {load_average()} after; only ratios carry over to another machine"
    )


def print_rows(rows: Sequence[Row]) -> None:
    """A table, with its heading."""
    print(f"{'':<50} {'value':>9}  {'middle half':<12}  {'target':<13} (this machine, this run)")
    for row in rows:
        print(row)


def spread(comparison: Comparison) -> tuple[float, float]:
    """The middle half of the ratios."""
    return comparison.low, comparison.high


def microseconds(seconds: float) -> str:
    """For the parentheses."""
    return f"{seconds * 1e6:.0f} us"


def milliseconds(seconds: float) -> str:
    """For the parentheses."""
    return f"{seconds * 1e3:.1f} ms"
