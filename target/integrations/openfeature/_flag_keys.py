"""Flag keys: which mboxes a key may mean, and where in an offer the value is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from openfeature.exception import FlagNotFoundError

#: Mboxes that one call may ask for.
MOST_MBOXES = 50
_MOST_LENGTH = 250  # of an mbox's name
_MOST_SHOWN = 80
_MOST_KEY = 2000  # which may have come from outside: longer ones are neither cut at each dot nor kept


def shown(key: str) -> str:
    """``key`` as messages show it."""
    return repr(key[:_MOST_SHOWN])


@lru_cache(1024)
def candidates(key: str, known: frozenset[str] | None) -> tuple[str, ...]:
    """The mboxes that ``key`` may be of, the longest name first: ``"a.b.c"`` is the mbox ``a.b.c``, the attribute ``c``
    of ``a.b``, or ``b.c`` of ``a``.

    Args:
        key: The flag's.
        known: The mboxes that there are; None where that is not known.

    Raises:
        FlagNotFoundError: It can be of none.
    """
    if len(key) > _MOST_KEY:
        raise FlagNotFoundError(f"The flag {shown(key)} is longer than the {_MOST_KEY} characters that a key may have")
    ends = [len(key), *(at for at in range(len(key) - 2, 0, -1) if key[at] == ".")]
    names = [key[:end] for end in ends]
    possible = [name for name in names if name.strip() and len(name) <= _MOST_LENGTH]
    if known is not None:
        possible = [name for name in possible if name in known][:1]
        if not possible:
            raise FlagNotFoundError(f"The flag {shown(key)} is of no mbox that the provider was given: see mboxes")
    if not possible:
        raise FlagNotFoundError(f"The flag {shown(key)} is no name of an mbox: 1 to {_MOST_LENGTH} characters")
    if len(possible) > MOST_MBOXES:
        raise FlagNotFoundError(f"The flag {shown(key)} has too many dots: name its mbox in the option mboxes")
    return tuple(possible)


def path_in(key: str, mbox: str) -> str:
    """What of ``key`` names a value in the offer of ``mbox``; ``""`` for the whole offer."""
    return key[len(mbox) + 1 :]


def find(offer: Any, path: str) -> tuple[bool, Any]:
    """Whether there is a value at ``path`` in a JSON offer, and which: names may have dots, the longest wins."""
    if not path:
        return True, offer
    if not isinstance(offer, Mapping):
        return False, None
    if path in offer:
        return True, offer[path]
    end = len(path)
    while (end := path.rfind(".", 0, end)) > 0:
        if (name := path[:end]) in offer and (rest := path[end + 1 :]):
            is_there, value = find(offer[name], rest)
            if is_there:
                return True, value
    return False, None


def parse_names(names: Collection[str] | None) -> tuple[str, ...] | None:
    """Names of mboxes, each once; None for None. Raises ValueError for what is no name."""
    if names is None:
        return None
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if not isinstance(name, str) or not name.strip() or len(name) > _MOST_LENGTH:
            raise ValueError(f"mboxes must hold names of mboxes: texts of 1 to {_MOST_LENGTH} characters")
    return tuple(dict.fromkeys(given))
