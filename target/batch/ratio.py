"""The sample-ratio test: whether visitors got the experiences of an activity as often as its shares say.

Pearson's chi-squared test for each stratum, of which statistics and degrees of freedom add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from target.batch.expected import Stratum

#: Below it chance is no explanation any more.
ALPHA = 0.001
_LEAST_EXPECTED = 5  # the usual condition of the test


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioTest:
    """What the test says of one activity.

    Attributes:
        expected: By experience: how many visitors were to be expected.
        statistic: Chi-squared; None where nothing could be tested.
        degrees_of_freedom: Likewise.
        p_value: How likely it is that chance alone is so far off; None where nothing could be tested.
        why_not: Why nothing could be tested; None where it was.
    """

    expected: Mapping[str, float]
    statistic: float | None = None
    degrees_of_freedom: int | None = None
    p_value: float | None = None
    why_not: str | None = None

    @property
    def is_mismatch(self) -> bool:
        """Whether visitors are spread otherwise than the shares say."""
        return self.p_value is not None and self.p_value < ALPHA

    def to_dict(self) -> dict[str, Any]:
        """The attributes as JSON."""
        return {
            "statistic": self.statistic,
            "degreesOfFreedom": self.degrees_of_freedom,
            "pValue": self.p_value,
            "mismatch": self.is_mismatch,
            "whyNot": self.why_not,
        }


def compare_ratios(strata: Mapping[Stratum, Counter[str]]) -> RatioTest:
    """Hold what was counted against what was expected."""
    expected: dict[str, float] = {}
    tables = []
    for stratum, counts in strata.items():
        total, weight = counts.total(), sum(count for _, count in stratum)
        by_shares = {experience_id: total * count / weight for experience_id, count in stratum}
        for experience_id, number in by_shares.items():
            expected[experience_id] = expected.get(experience_id, 0.0) + number
        table = _cells(counts, by_shares)
        if len(table) > 1:
            tables.append(table)
    if not tables:
        return RatioTest(expected=expected, why_not="too few visitors, or nothing that is left to chance")
    try:
        from scipy import special  # an extra; scipy.stats has the whole test, and takes a second to import
    except ImportError:
        return RatioTest(expected=expected, why_not="it needs scipy: pip install 'target-delivery[simulate]'")
    statistic = sum((seen - wanted) ** 2 / wanted for table in tables for seen, wanted in table)
    freedom = sum(len(table) - 1 for table in tables)
    return RatioTest(
        expected=expected,
        statistic=statistic,
        degrees_of_freedom=freedom,
        p_value=float(special.chdtrc(freedom, statistic)),
    )


def _cells(counts: Counter[str], wanted: Mapping[str, float]) -> list[tuple[float, float]]:
    """Seen and expected by experience; those of which too few are expected are one."""
    cells = [(float(counts[each]), number) for each, number in wanted.items() if number >= _LEAST_EXPECTED]
    rest = sum((number for number in wanted.values() if number < _LEAST_EXPECTED), 0.0)
    if rest:
        together = sum(counts[each] for each, number in wanted.items() if number < _LEAST_EXPECTED)
        cells.append((float(together), rest))
    if len(cells) > 1 and cells[-1][1] < _LEAST_EXPECTED:
        (seen, number), (more_seen, more) = cells[-2:]
        cells = [*cells[:-2], (seen + more_seen, number + more)]
    return cells
