"""Which flags of uWSGI are missing, for what it says of itself; tests/lifecycle/test_uwsgi.py runs the real one."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from target._background.uwsgi import warn_of_missing_flags
from target.loggers import Log

THREADS, HOOKS = "--enable-threads", "--py-call-uwsgi-fork-hooks"


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"opt": {}}, [THREADS, HOOKS]),
        ({"opt": {}, "has_threads": 0, "worker_id": lambda: 0}, [THREADS, HOOKS]),
        ({"opt": {}, "has_threads": 1, "worker_id": lambda: 0}, [HOOKS]),
        ({"opt": {"enable-threads": True, "master": True}}, [HOOKS]),
        ({"opt": {b"threads": b"4"}}, [HOOKS]),
        ({"opt": {"threads": b"4", "py-call-uwsgi-fork-hooks": b"1"}}, []),
        ({"opt": {"enable-threads": b"true", "py-call-uwsgi-fork-hooks": True}}, []),
        ({"opt": {"enable-threads": b"false", "py-call-uwsgi-fork-hooks": b"0"}}, [THREADS, HOOKS]),
        ({"opt": {"lazy-apps": True}}, [THREADS]),
        ({"opt": {"lazy-apps": True}, "has_threads": 1}, []),
        ({"opt": {}, "has_threads": 1, "worker_id": lambda: 3}, []),  # made in a worker, after the fork
        ({}, [THREADS, HOOKS]),
    ],
)
def test_one_warning_names_the_flags_that_are_missing(
    said: dict[str, Any], missing: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = SimpleNamespace(**said)
    monkeypatch.setitem(sys.modules, "uwsgi", server)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warn_of_missing_flags(Log(logging.getLogger("shop")))
    assert len(caplog.messages) == bool(missing)
    for flag in (THREADS, HOOKS):
        assert any(flag in message for message in caplog.messages) == (flag in missing)


def test_nothing_is_said_where_there_is_no_uwsgi(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_missing_flags(Log(logging.getLogger("shop")))
    assert caplog.messages == []
