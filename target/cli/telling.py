"""Owns `target notify`: telling Target what was shown or clicked."""

from __future__ import annotations

import secrets
import time
from typing import Any

import click

from target.cli.account import host_options, take_account
from target.cli.asked import build_ids, call_options, placed, take_asked, visitor_options
from target.cli.inputs import read_object
from target.cli.printing import json_option, print_json
from target.cli.sending import send, sending_options


@click.command()
@click.option(
    "--result",
    type=click.Path(),
    metavar="FILE",
    help="What `target offers --prefetch --json` printed; - for standard input.",
)
@click.option("--displayed", multiple=True, metavar="MBOX", help="This mbox of the result was shown; repeat.")
@click.option("--clicked", multiple=True, metavar="MBOX", help="This mbox of the result was clicked; repeat.")
@click.option("--mbox", metavar="NAME", help="Without a result: the mbox ...")
@click.option("--token", multiple=True, metavar="TOKEN", help="... and its event token.")
@click.option("--type", "kind", type=click.Choice(["display", "click"]), default="display", show_default=True)
@click.option("--order-id", metavar="ID", help="An order that came of it ...")
@click.option("--order-total", type=float, metavar="AMOUNT", help="... and what it came to.")
@visitor_options
@host_options
@sending_options
@json_option
def notify(
    result: str | None, displayed: tuple[str, ...], clicked: tuple[str, ...], as_json: bool, **given: Any
) -> int:
    """Tell Target what was shown or clicked.

    Example: target notify --emulator --mbox home --token abc --tnt-id anna
    """
    account, asked = take_account(given), take_asked(given)
    order = _order(given)
    if result is not None:
        if given["mbox"] or given["token"] or any(asked.values()):
            raise click.UsageError("--result says whose it is: give it without ids, --mbox and --token.")
        if not displayed and not clicked:
            raise click.UsageError("Say what was shown or clicked: --displayed MBOX, --clicked MBOX.")
        from target import TargetDeliveryResponse  # only this way of telling needs it

        with placed(result):
            made = TargetDeliveryResponse.from_data(read_object(result))
        told = {"displayed": list(displayed), "clicked": list(clicked), **({"order": order} if order else {})}
        answer = send(account, given, as_json, lambda client: client.notify(made, **told), result)
    elif given["mbox"] and given["token"]:
        request, options = _request(given, asked, order), call_options(asked)
        answer = send(account, given, as_json, lambda client: client.send_notifications(request=request, **options))
    else:
        raise click.UsageError("Say what to tell of: --result FILE, or --mbox NAME and --token TOKEN.")
    if answer is None:
        return 0
    taken = [one.id for one in (answer.response.notifications if answer.response else None) or ()]
    if as_json:
        print_json({"taken": taken})
    else:
        click.echo(f"Taken: {len(taken)}")
    return 0


def _order(given: dict[str, Any]) -> dict[str, Any]:
    if given["order_id"] is None:
        if given["order_total"] is not None:
            raise click.UsageError("--order-total needs --order-id.")
        return {}
    total = {} if given["order_total"] is None else {"total": given["order_total"]}
    return {"id": given["order_id"], **total}


def _request(given: dict[str, Any], asked: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    notification: dict[str, Any] = {
        "id": secrets.token_hex(16),
        "impressionId": secrets.token_hex(16),
        "type": given["kind"],
        "timestamp": round(time.time() * 1000),
        "mbox": {"name": given["mbox"]},
        "tokens": list(given["token"]),
    }
    if order:
        notification["order"] = order
    ids = build_ids(asked)
    return {**({"id": ids} if ids else {}), "context": {"channel": "web"}, "notifications": [notification]}
