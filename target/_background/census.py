"""Counts the clients of this process that are alive, by client code: a client for each request is a mistake."""

from __future__ import annotations

from weakref import WeakValueDictionary

MOST_ALIVE = 20


class _Group:
    """The clients of one client code."""

    def __init__(self) -> None:
        self.members: WeakValueDictionary[int, Counted] = WeakValueDictionary()
        self.is_told = False


class Counted:
    """What a client keeps while it is to be counted. No lock: each change of these dicts is one step."""

    def __init__(self, client_code: str) -> None:
        self._group = _groups.setdefault(client_code, _Group())
        self._group.members[id(self)] = self

    def are_too_many(self) -> bool:
        """Whether there are more than MOST_ALIVE: said once, until there is none."""
        if self._group.is_told or len(self._group.members) <= MOST_ALIVE:
            return False
        self._group.is_told = True
        return True

    def leave(self) -> None:
        """Count no more. Twice is harmless."""
        self._group.members.pop(id(self), None)


_groups: WeakValueDictionary[str, _Group] = WeakValueDictionary()
