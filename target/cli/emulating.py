"""Owns `target emulate`: the emulator, by the flags that it has itself."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulate(arguments: tuple[str, ...]) -> int:
    """Serve a Target on this machine, from rules and offers.

    Example: target emulate rules.json --port 8080
    """
    from target.emulator.__main__ import main

    try:
        return main(arguments, name="target emulate")
    except SystemExit as end:  # as argparse ends, having said why
        return end.code if isinstance(end.code, int) else 2
