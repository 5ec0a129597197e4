"""Owns `target offers` and `target attributes`: asking, and printing what came."""

from __future__ import annotations

from typing import Any

import click

from target.cli.account import account_options, take_account
from target.cli.asked import asking_options, build_request, call_options, take_asked
from target.cli.printing import heading, json_option, laid_out, line, print_json
from target.cli.sending import send, sending_options


@click.command()
@click.argument("mboxes", nargs=-1, metavar="[MBOX]...")
@asking_options
@account_options
@sending_options
@json_option
def offers(mboxes: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Ask for offers, and print them.

    MBOX is the name of an mbox; --view, --views and --page-load ask for more.

    Example: target offers home --emulator --param membership=gold
    """
    account, asked = take_account(given), take_asked(given)
    request = build_request(mboxes, asked)
    if not {"execute", "prefetch"} & request.keys():
        raise click.UsageError("Say what to ask for: an MBOX, --view, --views, --page-load or --request FILE.")
    options = call_options(asked)
    result = send(
        account, given, as_json, lambda client: client.get_offers(request=request, **options), asked["request"]
    )
    if result is None:
        return 0
    if as_json:
        print_json(result.to_dict())
    else:
        _print_result(result)
    return 0


@click.command()
@click.argument("mboxes", nargs=-1, required=True, metavar="MBOX...")
@asking_options
@account_options
@sending_options
@json_option
def attributes(mboxes: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Ask for JSON offers, and print them as values.

    Example: target attributes feature-flag-a --emulator
    """
    account, asked = take_account(given), take_asked(given)
    # What flags say goes with each mbox, so they are part of the request.
    options = {"request": build_request(mboxes, asked), **call_options(asked)}
    found = send(account, given, as_json, lambda client: client.get_attributes(list(mboxes), options), asked["request"])
    if found is None:
        return 0
    values = {name: found.as_object(name) for name in mboxes}
    if as_json:
        print_json(values)
        return 0
    for name, attributes_of_it in values.items():
        heading(name)
        for key, value in attributes_of_it.items() if isinstance(attributes_of_it, dict) else ():
            line(f"{key} = {laid_out(value)}")
    return 0


_UNASKED = {
    "offline": "the option offline is set",
    "bot": "the option exclude_bots is set, and this is a bot's user agent",
}


def _print_result(result: Any) -> None:
    response = result.response
    if response is None:
        click.echo("The answer has no body.")
        return
    for mode in ("execute", "prefetch"):
        section = getattr(response, mode)
        if section is None:
            continue
        if section.page_load is not None:
            _print_place("page load", section.page_load)
        for mbox in section.mboxes or ():
            _print_place(str(mbox.name), mbox)
        for view in getattr(section, "views", None) or ():
            _print_place(f"view {view.name}", view)
    if result.meta.remote_mboxes or result.meta.remote_views:
        remote = ", ".join([*result.meta.remote_mboxes, *result.meta.remote_views])
        line(f"Only the server can decide all of: {remote}", indent=0)
    for reason, why in _UNASKED.items():
        if any(part.reason == reason for part in result.meta.decisions):
            line(f"Nobody was asked: {why}", indent=0)


def _print_place(name: str, place: Any) -> None:
    heading(name)
    for option in place.options or ():
        tokens = option.response_tokens or {}
        by = ", ".join(str(tokens[key]) for key in ("activity.name", "experience.name") if tokens.get(key))
        line("default content" if option.content is None else laid_out(option.content))
        if by:
            line(f"({by})")
    if not place.options:
        line("default content")
