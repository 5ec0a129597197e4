"""Objects of callers' own classes that lie, or raise whatever is asked of them."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any


class Disguised(str):
    """A string that shows another host than it holds."""

    def __str__(self) -> str:
        return "evil.example"

    def isprintable(self) -> bool:
        return True


class Odd:
    """Raises whatever is asked of it."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("odd")

    __bool__ = __eq__ = __iter__ = __len__ = __str__ = __repr__ = __getitem__ = __index__ = __float__ = _raise
    __hash__ = object.__hash__


class OddMapping(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("odd")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("odd")

    def __len__(self) -> int:
        return 1


class Lying(dict[str, Any]):
    """A dict that answers something else than it holds."""

    def get(self, *_: object) -> Any:
        return "x"


class Nameless:
    """Raises when it is asked for its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("odd")


class NamelessFunction(Nameless):
    """Likewise, and can be called."""

    def __call__(self, *_: object) -> None: ...


class OddText(str):
    """A string whose methods all raise."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("odd")

    __eq__ = __len__ = __str__ = strip = isprintable = isspace = fullmatch = _raise
    __hash__ = str.__hash__


class OddNumber(int):
    """A number whose methods all raise."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("odd")

    __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __neg__ = __abs__ = _raise
    __hash__ = int.__hash__


class EqualToAll:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Number(float):
    pass


async def coroutine(*_: object) -> None: ...


class OddLength(OddMapping):
    """Nor counted."""

    def __len__(self) -> int:
        raise RuntimeError("odd")


class Tier(enum.Enum):
    """An enum of the caller's."""

    GOLD = "gold"
