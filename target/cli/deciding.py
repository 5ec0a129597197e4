"""`target decide`: what each visitor of a file gets, by rules in a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from target.cli.artifact_options import RULES_HELP, at_option, reported
from target.cli.printing import json_option, one_line, print_json, print_text
from target.cli.stopping import stoppable

_IDS = ("tnt_id", "third_party_id", "marketing_cloud_visitor_id")
_PLACES = ("country", "state", "city")


def _pairs(known: tuple[str, ...] | None = None) -> Callable[[click.Context, click.Parameter, Any], dict[str, str]]:
    """Values of an option that are NAME=COLUMN, as a dict."""

    def read(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for value in values:
            name, _, column = value.partition("=")
            if not name or not column:
                raise click.BadParameter(f"{value!r} is not NAME=COLUMN")
            if known is not None and name not in known:
                raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
            if name in found:
                raise click.BadParameter(f"{name!r} is given twice")
            found[name] = column
        return found

    return read


def _column_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What names the columns of the visitors' file."""
    options: list[Callable[..., Any]] = [
        click.option(
            *("--id", "ids"),
            multiple=True,
            callback=_pairs(_IDS),
            metavar="NAME=COLUMN",
            help=f"Column of an id: {', '.join(_IDS)}; default: the columns of these names.",
        ),
        click.option(
            *("--param", "parameters"),
            multiple=True,
            callback=_pairs(),
            metavar="NAME=COLUMN",
            help="Column of a parameter of the mboxes; default: every other column.",
        ),
        click.option("--url", metavar="COLUMN", help="Column of the page's URL."),
        click.option("--referring-url", metavar="COLUMN", help="Column of the URL of the page before it."),
        click.option("--user-agent", metavar="COLUMN", help="Column of the browser's user agent."),
        click.option(
            "--geo",
            multiple=True,
            callback=_pairs(_PLACES),
            metavar="NAME=COLUMN",
            help=f"Column of a place: {', '.join(_PLACES)}.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    epilog=f"{RULES_HELP} VISITORS is a file: .csv, .tsv, .jsonl, .ndjson or .parquet.",
    short_help="Decide what each visitor of a file gets.",
)
@click.argument("rules")
@click.argument("visitors", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--mbox", "mboxes", multiple=True, metavar="NAME", help="Ask for this mbox; default: all of the rules.")
@click.option("--out", "-o", type=click.Path(path_type=Path), default=Path("decisions.parquet"), show_default=True)
@click.option("--resume", is_flag=True, help="Go on from where the same run was stopped.")
@click.option("--client", metavar="CODE", help="Client code, part of what allocates visitors; default: the rules'.")
@_column_options
@click.option("--property-token", metavar="TOKEN", help="Property of all visitors.")
@click.option("--response-tokens", is_flag=True, help="Add a column of response tokens.")
@click.option("--processes", type=click.IntRange(1, 256), help="How many processes; default: all cores.")
@click.option("--no-progress", is_flag=True, help="No bar on a terminal.")
@at_option
@json_option
@reported
def decide(
    rules: str,
    visitors: Path,
    out: Path,
    resume: bool,
    at: float | None,
    processes: int | None,
    no_progress: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Decide what each visitor of a file gets, a row for each visitor and mbox, in the order of the file.

    --out is a .parquet, .csv, .jsonl or .ndjson file. Until it is complete its name ends in .partial; Ctrl-C leaves it
    whole up to there, and --resume goes on. A row that makes no sense has the reason in the column error.

    Exit code 1: it was stopped.

    Example: target decide rules.json visitors.csv --client acme --mbox home --id tnt_id=tntId --out decisions.csv
    """
    from target.batch.job import Job, decide_file
    from target.cli.artifact_files import read_rules
    from target.cli.artifact_shown import progress_bar

    _check_out(out)
    read = read_rules(rules)
    options = _options(asked, read, visitors)
    job = Job(text=read.text, visitors=visitors, out=out, at_s=time.time() if at is None else at, options=options)
    with stoppable() as stop, progress_bar("deciding", wanted=not no_progress) as on_progress:
        decided = decide_file(job, resume=resume, processes=processes, on_progress=stop.telling(on_progress))
    if as_json:
        print_json({**decided._asdict(), "out": str(decided.out)})
    else:
        bad = f", {decided.bad:,} of them bad rows" if decided.bad else ""
        print_text(f"{decided.rows:,} visitors{bad}: {one_line(str(decided.out))}")
    if decided.partial:
        click.echo("It was stopped: --resume goes on from there", err=True)
        raise click.exceptions.Exit(1)


def _check_out(out: Path) -> None:
    from target.batch.errors import BatchError
    from target.batch.sinks import check_out

    try:
        check_out(out)
    except BatchError as error:
        raise click.BadParameter(str(error), param_hint="--out") from error


def _options(asked: dict[str, Any], read: Any, visitors: Path) -> dict[str, Any]:
    """The options of a BatchDecider: what is not told is read off the file and the rules."""
    from target.batch.feeds import open_feed

    client = asked["client"] or read.client
    if not client:
        raise click.UsageError("The rules name no client code, which is part of what allocates visitors: see --client")
    names = open_feed(visitors).schema.names
    ids = asked["ids"] or {name: name for name in _IDS if name in names}
    if not ids:
        raise click.UsageError(
            f"{visitors} has no column of an id ({', '.join(_IDS)}): name one with --id tnt_id=COLUMN"
        )
    address = {"url": asked["url"], "referring_url": asked["referring_url"]}
    address = {name: column for name, column in address.items() if column}
    others = {*ids.values(), *address.values(), *asked["geo"].values(), asked["user_agent"]}
    return {
        "mboxes": asked["mboxes"] or tuple(read.artifact.mboxes),
        "client": client,
        "id_columns": ids,
        "parameters": asked["parameters"] or {name: name for name in names if name not in others},
        "address": address,
        "user_agent": asked["user_agent"],
        "geo": asked["geo"],
        "property_token": asked["property_token"],
        "response_tokens": asked["response_tokens"],
    }
