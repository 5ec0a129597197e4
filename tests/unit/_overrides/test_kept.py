"""What is kept for whom: a model of it, a bound, and a lock that outlives no fork."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError, Override
from target._background.forks import begin_anew_if_forked
from target._overrides.kept import KeptOverrides
from target.delivery.overridden import ids_of

KINDS = ("tntId", "thirdPartyId", "marketingCloudVisitorId")
visitors = st.dictionaries(st.sampled_from(KINDS), st.sampled_from(["a", "b"]), min_size=1)
steps = st.lists(
    st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from(["home", "side"]), st.none() | visitors), max_size=12
)


def is_of(known: dict[str, str], asking: dict[str, str]) -> bool:
    common = known.keys() & asking.keys()
    return bool(common) and all(known[kind] == asking[kind] for kind in common)


@given(steps, st.one_of(st.just({}), visitors))
def test_what_is_kept_is_what_was_put_and_not_taken_back(taken: list[Any], asking: dict[str, str]) -> None:
    kept = KeptOverrides({"home": "first"})
    model: list[tuple[str, Any, str]] = [("home", None, "first")]
    order: list[Any] = []  # visitors, the one changed last at the end
    for number, (step, mbox, visitor) in enumerate(taken):
        others = [each for each in model if each[:2] != (mbox, visitor)]
        if step == "put":
            kept.put(mbox, number, visitor)
            model = [*others, (mbox, visitor, str(number))]
        else:
            assert kept.remove(mbox, visitor) == (len(others) < len(model))
            model = others
        if visitor is not None and (step == "put" or others != model):
            order = [*(each for each in order if each != visitor), visitor]
    expected: dict[str, str] = {mbox: what for mbox, visitor, what in model if visitor is None}
    own = {str(visitor) for _, visitor, _ in model if visitor is not None}
    for visitor in order:
        if str(visitor) in own and is_of(visitor, asking):
            expected |= {mbox: what for mbox, of, what in model if of == visitor}
    assert {mbox: str(what) for mbox, what in kept.of(asking).items()} == expected
    assert kept.is_empty == (not model)
    assert len(list(kept)) == len(model)


def test_a_tnt_id_counts_without_its_cluster() -> None:
    kept = KeptOverrides({})
    kept.put("home", 1, {"tntId": "a.38_0"})
    kept.put("home", 2, {"tntId": "a.35_0"})
    assert list(kept) == [Override("home", 2, {"tntId": "a.35_0"})]
    assert kept.of({"tntId": "a"}) == {"home": 2}
    assert kept.of({"tntId": "ab.38_0"}) == kept.of({"thirdPartyId": "a"}) == {}
    assert ids_of({"tntId": ".38_0"}) == {("tntId", ""): ".38_0"}


def test_nothing_kept_is_changed_by_who_reads_it() -> None:
    kept = KeptOverrides({"home": 1})
    before = kept.of({})
    kept.put("home", 2, None)
    kept.put("side", 3, None)
    assert before == {"home": 1}
    assert kept.of({}) == {"home": 2, "side": 3}


def test_one_more_than_fit_is_refused_and_changes_nothing() -> None:
    kept = KeptOverrides({str(number): 0 for number in range(1000)})
    with pytest.raises(OptionsError, match="There are 1000 overrides"):
        kept.put("home", 1, {"tntId": "a"})
    kept.put("0", 1, None)
    assert kept.of({"tntId": "a"})["0"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_somebody_holds_the_lock() -> None:
    kept = KeptOverrides({"home": 1})
    with kept._lock:
        pid = os.fork()
        if not pid:
            begin_anew_if_forked()
            done = threading.Thread(target=kept.put, args=("home", 2, None), daemon=True)
            done.start()
            done.join(5)
            os._exit(0 if kept.of({}) == {"home": 2} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert kept.of({}) == {"home": 1}
