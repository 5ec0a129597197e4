"""Owns the root of the command: which commands there are, each loaded when it is used, and how any of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

#: The commands: where each is, and what it is for, so that help loads none of them.
COMMANDS = {
    "offers": ("target.cli.asking:offers", "Ask for offers, and print them."),
    "attributes": ("target.cli.asking:attributes", "Ask for JSON offers, and print them as values."),
    "notify": ("target.cli.telling:notify", "Tell Target what was shown or clicked."),
    "explain": ("target.cli.explaining:explain", "Say why rules decide a request as they do."),
    "artifact": ("target.cli.artifact:artifact", "Fetch, lint, compare, show and try rules."),
    "emulate": ("target.cli.emulating:emulate", "Serve a Target on this machine."),
    "doctor": ("target.cli.doctor:doctor", "Check an installation, and say what to do."),
    "completion": ("target.cli.completing:completion", "Print what completes commands in a shell."),
}
INTERRUPTED = 130


class _Lazy(click.Group):
    """A group whose commands are loaded when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - likewise
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="target-delivery", prog_name="target")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of what goes wrong.")
def root() -> None:
    """Adobe Target from a shell: ask for offers, look at rules, run an emulator, check an installation.

    Exit codes: 0 all is well, 1 something was found or failed, 2 not called as it can be.

    Example: target emulate
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """See `target.cli.main`. What goes wrong is one line on standard error, never a traceback unless asked for."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = root.main(given, prog_name="target", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads has gone; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as problem:  # noqa: BLE001 - whatever it is, a person in a shell reads one line
        return _failed(problem, "--debug" in given)
    return code if isinstance(code, int) else 0


def _failed(problem: Exception, is_debugging: bool) -> int:
    if is_debugging:
        raise problem
    from target import TargetError  # which click's own errors have no need of

    said = " ".join(str(problem).split()) or type(problem).__name__
    if not isinstance(problem, TargetError | OSError):
        said = f"{type(problem).__name__}: {said} (target --debug ... shows where)"
    click.echo(f"target: {said}", err=True)
    return 1


def complain(message: str) -> Any:
    """What to raise where something failed: one line, exit code 1."""
    return click.ClickException(" ".join(message.split()))
