"""Owns `target completion`: what a shell reads to complete commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print what completes commands and flags in a shell.

    For bash, put it where bash-completion looks; for zsh, into a folder of fpath as _target; for fish, into
    ~/.config/fish/completions/target.fish.

    Example: target completion bash > ~/.local/share/bash-completion/completions/target
    """
    from target.cli.root import root

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"There is no completion for {shell}.")
    click.echo(found(root, {}, "target", "_TARGET_COMPLETE").source())
    return 0
