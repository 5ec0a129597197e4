"""Reads objects and lists out of a request in wire form, and says where one is neither."""

from __future__ import annotations

from typing import Any

from target.errors import OptionsError


def object_in(parent: dict[str, Any], key: str, where: str = "request") -> dict[str, Any]:
    """The object at ``key``, empty where there is none. Raises OptionsError for anything else."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OptionsError(f"{where}.{key} must be an object, not {type(value).__name__}")
    return value


def list_in(parent: dict[str, Any], key: str, where: str = "request") -> list[Any]:
    """The list at ``key``, empty where there is none. Raises OptionsError for anything else."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise OptionsError(f"{where}.{key} must be a list, not {type(value).__name__}")
    return value
