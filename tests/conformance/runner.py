"""The rules by which Adobe's cross-language scenarios are compared: those of the program beside them."""

from __future__ import annotations

import functools
import importlib.util
from types import ModuleType

import pytest

from tests.conformance.scenarios import SHARED

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="needs Adobe's scenarios, in ../shared/scenarios")


@functools.cache
def load_runner() -> ModuleType:
    """That program as a module."""
    spec = importlib.util.spec_from_file_location("scenario_runner", SHARED / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
