"""Visitors of a whole column: who each is, and the place that the ids give each in an activity.

The hash is the one that ``decisioning.allocation`` computes for a single visitor. What takes the time there is to make
a text for each visitor and to write it in UTF-16; here that is done for some hundred visitors at once.
"""

from __future__ import annotations

from array import array
from typing import Any

from target.batch.extra import demand
from target.decisioning.allocation import SALT, hash_text
from target.decisioning.ranges import PLACES

mmh3 = demand("mmh3", "target.batch")
pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")

#: So many are hashed at once: few enough for what is made of them to stay in the processor's cache.
_AT_ONCE = 512
_SEPARATOR = "\n"
# Two bytes that are both that of a line feed, which is found much sooner than two bytes that differ.
_WIDE_SEPARATOR = "\u0a0a"
#: What Python takes for blank; Arrow's own set differs.
SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
SPACE += "\u2028\u2029\u202f\u205f\u3000"


def without_blanks(texts: Any) -> Any:
    """``texts``, an Arrow array of strings, with null in the place of those that hold nothing but space."""
    return _without_empty(texts, pc.utf8_ltrim(texts, characters=SPACE))


def without_suffix(device_ids: Any) -> Any:
    """Device ids without what stands behind their first dot, as ``allocation.visitor_of`` takes them."""
    if not pc.any(pc.match_substring(device_ids, ".")).as_py():
        return device_ids
    stems = pc.list_element(pc.split_pattern(device_ids, ".", max_splits=1), 0)
    return pc.coalesce(_without_empty(stems, stems), device_ids)


def _without_empty(texts: Any, measured: Any) -> Any:
    """``texts`` with null where ``measured`` is empty. Not by if_else: up to pyarrow 20 it mixes up slices of text."""
    is_empty = pc.equal(pc.binary_length(measured), 0)
    if not pc.any(is_empty).as_py():
        return texts
    return texts.take(pc.if_else(is_empty, None, pa.array(range(len(texts)), pa.int32())))


class Buckets:
    """The places of all visitors of a column, by activity.

    Args:
        client: The client code.
        visitors: Who they are: an Arrow array of strings, null for those who have no id.
    """

    def __init__(self, client: str, visitors: Any) -> None:
        self._client = client
        self.visitors = visitors.dictionary_encode()
        self._lines = [_Lines(each) for each in _slices(self.visitors.dictionary)]
        self._known: dict[str, Any] = {}

    def of(self, activity_id: str) -> Any:
        """Their places in the activity, hundredths of a percent from 0 to 9,999: an Arrow array, null without an id."""
        places = self._known.get(activity_id)
        if places is None:
            places = self._known[activity_id] = self._hash(activity_id)
        return places

    def _hash(self, activity_id: str) -> Any:
        before, after = f"{self._client}.{activity_id}.", f".{SALT}"
        hashes = array("i")
        for lines in self._lines:
            hashes.extend(lines.hash(before, after))
        signed = pa.Array.from_buffers(pa.int32(), len(hashes), [None, pa.py_buffer(hashes)])
        sizes = pc.abs(signed.cast(pa.int64()))
        places = pc.subtract(sizes, pc.multiply(pc.divide(sizes, PLACES), PLACES)).cast(pa.int32())
        return pc.take(places, self.visitors.indices)


class _Lines:
    """Some visitors, whose texts are made and hashed at once where they are plain."""

    def __init__(self, visitors: Any) -> None:
        self._texts: list[str] = visitors.to_pylist()
        joined = _SEPARATOR.join(self._texts)
        self._joined = joined if joined.isascii() and joined.count(_SEPARATOR) == len(self._texts) - 1 else None

    def hash(self, before: str, after: str) -> Any:
        joined = self._joined
        if joined is None or not before.isascii() or _SEPARATOR in before:
            return [hash_text(f"{before}{text}{after}") for text in self._texts]
        written = f"{before}{joined.replace(_SEPARATOR, f'{after}{_WIDE_SEPARATOR}{before}')}{after}"
        return map(mmh3.hash, written.encode("utf-16-le").split(b"\n")[::2])


def _slices(values: Any) -> Any:
    return (values.slice(start, _AT_ONCE) for start in range(0, len(values), _AT_ONCE))
