"""Owns whom a command asks: an account, the emulator or rules in a file; by flags, environment and a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from target.cli.inputs import profile_path, read_profile

if TYPE_CHECKING:
    from target.cli.unsent import Unsent

EMULATOR = "http://127.0.0.1:8080"
#: What an emulator asks nobody for.
_ANYBODY = {"client": "acmeclient", "organization_id": "emulator@AdobeOrg"}
#: What says where something is, and would lead away from an emulator.
_ELSEWHERE = ("artifact_location", "artifact_payload", "proxy")
_POOLED = ("proxy", "ca_certs", "pool_size")
_READY_MS = 10_000

_FLAGS = {
    "profile": click.option("--profile", metavar="NAME", help="Profile of ~/.config/target/config.toml ([default])."),
    "client": click.option("--client", metavar="CODE", help="Client code of the account (TARGET_CLIENT)."),
    "organization_id": click.option(
        "--organization-id", metavar="ID", help="Organization id, ...@AdobeOrg (TARGET_ORGANIZATION_ID)."
    ),
    "server_domain": click.option(
        "--server-domain", metavar="HOST", help="Another host than the account's (TARGET_SERVER_DOMAIN)."
    ),
    "property_token": click.option(
        "--property-token", metavar="TOKEN", help="Property of the call (TARGET_PROPERTY_TOKEN)."
    ),
    "decisioning_method": click.option(
        "--decisioning-method",
        type=click.Choice(["server-side", "on-device", "hybrid"]),
        help="Who decides (TARGET_DECISIONING_METHOD).",
    ),
    "timeout": click.option(
        "--timeout", type=click.IntRange(min=1), metavar="MS", help="Milliseconds for the whole call (TARGET_TIMEOUT)."
    ),
    "ca_certs": click.option(
        "--ca-certs",
        type=click.Path(),
        metavar="FILE",
        help="Certificates to trust, as those of emulate --tls (TARGET_CA_CERTS).",
    ),
    "emulator": click.option(
        "--emulator", is_flag=False, flag_value=EMULATOR, metavar="[URL]", help=f"Ask an emulator; default: {EMULATOR}."
    ),
}
_ARTIFACT = click.option(
    "--artifact", type=click.Path(), metavar="RULES", help="Decide by rules in a file; nothing is sent."
)


def host_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of what asks a host; a command gets them by their names."""
    for option in reversed(_FLAGS.values()):
        command = option(command)
    return command


def account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and ``--artifact`` for what rules can answer."""
    return host_options(_ARTIFACT(command))


def take_account(given: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags that are here, out of all that a command was given."""
    return {name: given.pop(name, None) for name in (*_FLAGS, "artifact")}


def read_account(account: Mapping[str, Any]) -> dict[str, Any]:
    """The options that flags and the profile name; a variable of the environment wins over the profile.

    Raises:
        ClickException: The profile, the rules or the emulator's URL cannot be used.
        OptionsError: A variable of the environment cannot be.
    """
    from target.cli.known import CLIENT_OPTIONS, from_environment

    emulator, artifact = account.get("emulator"), account.get("artifact")
    if emulator is not None and artifact is not None:
        raise click.UsageError("--emulator asks a server, --artifact nobody: give one of them")
    profile = read_profile(account.get("profile"), CLIENT_OPTIONS)
    flags = {name: account[name] for name in CLIENT_OPTIONS if account.get(name) is not None}
    options = {**profile, **from_environment()}
    if emulator is not None:
        options = {**_ANYBODY, **_without(options, *_ELSEWHERE), **_emulator(emulator)}
    if artifact is not None:
        options = {**_ANYBODY, **_without(options, "artifact_location"), **_local(artifact)}
    return {**options, **flags, **({"decisioning_method": "on-device"} if artifact is not None else {})}


def open_client(account: Mapping[str, Any], *, pool: Unsent | None = None, **more: Any) -> Any:
    """A client: by flags, else by environment variables, else by the profile. One that decides by rules has them.

    Args:
        account: What ``take_account`` gave.
        pool: What keeps the calls of the client in place of sending them.
        **more: Further options that win over all of these.

    Raises:
        ClickException: As ``read_account``.
        OptionsError: The options do not make a client.
    """
    from target import TargetClient

    options: Any = {**read_account(account), "telemetry_enabled": False, **more}
    if not options.get("client") or not options.get("organization_id"):
        raise click.UsageError(
            "Say whom to ask: --client and --organization-id (or variables TARGET_..., or a profile "
            f"in {profile_path()}), --emulator, or rules"
        )
    if pool is not None:
        pool.ca_certs, pool.through = options.get("ca_certs"), options.get("proxy")
        options = {**_without(options, *_POOLED), "pool": pool}
    client = TargetClient.create(options)
    if options.get("decisioning_method") in ("on-device", "hybrid"):
        client.wait_until_ready(_READY_MS)
    return client


def _emulator(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        is_one = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        # What is only a name may be an mbox that was meant to be asked for.
        is_host = parts.port is not None or "//" in url
        is_one = is_one and is_host and parts.path in ("", "/") and not parts.query
    except ValueError:
        is_one = False
    if not is_one:
        raise click.UsageError(
            f"--emulator: {url!r} is no URL of an emulator; write one as {EMULATOR}, and mboxes before it"
        )
    base = f"{parts.scheme}://{parts.netloc}"
    return {
        "server_domain": parts.netloc,
        "secure": parts.scheme == "https",
        "edge_routing": False,
        "cdn_base_path": base,
    }


def _local(path: str) -> dict[str, Any]:
    from target.cli.artifact_files import read_rules  # which knows what makes an artifact
    from target.emulator.rules import RulesError

    try:
        rules = read_rules(path)
    except RulesError as problem:
        raise click.ClickException(str(problem)) from problem
    own = {"client": rules.client} if rules.client else {}
    return {**own, "artifact_payload": rules.data, "polling_interval": 0}


def _without(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
