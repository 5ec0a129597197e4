"""The packages of the extra ``simulate``, imported where they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from target.batch.errors import BatchError


def require(module: str, purpose: str) -> Any:
    """The module, which ``purpose`` needs. Raises BatchError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise BatchError(f"{purpose} needs {package}: pip install 'target-delivery[simulate]'") from error
