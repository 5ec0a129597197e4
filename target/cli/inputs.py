"""Owns reading what a command is given in files: JSON, and the profile. What is wrong is one line with its place."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

_STDIN = "-"
_MOST_BYTES = 64 * 1024 * 1024


def read_json(path: str) -> Any:
    """What a JSON file holds, or standard input for ``-``. Raises ClickException."""
    named = "standard input" if path == _STDIN else path
    try:
        text = sys.stdin.buffer.read(_MOST_BYTES + 1) if path == _STDIN else Path(path).read_bytes()
    except OSError as problem:
        raise click.ClickException(f"{named}: cannot be read ({problem.strerror})") from problem
    if len(text) > _MOST_BYTES:
        raise click.ClickException(f"{named}: has more than {_MOST_BYTES} bytes")
    try:
        return json.loads(text.decode("utf-8-sig"))
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise click.ClickException(f"{named}: {where}: not JSON ({problem.msg})") from problem
    except UnicodeDecodeError as problem:
        raise click.ClickException(f"{named}: byte {problem.start}: not UTF-8") from problem
    except RecursionError as problem:
        raise click.ClickException(f"{named}: nested too deeply") from problem


def read_object(path: str) -> dict[str, Any]:
    """What a file with a JSON object holds. Raises ClickException."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise click.ClickException(f"{path}: must be a JSON object, not {type(value).__name__}")
    return value


def profile_path() -> Path:
    """Where profiles are: ``target/config.toml`` in ``XDG_CONFIG_HOME``, which is ``~/.config`` where it is not set."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "target" / "config.toml"


def read_profile(name: str | None, known: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a profile; of ``default`` where none is named, and none where that is not there.

    Args:
        name: The profile's.
        known: The options that there are.

    Raises:
        ClickException: The file is broken, has no such profile, or an option that is not known.
    """
    path = profile_path()
    if not path.is_file():
        if name is None:
            return {}
        raise click.ClickException(f"{path}: there is no such file, and so no profile {name!r}")
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise click.ClickException(f"{path}: cannot be read ({problem.strerror})") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise click.ClickException(f"{path}: not TOML ({problem})") from problem
    profile = profiles.get(name or "default", None if name else {})
    if not isinstance(profile, dict):
        there = ", ".join(each for each, value in profiles.items() if isinstance(value, dict)) or "none"
        raise click.ClickException(f"{path}: has no profile [{name or 'default'}]; there are {there}")
    for key in profile:
        if key not in known:
            raise click.ClickException(f"{path}: [{name or 'default'}] {key}: is no option; {_nearest(key, known)}")
    return profile


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else "docs/options.md has them"
