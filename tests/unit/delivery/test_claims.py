"""What a store gives back: taken as it is, mended where that does no harm, set aside, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from target.delivery.claims import check_claim, check_count, check_counts, check_death
from target.protocols import MOST_PER_BATCH, Claim, Counts, Death, Entry, LaneState, Moment, StoreBroken
from tests.kit.outboxes import entry

NOW = Moment(5000.0, 70.0)
LEASE_S = 30.0
STATE = LaneState(60.0, 2, 3, 503, "busy")
SOUND = entry("n1", seq=4, cluster="38", telemetry="[{}]", since=Moment(1.0, 2.0), misses=1, queued_at=7)
CLAIM = Claim("t", STATE, "s", (SOUND,), True, 80.0)


def remains(of: Entry, **fields: Any) -> Entry:
    return Entry(of.seq, "", None, "", of.notification, None, of.queued_at, NOW)._replace(**fields)


def test_a_sound_claim_is_as_it_was_given() -> None:
    assert check_claim(CLAIM, NOW, LEASE_S) == CLAIM
    many = CLAIM._replace(entries=[SOUND] * MOST_PER_BATCH, more=False)  # type: ignore[arg-type]
    assert check_claim(many, NOW, LEASE_S) == many._replace(entries=(SOUND,) * MOST_PER_BATCH)


@pytest.mark.parametrize(
    "claim",
    [
        None,
        tuple(CLAIM),
        CLAIM._replace(token=7),  # type: ignore[arg-type]
        CLAIM._replace(state=tuple(STATE)),  # type: ignore[arg-type]
        CLAIM._replace(entries=None),  # type: ignore[arg-type]
        CLAIM._replace(entries=iter([SOUND])),  # type: ignore[arg-type]
        CLAIM._replace(entries="n"),  # type: ignore[arg-type]
        CLAIM._replace(entries=(SOUND,) * (MOST_PER_BATCH + 1)),
    ],
)
def test_what_is_no_claim_is_refused(claim: Any) -> None:
    with pytest.raises(StoreBroken) as caught:
        check_claim(claim, NOW, LEASE_S)
    assert str(caught.value) == "it gave a claim that is none"


@pytest.mark.parametrize("item", [None, tuple(SOUND), SOUND._replace(session_id="other")])
def test_a_claim_of_what_is_no_entry_of_its_lane_is_refused(item: Any) -> None:
    with pytest.raises(StoreBroken) as caught:
        check_claim(CLAIM._replace(entries=(SOUND, item)), NOW, LEASE_S)
    assert str(caught.value) == "it gave a claim with entries that are none, or another lane's"


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"due_s": "soon"}, {"due_s": NOW.steady_s}),
        ({"due_s": 10**400}, {"due_s": NOW.steady_s}),
        ({"failures": None}, {"failures": 0}),
        ({"failures": 10**9}, {"failures": 1000}),
        ({"suspects": -1}, {"suspects": 0}),
        ({"suspects": MOST_PER_BATCH + 1}, {"suspects": MOST_PER_BATCH}),
        ({"status": "503"}, {"status": None}),
        ({"status": 0}, {"status": None}),
        ({"status": 1}, {"status": 1}),
        ({"status": 999}, {"status": 999}),
        ({"status": 1000}, {"status": None}),
        ({"message": 5}, {"message": None}),
    ],
)
def test_what_is_wrong_with_the_state_of_a_lane_is_mended(fields: dict[str, Any], read: dict[str, Any]) -> None:
    found = check_claim(CLAIM._replace(state=STATE._replace(**fields)), NOW, LEASE_S)
    assert found == CLAIM._replace(state=STATE._replace(**read))


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"ends_s": None}, {"ends_s": NOW.steady_s + LEASE_S}),
        ({"more": 1}, {"more": True}),
        ({"more": 0}, {"more": False}),
    ],
)
def test_what_else_is_wrong_with_a_claim_is_mended(fields: dict[str, Any], read: dict[str, Any]) -> None:
    found = check_claim(CLAIM._replace(**fields), NOW, LEASE_S)
    assert (found, type(found.more)) == (CLAIM._replace(**read), bool)


@pytest.mark.parametrize("since", [None, 5, (1.0,), (1.0, 2.0, 3.0), ("x", None)])
def test_an_entry_that_does_not_say_how_old_it_is_begins_now(since: Any) -> None:
    found = check_claim(CLAIM._replace(entries=(SOUND._replace(since=since),)), NOW, LEASE_S)
    assert found.entries == (SOUND._replace(since=NOW),)


def test_an_age_may_be_in_any_pair() -> None:
    pair: Any = [1.0, 2.0]
    found = check_claim(CLAIM._replace(entries=(SOUND._replace(since=pair),)), NOW, LEASE_S)
    assert found.entries == (SOUND,)


@pytest.mark.parametrize("envelope", ["no json", None])
def test_what_could_not_be_sent_is_set_aside(envelope: Any) -> None:
    bad = SOUND._replace(seq=9, envelope=envelope, queued_at=-1)
    found = check_claim(CLAIM._replace(entries=(bad, SOUND)), NOW, LEASE_S)
    assert found == CLAIM._replace(unreadable=(Death(remains(bad, queued_at=0), "unreadable", None),))


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({}, {}),
        ({"notification": None}, {"notification": ""}),
        ({"queued_at": "x"}, {"queued_at": 0}),
        ({"queued_at": 10**12}, {"queued_at": 10**12}),
    ],
)
def test_of_what_was_given_up_its_notification_is_left(fields: dict[str, Any], left: dict[str, Any]) -> None:
    found = check_death(Death(SOUND._replace(**fields), "refused", 400, "no"), NOW)
    assert found == Death(remains(SOUND, **left), "refused", 400, "no")


def test_what_is_wrong_with_a_dead_letter_is_mended() -> None:
    odd: Any = ("lost", "400", 5)
    assert check_death(Death(SOUND, *odd), NOW) == Death(remains(SOUND), "unreadable", None, None)


@pytest.mark.parametrize("death", [None, (SOUND, "refused", 400, None), Death(None, "refused", 400)])  # type: ignore[arg-type]
def test_what_is_no_dead_letter_is_refused(death: Any) -> None:
    with pytest.raises(StoreBroken) as caught:
        check_death(death, NOW)
    assert str(caught.value) == "it gave a dead letter that is none"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (Counts(3, 0), Counts(3, 0)),
        (Counts("many", None), Counts(0, 0)),  # type: ignore[arg-type]
        (Counts(-5, True), Counts(0, 0)),
        (Counts(2.5, float("nan")), Counts(0, 0)),  # type: ignore[arg-type]
        (Counts(10**400, 1), Counts(10**400, 1)),
    ],
)
def test_counts_are_numbers(given: Counts, read: Counts) -> None:
    assert check_counts(given) == read


@pytest.mark.parametrize("counts", [None, (1, 2), 5])
def test_what_are_no_counts_is_refused(counts: Any) -> None:
    with pytest.raises(StoreBroken) as caught:
        check_counts(counts)
    assert str(caught.value) == "it gave counts that are none"


@pytest.mark.parametrize("count", [0, 1, 10_000])
def test_a_count_is_as_it_was_given(count: int) -> None:
    assert check_count(count) == count


@pytest.mark.parametrize("count", [None, True, "7", 7.0, -1, 10**400])
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(StoreBroken) as caught:
        check_count(count)
    assert str(caught.value) == "it gave a count that is none"
