"""Which hosts the outbox may call, and how often at once."""

from __future__ import annotations

from typing import Any

import pytest

from target._outbox.hosts import Hosts
from target.delivery.outgoing import LONGEST_DELAY_S, Outcome
from target.delivery.retry import LONGEST_PAUSE_S
from tests.kit.outboxes import Clock

MOST = 32
A, B = "https://a.example", "https://b.example"
FINE = Outcome(204)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(clock: Clock) -> Hosts:
    return Hosts(clock, MOST)


def begin_all(hosts: Hosts, url: str) -> int:
    """How many calls may be in flight at once."""
    count = 0
    while hosts.is_open(url):
        assert hosts.begin(url)
        count += 1
    assert not hosts.begin(url)
    return count


def end(hosts: Hosts, url: str, count: int, outcome: Outcome = FINE) -> list[bool]:
    return [hosts.end(url, outcome, 1.0) for _ in range(count)]


def test_a_host_that_answers_may_be_called_more_and_more_up_to_the_most(hosts: Hosts) -> None:
    seen = []
    for _ in range(6):
        seen.append(begin_all(hosts, A))
        end(hosts, A, seen[-1])
    assert seen == [4, 8, 16, 32, 32, 32]


def test_a_host_that_never_answered_gets_few_senders(hosts: Hosts) -> None:
    assert begin_all(hosts, A) == 4
    assert begin_all(hosts, B) == 4


@pytest.mark.parametrize("outcome", [Outcome(None), Outcome(500), Outcome(403)])
def test_a_host_that_fails_is_called_by_one_until_it_answers(hosts: Hosts, outcome: Outcome) -> None:
    for _ in range(4):
        end(hosts, A, begin_all(hosts, A))
    assert hosts.begin(A)
    end(hosts, A, 1, outcome)
    assert begin_all(hosts, A) == 1
    end(hosts, A, 1)
    assert begin_all(hosts, A) == 2


@pytest.mark.parametrize("outcome", [Outcome(400), Outcome(413), Outcome(420), Outcome(None, interrupted=True)])
def test_what_says_nothing_against_the_host_slows_nothing(hosts: Hosts, outcome: Outcome) -> None:
    assert hosts.begin(A)
    assert not hosts.end(A, outcome, 1.0)
    assert begin_all(hosts, A) >= 4
    assert hosts.has_failed_for_s(A) == 0


def test_from_the_third_failure_on_it_rests_for_longer_and_longer(hosts: Hosts, clock: Clock) -> None:
    told, rests = [], []
    for _ in range(12):
        assert hosts.begin(A)
        told += end(hosts, A, 1, Outcome(503))
        rests.append(hosts.rests_until_s(A) - clock.now if not hosts.is_open(A) else 0.0)
        clock.now += max(0.0, rests[-1])
    assert told == [False, False, True, *[False] * 9]
    assert rests[:5] == [0, 0, 0.25, 0.5, 1]
    assert rests[-1] == LONGEST_DELAY_S
    assert hosts.has_failed_for_s(A) == pytest.approx(sum(rests))
    assert hosts.begin(A)
    end(hosts, A, 1)
    assert hosts.has_failed_for_s(A) == 0
    assert hosts.is_open(A)


@pytest.mark.parametrize(
    ("asked_s", "rest_s"), [(7.0, 7.0), (3e9, LONGEST_PAUSE_S), (0.0, 0.0), (-3.0, 0.0), (None, 0.0)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_host_rests_for_as_long_as_it_asks_within_reason(
    hosts: Hosts, clock: Clock, status: int, asked_s: Any, rest_s: float
) -> None:
    assert hosts.begin(A)
    end(hosts, A, 1, Outcome(status, retry_after_s=asked_s))
    assert max(0.0, hosts.rests_until_s(A) - clock.now) == rest_s
    assert hosts.is_open(A) == (rest_s == 0)
    hosts.wake()  # who is in a hurry wakes no host that asked for its rest
    assert hosts.is_open(A) == (rest_s == 0)
    assert hosts.next_open_s() == (clock.now + rest_s if rest_s else None)
    assert hosts.is_open(B)
    clock.now += rest_s
    assert hosts.is_open(A)


def test_a_shorter_wish_does_not_shorten_a_rest(hosts: Hosts, clock: Clock) -> None:
    for _ in range(2):
        assert hosts.begin(A)
    end(hosts, A, 1, Outcome(429, retry_after_s=60.0))
    end(hosts, A, 1, Outcome(429, retry_after_s=1.0))
    assert hosts.rests_until_s(A) == clock.now + 60


def test_who_is_in_a_hurry_wakes_hosts_that_rest_for_their_failures(hosts: Hosts) -> None:
    for _ in range(5):
        hosts.wake()
        assert hosts.begin(A)
        end(hosts, A, 1, Outcome(None))
    assert not hosts.is_open(A)
    hosts.wake()
    assert begin_all(hosts, A) == 1


def test_an_answer_of_an_earlier_call_ends_the_rest(hosts: Hosts) -> None:
    for _ in range(4):
        assert hosts.begin(A)
    end(hosts, A, 3, Outcome(None))
    assert not hosts.is_open(A)
    end(hosts, A, 1)
    assert hosts.is_open(A)


def test_not_more_hosts_are_remembered_than_there_may_be_clusters_in_use(hosts: Hosts) -> None:
    for number in range(3000):
        url = f"https://{number}.example"
        assert hosts.begin(url)
        end(hosts, url, 1)
    assert len(hosts._hosts) <= 1000
