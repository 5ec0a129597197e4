"""A process's one connection to the outbox file: opened when it is needed, and anew when the file is another one."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from target._background.clock import monotonic_s
from target._outbox import rows
from target._outbox.ownership import warn_of_folder
from target._outbox.schema import inode_of, is_corrupt, is_passing, move_aside, open_file, transaction, words_of
from target.loggers import Log
from target.protocols import StoreBroken

T = TypeVar("T")

_LOOK_AGAIN_S = 0.1
_abandoned: list[sqlite3.Connection] = []


class FileConnection:
    """Not to be used by two threads at once.

    Args:
        path: The file, absolute.
        account: Whose entries are made ready to be sent when it is opened.
        now_s: The steady clock.
        logger: Told when the file was corrupt, removed, or open to others.
    """

    def __init__(self, path: str, account: str, now_s: Callable[[], float], logger: Log) -> None:
        self._path = path
        self._account = account
        self._now_s = now_s
        self._logger = logger
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._looked_at_s = -math.inf  # when it was found where it was
        self._warned = False
        self._is_left_alone = False

    @property
    def is_open(self) -> bool:
        """Whether it is."""
        return self._connection is not None

    def leave_to_parent(self, was_in_use: bool) -> None:
        """In a forked child: have no connection, nor SQLite any record of the parent's.

        SQLite believes to hold the locks of a connection that came through the fork, which only the parent does: what
        is written then is gone when the parent closes the file as the last to use it. So the connection is closed,
        which takes nothing from the parent; but not where a thread was in the middle of something, since SQLite may
        hang then. There the file is left alone for good.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if was_in_use:
            _abandoned.append(connection)
            self._is_left_alone = True
        else:
            connection.close()

    def work(self, work: Callable[[sqlite3.Connection], T], adds: bool) -> T:
        """What ``work`` returns, which gets the connection.

        Args:
            work: Any statements.
            adds: Whether it stores what was not stored before: then the file must be where every process looks for it.

        Raises:
            StoreBroken: The file cannot be used now.
        """
        if self._is_left_alone:
            raise StoreBroken("this process was forked while another thread used the file")
        try:
            return self._attempt(work, adds)
        except (sqlite3.Error, OSError) as error:
            if not is_corrupt(error):
                raise StoreBroken(words_of(error)) from error
        try:
            aside = move_aside(self._path)
            if aside is not None:
                self._logger.error("The outbox file %s is corrupt: moved to %s, begun anew", self._path, aside)
            return self._attempt(work, adds)
        except (sqlite3.Error, OSError) as error:
            raise StoreBroken(words_of(error)) from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T], adds: bool) -> T:
        try:
            return work(self._open(adds))
        except (sqlite3.Error, OSError, StoreBroken) as error:
            if not is_passing(error):
                self.close()  # what went wrong may be gone with the next connection
            raise

    def _open(self, adds: bool) -> sqlite3.Connection:
        if self._connection is not None:
            # A file that was moved or deleted would take what is queued and keep it from every later process.
            now_s = monotonic_s()
            if not adds and now_s - self._looked_at_s < _LOOK_AGAIN_S:
                return self._connection
            self._looked_at_s = now_s
            try:
                if inode_of(self._path) == self._inode:
                    return self._connection
            except FileNotFoundError:
                self._logger.error("The outbox file %s was removed, with what waited in it: begun anew", self._path)
            self.close()
        if not self._warned:
            self._warned = True
            warn_of_folder(self._path, self._logger)
        connection = open_file(self._path, self._logger)
        try:
            self._add_missing_lanes(connection)
            self._inode = inode_of(self._path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _add_missing_lanes(self, connection: sqlite3.Connection) -> None:
        try:
            with transaction(connection):
                rows.add_missing_lanes(connection, self._account, self._now_s())
        except sqlite3.Error as error:
            if not is_passing(error):  # a file that cannot be written now can be read
                raise

    def close(self) -> None:
        """Close it; the next work opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
