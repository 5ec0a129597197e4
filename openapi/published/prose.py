"""Owns the descriptions of delivery-api.yaml: what they say of limits, and which ones somebody has to write."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from ruamel.yaml.scalarstring import FoldedScalarString

from published.plain import Node

#: Stands in a description that somebody has to write; `make lint` refuses it.
MARKER = "DESCRIBE"

_SENTENCES = {
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "minItems": "At least {}.",
    "maxItems": "At most {}.",
    "minProperties": "At least {}.",
    "maxProperties": "At most {}.",
    "minimum": "{} or more.",
    "maximum": "At most {}.",
}


def wanted(name: str, node: Node) -> str:
    """The description of something new: what has to be written, and the limits, which are known."""
    return " ".join([f"{MARKER} what {name} is.", *_limits(node)])


def adjusted(text: str, before: Node, after: Node) -> str:
    """A description whose limits are those of `after`. What is said in other words than ours gets the marker."""
    for keyword, words in _SENTENCES.items():
        old, new = before.get(keyword), after.get(keyword)
        if old == new:
            continue
        if old is not None and new is not None:
            same = [key for key in _SENTENCES if before.get(key) == old]
            pattern = rf"(?<![\w.-]){re.escape(str(old))}(?![\w]|\.\d)"
            if len(re.findall(pattern, text)) == 1 and same == [keyword]:
                text = re.sub(pattern, str(new), text)
            else:
                text = f"{MARKER} anew, {keyword} is {new} in place of {old}: {text}"
        elif new is not None and str(new) not in text:
            text = f"{text} {words.format(new)}".strip()
        elif old is not None and (said := words.format(old)) in text:
            text = " ".join(text.replace(said, "").split())
        elif old is not None and str(old) in text:
            text = f"{MARKER} anew, {keyword} is no longer {old}: {text}"
    return text


def _limits(node: Node) -> list[str]:
    return [words.format(node[keyword]) for keyword, words in _SENTENCES.items() if keyword in node]


def folded(text: Any) -> Any:
    """A text as it is written: in one line, or folded where that would be too long."""
    if len(text) <= 105 or not isinstance(text, str) or hasattr(text, "fold_pos") or hasattr(text, "anchor"):
        return text
    lines = textwrap.wrap(text, 108, break_long_words=False, break_on_hyphens=False)
    made = FoldedScalarString(" ".join(lines))
    made.fold_pos = []
    position = -1
    for line in lines[:-1]:
        position += len(line) + 1
        made.fold_pos.append(position)
    return made
