"""Owns `target doctor`: which checks are made, and how they are told."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

import target
from target.cli import checks
from target.cli.account import account_options, read_account, take_account
from target.cli.checks import BAD, GOOD, NOTE, Check
from target.cli.printing import json_option, print_json, printable
from target.installed import DISTRIBUTION, list_extras, others_named_target

_CDNS = {
    "production": "https://assets.adobetarget.com",
    "staging": "https://assets.staging.adobetarget.com",
    "development": "https://assets.staging.adobetarget.com",
}
_COLOURS = {GOOD: "green", BAD: "red", NOTE: "yellow"}


@click.command()
@account_options
@json_option
def doctor(as_json: bool, **given: Any) -> int:
    """Check an installation: versions, hosts, certificates, proxy, clock, rules. Says what to do.

    Example: target doctor --emulator
    """
    options = read_account(take_account(given))
    found = []
    for check in _checks(options):
        found.append(check)
        if not as_json:
            _print(check)
    if as_json:
        print_json([check._asdict() for check in found])
    return 1 if any(check.verdict == BAD for check in found) else 0


def _checks(options: dict[str, Any]) -> Iterator[Check]:
    yield Check("version", GOOD, f"{DISTRIBUTION} {target.__version__}, Python {platform.python_version()}")
    yield _named_target()
    yield from _extras()
    yield checks.check_settings()
    client = options.get("client")
    if not client:
        yield Check("account", NOTE, "no client code is known", "give --client, set TARGET_CLIENT, or --emulator")
        return
    scheme = "http" if options.get("secure") is False else "https"
    url = f"{scheme}://{options.get('server_domain') or f'{client}.tt.omtrdc.net'}"
    yield checks.check_proxy(url)
    answer = checks.ask(f"{url}/rest/v1/delivery")
    yield checks.check_reach("delivery", url, answer)
    yield checks.check_certificate(url)
    yield checks.check_clock(answer)
    rules_url = _rules_url(options, client, url)
    yield checks.check_artifact(rules_url, checks.ask(rules_url))


def _rules_url(options: dict[str, Any], client: str, url: str) -> str:
    if options.get("artifact_location"):
        return str(options["artifact_location"])
    is_adobes = urlsplit(url).netloc.endswith(".tt.omtrdc.net")
    base = options.get("cdn_base_path") or (_CDNS["production"] if is_adobes else url)
    base = str(base) if "//" in str(base) else f"https://{base}"
    token = options.get("property_token")
    path = "/".join([client, str(options.get("environment") or "production"), "v1", *([token] if token else [])])
    return f"{base.rstrip('/')}/{path}/rules.json"


def _named_target() -> Check:
    others = others_named_target(Path(target.__file__).resolve().parent)
    if others:
        return Check(
            "name", BAD, f"also named target: {', '.join(others)}", "rename or remove it: it may be imported instead"
        )
    return Check("name", GOOD, "nothing else is named target")


def _extras() -> Iterator[Check]:
    extras = list_extras()
    if extras is None:
        yield Check("extras", NOTE, "unknown: it is run from its source")
        return
    there = [extra.name for extra in extras if not extra.missing]
    yield Check("extras", GOOD, f"installed: {', '.join(there) or 'none'}")


def _print(check: Check) -> None:
    mark = click.style(f"{check.verdict:>7}", fg=_COLOURS[check.verdict])
    click.echo(f"{mark}  {check.name}: {printable(check.found)}")
    if check.advice:
        click.echo(f"         {check.advice}")
