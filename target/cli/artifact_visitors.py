"""`target artifact diff` and `simulate`: what visitors get by artifacts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from target.cli.artifact_options import RULES_HELP, deciding_options, reported
from target.cli.printing import json_option, one_line, print_json
from target.cli.stopping import stoppable


@click.command(
    epilog="BEFORE and AFTER are rules artifacts: files, URLs, or - for standard input.",
    short_help="Say what differs, and for which share of visitors.",
)
@click.argument("before")
@click.argument("after")
@json_option
@deciding_options
@reported
def diff(before: str, after: str, as_json: bool, no_progress: bool, **deciding: Any) -> None:
    """Say what differs between two artifacts, and which share of visitors changes experience.

    Activities, experiences and audiences added, removed and changed, in words; the share is measured over visitors who
    are decided for by both: those of a file, or as many as told, made up.

    Exit code 1: they differ.

    Example: target artifact diff old.json new.json --visitors visitors.csv
    """
    from target.batch.changes import measure_changes
    from target.cli.artifact_files import Failure, read_rules
    from target.cli.artifact_shown import progress_bar, show_differences
    from target.decisioning.catalogue import list_activities
    from target.decisioning.differences import compare

    if before == after == "-":
        raise click.UsageError("Only one of the two can be standard input.")
    old, new = read_rules(before), read_rules(after)
    settings, run = _settings(deciding, new.client or old.client)
    differences = compare(old.artifact, new.artifact)
    with stoppable() as stop, progress_bar("comparing", wanted=not no_progress) as on_progress:
        changes = measure_changes(old.text, new.text, settings, **run, on_progress=stop.telling(on_progress))
    if as_json:
        print_json({"differences": [each.to_dict() for each in differences], "visitors": changes.to_dict()})
    else:
        names: dict[tuple[str, str], str] = {}
        for activity in (*list_activities(old.artifact), *list_activities(new.artifact)):
            names[activity.id, ""] = " ".join(filter(None, [activity.id, activity.name]))
            names |= {(activity.id, each.id): each.name or each.id for each in activity.experiences if each.id}
        show_differences(differences, changes, names)
    if changes.failure is not None:
        raise Failure(changes.failure)
    if differences or changes.changed or changes.partial:
        raise click.exceptions.Exit(1)


@click.command(epilog=RULES_HELP, short_help="Decide for many visitors, and count who gets what.")
@click.argument("rules")
@json_option
@deciding_options
@click.option("--out", "-o", type=click.Path(path_type=Path), help="File for each decision: .csv, .jsonl or .parquet.")
@click.option("--plot", type=click.Path(path_type=Path), help="File for a picture of the counts: .png, .svg or .pdf.")
@reported
def simulate(
    rules: str, as_json: bool, no_progress: bool, out: Path | None, plot: Path | None, **deciding: Any
) -> None:
    """Decide for many visitors, and count who gets what.

    Counts are held against the shares of the rules by a sample-ratio test (chi-squared). Ctrl-C ends it early: what was
    counted is shown, decisions stay in a file whose name ends in .partial, and both say that they are partial.

    Exit code 1: visitors are spread otherwise than the shares say, or it was stopped.

    Example: target artifact simulate rules.json --visitors 100000 --out decisions.csv
    """
    from target.batch.simulate import simulate as decide_all
    from target.batch.written import format_of
    from target.cli.artifact_files import Failure, read_rules
    from target.cli.artifact_shown import progress_bar, show_simulation

    if out is not None:
        _check_name("--out", format_of, out)
    if plot is not None:
        from target.batch.plot import check_name, require_package

        _check_name("--plot", check_name, plot)
        require_package()
    read = read_rules(rules)
    settings, run = _settings(deciding, read.client)
    with stoppable() as stop, progress_bar("simulating", wanted=not no_progress) as on_progress:
        simulation = decide_all(read.text, settings, **run, out=out, on_progress=stop.telling(on_progress))
    if plot is not None:
        from target.batch.plot import draw_plot

        draw_plot(simulation, plot)
    if as_json:
        print_json(simulation.to_dict())
    else:
        show_simulation(simulation)
    if simulation.failure is not None:
        raise Failure(simulation.failure)
    if simulation.partial or simulation.mismatches:
        raise click.exceptions.Exit(1)


def _check_name(option: str, check: Callable[[Path], object], path: Path) -> None:
    """How a command was called is wrong where the name of a file says no format that there is."""
    from target.batch.errors import BatchError

    try:
        check(path)
    except BatchError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _settings(deciding: dict[str, Any], client: str | None) -> tuple[Any, dict[str, Any]]:
    """How visitors are decided for, and which."""
    from target.batch.simulate import Settings

    client = deciding["client"] or client
    if not client:
        click.echo(
            "The artifact names no client code, which is part of what allocates visitors: see --client", err=True
        )
    settings = Settings(
        client=client or "",
        now_s=time.time() if deciding["at"] is None else deciding["at"],
        seed=deciding["seed"],
        only=tuple(deciding["only"]),
        property_token=deciding["property_token"],
    )
    visitors = deciding["visitors"]
    run: dict[str, Any] = {"processes": deciding["processes"]}
    if isinstance(visitors, Path):
        _warn_of_missing_ids(visitors)
    run |= {"visitors": visitors} if isinstance(visitors, Path) else {"count": visitors}
    return settings, run


def _warn_of_missing_ids(path: Path) -> None:
    from target.batch.tables import read_batches
    from target.batch.visitors import has_id

    first = next(read_batches(path, 1), None)
    if first is not None and not has_id(first.rows[0]):
        known = "tntId, thirdPartyId, marketingCloudVisitorId"
        click.echo(f"{one_line(str(path))}: no column is an id ({known}), so visitors get new ones", err=True)
