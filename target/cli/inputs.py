"""Owns reading what a command is given in files: JSON, and the profile. What is wrong is one line with its place."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

STDIN = "-"
_MOST_BYTES = 64 * 1024 * 1024


def named(path: str) -> str:
    """How a file is called in what is said of it."""
    return "standard input" if path == STDIN else path


def read_json(path: str) -> Any:
    """What a JSON file holds, or standard input for ``-``. Raises ClickException."""
    text = _read(path)
    try:
        return json.loads(text.decode("utf-8-sig"))
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise click.ClickException(f"{named(path)}: {where}: not JSON ({problem.msg})") from problem
    except UnicodeDecodeError as problem:
        raise click.ClickException(f"{named(path)}: byte {problem.start}: not UTF-8") from problem
    except RecursionError as problem:
        raise click.ClickException(f"{named(path)}: nested too deeply") from problem
    except ValueError as problem:
        raise click.ClickException(f"{named(path)}: has a number of too many digits") from problem


def read_object(path: str) -> dict[str, Any]:
    """What a file with a JSON object holds. Raises ClickException."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise click.ClickException(f"{named(path)}: must be a JSON object, not {type(value).__name__}")
    return value


def profile_path() -> Path:
    """Where profiles are: ``target/config.toml`` in ``XDG_CONFIG_HOME``, which is ``~/.config`` where it is not set."""
    # expanduser leaves the path alone where nobody's home is known, as in a container; Path.home() fails there.
    return Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "target" / "config.toml"


def read_profile(name: str | None, parsers: Mapping[str, Callable[[str, Any], Any]]) -> dict[str, Any]:
    """The options of a profile; of ``default`` where none is named, and none where that is not there.

    Args:
        name: The profile's.
        parsers: What reads each option that there is: takes its name and value, and raises ValueError.

    Raises:
        ClickException: The file is broken, has no such profile, or an option that is not known or not as it has to be.
    """
    path = profile_path()
    profiles = _read_profiles(path)
    if profiles is None:
        if name is None:
            return {}
        raise click.ClickException(f"{path}: there is no such file, and so no profile {name!r}")
    for key, value in profiles.items():
        if not isinstance(value, dict):
            raise click.ClickException(f"{path}: {key}: stands outside of a profile; write [default] above it")
    if name is not None and name not in profiles:
        there = ", ".join(profiles) or "none"
        raise click.ClickException(f"{path}: has no profile [{name}]; there are: {there}")
    profile: dict[str, Any] = profiles.get(name or "default", {})
    for key, value in profile.items():
        where = f"{path}: [{name or 'default'}] {key}"
        if key not in parsers:
            raise click.ClickException(f"{where}: is no option; {_nearest(key, parsers)}")
        try:
            parsers[key](key, value)
        except ValueError as problem:
            raise click.ClickException(f"{where}: {problem}") from problem
    return profile


def _read(path: str) -> bytes:
    try:
        if path == STDIN:
            text = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with open(path, "rb") as file:
                text = file.read(_MOST_BYTES + 1)
    except OSError as problem:
        raise click.ClickException(f"{named(path)}: cannot be read ({problem.strerror})") from problem
    if len(text) > _MOST_BYTES:
        raise click.ClickException(f"{named(path)}: has more than {_MOST_BYTES} bytes")
    return text


def _read_profiles(path: Path) -> dict[str, Any] | None:
    """What is in the file of profiles; None where there is none."""
    try:
        with open(path, "rb") as file:
            return tomllib.loads(file.read(_MOST_BYTES).decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise click.ClickException(f"{path}: cannot be read ({problem.strerror})") from problem
    except UnicodeDecodeError as problem:
        raise click.ClickException(f"{path}: byte {problem.start}: not UTF-8") from problem
    except RecursionError as problem:
        raise click.ClickException(f"{path}: nested too deeply") from problem
    except ValueError as problem:
        raise click.ClickException(f"{path}: not TOML ({problem})") from problem


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else "docs/options.md has them"
