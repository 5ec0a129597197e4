"""One file: read, planned, written anew."""

from __future__ import annotations

import ast
import codecs
import warnings

import libcst as cst

from target.migrate.answers import migrate_answers, migrate_texts
from target.migrate.imports import migrate_imports
from target.migrate.names import LOGGER, PACKAGES
from target.migrate.options import migrate_options
from target.migrate.plan import MARK, Plan, Source

_WORDS = [name.encode() for name in (*PACKAGES, LOGGER)]


class Unreadable(Exception):
    """Why a file stays as it is, in words for whoever wanted it migrated."""


def rewrite(content: bytes) -> bytes:
    """The content of a Python file for `target`; the same bytes where nothing is to be done.

    Raises:
        Unreadable: It is no Python that can be read, or could not be written back as it was.
    """
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    try:
        _check(content)
        if not any(word in content for word in _WORDS):
            return content
        module = cst.parse_module(content)
        if mark + module.bytes.removeprefix(mark) != content:
            raise Unreadable("its characters cannot all be kept as they are")
        plan = Plan(Source(module))
        migrate_texts(plan)
        imported = migrate_imports(plan)
        if imported.is_any:
            migrate_options(plan, imported)
            migrate_answers(plan, imported)
        if plan.is_empty:
            return content
        written = mark + plan.carry_out().bytes.removeprefix(mark)
        _check(written)
    except cst.ParserSyntaxError as error:
        raise Unreadable(f"line {error.raw_line}: {error.message}") from None
    except (UnicodeError, LookupError, SyntaxError, ValueError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    return written


def _check(content: bytes) -> None:
    with warnings.catch_warnings(action="ignore"):  # of what a caller's code has in its texts
        ast.parse(content)


def notes_in(content: bytes) -> int:
    """How many comments for a person a file has."""
    return content.count(MARK.encode())
