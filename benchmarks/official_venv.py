"""The venv that the official SDK needs for itself, with what its wheel imports but does not declare."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from benchmarks.venvs import ROOT, python_with

VENV = ROOT / ".venv-official"
REQUIREMENTS = (
    "target-python-sdk==1.1.0",
    f"urllib3=={version('urllib3')}",  # the one that ours is measured with
    "setuptools<81",  # the last that bring pkg_resources
    "certifi",
    "json-logic-qubit",
    "python-dateutil",
    "requests",
    "six",
    "tld",
    "tzlocal",
    "user-agents",
)


def official_python() -> Path:
    """The interpreter of a venv that holds the official SDK. Raises as ``python_with``."""
    return python_with(VENV, REQUIREMENTS)
