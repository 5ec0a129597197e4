"""The text of an artifact, walked without building it: where in it the rules of each mbox and view stand.

Reading 20 MB of JSON at once stops every thread of the process for a quarter of a second, and takes ten times that
in memory. Here each rule is checked and forgotten, and no step takes longer than the largest rule does.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

_STEP_BYTES = 1 << 20  # what is looked through at once, while other threads wait
_space = re.compile(r"[ \t\n\r]*").match
_decode = json.JSONDecoder().raw_decode


class Passage(NamedTuple):
    """A complete JSON value in UTF-8: ``text`` from ``start`` to ``end``."""

    text: bytes
    start: int
    end: int

    def read(self) -> Any:
        """What it says."""
        return json.loads(self.text[self.start : self.end])


class ArtifactPayload(Mapping[str, Any]):
    """An artifact as parsed JSON, which is parsed when it is first looked into. ``dict()`` of it can be dumped."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._data: dict[str, Any] | None = None

    @property
    def text(self) -> bytes:
        """The same as it came."""
        return self._text

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._text):,} bytes>"

    def _read(self) -> dict[str, Any]:
        if self._data is None:
            self._data = json.loads(self._text)
        return self._data


def to_utf8(text: bytes) -> bytes:
    """``text`` in UTF-8, whatever JSON may be written in. Raises ValueError for what is none of that."""
    encoding = json.detect_encoding(text)
    if encoding != "utf-8":
        return text.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    if not text.isascii():
        check = codecs.getincrementaldecoder(encoding)("surrogatepass").decode
        for start in range(0, len(text), _STEP_BYTES):
            check(text[start : start + _STEP_BYTES])
        check(b"", True)
    return text


def holds_any(text: bytes, words: tuple[bytes, ...]) -> bool:
    """Whether any of ``words``, none of them longer than a step, occurs in ``text``."""
    starts = range(0, len(text), _STEP_BYTES)
    return any(text.find(word, start, start + 2 * _STEP_BYTES) >= 0 for word in words for start in starts)


def skim(text: bytes) -> Any:
    """What ``json.loads`` gives for UTF-8, with a Passage for the rules of each mbox and each view.

    Raises:
        ValueError, RecursionError: It is not complete JSON, or nested too deeply.
    """
    cursor = _Cursor(text)

    def read_place(_: str) -> Passage:
        return cursor.passage()

    def read_kind(kind: str) -> Any:
        return cursor.object(read_place) if kind in ("mboxes", "views") else cursor.value()

    def read_member(name: str) -> Any:
        return cursor.object(read_kind) if name == "rules" else cursor.value()

    data = cursor.object(read_member)
    cursor.expect_end()
    return data


def list_items(passage: Passage) -> list[Passage] | None:
    """The items of a list that was skimmed, where each stands; None for what is no list."""
    text, start, end = passage
    if not text.startswith(b"[", start):
        return None
    return [Passage(text, start + begins, start + ends) for begins, ends in _Cursor(text[start:end]).items()]


class _Cursor:
    """A place in a text. What is not as JSON should be raises ValueError."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        # One character a byte: positions are those of the bytes, and what JSON is built of is where it was.
        self._characters = text.decode("latin-1")
        self._at = 0

    def value(self) -> Any:
        """Read a value."""
        start = self._pass_space()
        self._pass_value()
        return json.loads(self._text[start : self._at])

    def object(self, read: Callable[[str], Any]) -> Any:
        """Read an object, the value of each name with ``read``; what is no object is read as it is."""
        if not self._pass_if("{"):
            return self.value()
        members: dict[str, Any] = {}
        has_more = not self._pass_if("}")
        while has_more:
            name = self.value()
            if not isinstance(name, str) or not self._pass_if(":"):
                raise ValueError("a name or its colon is missing")
            members[name] = read(name)
            has_more = self._passes_comma("}")
        return members

    def passage(self) -> Passage:
        """Pass over a value, item by item where it is a list, so that no more of it than one is ever built."""
        start = self._pass_space()
        if self._characters.startswith("[", start):
            for _ in self.items():
                pass
        else:
            self._pass_value()
        return Passage(self._text, start, self._at)

    def items(self) -> Iterator[tuple[int, int]]:
        """Where each item of the list begins and ends that the cursor is at."""
        has_more = self._pass_if("[") and not self._pass_if("]")
        while has_more:
            start = self._pass_space()
            self._pass_value()
            yield start, self._at
            has_more = self._passes_comma("]")

    def expect_end(self) -> None:
        """Nothing but space may follow."""
        if self._pass_space() != len(self._characters):
            raise ValueError("something follows the JSON")

    def _pass_value(self) -> None:
        self._at = _decode(self._characters, self._at)[1]

    def _pass_space(self) -> int:
        found = _space(self._characters, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _pass_if(self, character: str) -> bool:
        at = self._pass_space()
        if not self._characters.startswith(character, at):
            return False
        self._at = at + 1
        return True

    def _passes_comma(self, end: str) -> bool:
        if self._pass_if(end):
            return False
        if not self._pass_if(","):
            raise ValueError("a comma is missing")
        return True
