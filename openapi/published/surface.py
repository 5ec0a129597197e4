"""Owns what the generated models offer to Python, read by griffe without importing them, and what became of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import griffe

#: A name such as "Geo" or "Geo.zip", and what stands behind it.
Surface = dict[str, str]


def surface(package: Path) -> Surface:
    """Every model, its fields with their types, every member of an enum, every parameter of the call."""
    logging.getLogger("griffe").setLevel(logging.ERROR)
    loaded: Any = griffe.load(package.name, search_paths=[package.parent], allow_inspection=False)
    offered: Surface = {}
    for module in loaded["models"].modules.values():
        for name, member in module.members.items():
            if member.is_alias:
                continue
            if member.is_class:
                offered[name] = "model"
                offered |= _members(name, member)
            elif member.is_attribute and not name.startswith("_"):
                offered[name] = str(member.value)
    for module in loaded["api"].modules.values():
        for name, call in module.modules.items():
            for parameter in call["sync_detailed"].parameters if "sync_detailed" in call.members else ():
                offered[f"{name}({parameter.name})"] = _typed(parameter)
    return offered


def _members(name: str, model: Any) -> Surface:
    if "__init__" in model.members:
        fields = (parameter for parameter in model["__init__"].parameters if parameter.name != "self")
        return {f"{name}.{field.name}": _typed(field) for field in fields}
    members = (member for member in model.members.values() if member.is_attribute and not member.name.startswith("_"))
    return {f"{name}.{member.name}": str(member.value) for member in members}


def _typed(parameter: Any) -> str:
    return f"{parameter.annotation}{', required' if parameter.default is None else ''}"


def became(before: Surface, after: Surface) -> tuple[list[str], list[str]]:
    """Lines for CHANGELOG.md of what was added, and of what breaks code that uses it."""
    models = [name for name in after if name not in before and "." not in name and "(" not in name]
    added = [f"- Added `{name}`." for name in models]
    added += [
        f"- Added `{name}` ({after[name]})."
        for name in after
        if name not in before and name not in models and name.partition(".")[0] not in models
        if not after[name].endswith(", required")
    ]
    breaking = [
        f"- Breaking: `{name}` is gone." for name in before if name not in after and _is_top(name, before, after)
    ]
    for name in after:
        old, new = before.get(name), after[name]
        owner = name.partition(".")[0].partition("(")[0]
        if old is None and new.endswith(", required") and (owner in before or "(" in name):
            breaking.append(f"- Breaking: `{name}` is new and required ({new.removesuffix(', required')}).")
        elif old is not None and old.removesuffix(", required") + " | None" == new:
            added.append(f"- `{name}` may be left out.")
        elif old is not None and old != new:
            breaking.append(f"- Breaking: `{name}` is {new}, no longer {old}.")
    return added, breaking


def _is_top(name: str, before: Surface, after: Surface) -> bool:
    """Whether nothing larger than this went with it."""
    owner = name.partition(".")[0]
    return owner == name or owner in after or owner not in before
