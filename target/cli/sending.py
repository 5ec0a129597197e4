"""Owns sending what a command asks, or printing it instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from target.cli.account import open_client
from target.cli.asked import placed
from target.cli.printing import print_json


def sending_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags ``--dry-run`` and ``--curl``; a command gets them by their names."""
    command = click.option("--curl", is_flag=True, help="Print a command of curl instead; it has all ids and tokens.")(
        command
    )
    return click.option(
        "--dry-run", is_flag=True, help="Print the HTTP request instead; ids and tokens are shortened."
    )(command)


def send(
    account: Any, given: dict[str, Any], as_json: bool, ask: Callable[[Any], Any], source: str | None = None
) -> Any:
    """What came; None where the request was printed instead.

    Args:
        account: Whom to ask; see ``open_client``.
        given: What the command was given; ``dry_run`` and ``curl`` are taken.
        as_json: Whether to print for machines.
        ask: Makes the call of a client.
        source: The file that holds the request, if it is in one.
    """
    is_dry = given["dry_run"] or given["curl"]
    more: dict[str, Any] = {}
    if is_dry or account["artifact"]:
        from target.cli.unsent import Unsent  # most calls are sent

        more["pool"] = Unsent()
    if is_dry:
        more["decisioning_method"] = "server-side"
    with open_client(account, **more) as client, placed(source):
        answer = ask(client)
    if not is_dry:
        return answer
    from target.cli.unsent import request_as_json, show_curl, show_request

    for request in more["pool"].requests:
        if given["curl"]:
            show_curl(request, more["pool"])
        elif as_json:
            print_json(request_as_json(request))
        else:
            show_request(request)
    return None
