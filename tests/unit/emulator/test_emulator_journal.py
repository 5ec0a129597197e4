"""The journal keeps the newest, counts all, and tells those who wait."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from target.emulator.entries import Received
from target.emulator.journal import Counts, Event, Journal


def received(*mboxes: str, session: str = "s", of: str = "delivery", **body: Any) -> Received:
    named = {"execute": {"mboxes": [{"name": name} for name in mboxes]}} if mboxes else {}
    return Received({"sessionId": session}, {}, named | body, 200, of=of)


def notify(journal: Journal, mbox: str = "home", kind: str = "display", session: str = "s", **more: Any) -> None:
    journal.add_notification({"mbox": {"name": mbox}, "type": kind, **more}, session_id=session, known=True)


def test_everything_is_counted_and_dropping_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(3)
    with caplog.at_level(logging.WARNING, "target.emulator"):
        for number in range(5):
            journal.add(received(session=str(number)))
            notify(journal)
    assert [one.query["sessionId"] for one in journal.received] == ["2", "3", "4"]
    assert journal.counts() == {
        "requests": Counts(5, 3, 2),
        "notifications": Counts(5, 3, 2),
        "fetches": Counts(0, 0, 0),
    }
    assert caplog.messages == [
        f"More than 3 {kind} came: the oldest are no longer listed, all are counted"
        for kind in ("requests", "notifications")
    ]


def test_cleared_entries_stay_counted_until_a_reset() -> None:
    journal = Journal()
    journal.add(received())
    notify(journal)
    journal.clear("notifications")
    assert (len(journal.received), journal.notifications) == (1, [])
    assert journal.counts()["notifications"] == Counts(1, 0, 0)
    journal.reset()
    assert set(journal.counts().values()) == {Counts(0, 0, 0)}


def test_numbers_go_up_over_all_kinds_and_over_a_reset() -> None:
    journal = Journal()
    journal.add(received())
    notify(journal)
    journal.reset()
    journal.add(received())
    notify(journal)
    assert journal.received[0].number < journal.notifications[0]["number"]
    assert journal.received[0].number > 2
    assert journal.received[0].at > 1_500_000_000_000


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "abcde"),
        ({"mbox": "home"}, "ac"),
        ({"mbox": "nowhere"}, ""),
        ({"type": "prefetch"}, "b"),
        ({"type": "notifications"}, "c"),
        ({"session": "d"}, "d"),
        ({"since": 3}, "de"),
        ({"since": 1, "mbox": "home"}, "c"),
    ],
)
def test_requests_by_filter(filters: Any, found: str) -> None:
    journal = Journal()
    journal.add(received("home", "other", session="a"))
    journal.add(received(session="b", prefetch={"mboxes": "broken"}))
    journal.add(received(session="c", notifications=[{"mbox": {"name": "home"}}, 5]))
    journal.add(received(session="d", execute=[], notifications={}))
    journal.add(Received({"sessionId": "e"}, {}, ["no", "object"], 400))
    journal.add(received("home", of="rules"))
    assert "".join(one.query["sessionId"] for one in journal.find_requests(**filters)) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [({}, "abc"), ({"mbox": "home"}, "ab"), ({"type": "click"}, "bc"), ({"session": "c"}, "c"), ({"since": 2}, "c")],
)
def test_notifications_by_filter(filters: Any, found: str) -> None:
    journal = Journal()
    notify(journal, "home", "display", "a")
    notify(journal, "home", "click", "b")
    journal.add_notification({"view": {"name": "home"}, "mbox": None, "type": "click"}, session_id="c", known=False)
    assert "".join(entry["sessionId"] for entry in journal.find_notifications(**filters)) == found


def test_waiting_ends_when_enough_came() -> None:
    journal = Journal()
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.extend(journal.wait_for_notifications(2, 10_000, mbox="home")))
    waiting.start()
    for mbox in ("home", "other", "home"):
        notify(journal, mbox)
    waiting.join(10)
    assert [entry["notification"]["mbox"]["name"] for entry in found] == ["home", "home"]
    journal.add(received("home"))
    assert len(journal.wait_for_requests(1, 0)) == 1


def test_waiting_in_vain_says_how_many_came() -> None:
    journal = Journal()
    notify(journal)
    with pytest.raises(TimeoutError, match=r"^1 of 2 notifications came within 20 ms$"):
        journal.wait_for_notifications(2, 20)
    with pytest.raises(TimeoutError, match=r"^0 of 1 requests came within 0 ms$"):
        journal.wait_for_requests(1, 0, mbox="home")


def test_listeners_are_told_of_everything_until_they_end() -> None:
    journal = Journal()
    told: list[Event] = []
    end = journal.listen(told.append)
    journal.add(received("home"))
    notify(journal)
    journal.publish("rules", {"source": "rules.json"})
    journal.clear()
    end()
    end()
    notify(journal)
    assert [event.kind for event in told] == ["request", "notification", "rules", "cleared"]
    assert [event.number for event in told] == [1, 2, 3, 4]
    assert told[0].data["body"]["execute"]["mboxes"] == [{"name": "home"}]
    assert told[1].data["notification"]["mbox"] == {"name": "home"}


def test_a_repeat_is_told_by_its_impression_id() -> None:
    journal = Journal(2)
    for impression in ("a", "a", None, 5, {}, "b", "c", "a"):
        notify(journal, impressionId=impression)
    repeats = [entry["repeat"] for entry in journal.notifications]
    assert repeats == [False, False]  # of the last two: "a" is forgotten by then
