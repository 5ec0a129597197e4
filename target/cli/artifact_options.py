"""What commands about artifacts have in common: options, and how they end where what they were given is wrong."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

RULES_HELP = "RULES is a rules artifact: a file, a URL, or - for standard input."
_MOST_VISITORS = 10**12


def reported(command: Callable[..., Any]) -> Callable[..., Any]:
    """End with 1 and one line where what a command was given cannot be used."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        from target import TargetError
        from target.batch.errors import BatchError
        from target.cli.artifact_files import Failure
        from target.emulator.rules import RulesError

        try:
            return command(*args, **options)
        except (BatchError, RulesError, TargetError) as error:
            raise Failure(error) from error

    return run


def at_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of what goes by a date."""
    return click.option(
        "--at", callback=_when, metavar="TIME", help="Date and time (ISO 8601, UTC) to go by; default: now."
    )(command)


def deciding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what decides for visitors."""
    options: list[Callable[..., Any]] = [
        click.option(
            "--visitors",
            "-n",
            callback=_visitors,
            default="10000",
            metavar="FILE|NUMBER",
            help="A file of visitors (.csv, .tsv, .jsonl, .parquet), or how many to make up; default: 10000.",
        ),
        click.option(
            "--client",
            metavar="CODE",
            help="Client code, part of what allocates visitors; default: the artifact's.",
        ),
        click.option("--property-token", metavar="TOKEN", help="Property of visitors who name none."),
        click.option("--mbox", "only", multiple=True, help="Ask for this mbox or view alone; repeat for several."),
        click.option("--seed", type=int, default=0, help="Make up other visitors."),
        click.option("--processes", type=click.IntRange(1, 256), help="How many processes; default: all cores."),
        click.option("--no-progress", is_flag=True, help="No bar on a terminal."),
    ]
    for option in reversed(options):
        command = option(command)
    return at_option(command)


def _when(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """A date and time as epoch seconds."""
    if value is None:
        return None
    try:
        parsed = datetime.datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no date such as 2026-11-30 or 2026-11-30T12:00:00Z") from None


def _visitors(_ctx: click.Context, _param: click.Parameter, value: str) -> int | Path:
    """How many visitors to make up, or a file of visitors."""
    digits = value.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        return Path(value)
    if not 1 <= int(digits) <= _MOST_VISITORS:
        raise click.BadParameter(f"{value} is no number of visitors from 1 to {_MOST_VISITORS:,}")
    return int(digits)
