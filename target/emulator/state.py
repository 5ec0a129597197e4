"""Owns the state file: what a stage remembers, written after changes and at the end, and read at the start."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from target.emulator.journal import Journal
from target.loggers import Log

_LOGGER = Log(logging.getLogger("target.emulator"))
# So many changes as come within this time are written at once.
_GATHERED_S = 1.0


class StateError(ValueError):
    """The state file cannot be used; the message names it, says why, and what to do."""


@contextmanager
def keeping(path: str | Path, stage: _Stage, journal: Journal) -> Iterator[None]:
    """Let `stage` remember what the file at `path` holds, and the file what the stage remembers, while the block lasts.

    Raises StateError where the file is none of ours, and leaves it as it is.
    """
    file = StateFile(path, stage, journal)
    file.read()
    file.start()
    try:
        yield
    finally:
        file.stop()


class _Stage(Protocol):
    def to_dict(self) -> dict[str, Any]: ...
    def restore(self, data: Any, /) -> None: ...


class StateFile:
    """A file for what `stage` remembers. Whatever the journal is told of counts as a change.

    Args:
        path: The file; it may not be there yet.
        stage: What remembers.
        journal: Is told of what happens.
    """

    def __init__(self, path: str | Path, stage: _Stage, journal: Journal) -> None:
        self._path = Path(os.path.realpath(path))
        self._named, self._stage, self._journal = str(path), stage, journal
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._written: str | None = None
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="target-emulator-state", daemon=True)

    def read(self) -> None:
        """Let the stage remember what the file holds; a file that is not there holds nothing.

        Raises StateError where the file is none of ours, and leaves it as it is.
        """
        advice = "the file is left as it is: move it away, or name another with --state"
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError as cause:
            if not self._path.parent.is_dir():
                raise StateError(f"{self._named}: its folder is not there; make it, or name another file") from cause
            return
        except OSError as cause:
            raise StateError(f"{self._named}: cannot be read ({cause.strerror}); {advice}") from cause
        except UnicodeDecodeError as cause:
            raise StateError(f"{self._named}: is not text in UTF-8; {advice}") from cause
        try:
            self._stage.restore(json.loads(text))
        except json.JSONDecodeError as cause:
            place = f"line {cause.lineno}, column {cause.colno}"
            raise StateError(f"{self._named}: {place}: not JSON ({cause.msg}); {advice}") from cause
        except (ValueError, RecursionError) as cause:
            raise StateError(f"{self._named}: {cause}; {advice}") from cause
        self._written = text

    def start(self) -> None:
        """Write after changes from now on."""
        self._end_listening = self._journal.listen(lambda _: self._changed.set())
        self._thread.start()

    def stop(self) -> None:
        """Write for the last time."""
        self._end_listening()
        self._stopped.set()
        self._changed.set()
        self._thread.join()
        self.write()

    def write(self) -> None:
        """Write the file if it would be another one. Tells why it cannot, once for each reason."""
        text = json.dumps(self._stage.to_dict())
        if text == self._written:
            return
        try:
            _replace(self._path, text)
        except OSError as cause:
            problem = f"{self._named}: cannot be written ({cause.strerror}); what is remembered now will be lost"
            if problem != self._problem:
                _LOGGER.warning("%s", problem)
            self._problem = problem
        else:
            self._written, self._problem = text, None

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._changed.wait()
            if self._stopped.wait(_GATHERED_S):
                return
            self._changed.clear()
            self.write()


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    # For its owner alone, as it holds the ids of visitors.
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh)
        raise
