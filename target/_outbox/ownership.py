"""Whose the outbox file is: it holds visitor ids, and its rows are sent, so nobody else may read or write it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from target.loggers import Log
from target.protocols import StoreBroken

SUFFIXES = ("", "-wal", "-shm")
_BESIDE = (*SUFFIXES[1:], "-journal")
_OTHERS = 0o077
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def own(path: str, logger: Log) -> None:
    """Make the file at ``path``, if need be, for its owner alone; make an existing one so, and what belongs to it.

    Raises:
        StoreBroken: It, or what belongs to it, is another user's, or no ordinary file.
        OSError: It cannot be made or opened.
    """
    _own_one(path, os.O_CREAT, logger)  # made here, since SQLite would let everyone read it
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            _own_one(path + suffix, 0, logger)


def real_path(path: str) -> str:
    """Where ``path`` leads. Raises StoreBroken for a link that another user put there."""
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode) and not _is_trusted(found):
            raise StoreBroken("it is a link that another user made")
    return os.path.realpath(path)


def open_lock(path: str) -> int:
    """A descriptor of the file at ``path``, made if need be, which holds nothing. Raises OSError."""
    return os.open(path, _FLAGS | os.O_CREAT, 0o600)


def warn_of_folder(path: str, logger: Log) -> None:
    """Say so where others may take the file at ``path`` away."""
    if not hasattr(os, "geteuid"):
        return
    with contextlib.suppress(OSError):
        folder = os.stat(os.path.dirname(path))
        is_open = folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX
        if is_open or not _is_trusted(folder):
            logger.warning(
                "Other users may remove or replace the outbox file %s: put it into a folder that only its owner can "
                "write to",
                path,
            )


def _own_one(path: str, flags: int, logger: Log) -> None:
    try:
        descriptor = os.open(path, _FLAGS | flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreBroken("what belongs to it is a link") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StoreBroken("it is no ordinary file")
        if not hasattr(os, "geteuid"):  # no such owners, no such modes
            return
        if found.st_uid != os.geteuid():
            raise StoreBroken("it belongs to another user")
        if found.st_mode & _OTHERS:
            os.fchmod(descriptor, found.st_mode & 0o700)
            logger.warning("The outbox file %s could be used by others (mode %o): it is its owner's alone now", path,
                           stat.S_IMODE(found.st_mode))  # fmt: skip
    finally:
        os.close(descriptor)


def _is_trusted(found: os.stat_result) -> bool:
    """Whether this user or the superuser owns it."""
    return not hasattr(os, "geteuid") or found.st_uid in (0, os.geteuid())
