"""Draws what visitors got: for each activity, the share of each experience, beside the share that was expected."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from target.batch.errors import BatchError
from target.batch.extra import require
from target.batch.results import ActivityResult, Simulation

MAX_ACTIVITIES = 20
_SEEN, _WANTED = "#1f5fa8", "#e0a030"
_FORMATS = (".png", ".svg", ".pdf")


def check_name(path: Path) -> None:
    """Raises BatchError where the name of a file says no format of a picture."""
    if path.suffix.lower() not in _FORMATS:
        raise BatchError(f"{path}: a plot is drawn into a file whose name ends in {', '.join(_FORMATS)}")


def require_package() -> None:
    """Raises BatchError where what draws is not installed: before a long run, not after it."""
    require("matplotlib.figure", "drawing a plot")


def draw_plot(simulation: Simulation, path: Path) -> None:
    """Draw the result into ``path``: those activities that most visitors have. Raises BatchError."""
    figures = require("matplotlib.figure", "drawing a plot")
    seen = sorted((each for each in simulation.activities if each.visitors), key=lambda each: -each.visitors)
    drawn = seen[:MAX_ACTIVITIES]
    heights = [1 + len(activity.experiences) * 0.5 for activity in drawn] or [1.0]
    figure = figures.Figure(figsize=(9, 1 + sum(heights)), layout="constrained")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of activities may have characters that no font has
        axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for axis, activity in zip(axes, drawn, strict=False):
            _draw_activity(axis, activity)
        if not drawn:
            axes[0].set_title("no visitor got any experience")
        left_out = len(seen) - len(drawn)
        figure.suptitle(
            f"{simulation.visitors:,} visitors"
            + (" (partial: stopped before the end)" if simulation.partial else "")
            + (f", {left_out} more activities not shown" if left_out else "")
        )
        try:
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise BatchError(f"{path}: it cannot be written: {error.strerror or error}") from error


def _draw_activity(axis: Any, activity: ActivityResult) -> None:
    rows = list(enumerate(activity.experiences))
    axis.barh(
        [row - 0.2 for row, _ in rows],
        [100 * each.visitors / activity.visitors for _, each in rows],
        0.38,
        color=_SEEN,
        label="got",
    )
    wanted = [(row, each.expected) for row, each in rows if each.expected is not None]
    if wanted:
        axis.barh(
            [row + 0.2 for row, _ in wanted],
            [100 * number / activity.visitors for _, number in wanted],
            0.38,
            color=_WANTED,
            label="expected",
        )
    axis.set_yticks([row for row, _ in rows], [_plain(each.name or each.id) for _, each in rows])
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("% of its visitors")
    title = f"{_plain(activity.name or activity.id)}: {activity.visitors:,} visitors"
    if activity.ratio is not None and activity.ratio.p_value is not None:
        title += f", p = {activity.ratio.p_value:.3g}"
    axis.set_title(title, loc="left", fontsize=10)
    axis.legend(loc="upper right", fontsize=8)


def _plain(name: str) -> str:
    """A name that is shown as it is: a dollar sign begins a formula, and some characters no font has."""
    text = "".join(each if each.isprintable() else " " for each in name).replace("$", r"\$")
    return text if len(text) <= 60 else f"{text[:59]}…"
