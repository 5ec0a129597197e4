"""A warning is logged once for each cause and client."""

from __future__ import annotations

import copy
import logging
import pickle
import threading

import pytest

from target.loggers import Log
from target.notices import _MOST_OF_A_KIND, Notices


def test_each_cause_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(Log(logging.getLogger("shop")))
    for cause in ("a", "b", "a", "b"):
        notices.warn_once(("kind", cause), "told of %s", cause)
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("shop", "WARNING", "told of a"),
        ("shop", "WARNING", "told of b"),
    ]
    Notices().warn_once(("kind", "a"), "told by another")
    assert caplog.records[-1].name == "target"


def test_threads_do_not_tell_it_twice(caplog: pytest.LogCaptureFixture) -> None:
    notices, begin = Notices(), threading.Barrier(8)

    def tell() -> None:
        begin.wait(10)
        for number in range(15):
            notices.warn_once(("cause", str(number)), "told of %d", number)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record.getMessage() for record in caplog.records) == sorted(
        f"told of {number}" for number in range(15)
    )


def test_what_has_many_places_is_told_of_a_few(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices()
    for number in range(1000):
        notices.warn_once(("typo", str(number)), "%d", number)
    assert caplog.messages == [*map(str, range(_MOST_OF_A_KIND)), "Further cases of the same kind are not logged"]
    assert sum(map(len, notices._told.values())) == _MOST_OF_A_KIND
    assert notices.has_told(("typo", "never seen"))
    assert not notices.has_told(("timeout",))
    notices.error_once(("timeout",), "another kind is told all the same")
    assert caplog.records[-1].levelname == "ERROR"
    assert notices.has_told(("timeout",))


def test_a_copy_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(Log(logging.getLogger("shop")))
    notices.warn_once(("a",), "told")
    for other in (pickle.loads(pickle.dumps(notices)), copy.deepcopy(notices)):
        other.warn_once(("a",), "told")
    assert [record.name for record in caplog.records] == ["shop", "target", "target"]
