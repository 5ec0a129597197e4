"""`target artifact`: fetch, show, lint, compare and try the rules that clients decide by."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from target.cli.artifact_options import RULES_HELP, at_option, json_option, reported
from target.cli.artifact_visitors import diff, simulate


@click.group()
def artifact() -> None:
    """Fetch, show, lint, compare and try rules artifacts.

    A rules artifact is what Target publishes for on-device decisioning, as rules.json.

    Example: target artifact lint rules.json
    """


@artifact.command()
@click.argument("url", required=False)
@click.option("--client", envvar="TARGET_CLIENT", help="Client code of the account.")
@click.option("--environment", envvar="TARGET_ENVIRONMENT", default="production", show_default=True)
@click.option("--property", "property_token", envvar="TARGET_PROPERTY_TOKEN", help="Token of a property.")
@click.option(
    "--cdn",
    envvar="TARGET_CDN_BASE_PATH",
    help="Where rules are served, as http://127.0.0.1:8080; default: Adobe's CDN.",
)
@click.option("--header", "headers", multiple=True, help="A header to send, as 'Authorization: Bearer TOKEN'.")
@click.option("--timeout", type=click.IntRange(min=1), default=30_000, show_default=True, help="Milliseconds.")
@click.option("--out", "-o", default="rules.json", show_default=True, help="File to write; - for standard output.")
@reported
def fetch(
    url: str | None,
    client: str | None,
    environment: str,
    property_token: str | None,
    cdn: str | None,
    headers: tuple[str, ...],
    timeout: int,
    out: str,
) -> None:
    """Fetch the artifact of an account, of the emulator, or at URL.

    The file is replaced when all is there and is an artifact, not before.

    Example: target artifact fetch --client acmeclient --cdn http://127.0.0.1:8080 -o rules.json
    """
    from target.cli.artifact_files import STDIN, fetch_text, write_whole
    from target.emulator.rules import parse_rules

    if url is None and not client:
        raise click.UsageError("Say which artifact: a URL, or --client with the client code of an account.")
    options: dict[str, Any] = {}
    if url is not None:
        options["artifact_location"] = url
    if client:
        options["client"] = client
    if cdn is not None:
        options["cdn_base_path"] = cdn
    if property_token:
        options["property_token"] = property_token
    if headers:
        options["artifact_headers"] = dict(_header(each) for each in headers)
    text = fetch_text(timeout_ms=timeout, environment=environment, **options)
    parse_rules(text, url.partition("?")[0] if url else f"the artifact of {client}")
    if out == STDIN:
        sys.stdout.buffer.write(text)
        return
    write_whole(Path(out), text)
    click.echo(f"{out}: {len(text):,} bytes", err=True)


@artifact.command(epilog=RULES_HELP)
@click.argument("rules")
@json_option
@reported
def show(rules: str, as_json: bool) -> None:
    """Show activities with experiences, shares, audiences in words, places and dates.

    Example: target artifact show rules.json
    """
    from dataclasses import asdict

    from target.cli.artifact_files import read_rules
    from target.cli.artifact_shown import print_json, show_activities
    from target.decisioning.catalogue import list_activities

    read = read_rules(rules)
    activities = list_activities(read.artifact)
    if as_json:
        told = {"version": read.artifact.version, "meta": read.artifact.meta, "undecidable": read.problems}
        print_json({**told, "activities": [asdict(activity) for activity in activities]})
    else:
        show_activities(activities, read.problems)


@artifact.command(epilog=RULES_HELP)
@click.argument("rules")
@json_option
@at_option
@click.option(
    "--ends-within", type=click.FloatRange(min=0), default=14, show_default=True, help="Days: what ends soon."
)
@click.option(
    "--max-size", type=click.FloatRange(min=0), default=5, show_default=True, help="Megabytes: what is large."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "note"]),
    default="warning",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@reported
def lint(rules: str, as_json: bool, at: float | None, ends_within: float, max_size: float, fail_on: str) -> None:
    """Say what is wrong with an artifact, where, and what to do about it.

    Rules that nobody reaches, shares that overlap, are empty or do not add up to 100 %, operators and variables that
    are not known, what only the server can decide and why, activities that end soon or have ended, size.

    Exit code 1: something was found.

    Example: target artifact lint rules.json --fail-on error
    """
    from target.cli.artifact_files import read_rules
    from target.cli.artifact_shown import print_json, show_findings
    from target.decisioning.findings import SEVERITIES
    from target.decisioning.lint import DAY_S
    from target.decisioning.lint import lint as look

    read = read_rules(rules)
    findings = look(
        read.data,
        now_s=time.time() if at is None else at,
        size_bytes=len(read.text),
        ends_within_s=ends_within * DAY_S,
        max_bytes=round(max_size * 1_000_000),
    )
    if as_json:
        print_json({"artifact": rules, "bytes": len(read.text), "findings": [each.to_dict() for each in findings]})
    else:
        show_findings(findings, rules)
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if any(finding.severity in failing for finding in findings):
        raise click.exceptions.Exit(1)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.BadParameter("a header has a name, a colon and a value", param_hint="--header")
    return name.strip(), value.strip()


artifact.add_command(diff)
artifact.add_command(simulate)
