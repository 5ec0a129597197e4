"""The page's numbers beyond counts: sample ratio and intervals, against values known from elsewhere; its charts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from target.emulator.page.charts import share_chart
from target.emulator.page.statistics import conversion, sample_ratio, seen_shares, wanted_shares
from target.emulator.tally import ActivityCount, ExperienceCount

EXPERIENCE = ExperienceCount("0", None, "", 0.5, visitors=0, impressions=0, conversions=0, converted=0)


def activity(*visitors: int, shares: Any = None, audiences: Any = None) -> ActivityCount:
    experiences = [
        replace(EXPERIENCE, visitors=number, share=share, audience=audience)
        for number, share, audience in zip(
            visitors, shares or [1 / len(visitors)] * len(visitors), audiences or [""] * len(visitors), strict=True
        )
    ]
    return ActivityCount("1", None, "ab", tuple(experiences))


def test_the_sample_ratio_is_that_of_the_chi_squared_test() -> None:
    # 1 degree of freedom: the statistic of 560 and 440 is 14.4, whose p is 0.000148 in any table.
    assert sample_ratio(activity(560, 440)).p_value == pytest.approx(0.000148, abs=1e-6)
    assert sample_ratio(activity(560, 440)).is_mismatch
    assert not sample_ratio(activity(520, 480)).is_mismatch
    assert sample_ratio(activity(340, 330, 330, shares=[0.34, 0.33, 0.33])).p_value == pytest.approx(1.0)


def test_shares_count_among_the_visitors_of_the_activity() -> None:
    part = activity(50, 50, shares=[0.1, 0.1])  # eight in ten see none of it
    assert wanted_shares(part) == [0.5, 0.5]
    assert sample_ratio(part).p_value == pytest.approx(1.0)


@pytest.mark.parametrize(
    "untested",
    [activity(10), activity(10, 10, shares=[None, None]), activity(10, 10, audiences=["country is CH", ""])],
    ids=["one experience", "no shares", "audiences that differ"],
)
def test_what_has_no_shares_to_hold_is_not_tested(untested: ActivityCount) -> None:
    assert sample_ratio(untested) is None


def test_too_few_visitors_say_nothing() -> None:
    assert sample_ratio(activity(9, 0)) == (None, False)
    assert sample_ratio(activity(0, 0)) == (None, False)
    assert sample_ratio(activity(10, 0)).p_value is not None


def test_intervals_are_those_of_wilson() -> None:
    # 10 of 100: 5.52 % to 17.44 % (Wilson without correction).
    rate = conversion(replace(EXPERIENCE, visitors=100, converted=10))
    assert rate.share == 0.1
    assert (rate.low, rate.high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
    assert conversion(EXPERIENCE) is None
    assert conversion(replace(EXPERIENCE, visitors=3, converted=3)).high == pytest.approx(1.0)


def test_a_chart_says_in_words_what_it_draws() -> None:
    chart = share_chart(["A", "B" * 60], [0.5, 0.5], seen_shares([30, 10]))
    assert [bar.width for row in chart.rows for bar in row.bars] == [150.0, 225.0, 150.0, 75.0]
    assert chart.words.startswith("A: wanted 50.0 %, seen 75.0 %; BBBB")
    assert len(chart.rows[1].label) == 44
    assert seen_shares([0, 0]) == [0.0, 0.0]
