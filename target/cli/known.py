"""Owns which options a client has, and which of them the environment names."""

from __future__ import annotations

import os
from typing import Any

from target import ClientOptions
from target.environment import read_environment

CLIENT_OPTIONS = dict.fromkeys(sorted(ClientOptions.__required_keys__ | ClientOptions.__optional_keys__))
_REQUIRED = ("client", "organization_id")
_PREFIX = "TARGET_"


def from_environment() -> dict[str, Any]:
    """The options that variables of the environment set, as `TargetClient.from_env` reads them. Raises OptionsError."""
    # What is required may come from elsewhere.
    missing = {name: "" for name in _REQUIRED if not os.environ.get(f"{_PREFIX}{name.upper()}")}
    read = read_environment(_PREFIX, missing, os.environ)
    return {name: value for name, value in read.items() if value != ""}
