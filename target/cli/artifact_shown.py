"""How commands about artifacts show what they found: tables for people, JSON for machines."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from target.cli.printing import one_line, print_text
from target.decisioning.catalogue import Activity, Experience

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from target.batch.changes import Changes
    from target.batch.results import ActivityResult, Simulation
    from target.decisioning.differences import Difference
    from target.decisioning.findings import Finding

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_WIDE = 240  # of what is no terminal, where nobody wants lines broken
_MOVES = 20


def show_activities(activities: Sequence[Activity], problems: Sequence[str]) -> None:
    """A table of experiences by activity; below it what the engine cannot decide."""
    rows = []
    for activity in activities:
        title = " ".join(filter(None, [activity.id, activity.name, f"({activity.type})" if activity.type else None]))
        if activity.property_tokens:
            title += f" [{', '.join(activity.property_tokens)}]"
        for each in activity.experiences:
            rows.append((title, _name(each), _shares(each), each.audience or "everybody", _places(each), _dates(each)))
            title = ""
    _print_table(("activity", "experience", "share", "audience", "places", "dates"), rows)
    console = _console()
    _print_text(console, f"{len(activities):,} activities, {len(rows):,} experiences")
    for problem in problems:
        _print_text(console, f"cannot be decided on the device: {problem}", _COLOURS["warning"])


def show_findings(findings: Sequence[Finding], source: str) -> None:
    """Findings, two lines each, and how many there are."""
    console = _console()
    for finding in findings:
        line = f"{source}: {finding.pointer or '/'}: {finding.severity}: {finding.message} ({finding.code})"
        _print_text(console, line, _COLOURS[finding.severity])
        _print_text(console, f"    {finding.advice}")
    counts = Counter(finding.severity for finding in findings)
    told = [f"{counts[each]:,} {each}{'' if counts[each] == 1 else 's'}" for each in _COLOURS if counts[each]]
    _print_text(console, f"{source}: {', '.join(told) if told else 'nothing found'}")


def show_differences(
    differences: Sequence[Difference], changes: Changes | None, names: Mapping[tuple[str, str], str]
) -> None:
    """Differences, a line each, and which share of visitors changes experience."""
    console = _console()
    for difference in differences:
        sign, colour = _SIGNS[difference.change]
        _print_text(console, f"{sign} {difference.message}", colour)
    if not differences:
        _print_text(console, "The artifacts hold the same")
    if changes is None:
        return
    share = f" ({100 * changes.changed / changes.visitors:.2f} %)" if changes.visitors else ""
    partial = "partial, since it was stopped: " if changes.partial else ""
    _print_text(console, f"{partial}{changes.changed:,} of {changes.visitors:,} visitors{share} change experience")

    def named(activity_id: str, experience_id: str | None) -> str:
        return "nothing" if experience_id is None else names.get((activity_id, experience_id), experience_id)

    moves = changes.moves.most_common(_MOVES)
    rows = [
        (names.get((activity_id, ""), activity_id), named(activity_id, before), named(activity_id, after), f"{count:,}")
        for (activity_id, before, after), count in moves
    ]
    if rows:
        _print_table(("activity", "before", "after", "visitors"), rows)
    if len(changes.moves) > len(moves):
        _print_text(console, f"and {len(changes.moves) - len(moves):,} more kinds of changes: --json has them all")


def show_simulation(simulation: Simulation) -> None:
    """A table of counts, and what the sample-ratio tests say."""
    console = _console()
    rows = []
    for activity in simulation.activities:
        title = " ".join(filter(None, [activity.id, activity.name]))
        for each in activity.experiences:
            share = f"{100 * each.visitors / activity.visitors:.2f} %" if activity.visitors else ""
            expected = "" if each.expected is None else f"{each.expected:,.0f}"
            rows.append((title, each.name or each.id, f"{each.visitors:,}", share, expected, _verdict(activity, title)))
            title = ""
    _print_table(("activity", "experience", "visitors", "share", "expected", "sample ratio"), rows)
    state = "partial, since it was stopped: " if simulation.partial else ""
    nothing = f", {simulation.with_nothing:,} of them with no experience" if simulation.with_nothing else ""
    noun = "visitor" if simulation.visitors == 1 else "visitors"
    _print_text(console, f"{state}{simulation.visitors:,} {noun}{nothing}")
    for activity in simulation.mismatches:
        _print_text(console, f"sample ratio mismatch in activity {activity.id}", _COLOURS["error"])
    if simulation.out:
        _print_text(console, f"decisions are in {simulation.out}")


@contextmanager
def progress_bar(title: str, *, wanted: bool) -> Iterator[Any]:
    """What a long run tells how many visitors are done: a bar on a terminal, and nothing elsewhere."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[visitors]:,} visitors"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=1.0, visitors=0)
        yield lambda done, share: progress.update(task, completed=share, visitors=done)


def _verdict(activity: ActivityResult, title: str) -> str:
    if not title or activity.ratio is None:
        return ""
    if activity.ratio.p_value is None:
        return f"not tested: {activity.ratio.why_not}" if activity.visitors else ""
    return f"p = {activity.ratio.p_value:.3g}" + (" MISMATCH" if activity.ratio.is_mismatch else "")


def _name(experience: Experience) -> str:
    return " ".join(filter(None, [experience.id, experience.name]))


def _shares(experience: Experience) -> str:
    return ", ".join(f"{least:g}-{most:g} %" for least, most in experience.shares) or "all"


def _places(experience: Experience) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in experience.places)


def _dates(experience: Experience) -> str:
    bounds = [("from", experience.starts_s), ("until", experience.ends_s)]
    return " ".join(f"{word} {_date(at_s)}" for word, at_s in bounds if at_s is not None)


def _date(at_s: float) -> str:
    try:
        return datetime.datetime.fromtimestamp(at_s, datetime.UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):  # beyond the years that Python has
        return f"{at_s:.0f}"


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    filled = [any(row[at] for row in rows) for at in range(len(titles))]
    for title, is_filled in zip(titles, filled, strict=True):
        if is_filled:
            justify: Any = "right" if title in ("visitors", "share", "expected") else "left"
            table.add_column(title, overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell, is_filled in zip(row, filled, strict=True) if is_filled))
    if rows:
        _render(_console(), table)


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def _print_text(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    _render(console, Text(one_line(text) if not text.startswith("    ") else f"    {one_line(text[4:])}", style=style))


def _render(console: Console, shown: RenderableType) -> None:
    with console.capture() as capture:
        console.print(shown, soft_wrap=not hasattr(shown, "columns"))
    print_text(capture.get().rstrip("\n"))
