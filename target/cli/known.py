"""Owns which options a client has, what reads each, and which of them the environment sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from target import ClientOptions
from target.config import ALL_CLIENT_OPTIONS
from target.environment import read_environment

_NAMES = ClientOptions.__required_keys__ | ClientOptions.__optional_keys__
#: By name; takes name and value, and raises OptionsError.
CLIENT_OPTIONS: Mapping[str, Callable[[str, Any], Any]] = {name: ALL_CLIENT_OPTIONS[name][0] for name in sorted(_NAMES)}
_REQUIRED = ("client", "organization_id")
_PREFIX = "TARGET_"


def from_environment() -> dict[str, Any]:
    """The options that variables of the environment set, as `TargetClient.from_env` reads them. Raises OptionsError."""
    # What is required may come from elsewhere.
    missing = {name: "" for name in _REQUIRED if not os.environ.get(f"{_PREFIX}{name.upper()}")}
    read = read_environment(_PREFIX, missing, os.environ)
    return {name: value for name, value in read.items() if value != ""}
