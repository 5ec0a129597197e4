"""Owns files that are watched while the emulator runs: each is read again when it changes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from target.loggers import Log

_LOGGER = Log(logging.getLogger("target.emulator"))
# Changes are looked for this often where nothing tells of them: on network drives, and some that containers share.
_POLL_S = 0.5
# Who writes a file in place writes it in pieces: it is read once it has been left alone for so long.
_SETTLED_S = 0.05
_MOST_UNSETTLED = 40


class WatchedFile:
    """A file, and what reads it.

    Args:
        kind: What it is, for people: "rules", "offers".
        path: Where it is.
        read: Reads the file and uses what it holds; raises ValueError with a message that names file and place.
    """

    def __init__(self, kind: str, path: str | Path, read: Callable[[str], object]) -> None:
        self.kind, self.path = kind, str(path)
        self.problem: str | None = None
        self._read = read
        self._seen = _fingerprint(self.path)

    def look(self, wait: Callable[[float], object]) -> bool:
        """Read the file if it has changed; whether it had."""
        now = _fingerprint(self.path)
        if now == self._seen:
            return False
        for _ in range(_MOST_UNSETTLED):
            wait(_SETTLED_S)
            before, now = now, _fingerprint(self.path)
            if before == now:
                break
        self._seen = now
        try:
            self._read(self.path)
        except ValueError as problem:
            self.problem = str(problem)
            _LOGGER.warning("%s; the last good %s stay in use", self.problem, self.kind)
        else:
            self.problem = None
            _LOGGER.info("%s: read again", self.path)
        return True

    def folders(self) -> set[str]:
        """Where something changes when the file does: its folder, and that of everything it is a link to."""
        path, found = os.path.abspath(self.path), set[str]()
        for _ in range(40):  # links may go round in a circle
            found.add(os.path.dirname(path))
            try:
                path = os.path.join(os.path.dirname(path), os.readlink(path))
            except OSError:
                break
        return {folder for folder in (*found, os.path.dirname(os.path.realpath(self.path))) if os.path.isdir(folder)}


class Watching:
    """Watches files on a thread of its own until `stop`.

    Args:
        files: Which.
        tell: Is told of each that was read again, or could not be.
    """

    def __init__(self, files: list[WatchedFile], tell: Callable[[WatchedFile], object]) -> None:
        self.files = files
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="target-emulator-files", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self.files:
            self._thread.start()

    def stop(self) -> None:
        """End; nothing is read from then on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            folders = self._folders()
            for _ in self._wakes(folders):
                for file in self.files:
                    if file.look(self._stop.wait):
                        self._tell(file)
                if self._folders() != folders:
                    break

    def _folders(self) -> set[str]:
        return {folder for file in self.files for folder in file.folders()}

    def _wakes(self, folders: set[str]) -> Iterator[object]:
        """Something each time that something may have changed, until it is stopped."""
        try:
            from watchfiles import watch

            yield from watch(
                *folders,
                watch_filter=None,
                debounce=200,
                step=20,
                stop_event=self._stop,
                rust_timeout=round(_POLL_S * 1000),
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
                ignore_permission_denied=True,
            )
        except (ImportError, OSError, RuntimeError):
            # Without the package, or where the system has no more watches to give, looking now and then has to do.
            yield from iter(lambda: self._stop.wait(_POLL_S), True)


def _fingerprint(path: str) -> tuple[object, ...] | None:
    """What is another one once a file has been written or replaced, or a link leads elsewhere; None without a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (os.path.realpath(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
