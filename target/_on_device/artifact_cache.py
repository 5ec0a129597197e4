"""The file that keeps the last good artifact and its ETag, for a start while the CDN cannot be reached."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from target._on_device.artifact_source import parse_etag, require_bounds
from target.errors import CacheError

FORMAT = 1
_LONGEST_HEAD = 16384


class Cached(NamedTuple):
    """An artifact as it came from the CDN, and its ETag."""

    etag: str | None
    content: bytes


def read_cache(path: Path, url: str, most_bytes: int, most_values: int | None = None) -> Cached | None:
    """What was written to ``path`` for the artifact at ``url``; None where there is no file.

    The file is hostile until proven otherwise: whoever can write it decides what visitors are shown.

    Raises:
        CacheError: It is no file of this kind, of another artifact, damaged, larger than ``most_bytes``, or others
            can write to it.
        ArtifactError: It holds more values than ``most_values``, see ``require_bounds``.
    """
    try:
        # A pipe in its place must not hold up the start.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheError(f"it cannot be opened ({error.strerror})") from error
    try:
        with os.fdopen(descriptor, "rb") as file:
            _require_trust(os.fstat(file.fileno()))
            data = file.read(most_bytes + _LONGEST_HEAD + 1)
    except OSError as error:
        raise CacheError(f"it cannot be read ({error.strerror})") from error
    head, found, content = data.partition(b"\n")
    if not found or len(head) > _LONGEST_HEAD or len(content) > most_bytes:
        raise CacheError("it is too large, or no cache of an artifact")
    try:
        facts = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise CacheError("it is no cache of an artifact") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CacheError("it is no cache of an artifact, or of another version of this package")
    if facts.get("artifact_location") != url:
        raise CacheError("it holds the artifact of another URL")
    if facts.get("sha256") != hashlib.sha256(content).hexdigest():
        raise CacheError("it is damaged")
    require_bounds(content, most_values)
    return Cached(parse_etag(facts.get("etag")), content)


def write_cache(path: Path, url: str, etag: str | None, content: bytes) -> None:
    """Replace the file at ``path``, at once and for its owner alone. Raises CacheError, and then it is as before."""
    facts = {
        "format": FORMAT,
        "artifact_location": url,
        "etag": etag,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with mode 0600
    except OSError as error:
        raise CacheError(f"it cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(facts).encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise CacheError(f"it cannot be written ({error.strerror})") from error
        raise
    _sync_folder(path.parent)


def _require_trust(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise CacheError("it is no file")
    if hasattr(os, "geteuid") and (facts.st_uid not in (0, os.geteuid()) or facts.st_mode & stat.S_IWOTH):
        raise CacheError("others than this user can write to it")


def _sync_folder(folder: Path) -> None:
    """Make the new name outlast a power failure, where a folder can be opened for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
