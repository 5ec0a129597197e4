"""Owns how a command prints: for people, with colour on a terminal alone, and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--json``, which a command gets as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def print_json(value: Any) -> None:
    """JSON, laid out."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def heading(text: str) -> None:
    """A line above others, bold on a terminal."""
    click.secho(printable(text), bold=True)


def line(text: str, indent: int = 2) -> None:
    """Text that came from elsewhere, indented."""
    for each in printable(text).splitlines() or [""]:
        click.echo(" " * indent + each)


def printable(text: str) -> str:
    """Text that came from elsewhere, without what would control a terminal."""
    return "".join(each if each.isprintable() or each in "\n\t" else f"\\x{ord(each):02x}" for each in text)


def laid_out(content: Any) -> str:
    """The content of an offer as people read it."""
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
