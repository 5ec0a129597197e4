"""Whether uWSGI, where it runs this process, was told of threads and of Python's forks: it says nothing by itself."""

from __future__ import annotations

import sys
from typing import Any

from target.loggers import Log

_DOCS = "docs/uwsgi.md of target-delivery says more"
_told: list[object] = []  # the module itself, since an id may be used again


def warn_of_missing_flags(logger: Log) -> None:
    """Say, once in this process and those that it forks, which flags of uWSGI are missing."""
    server: Any = sys.modules.get("uwsgi")  # which uWSGI puts there, and nobody else
    if server is None or any(server is told for told in _told):
        return
    _told.append(server)
    missing = _missing(server)
    if missing:
        logger.warning("uWSGI runs without %s; %s", ", and without ".join(missing), _DOCS)


def _missing(server: Any) -> list[str]:
    options = {_text(name): _text(value) for name, value in dict(getattr(server, "opt", None) or {}).items()}
    missing = []
    has_threads = getattr(server, "has_threads", None)  # newer versions have them always, whatever the options say
    if not (_is_on(options, "enable-threads", "threads") if has_threads is None else has_threads):
        missing.append(
            "--enable-threads: calls with a callback, the outbox and on-device decisioning only go on while a request "
            "is served"
        )
    loads_in_workers = _is_on(options, "lazy-apps", "lazy") or _worker(server) > 0
    if not loads_in_workers and not _is_on(options, "py-call-uwsgi-fork-hooks"):
        missing.append(
            "--py-call-uwsgi-fork-hooks (or --lazy-apps): Python is not told that workers are forked, and may hang in "
            "one where threads ran before; what this client holds begins anew in each all the same"
        )
    return missing


def _worker(server: Any) -> int:
    """The number of the worker that this is; 0 in the process above, which loads the application and forks."""
    worker_id = getattr(server, "worker_id", None)
    return int(worker_id()) if callable(worker_id) else 0


def _is_on(options: dict[str, str], *names: str) -> bool:
    return any(options.get(name, "") not in ("", "0", "false", "False", "no", "off") for name in names)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
