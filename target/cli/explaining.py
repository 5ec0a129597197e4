"""Owns `target explain`: why rules decide a request as they do."""

from __future__ import annotations

from typing import Any

import click

from target.cli.account import open_client
from target.cli.asked import asking_options, build_request, call_options, placed, take_asked
from target.cli.printing import json_option, print_json, printable
from target.cli.unsent import Unsent


@click.command()
@click.argument("rules", type=click.Path(), metavar="RULES")
@click.argument("mboxes", nargs=-1, metavar="[MBOX]...")
@asking_options
@click.option("--client", metavar="CODE", help="Client code, part of what allocates visitors; default: the rules' own.")
@click.option("--property-token", metavar="TOKEN", help="Property of the call.")
@json_option
def explain(
    rules: str, mboxes: tuple[str, ...], client: str | None, property_token: str | None, as_json: bool, **given: Any
) -> int:
    """Say why rules decide a request as they do: each rule, each clause of its audience, the share.

    RULES is a rules artifact: a file, a URL, or - for standard input. Nothing is sent and nothing counted.

    Example: target explain rules.json home --param membership=gold
    """
    asked = take_asked(given)
    request = build_request(mboxes, asked)
    if not {"execute", "prefetch"} & request.keys():
        raise click.UsageError("Say what to explain: --request FILE, an MBOX, --view, --views or --page-load.")
    options = call_options(asked)
    account = {"artifact": rules, "client": client, "property_token": property_token}
    with open_client(account, pool=Unsent()) as opened, placed(asked["request"]):
        explanation = opened.explain(request=request, **options)
    if as_json:
        print_json(explanation.to_dict())
    else:
        click.echo(printable(str(explanation)))
    return 0
