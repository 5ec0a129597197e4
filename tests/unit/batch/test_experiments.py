"""Sample ratios and power, held against what scipy says."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pyarrow as pa
import pytest

from target import OptionsError
from target.batch import BatchDecider, power, sample_ratio
from tests.kit.explained import var
from tests.kit.rules import build_artifact, build_rule

stats = pytest.importorskip("scipy.stats")
pytest.importorskip("tea_tasting")

HALVES = [
    build_rule({"<": [var("allocation"), 50]}, 1, meta={"experience.id": 0}),
    build_rule({"<=": [50, var("allocation")]}, 1, meta={"experience.id": 1}),
]
COUNT = 4000
VISITORS = pa.table({"id": [f"v{number}" for number in range(COUNT)]})
ORDERS = [float(number % 7) for number in range(COUNT)]


def decided() -> Any:
    decider = BatchDecider(build_artifact(*HALVES), mboxes=["hero"], client="acme", id_columns={"tnt_id": "id"})
    return decider(VISITORS).append_column("orders", pa.array(ORDERS))


def test_a_split_as_wanted_and_another() -> None:
    answers = decided()
    (told,) = sample_ratio(answers, "1", {"0": 1, "1": 1}).to_pylist()
    first = answers["experience_id"].to_pylist().count("0")
    assert (told["experience_id"], told["other_experience_id"]) == ("0", "1")
    assert (told["visitors"], told["other_visitors"]) == (first, COUNT - first)
    assert told["p_value"] == pytest.approx(stats.binomtest(first, COUNT, 0.5).pvalue, rel=0.05)
    assert sample_ratio(answers, "1", {"0": 60, "1": 40})["p_value"][0].as_py() < 1e-6


def test_a_visitor_with_many_rows_counts_once() -> None:
    answers = decided()
    assert sample_ratio(pa.concat_tables([answers] * 3), "1", {"0": 1, "1": 1}) == sample_ratio(
        answers, "1", {"0": 1, "1": 1}
    )


def test_the_least_effect_that_is_found() -> None:
    (told,) = power(decided(), "1", "orders").to_pylist()
    deviation = statistics.stdev(ORDERS)
    standard_error = deviation * math.sqrt(1 / told["visitors"] + 1 / told["other_visitors"])
    wanted = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * standard_error
    assert told["effect_size"] == pytest.approx(wanted, rel=0.02)
    assert told["rel_effect_size"] == pytest.approx(wanted / statistics.fmean(ORDERS), rel=0.02)
    stricter = power(decided(), "1", "orders", alpha=0.01, power=0.9)
    assert stricter["effect_size"][0].as_py() > told["effect_size"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda frame: sample_ratio(frame, "1", {}), "shares must be a dict"),
        (lambda frame: sample_ratio(frame, "1", {"0": 0, "1": 1}), r"shares\['0'\] must be a number above 0"),
        (lambda frame: sample_ratio(frame, "1", {"0": 1}), "shares lack the experience '1'"),
        (lambda frame: sample_ratio(frame, "2", {"0": 1}), "Nobody in decided is in an experience of the activity '2'"),
        (lambda frame: sample_ratio(frame.drop_columns("visitor"), "1", {"0": 1}), "has no column 'visitor'"),
        (lambda _: sample_ratio(None, "1", {"0": 1}), "must be one that has __arrow_c_stream__"),
        (lambda frame: power(frame, "1", "sales"), "has no column 'sales'"),
        (lambda frame: power(frame, "1", "content"), "it must hold numbers"),
        (lambda frame: power(frame, "1", "orders", alpha=1.5), "alpha must be a number between 0 and 1"),
        (lambda frame: power(frame, "1", "orders", power=1), "power must be a number between 0 and 1"),
    ],
)
def test_mistakes(call: Any, told: str) -> None:
    with pytest.raises(OptionsError, match=told):
        call(decided())
