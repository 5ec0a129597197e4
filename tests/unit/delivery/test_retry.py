"""Whether a failed attempt is made again: every fact that the decision depends on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.delivery.retry import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    LONGEST_PAUSE_S,
    Failure,
    Stage,
    is_of_host,
    pause_s,
    retry_delay_s,
)

DIED = Failure(Stage.UNANSWERED)
PLENTY_S = 60.0


@pytest.mark.parametrize(
    ("failure", "is_retried"),
    [
        pytest.param(Failure(Stage.CONNECTING), True, id="no-connection"),
        pytest.param(Failure(Stage.UNANSWERED), True, id="died-unanswered"),
        pytest.param(Failure(Stage.ANSWERED), False, id="died-in-the-answer"),
        *(pytest.param(Failure(Stage.ANSWERED, s), True, id=str(s)) for s in (429, 502, 503, 504)),
        *(pytest.param(Failure(Stage.ANSWERED, s), False, id=str(s)) for s in (400, 401, 403, 404, 408, 413, 420, 425)),
        *(pytest.param(Failure(Stage.ANSWERED, s), False, id=str(s)) for s in (301, 500, 501, 505, 507)),
    ],
)
def test_what_is_retried(failure: Failure, is_retried: bool) -> None:
    assert (retry_delay_s(failure, 1, 1, PLENTY_S, 0.5) is not None) is is_retried


@pytest.mark.parametrize(
    ("attempts", "retries", "is_retried"),
    [(1, 0, False), (1, 1, True), (2, 1, False), (3, 3, True), (4, 3, False)],
)
def test_how_often(attempts: int, retries: int, is_retried: bool) -> None:
    assert (retry_delay_s(DIED, attempts, retries, PLENTY_S, 0.5) is not None) is is_retried


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_the_pause_doubles_up_to_a_limit_and_is_jittered(jitter: float, share: float) -> None:
    delays = [retry_delay_s(DIED, attempts, 10_000, PLENTY_S, jitter) for attempts in (1, 2, 3, 6, 7, 2000)]
    wanted = [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S, LONGEST_DELAY_S, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert delays == pytest.approx([delay_s * share for delay_s in wanted])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked_s", "remaining_s", "delay_s"),
    [(2.0, 10.0, 2.0), (0.0, 10.0, 0.0375), (2.0, 2.0, None), (2.0, 1.0, None), (3600.0, 10.0, None)],
    ids=["waits-as-asked", "never-less-than-the-pause", "no-time-left-after-it", "past-the-deadline", "an-hour"],
)
def test_retry_after_is_honoured(status: int, asked_s: float, remaining_s: float, delay_s: float | None) -> None:
    assert retry_delay_s(Failure(Stage.ANSWERED, status, asked_s), 1, 1, remaining_s, 0.5) == (
        None if delay_s is None else pytest.approx(delay_s)
    )


@pytest.mark.parametrize("remaining_s", [0.0, -1.0, FIRST_DELAY_S / 4])
def test_never_past_the_deadline(remaining_s: float) -> None:
    assert retry_delay_s(DIED, 1, 1, remaining_s, 0.5) is None


@given(
    st.sampled_from(Stage),
    st.none() | st.integers(100, 599),
    st.none() | st.floats(0, 1e9),
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.floats(-10, 1e7),
    st.floats(0, 1),
)
def test_a_pause_always_fits_into_the_deadline(
    stage: Stage, status: int | None, asked_s: float | None, attempts: int, retries: int, left_s: float, jitter: float
) -> None:
    delay_s = retry_delay_s(Failure(stage, status, asked_s), attempts, retries, left_s, jitter)
    assert delay_s is None or (0 < delay_s < left_s and attempts <= retries and delay_s >= (asked_s or 0))


@pytest.mark.parametrize(
    ("status", "asked_s", "seconds"),
    [
        (503, 3600.0, 3600.0),
        (429, 0.5, 0.5),
        (502, 30.0, 30.0),
        (504, 30.0, 30.0),
        (503, 1e9, LONGEST_PAUSE_S),
        (503, 0.0, None),
        (503, -5.0, None),
        (503, None, None),
        (400, 30.0, None),
        (420, 30.0, None),
        (500, 30.0, None),
        (200, 30.0, None),
    ],
)
def test_a_host_is_left_alone_for_as_long_as_it_asked(
    status: int, asked_s: float | None, seconds: float | None
) -> None:
    assert pause_s(status, asked_s) == seconds


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(Stage.CONNECTING), True),
        (Failure(Stage.UNANSWERED), True),
        (Failure(Stage.ANSWERED), False),
        *((Failure(Stage.ANSWERED, status), True) for status in (502, 503, 504)),
        *((Failure(Stage.ANSWERED, status), False) for status in (400, 420, 429, 500)),
        (Failure(Stage.UNANSWERED, 400), False),
    ],
)
def test_whether_another_host_may_do_better(failure: Failure, expected: bool) -> None:
    assert is_of_host(failure) is expected
