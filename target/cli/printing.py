"""Owns how a command prints: for people, with colour on a terminal alone, and as JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--json``, which a command gets as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def print_json(value: Any) -> None:
    """JSON, laid out. What Python reads beyond JSON, such as NaN, is null."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print_text(json.dumps(_strict(value), indent=2, ensure_ascii=not is_utf8, default=str))


def print_text(text: str) -> None:
    """A line of text, whatever the encoding of standard output."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


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


def one_line(text: str) -> str:
    """The same in one line."""
    return printable(" ".join(text.splitlines()).replace("\t", " "))


def laid_out(content: Any) -> str:
    """The content of an offer as people read it."""
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
