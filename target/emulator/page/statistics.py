"""Owns what counts say beyond themselves: whether shares are as wanted, and how sure a conversion rate is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from target.emulator.tally import ActivityCount, ExperienceCount

#: A split as far off as this or further comes by chance once in a thousand tests, as `target artifact simulate` asks.
SUSPICIOUS = 0.001
CONFIDENCE = 0.95
#: Below so many visitors expected in one experience the test says nothing.
LEAST_EXPECTED = 5


class SampleRatio(NamedTuple):
    """How the visitors of an activity fell on its experiences.

    Attributes:
        p_value: How often chance alone parts them at least as unevenly; None where there are too few visitors yet.
        is_mismatch: Whether that is so seldom that the split is not to be trusted.
    """

    p_value: float | None
    is_mismatch: bool


class Rate(NamedTuple):
    """A share of visitors, from 0 to 1, and the ends of its confidence interval (Wilson, 95 %)."""

    share: float
    low: float
    high: float


def wanted_shares(activity: ActivityCount) -> list[float] | None:
    """The share of the activity's visitors that each experience is to get, in sum 1; None where no shares say."""
    shares = [experience.share for experience in activity.experiences]
    if len(shares) < 2 or not all(shares):
        return None
    total = sum(share for share in shares if share is not None)
    return [share / total for share in shares if share is not None]


def seen_shares(visitors: Sequence[int]) -> list[float]:
    """The share of all visitors that each experience got; 0 where there were none."""
    total = sum(visitors)
    return [number / total if total else 0.0 for number in visitors]


def sample_ratio(activity: ActivityCount) -> SampleRatio | None:
    """Whether visitors fell on experiences as the shares want it (chi-squared); None where no shares say.

    An activity whose audiences differ from experience to experience has no shares to test.
    """
    shares = wanted_shares(activity)
    if shares is None or len({experience.audience for experience in activity.experiences}) > 1:
        return None
    seen = [experience.visitors for experience in activity.experiences]
    expected = [share * sum(seen) for share in shares]
    if min(expected) < LEAST_EXPECTED:
        return SampleRatio(None, is_mismatch=False)
    from scipy.stats import chisquare  # takes half a second to import, which few need

    p_value = float(chisquare(seen, expected).pvalue)
    return SampleRatio(p_value, is_mismatch=p_value < SUSPICIOUS)


def conversion(experience: ExperienceCount) -> Rate | None:
    """The share of its visitors that has converted; None where it has no visitors."""
    if not experience.visitors:
        return None
    from scipy.stats import binomtest  # as above

    converted = min(experience.converted, experience.visitors)
    interval = binomtest(converted, experience.visitors).proportion_ci(CONFIDENCE, method="wilson")
    return Rate(converted / experience.visitors, float(interval.low), float(interval.high))
