"""`target artifact`: fetch, show, lint, compare and try the rules that clients decide by."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from target.cli.account import EMULATOR
from target.cli.artifact_options import RULES_HELP, at_option, reported
from target.cli.artifact_visitors import diff, simulate
from target.cli.printing import json_option, print_json

#: The client code of the shop that an emulator serves where it is given no files.
_SHOP = "acmeclient"
#: The options of a client that have to do with fetching rules.
_FETCHING = frozenset(
    {
        "artifact_headers",
        "artifact_location",
        "ca_certs",
        "cdn_base_path",
        "cdn_environment",
        "client",
        "environment",
        "max_response_bytes",
        "property_token",
        "proxy",
        "trust_env",
    }
)


@click.group()
def artifact() -> None:
    """Fetch, show, lint, compare and try rules artifacts.

    A rules artifact is what Target publishes for on-device decisioning, as rules.json.

    Example: target artifact lint rules.json
    """


@artifact.command(short_help="Fetch the artifact of an account, of the emulator, or at a URL.")
@click.argument("url", required=False)
@click.option("--profile", metavar="NAME", help="Profile of ~/.config/target/config.toml; default: [default].")
@click.option("--client", metavar="CODE", help="Client code of the account (TARGET_CLIENT).")
@click.option("--environment", metavar="NAME", help="production, staging, ... (TARGET_ENVIRONMENT).")
@click.option("--property-token", metavar="TOKEN", help="Rules of one property (TARGET_PROPERTY_TOKEN).")
@click.option(
    "--emulator", is_flag=False, flag_value=EMULATOR, metavar="[URL]", help=f"Ask an emulator; default {EMULATOR}."
)
@click.option("--cdn", "cdn_base_path", metavar="URL", help="Where rules are served (TARGET_CDN_BASE_PATH).")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header to send, for private rules.")
@click.option("--timeout", type=click.IntRange(min=1), default=30_000, show_default=True, metavar="MS")
@click.option("--out", "-o", default="rules.json", show_default=True, help="File to write; - for standard output.")
@reported
def fetch(
    url: str | None, profile: str | None, headers: tuple[str, ...], timeout: int, out: str, **flags: str | None
) -> None:
    """Fetch the artifact of an account, of the emulator, or at URL.

    The file is replaced when all is there and is an artifact, not before.

    Example: target artifact fetch --emulator --out rules.json
    """
    from target.cli.artifact_files import STDIN, fetch_text, write_whole
    from target.cli.inputs import read_profile
    from target.cli.known import CLIENT_OPTIONS, from_environment
    from target.emulator.rules import parse_rules

    emulator = flags.pop("emulator")
    said = {**read_profile(profile, CLIENT_OPTIONS), **from_environment()}
    options: dict[str, Any] = {name: value for name, value in said.items() if name in _FETCHING}
    if emulator is not None:
        options = {"client": _SHOP, **options, "cdn_base_path": emulator, "artifact_location": None}
    options |= {name: value for name, value in flags.items() if value is not None}
    if url is not None:
        options["artifact_location"] = url
    if headers:
        options["artifact_headers"] = dict(_header(each) for each in headers)
    if not (options.get("client") or options.get("artifact_location")):
        raise click.UsageError("Say which artifact: a URL, --emulator, or --client with the client code of an account.")
    text = fetch_text(timeout_ms=timeout, **options)
    parse_rules(text, url.partition("?")[0] if url else f"the artifact of {options.get('client')}")
    if out == STDIN:
        sys.stdout.buffer.write(text)
        return
    write_whole(Path(out), text)
    click.echo(f"{out}: {len(text):,} bytes", err=True)


@artifact.command(epilog=RULES_HELP, short_help="Show who gets what, in words.")
@click.argument("rules")
@json_option
@reported
def show(rules: str, as_json: bool) -> None:
    """Show activities with experiences, shares, audiences in words, places and dates.

    Example: target artifact show rules.json
    """
    from dataclasses import asdict

    from target.cli.artifact_files import read_rules
    from target.cli.artifact_shown import show_activities
    from target.decisioning.catalogue import list_activities

    read = read_rules(rules)
    activities = list_activities(read.artifact)
    if as_json:
        told = {"version": read.artifact.version, "meta": read.artifact.meta, "undecidable": read.problems}
        print_json({**told, "activities": [asdict(activity) for activity in activities]})
    else:
        show_activities(activities, read.problems)


@artifact.command(epilog=RULES_HELP, short_help="Say what is wrong, where, and what to do.")
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
    from target.cli.artifact_shown import show_findings
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
