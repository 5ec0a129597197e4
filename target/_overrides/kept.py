"""The overrides that a client keeps: for everybody, and for single visitors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from target._background.forks import renew_in_children
from target.delivery.overridden import Ids, ids_of, is_same_visitor
from target.errors import OptionsError
from target.experience import Override
from target.overrides import MOST_OVERRIDES


class _Visitor(NamedTuple):
    """A visitor with overrides: its ids as given, what it goes by, and what its mboxes show."""

    given: Mapping[str, Any]
    ids: Ids
    overrides: Mapping[str, Any]


class _Kept(NamedTuple):
    """All that is kept at one moment; never changed, so that calls read it without a lock."""

    everybody: Mapping[str, Any]
    visitors: tuple[_Visitor, ...]  # those whose override was set last come last
    by_id: Mapping[tuple[tuple[str, str], str], tuple[int, ...]]

    def total(self) -> int:
        """How many overrides there are."""
        return len(self.everybody) + sum(len(visitor.overrides) for visitor in self.visitors)


class KeptOverrides:
    """What is kept. Safe to share between threads, and over a fork.

    Args:
        everybody: What mboxes show everybody, by mbox.
    """

    def __init__(self, everybody: Mapping[str, Any]) -> None:
        self._kept = _Kept(dict(everybody), (), {})
        self._lock = threading.Lock()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child: a thread that it lacks may hold the lock."""
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        kept = self._kept
        return not kept.everybody and not kept.visitors

    def put(self, mbox: str, what: Any, visitor: Mapping[str, Any] | None) -> None:
        """Let ``mbox`` show this, for everybody (None) or for the visitor of these ids.

        Raises:
            OptionsError: There are too many.
        """
        with self._lock:
            kept = self._kept
            if visitor is None:
                kept = kept._replace(everybody={**kept.everybody, mbox: what})
            else:
                before, others = _apart(kept.visitors, ids_of(visitor))
                overrides = {**before.overrides, mbox: what} if before is not None else {mbox: what}
                kept = _with(kept.everybody, (*others, _Visitor(visitor, ids_of(visitor), overrides)))
            if kept.total() > MOST_OVERRIDES:
                raise OptionsError(f"There are {MOST_OVERRIDES} overrides: take back those that are not needed")
            self._kept = kept

    def remove(self, mbox: str, visitor: Mapping[str, Any] | None) -> bool:
        """Take back what ``put`` with the same arguments has put there: whether there was any."""
        with self._lock:
            kept = self._kept
            if visitor is None:
                left = {name: what for name, what in kept.everybody.items() if name != mbox}
                self._kept = kept._replace(everybody=left)
                return mbox in kept.everybody
            found, others = _apart(kept.visitors, ids_of(visitor))
            if found is None or mbox not in found.overrides:
                return False
            left = {name: what for name, what in found.overrides.items() if name != mbox}
            rest = (*others, found._replace(overrides=left)) if left else others
            self._kept = _with(kept.everybody, rest)
            return True

    def clear(self) -> None:
        """Take all of them back."""
        with self._lock:
            self._kept = _Kept({}, (), {})

    def __iter__(self) -> Iterator[Override]:
        kept = self._kept
        for mbox, what in kept.everybody.items():
            yield Override(mbox, what)
        for visitor in kept.visitors:
            for mbox, what in visitor.overrides.items():
                yield Override(mbox, what, visitor.given)

    def of(self, ids: Mapping[str, Any]) -> Mapping[str, Any]:
        """What mboxes show the visitor who has these ids, by mbox: not to be changed."""
        kept = self._kept
        if not kept.visitors:
            return kept.everybody
        asking = ids_of(ids)
        places = {place for item in asking.items() for place in kept.by_id.get(item, ())}
        found = dict(kept.everybody)
        for place in sorted(places):
            if is_same_visitor(kept.visitors[place].ids, asking):
                found |= kept.visitors[place].overrides
        return found


def _apart(visitors: tuple[_Visitor, ...], ids: Ids) -> tuple[_Visitor | None, tuple[_Visitor, ...]]:
    """The visitor who was given by exactly these ids, and the others."""
    found = next((visitor for visitor in visitors if visitor.ids == ids), None)
    return found, tuple(visitor for visitor in visitors if visitor is not found)


def _with(everybody: Mapping[str, Any], visitors: tuple[_Visitor, ...]) -> _Kept:
    by_id: dict[tuple[tuple[str, str], str], tuple[int, ...]] = {}
    for place, visitor in enumerate(visitors):
        for item in visitor.ids.items():
            by_id[item] = (*by_id.get(item, ()), place)
    return _Kept(everybody, visitors, by_id)
