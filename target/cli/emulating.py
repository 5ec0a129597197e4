"""Owns `target emulate`: the emulator, by the flags that it has itself."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_NAME = "target emulate"


class _Emulate(click.Command):
    """Its flags are those of the emulator's parser, which reads them, too."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The flags, as a shell completes them."""
        if not incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from target.emulator.__main__ import flags

        return [CompletionItem(flag, help=told) for flag, told in flags().items() if flag.startswith(incomplete)]


@click.command(cls=_Emulate, context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.Path())
def emulate(arguments: tuple[str, ...]) -> int:
    """Serve a Target on this machine, from rules and offers.

    Example: target emulate rules.json --port 8080
    """
    from target.emulator.__main__ import main

    try:
        return main(arguments, name=_NAME)
    except SystemExit as end:  # as argparse ends, having said why
        return end.code if isinstance(end.code, int) else 2
