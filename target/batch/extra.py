"""The packages of the extras ``simulate``, ``batch`` and ``stats``, imported where they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from target.batch.errors import BatchError
from target.errors import OptionsError


def require(module: str, purpose: str, extra: str = "simulate") -> Any:
    """The module, which ``purpose`` needs. Raises BatchError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BatchError(_advice(module, purpose, extra)) from error


def demand(module: str, purpose: str, extra: str = "batch") -> Any:
    """The same for what is called from Python. Raises OptionsError."""
    try:
        return importlib.import_module(module)
    except ImportError:
        advice = _advice(module, purpose, extra)
    raise OptionsError(advice)


def _advice(module: str, purpose: str, extra: str) -> str:
    package = {"tea_tasting": "tea-tasting"}.get(module, module.partition(".")[0])
    return f"{purpose} needs {package}: pip install 'target-delivery[{extra}]'"
