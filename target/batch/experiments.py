"""What statistics say of a frame of answers: whether visitors are split as wanted, and which effect can be found.

Both are computed by tea-tasting (extra ``stats``), which takes the frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from target.batch.extra import demand
from target.batch.frames import read_frame
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")


def sample_ratio(decided: Any, activity_id: str, shares: Mapping[str, float]) -> Any:
    """Whether the visitors of an activity are split as its shares say.

    Args:
        decided: Answers: a frame with the columns ``visitor``, ``activity_id`` and ``experience_id``.
        activity_id: The activity.
        shares: By experience id, in any unit: ``{"0": 50, "1": 50}``.

    Returns:
        A pyarrow.Table with a row for each two experiences: ``experience_id``, ``other_experience_id``, ``visitors``,
        ``other_visitors`` and ``p_value``: how likely it is that chance alone is so far off.

    Raises:
        OptionsError: A column is missing; nobody is in the activity; ``shares`` lack an experience that somebody got,
            or are none; tea-tasting is not installed.
    """
    tea_tasting = demand("tea_tasting", "sample_ratio", "stats")
    weights = _check_shares(shares)
    visitors = _visitors_of(decided, activity_id, [])
    unknown = sorted(set(visitors["experience_id"].to_pylist()) - weights.keys())
    if unknown:
        raise OptionsError(f"shares lack the experience {unknown[0]!r} of the activity {activity_id!r}")
    metric = tea_tasting.SampleRatio({name: weight for name, weight in weights.items() if weight})
    experiment = tea_tasting.Experiment(variant="experience_id", ratio=metric)
    rows = []
    for one, other in itertools.combinations(sorted(set(visitors["experience_id"].to_pylist())), 2):
        result = experiment.analyze(_only(visitors, one, other), control=one)["ratio"]
        rows.append((one, other, int(result.control), int(result.treatment), float(result.pvalue)))
    return _table(rows, ["p_value"])


def power(decided: Any, activity_id: str, value: str, *, alpha: float = 0.05, power: float = 0.8) -> Any:
    """Which effect an activity can find, with the visitors that it gets.

    Args:
        decided: Answers: a frame with the columns ``visitor``, ``activity_id``, ``experience_id`` and ``value``.
        activity_id: The activity.
        value: The column of what is measured, such as orders, as each visitor has it before the activity begins.
        alpha: How likely an effect may be found where there is none.
        power: How likely one is to be found where there is one.

    Returns:
        A pyarrow.Table with a row for each two experiences: ``experience_id``, ``other_experience_id``, ``visitors``,
        ``other_visitors``, ``effect_size`` (the least difference of means that is found) and ``rel_effect_size`` (the
        same as a share of the mean).

    Raises:
        OptionsError: As ``sample_ratio``; ``value`` is no column of numbers; ``alpha`` or ``power`` is not between 0
            and 1.
    """
    tea_tasting = demand("tea_tasting", "power", "stats")
    for name, given in (("alpha", alpha), ("power", power)):
        if not isinstance(given, float) or not 0 < given < 1:
            raise OptionsError(f"{name} must be a number between 0 and 1, not {given!r}")
    visitors = _visitors_of(decided, activity_id, [value])
    counts = {row["values"]: row["counts"] for row in pc.value_counts(visitors["experience_id"]).to_pylist()}
    rows = []
    for one, other in itertools.combinations(sorted(counts), 2):
        found = {}
        for parameter in ("effect_size", "rel_effect_size"):
            metric = tea_tasting.Mean(
                value, alpha=alpha, power=power, ratio=counts[other] / counts[one], n_obs=counts[one] + counts[other]
            )
            experiment = tea_tasting.Experiment(variant="experience_id", metric=metric)
            (solved,) = experiment.solve_power(_only(visitors, one, other), parameter)["metric"]
            found[parameter] = float(getattr(solved, parameter))
        rows.append((one, other, counts[one], counts[other], found["effect_size"], found["rel_effect_size"]))
    return _table(rows, ["effect_size", "rel_effect_size"])


def _visitors_of(decided: Any, activity_id: str, more: list[str]) -> Any:
    """The visitors of an activity, each once for an experience."""
    table = read_frame(decided).read_all()
    names = ["visitor", "activity_id", "experience_id", *more]
    missing = next((name for name in names if name not in table.column_names), None)
    if missing is not None:
        raise OptionsError(f"decided has no column {missing!r}: it must be what decide_frame gave")
    for name in more:
        kind = table.schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise OptionsError(f"The column {name!r} is of the type {kind}: it must hold numbers")
    table = table.select(names)
    plain = [table[name].cast(pa.string()) for name in names[:3]] + [table[name].cast(pa.float64()) for name in more]
    table = pa.table(plain, names=names)
    table = table.filter(pc.and_(pc.equal(table["activity_id"], activity_id), pc.is_valid(table["experience_id"])))
    if not table.num_rows:
        raise OptionsError(f"Nobody in decided is in an experience of the activity {activity_id!r}")
    once = table.group_by(["visitor", "experience_id"]).aggregate([(name, "max") for name in more])
    return once.rename_columns(["visitor", "experience_id", *more])


def _only(visitors: Any, one: str, other: str) -> Any:
    return visitors.filter(pc.is_in(visitors["experience_id"], pa.array([one, other])))


def _check_shares(shares: Any) -> dict[str, float]:
    if not isinstance(shares, Mapping) or not shares:
        raise OptionsError("shares must be a dict of numbers by experience id")
    for name, share in shares.items():
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not isinstance(name, str) or not is_number or not 0 < share < float("inf"):
            raise OptionsError(f"shares[{name!r}] must be a number above 0 for the id of an experience, not {share!r}")
    return dict(shares)


def _table(rows: list[tuple[Any, ...]], names: list[str]) -> Any:
    pair = [(name, pa.string()) for name in ("experience_id", "other_experience_id")]
    counts = [(name, pa.int64()) for name in ("visitors", "other_visitors")]
    schema = pa.schema([*pair, *counts, *((name, pa.float64()) for name in names)])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
