"""Reads JSON that came from outside: what it may come to in memory is bounded before any of it is parsed.

What an answer weighs is a count of its values, an object as four of them: each comes to about 100 bytes of memory,
copies and models included. Nothing that is raised from here holds a piece of what was read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

#: What is no longer than this is read at once, wherever that is: it takes a few milliseconds at most.
SMALL_BYTES = 65_536
LEAST_MOST_VALUES = 1_000_000
BYTES_PER_VALUE = 6
_OBJECT_WEIGHS = 4
_MOST_WEIGHT_PER_BYTE = 2  # b"{}," weighs 5
_SLICE_BYTES = 2**20
_OBJECTS_PER_CHECK = 500
_NO_ESCAPE = re.compile(rb"[^\\]")

#: Raises when reading has to end, since the time for it is over.
Check = Callable[[], object]


class UnreadableJson(ValueError):
    """It is no JSON, or more of it than may be parsed. The message goes on from the name of what was read."""


class TooManyValues(UnreadableJson):
    """There are more values in it than may be."""


def parse_json(content: bytes, most_values: int | None = None, check: Check | None = None) -> Any:
    """What the JSON text ``content`` says.

    Args:
        content: In UTF-8, as RFC 8259 demands.
        most_values: What it may weigh; by default ``usual_most_values``.
        check: Is called now and then while much is parsed.

    Raises:
        TooManyValues: It weighs more.
        UnreadableJson: It is not JSON, not complete, or nested too deeply.
    """
    if most_values is not None or len(content) > SMALL_BYTES:  # what is small never holds as many as usual
        most = usual_most_values(len(content)) if most_values is None else most_values
        if weighs_more(content, most):
            raise TooManyValues(f"holds more values than may be ({most}, an object counted as four)")
    if check is None or len(content) <= SMALL_BYTES:
        return _decode(_DECODER, content)
    check()
    read = _decode(_checked_decoder(check), content)
    check()
    return read


def pointer_to(*parts: object) -> str:
    """The JSON pointer (RFC 6901) that leads through these keys and positions."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def usual_most_values(size: int) -> int:
    """How many values may be in so many bytes where no option says it: no honest answer holds as many."""
    return max(LEAST_MOST_VALUES, size // BYTES_PER_VALUE)


def weighs_more(content: bytes, most: int) -> bool:
    """Whether there are more than ``most`` values in a JSON text, an object counted as four; in linear time."""
    if len(content) * _MOST_WEIGHT_PER_BYTE <= most:
        return False
    weight = 0
    for start in range(0, len(content), _SLICE_BYTES):
        weight += _weigh(content[start : start + _SLICE_BYTES])
        if weight > most:
            # In UTF-16 a text ends differently; where it ends is not looked for.
            return b"\0" in content or _weighs_more_outside_texts(content, most)
    return False


def _weigh(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{") * _OBJECT_WEIGHS


def _weighs_more_outside_texts(content: bytes, most: int) -> bool:
    """The same, where punctuation in the texts, such as in an offer's HTML, has been counted in vain."""
    weight, start, in_text = 0, 0, False
    while start < len(content):
        whole = _NO_ESCAPE.search(content, start + _SLICE_BYTES)  # what is escaped stays with its backslash
        end = whole.end() if whole else len(content)
        pieces = content[start:end].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        weight += _weigh(b"".join(pieces[in_text::2]))
        if weight > most:
            return True
        in_text ^= len(pieces) % 2 == 0
        start = end
    return False


def _decode(decoder: json.JSONDecoder, content: bytes) -> Any:
    try:
        return decoder.decode(content.removeprefix(b"\xef\xbb\xbf").decode())
    except (ValueError, RecursionError):  # which may show the text
        problem = "is not complete JSON" if content else "is empty"
    raise UnreadableJson(problem)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse("a number without end")


def _checked_decoder(check: Check) -> json.JSONDecoder:
    """A decoder that calls ``check`` now and then; which also lets other threads run."""
    left = _OBJECTS_PER_CHECK

    def count(value: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            left = _OBJECTS_PER_CHECK
            check()
        return value

    return json.JSONDecoder(object_hook=count, parse_constant=_refuse, parse_float=_finite)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
