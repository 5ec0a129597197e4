"""Counts the clients of this process that are alive, by client code: a client for each request is a mistake."""

from __future__ import annotations

from weakref import WeakValueDictionary

from target.notices import Notices

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

    def warn_if_too_many(self, notices: Notices) -> None:
        """Tell the log where there are."""
        if self.are_too_many():
            notices.warn_once(
                ("clients",),
                "More than %d clients of one client code are alive in this process: make one when it starts, share it, "
                "and close those that are not needed",
                MOST_ALIVE,
            )

    def leave(self) -> None:
        """Count no more. Twice is harmless."""
        self._group.members.pop(id(self), None)


_groups: WeakValueDictionary[str, _Group] = WeakValueDictionary()
