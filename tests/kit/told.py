"""How README.md, docs/ and help texts tell the default of an option."""

from __future__ import annotations

import re
from typing import Any

from target.loggers import Log
from target.option_rows import REQUIRED


def told(default: Any) -> str:
    """``default`` as it is told; a page may set it in backticks."""
    if default is REQUIRED:
        return "required"
    if default is None or default == {}:
        return "none"
    if isinstance(default, Log):
        return f'logging.getLogger("{default.name}")'
    return f'"{default}"' if isinstance(default, str) else str(default)


def tables_in(page: str, title: str) -> list[dict[str, str]]:
    """Of each table under a heading, the options in its first column, and what its second tells of their defaults: one
    text for all options of a row, or one for each."""
    section, tables = page.split(f"\n## {title}\n")[1], []
    for table in re.findall(r"^\|.*\n\|[-| ]+\n((?:\|.*\n)+)", section.partition("\n## ")[0], re.MULTILINE):
        tables.append(defaults := {})
        for line in table.splitlines():
            names, text = (cell.strip() for cell in line.split("|")[1:3])
            options, each = re.findall(r"`(\w+)`", names), text.replace("`", "").split(", ")
            assert not defaults.keys() & options, f"{names} stands twice"
            defaults |= zip(
                options, each if len(each) == len(options) else [", ".join(each)] * len(options), strict=True
            )
    return tables
