"""Answers that the evaluations of one transaction share: bounded in time and number, and never between contexts that
ask for different visitors."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError
from openfeature.transaction_context import get_transaction_context

from target import TargetDeliveryResponse
from target._background.clock import monotonic_s
from target._background.forks import begin_anew_if_forked, renew_in_children
from target.integrations.openfeature._flag_keys import MOST_MBOXES

K = TypeVar("K")
V = TypeVar("V")

MOST_TRANSACTIONS = 1000
MOST_CONTEXTS = 100  # of one transaction


class Answer:
    """What one call was answered, and which mboxes of it were told to be shown.

    Attributes:
        result: What the call returned.
        told: The mboxes that were shown, and that Target hears of.
        is_stale: Whether it was decided by rules whose last refresh had failed.
    """

    __slots__ = ("is_stale", "result", "told")

    def __init__(self, result: TargetDeliveryResponse, is_stale: bool) -> None:
        self.result = result
        self.told: dict[str, object] = {}
        self.is_stale = is_stale

    def tell_once(self, mbox: str) -> bool:
        """Whether nobody has told yet that ``mbox`` was shown; from now on somebody has."""
        token = object()
        return self.told.setdefault(mbox, token) is token  # one step


class Pending(Future[None]):
    """Done when a call has ended, well or not. ``asked_by``: the thread that waits for it, or whose event loop does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_by = threading.get_ident()
        self.set_running_or_notify_cancel()  # so that who waits for it and is cancelled leaves it alone


class Shared:
    """The answers of one evaluation context in one transaction.

    Whoever needs mboxes that no answer has makes one call for them at a time, also for those that others wait for.
    """

    def __init__(self) -> None:
        self.made_at_s = monotonic_s()
        self.latest: Answer | None = None
        self._lock = threading.RLock()  # which a signal handler may meet
        self._by_mbox: dict[str, Answer] = {}
        self._failure: OpenFeatureError | None = None
        self._wanted: dict[str, None] = {}
        self._pending: Pending | None = None

    def find(self, names: Sequence[str]) -> dict[str, Answer]:
        """The answers that there are for these mboxes. Raises what a call of this transaction failed with."""
        if (failure := self._failure) is not None:
            raise OpenFeatureError(failure.error_code, failure.error_message)
        return self.known(names)

    def known(self, names: Sequence[str]) -> dict[str, Answer]:
        """The same, whatever failed."""
        return {name: answer for name in names if (answer := self._by_mbox.get(name)) is not None}

    def begin(self, names: Sequence[str]) -> Pending | bool:
        """Whether it is for this evaluation to ask for ``names``: then ``end`` has to be called. Else what to wait for,
        since another one asks; False where nothing of them is to be asked any more."""
        with self._lock:
            missing = [name for name in names if name not in self._by_mbox]
            if not missing:
                return False
            self._wanted.update(dict.fromkeys(missing))
            if self._pending is not None:
                return self._pending
            self._pending = Pending()
            return True

    def wanted(self, names: Sequence[str], also: Sequence[str]) -> list[str]:
        """The mboxes to ask for: ``names``, what others wait for by now, and in the first call ``also``."""
        with self._lock:
            others = [*self._wanted, *(also if self.latest is None else ())]
            self._wanted.clear()
            wanted = dict.fromkeys([*names, *others])
            return [name for name in wanted if name not in self._by_mbox][:MOST_MBOXES]

    def end(self, asked: Sequence[str], answer: Answer | None, failure: OpenFeatureError | None = None) -> None:
        """Take what the call for ``asked`` came to: an answer, a failure that all of the transaction shares (ten flags
        of a page do not wait for ten timeouts), or neither."""
        with self._lock:
            if answer is not None:
                self.latest = answer
                self._by_mbox.update(dict.fromkeys(asked, answer))
            self._failure = failure
            pending, self._pending = self._pending, None
        if pending is not None:
            pending.set_result(None)


class _Transaction:
    """What the evaluations of one transaction share; ``of`` does not keep the transaction alive."""

    def __init__(self, of: weakref.ref[EvaluationContext]) -> None:
        self.of = of
        self.by_mark: dict[Hashable, Shared] = {}


class Answers:
    """What the transactions of one provider share.

    A transaction is what ``set_transaction_context`` was given last in this context (contextvars); an empty one is
    none. Its answers go when it does, and after ``max_age_s``.
    """

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Forget all answers; also in a forked child, whose threads answer nothing that its parent's were to."""
        self._lock = threading.RLock()  # which a signal handler may meet
        self._transactions: dict[int, _Transaction] = {}
        self._learnt: dict[str, None] = {}

    def of_now(self, mark: Hashable | None) -> Shared | None:
        """What the evaluations of this transaction share that ask as ``mark`` says; None where there is none."""
        if mark is None or not self._max_age_s:
            return None
        begin_anew_if_forked()
        current = get_transaction_context()
        if current.targeting_key is None and not current.attributes:
            return None  # which is what there is where nobody has set one, for as long as a thread lives
        now_s = monotonic_s()
        with self._lock:
            transaction = self._transactions.get(id(current))
            if transaction is None or transaction.of() is not current:
                transaction = self._add(current)
            if transaction is None:
                return None
            shared = transaction.by_mark.get(mark)
            if shared is None or now_s - shared.made_at_s > self._max_age_s:
                shared = Shared()
                _put(transaction.by_mark, mark, shared, MOST_CONTEXTS)
            return shared

    def _add(self, current: EvaluationContext) -> _Transaction | None:
        """A transaction; None where nobody could tell its end, since its class has slots."""
        transactions, key = self._transactions, id(current)

        def forget(of: weakref.ref[EvaluationContext]) -> None:
            # Called wherever its last reference goes, with the lock held or not: so by steps that need none.
            found = transactions.get(key)
            if found is not None and found.of is of:
                transactions.pop(key, None)

        try:
            added = _Transaction(weakref.ref(current, forget))
        except TypeError:
            return None
        _put(transactions, key, added, MOST_TRANSACTIONS)
        return added

    def learn(self, names: Sequence[str]) -> None:
        """Take note that these mboxes were asked for, so that the next transaction asks for them at once."""
        with self._lock:
            for name in names:
                _put(self._learnt, name, None, MOST_MBOXES)

    @property
    def learnt(self) -> list[str]:
        """The mboxes that were asked for lately, the latest first."""
        with self._lock:
            return list(reversed(self._learnt))


def _put(into: dict[K, V], key: K, value: V, most: int) -> None:
    """Put ``value`` last, and let the first go where there are too many."""
    into.pop(key, None)
    into[key] = value
    if len(into) > most:
        into.pop(next(iter(into)), None)
