"""What a store promises of who shares its storage: threads, other stores, other processes, and the next one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from target import OutboxFull
from target.protocols import Death, LaneState, Settlement, Store
from target.testing._store_bench import (
    LEASE_S,
    Clock,
    Make,
    StoreBench,
    acknowledge,
    add,
    always,
    claim_all,
    claim_one,
    dead_names,
    entry,
    names,
)

_LONGEST_S = 30.0  # for threads and children on a loaded machine


class SharingPromises(StoreBench):
    """A part of StoreSuite."""

    @pytest.fixture
    def make_again(self, make: Make) -> Make:
        """The same as ``make``, for tests in which one store finds what another left."""
        if not self.lasting:
            pytest.skip("this storage ends with its store")
        return make

    def test_threads_share_a_store(self, make: Make) -> None:
        store = make(max_pending=10_000)
        _share([store] * 4, [store] * 3)

    def test_stores_share_their_storage(self, make_again: Make) -> None:
        stores = [make_again(max_pending=10_000) for _ in range(3)]
        _share(stores, stores)

    def test_another_store_finds_what_the_first_left(self, make_again: Make, clock: Clock) -> None:
        first = make_again()
        add(first, "dead", "a", "b")
        claim = claim_one(first)
        state = LaneState(clock.steady_s + 5, failures=2, status=503, message="busy")
        assert first.settle(
            claim, Settlement(state, missed=claim.entries[1:2], dead=(Death(claim.entries[0], "expired", 503),))
        )
        first.close()
        second = make_again()
        assert tuple(second.counts()) == (2, 1)
        assert dead_names(second) == ["dead"]
        assert second.claim(always) is None
        assert second.next_due_s(always) == pytest.approx(state.due_s)
        clock.move(5.1)
        found = claim_one(second)
        assert found.state[1:] == state[1:]
        assert [(name, item.misses) for name, item in zip(names(found.entries), found.entries, strict=True)] == [
            ("a", 1),
            ("b", 0),
        ]

    def test_a_store_that_was_never_closed_leaves_all_it_returned_from(self, make_again: Make, clock: Clock) -> None:
        first = make_again()
        add(first, "sent", session_id="sent", due_s=1.0)
        add(first, "sending", session_id="sending", due_s=2.0)
        assert acknowledge(first, claim_one(first))
        lost = claim_one(first)
        add(first, "waiting", session_id="waiting")
        second = make_again()  # as after the death of the process of the first
        assert [names(claim.entries) for claim in claim_all(second)] == [["waiting"]]
        clock.move(LEASE_S + 0.1)
        second.hurry()
        taken = {claim.session_id: claim for claim in claim_all(second)}["sending"]
        assert taken.entries == lost.entries
        assert not acknowledge(first, lost)
        assert acknowledge(second, taken)

    def test_a_seq_is_never_given_again(self, make_again: Make) -> None:
        first = make_again()
        add(first, "a", "b")
        mark = first.mark()
        claim = claim_one(first)
        assert acknowledge(first, claim)
        first.close()
        second = make_again()
        assert second.passed(mark)
        add(second, "c")
        (found,) = claim_one(second).entries
        assert found.seq > max(item.seq for item in claim.entries)
        assert second.passed(mark)

    def test_two_stores_never_claim_the_same(self, make_again: Make) -> None:
        first, second = make_again(), make_again()
        for session_id in ("a", "b", "c"):
            add(first, session_id, session_id=session_id)
        claims = [claim_one(first), claim_one(second), claim_one(first)]
        assert sorted(claim.session_id for claim in claims) == ["a", "b", "c"]
        assert len({claim.token for claim in claims}) == 3
        assert first.claim(always) is None
        assert second.claim(always) is None

    def test_the_bound_counts_what_other_stores_added(self, make_again: Make) -> None:
        first, second = make_again(max_pending=3), make_again(max_pending=3)
        add(first, "a", "b")
        assert second.counts().pending == 2
        with pytest.raises(OutboxFull):
            second.add([entry("c"), entry("d")], 0.0)

    def test_accounts_do_not_meet(self, make_again: Make) -> None:
        mine, theirs = make_again(account="mine", max_pending=2), make_again(account="theirs", max_pending=2)
        add(mine, "a", "b")
        assert theirs.claim(always) is None
        assert theirs.next_due_s(always) is None
        assert theirs.counts().pending == 0
        assert theirs.passed(theirs.mark())
        add(theirs, "c", "d")
        claim = claim_one(theirs)
        assert names(claim.entries) == ["c", "d"]
        dead = tuple(Death(item, "refused", 400) for item in claim.entries)
        assert theirs.settle(claim, Settlement(claim.state, dead=dead))
        assert (dead_names(mine), mine.revive()) == ([], 0)
        theirs.hurry()
        assert names(claim_one(mine).entries) == ["a", "b"]

    def test_a_machine_that_starts_again_delays_nothing(self, make_again: Make, clock: Clock) -> None:
        store = make_again()
        add(store, "due", session_id="due", due_s=clock.steady_s + 20)
        add(store, "claimed", session_id="claimed")
        claim_one(store)
        store.close()
        clock.start_again()
        store = make_again()
        due_s = store.next_due_s(always)
        assert due_s is not None
        assert due_s <= clock.steady_s
        assert {claim.session_id for claim in claim_all(store)} == {"due", "claimed"}

    def test_a_forked_child_uses_the_store(self, make_again: Make) -> None:
        store = make_again()
        add(store, "a", session_id="a")

        def use() -> None:
            store.begin_anew()
            store.begin_anew()
            assert store.counts().pending == 1
            add(store, "b", session_id="b")
            assert len(claim_all(store)) == 2
            store.close()

        assert self._in_child(use) == 0
        assert store.counts().pending == 2
        assert store.claim(always) is None

    def test_a_process_may_be_killed_while_it_sends(self, make_again: Make, clock: Clock) -> None:
        def send() -> None:
            store = make_again()
            add(store, "sending", session_id="sending")
            claim_one(store)
            add(store, "waiting", session_id="waiting")
            os.kill(os.getpid(), signal.SIGKILL)

        assert self._in_child(send) == -signal.SIGKILL
        store = make_again()
        assert [names(claim.entries) for claim in claim_all(store)] == [["waiting"]]
        clock.move(LEASE_S + 0.1)
        assert {claim.session_id for claim in claim_all(store)} == {"sending", "waiting"}

    def _in_child(self, work: Callable[[], None]) -> int:
        """How a child ended that did ``work``."""
        if not self.several_processes or not hasattr(os, "fork"):
            pytest.skip("several_processes is False, or there is no fork")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
            process = os.fork()
        if process == 0:
            try:
                work()
            except BaseException:  # noqa: BLE001  (it must not get into the tests that follow)
                traceback.print_exc(file=sys.__stderr__)
                os._exit(1)
            os._exit(0)
        killer = threading.Timer(_LONGEST_S, os.kill, (process, signal.SIGTERM))
        killer.start()
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        finally:
            killer.cancel()
        assert code != -signal.SIGTERM, "the child of a fork hangs"
        return code


def _share(adders: list[Store], senders: list[Store]) -> None:
    """Add and send by a thread each: nothing may be lost, sent twice, or out of order."""
    lanes, each = 5, 40
    sent: dict[str, list[str]] = {}
    lock, all_added, given_up = threading.Lock(), threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def add_all(store: Store, thread: int) -> None:
        for number in range(each):
            session_id = f"session-{thread}-{number % lanes}"
            store.add([entry(f"{thread}-{number}", session_id)], 0.0)

    def send(store: Store) -> None:
        while not given_up.is_set():
            over = all_added.is_set()
            claim = store.claim(always)
            if claim is None:
                if over and store.next_due_s(always) is None:
                    return
                time.sleep(0.001)
                continue
            with lock:
                sent.setdefault(claim.session_id, []).extend(names(claim.entries))
            assert acknowledge(store, claim), "nobody else could claim it"

    def run(work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  (told below)
                errors.append(error)
                given_up.set()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    adding = [run(partial(add_all, store, number)) for number, store in enumerate(adders)]
    sending = [run(partial(send, store)) for store in senders]
    for thread in adding:
        thread.join(_LONGEST_S)
    all_added.set()
    for thread in sending:
        thread.join(_LONGEST_S)
    is_over = not any(thread.is_alive() for thread in (*adding, *sending))
    given_up.set()
    assert is_over, "a method of the store hangs, or what was added can never be claimed"
    assert errors == []
    counted = Counter(name for found in sent.values() for name in found)
    assert counted == Counter({f"{thread}-{number}": 1 for thread in range(len(adders)) for number in range(each)})
    for found in sent.values():
        numbers = [int(name.partition("-")[2]) for name in found]
        assert numbers == sorted(numbers), "order is kept within a lane"
