"""Which share of an activity's visitors a visitor belongs to: a number from 0 up to 100, always the same."""

from __future__ import annotations

from codecs import utf_16_le_encode
from collections.abc import Mapping
from functools import cache
from typing import Any

SALT = "0"


def visitor_of(ids: Mapping[str, Any]) -> str | None:
    """The id that the allocation hangs on: ECID, else device id without its suffix, else third-party id."""
    for key in ("marketingCloudVisitorId", "tntId", "thirdPartyId"):
        value = ids.get(key)
        if isinstance(value, str) and value:
            # The suffix names the server that a visitor was last routed to, and changes.
            return value.partition(".")[0] or value if key == "tntId" else value
    return None


def hash_text(text: str) -> int:
    """Murmur3 (x86, 32 bits, signed, seed 0) of ``text`` as the JavaScript SDK computes it.

    That takes the text two UTF-16 units at a time, the first one as the low half of a block, and counts two bytes to
    a unit. So it is the plain hash of the text in UTF-16, little endian, also for an odd number of units (their last
    is a tail of two bytes), beyond the basic plane (two units each) and for lone surrogates.
    """
    digest: int = murmur()(to_units(text), 0)
    return digest


def to_units(text: str) -> bytes:
    """``text`` as what is hashed of it."""
    return utf_16_le_encode(text, "surrogatepass")[0]  # which str.encode would look up by its name each time


def allocation_of(client: str, activity_id: str, visitor: str, salt: str = SALT) -> float:
    """The visitor's place in the activity, in percent with two decimals."""
    return Allocations(client, visitor, salt)[activity_id]


class Allocations(dict[str, float]):
    """The places of one visitor by activity id, each computed when first asked for.

    ``given`` are places that win over those.
    """

    __slots__ = ("_salt", "_visitor", "are_given", "client")

    def __init__(self, client: str, visitor: str, salt: str = SALT, given: Mapping[str, float] | None = None) -> None:
        self.client = client
        self._visitor = visitor
        self._salt = salt
        self.are_given = bool(given)
        if given:
            self.update(given)

    def __missing__(self, activity_id: str) -> float:
        units = to_units(f"{self.client}.{activity_id}.{self._visitor}.{self._salt}")
        digest: int = murmur()(units, 0)
        place = self[activity_id] = abs(digest) % 10000 / 100
        return place

    def visitor_units(self) -> bytes:
        """What is hashed behind client and activity."""
        return to_units(f"{self._visitor}.{self._salt}")


@cache
def murmur() -> Any:
    """The hash function."""
    import mmh3  # an extra

    return mmh3.hash
