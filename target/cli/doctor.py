"""Owns `target doctor`: which checks are made, and how they are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import click

from target.cli import checks
from target.cli.account import host_options, read_account, take_account
from target.cli.checks import BAD, GOOD, NOTE, Check
from target.cli.inputs import profile_path
from target.cli.printing import json_option, print_json, printable
from target.cli.redis_checks import check_redis
from target.cli.versions import check_packages

_ADOBES = ".tt.omtrdc.net"
_COLOURS = {GOOD: "green", BAD: "red", NOTE: "yellow"}


@click.command()
@host_options
@click.option("--redis", "redis_url", metavar="URL", help="A Redis that workers share, too.")
@click.option("--redis-prefix", default="target", show_default=True, metavar="TEXT", help="What its keys begin with.")
@json_option
def doctor(as_json: bool, redis_url: str | None, redis_prefix: str, **given: Any) -> int:
    """Check an installation: versions, hosts, certificates, proxy, clock, rules, Redis. Says what to do.

    Every check ends within a few seconds. "note" is for you to judge; "finding" makes the exit code 1.

    Example: target doctor --emulator
    """
    options = read_account(take_account(given))
    found = []
    redis = check_redis(redis_url, redis_prefix, options) if redis_url else ()
    for check in chain(_checks(options), redis):
        found.append(check)
        if not as_json:
            _print(check)
    if as_json:
        print_json([check._asdict() for check in found])
    return 1 if any(check.verdict == BAD for check in found) else 0


def _checks(options: dict[str, Any]) -> Iterator[Check]:
    yield from check_packages()
    yield _settings()
    if options.get("offline"):
        found = "clients with these options open no socket, and show default content or cached rules"
        yield Check("offline", NOTE, found, "unset TARGET_OFFLINE, or leave offline out of the profile, to ask Target")
    client = options.get("client")
    if not client:
        yield Check("account", NOTE, "no client code is known", "give --client, set TARGET_CLIENT, or --emulator")
        return
    way = checks.Way(options.get("ca_certs"), options.get("proxy"))
    scheme = "http" if options.get("secure") is False else "https"
    url = f"{scheme}://{options.get('server_domain') or f'{client}{_ADOBES}'}"
    rules_url = _rules_url(options)
    yield checks.check_proxy(url, way)
    answer = checks.ask(f"{url}/rest/v1/delivery", way)
    yield checks.check_reach("delivery", url, answer)
    yield checks.check_certificate(url, way)
    yield checks.check_clock(answer)
    if urlsplit(rules_url).netloc != urlsplit(url).netloc:
        yield checks.check_certificate(rules_url, way)
    yield checks.check_artifact(rules_url, checks.ask(rules_url, way))


def _rules_url(options: dict[str, Any]) -> str:
    """Where the rules of an account are, as clients find them. Raises OptionsError."""
    from target.config import parse_client_options  # only an account has rules

    anybody = {"organization_id": "doctor@AdobeOrg"}  # has nothing to do with it, and need not be known
    config = parse_client_options({**anybody, **options, "decisioning_method": "on-device"}).on_device
    return config.artifact_location if config else ""


def _settings() -> Check:
    """What options come from, besides flags."""
    path = profile_path()
    found = [
        *sorted(name for name in os.environ if name.startswith("TARGET_")),
        *([str(path)] if path.exists() else []),
    ]
    return Check("settings", GOOD if found else NOTE, ", ".join(found) or f"no variable TARGET_... is set, no {path}")


def _print(check: Check) -> None:
    mark = click.style(f"{check.verdict:>7}", fg=_COLOURS[check.verdict])
    click.echo(f"{mark}  {check.name}: {printable(check.found)}")
    if check.advice:
        click.echo(f"         {printable(check.advice)}")
