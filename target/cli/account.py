"""Owns whom a command asks: an account, the emulator or rules in a file; by flags, environment and a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from target.cli.inputs import read_object, read_profile

EMULATOR = "http://127.0.0.1:8080"
#: What an emulator asks nobody for.
_ANYBODY = {"client": "acmeclient", "organization_id": "emulator@AdobeOrg"}
_POOLED = ("proxy", "ca_certs", "pool_size")

_NAMES = (
    "profile",
    "client",
    "organization_id",
    "server_domain",
    "property_token",
    "timeout",
    "emulator",
    "artifact",
)
_FLAGS = [
    click.option("--profile", metavar="NAME", help="Profile of ~/.config/target/config.toml; default: [default]."),
    click.option("--client", metavar="CODE", help="Client code of the account (TARGET_CLIENT)."),
    click.option("--organization-id", metavar="ID", help="Organization id, ...@AdobeOrg (TARGET_ORGANIZATION_ID)."),
    click.option("--server-domain", metavar="HOST", help="Another host than the account's (TARGET_SERVER_DOMAIN)."),
    click.option("--property-token", metavar="TOKEN", help="Property of the call (TARGET_PROPERTY_TOKEN)."),
    click.option("--timeout", type=click.IntRange(min=1), metavar="MS", help="Milliseconds for the whole call."),
    click.option(
        "--emulator",
        is_flag=False,
        flag_value=EMULATOR,
        metavar="[URL]",
        help=f"Ask an emulator; without URL {EMULATOR}.",
    ),
    click.option("--artifact", metavar="FILE", help="Decide by rules in a file; nothing is sent."),
]


def account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags; a command gets them by their names."""
    for option in reversed(_FLAGS):
        command = option(command)
    return command


def take_account(given: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags that ``account_options`` adds, out of all that a command was given."""
    return {name: given.pop(name) for name in _NAMES}


def read_account(account: Mapping[str, Any]) -> dict[str, Any]:
    """The options that flags and the profile name; a variable of the environment wins over the profile.

    Raises:
        ClickException: The profile, the rules or the emulator's URL cannot be used.
    """
    from target.cli.known import CLIENT_OPTIONS, from_environment

    profile = read_profile(account["profile"], CLIENT_OPTIONS)
    flags = {name: account[name] for name in CLIENT_OPTIONS if account.get(name) is not None}
    options = {**profile, **from_environment(), **flags}
    if account["emulator"] is not None:
        options |= _emulator(account["emulator"])
    if account["artifact"] is not None:
        options |= _local(account["artifact"])
    if account["emulator"] is not None or account["artifact"] is not None:
        options = {**_ANYBODY, **options}
    return options


def open_client(account: Mapping[str, Any], **more: Any) -> Any:
    """A client: by flags, else by environment variables, else by the profile.

    Args:
        account: What ``take_account`` gave.
        **more: Options that win over all of these.

    Raises:
        ClickException: As ``read_account``.
        OptionsError: The options do not make a client.
    """
    from target import TargetClient

    options: Any = {**read_account(account), "telemetry_enabled": False, **more}
    if "pool" in more:
        options = {name: value for name, value in options.items() if name not in _POOLED}
    return TargetClient.create(options)


def _emulator(url: str) -> dict[str, Any]:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise click.BadParameter(f"{url!r} is no URL of an emulator; write one as {EMULATOR}", param_hint="--emulator")
    return {"server_domain": parts.netloc, "secure": parts.scheme == "https", "edge_routing": False}


def _local(path: str) -> dict[str, Any]:
    rules = read_object(path)
    meta = rules.get("meta")
    code = meta.get("clientCode") if isinstance(meta, dict) else None
    own = {"client": code} if isinstance(code, str) and code else {}
    return {**own, "decisioning_method": "on-device", "artifact_payload": rules, "polling_interval": 0}
