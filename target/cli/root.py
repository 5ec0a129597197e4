"""Owns the root of the command: which commands there are, each loaded when it is used, and how any of them ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile

import click

from target import __version__
from target.cli.printing import printable
from target.cli.warned import kept_warnings

#: The commands: where each is, and what it is for, so that help loads none of them.
COMMANDS = {
    "offers": ("target.cli.asking:offers", "Ask for offers, and print them."),
    "attributes": ("target.cli.asking:attributes", "Ask for JSON offers, and print them as values."),
    "notify": ("target.cli.telling:notify", "Tell Target what was shown or clicked."),
    "explain": ("target.cli.explaining:explain", "Say why rules decide a request as they do."),
    "decide": ("target.cli.deciding:decide", "Decide what each visitor of a file gets."),
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
@click.version_option(__version__, prog_name="target")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of what goes wrong.")
def root() -> None:
    """Adobe Target from a shell: ask for offers, look at rules, run an emulator, check an installation.

    Exit codes: 0 all is well, 1 something was found or failed, 2 not called as it can be, 130 stopped by Ctrl-C.

    \b
    Environment:
      TARGET_CLIENT, TARGET_ORGANIZATION_ID and the other options of a client
      NO_COLOR    no colours, even on a terminal
    \b
    Files:
      ~/.config/target/config.toml    options, in tables [default] and others

    Example: target emulate
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """See `target.cli.main`. What goes wrong is one line on standard error, never a traceback unless asked for."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an encoding lacks is shown all the same
            stream.reconfigure(errors="backslashreplace")
    code = _run(given)
    try:
        if sys.stdout is not None:  # as where a shell closed it
            sys.stdout.flush()
    except OSError as problem:
        return _unwritten(problem)
    return code


def _run(given: list[str]) -> int:
    color = False if os.environ.get("NO_COLOR") else None
    try:
        with kept_warnings() as warnings:
            try:
                code = root.main(given, prog_name="target", standalone_mode=False, color=color)
            except click.ClickException:  # which says itself what has to be mended
                warnings.clear()
                raise
            finally:
                for warning in warnings:
                    _say(f"warning: {warning}")
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return problem.exit_code
    except click.UsageError as problem:
        path = problem.ctx.command_path if problem.ctx else "target"
        _say(f"{problem.format_message()} (see {path} --help)", path)
        return problem.exit_code
    except click.ClickException as problem:
        _say(problem.format_message())
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError as problem:
        return _unwritten(problem)
    except Exception as problem:
        if "--debug" in takewhile(lambda each: each.startswith("-"), given):
            raise
        return _failed(problem)
    return code if isinstance(code, int) else 0


def _failed(problem: Exception) -> int:
    from target import TargetError  # which click's own errors have no need of

    if isinstance(problem, TargetError):
        _say(str(problem))
    elif isinstance(problem, OSError) and problem.strerror:
        _say(f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror)
    else:
        _say(f"{type(problem).__name__}: {problem} (target --debug ... shows where)")
    return 1


def _unwritten(problem: OSError) -> int:
    """What was printed cannot be written: who reads has gone, which is no news to anybody, or the disk is full."""
    # Python would try once more when it ends, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(problem, BrokenPipeError):
        _say(str(problem.strerror))
    return 1


def _say(message: str, command: str = "target") -> None:
    click.echo(f"{command}: {printable(' '.join(message.split()))}", err=True)
