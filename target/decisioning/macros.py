"""Macros in offers: ``${campaign.name}``, ``${mbox.user}`` and the like, replaced by what they name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from target.decisioning.coercion import to_text
from target.decisioning.context import parameters_of

Render = Callable[[Mapping[str, Any]], Any]

_MACRO = re.compile(r"\$\{([^${}\s]+)\}")
_WORDS = {"campaign": "activity", "recipe": "experience"}


def compile_macros(text: str, meta: Mapping[str, Any]) -> str | Render:
    """``text`` with what ``meta`` of its rule knows filled in; a function of the asked mbox if more is left to fill.

    A macro counts by its last two words, so ``campaign.recipe.id`` is ``experience.id``; ``mbox.`` in front of a word
    says nothing. After the rule's meta comes the mbox itself, then its parameters. An unknown macro stays as it is.
    """
    pieces: list[tuple[str, str | None]] = []
    for position, piece in enumerate(_MACRO.split(text)):
        if position % 2 == 0:  # split() puts the text between macros at even places, their names at odd ones
            pieces.append((piece, None))
            continue
        key = _key(piece)
        known = _as_text(meta.get(key))
        pieces.append((f"${{{piece}}}", key) if known is None else (known, None))
    if all(key is None for _, key in pieces):
        return "".join(shown for shown, _ in pieces)
    return lambda part: "".join(shown if key is None else _ask(part, key, shown) for shown, key in pieces)


def compile_content(kind: Any, content: Any, meta: Mapping[str, Any]) -> Any | Render:
    """The content of an option, with the macros of html and of actions filled in as by ``compile_macros``."""
    if kind == "html" and isinstance(content, str):
        return compile_macros(content, meta)
    if kind != "actions" or not isinstance(content, list):
        return content
    actions = [_compile_action(action, meta) for action in content]
    if not any(callable(action) for action in actions):
        return actions
    return lambda part: [action(part) if callable(action) else action for action in actions]


def list_keys(content: Any) -> frozenset[str]:
    """What the macros in ``content`` name, known or not: fields of the rule's meta or of an mbox, or parameters."""
    texts = [content] if isinstance(content, str) else []
    if isinstance(content, list):
        texts = [action["content"] for action in content if isinstance(action, dict) and "content" in action]
    return frozenset(_key(name) for text in texts if isinstance(text, str) for name in _MACRO.findall(text))


def _compile_action(action: Any, meta: Mapping[str, Any]) -> Any | Render:
    if not isinstance(action, dict) or not isinstance(action.get("content"), str):
        return action
    content = compile_macros(action["content"], meta)
    if isinstance(content, str):
        return {**action, "content": content}
    return lambda part: {**action, "content": content(part)}


def _key(macro: str) -> str:
    words = [_WORDS.get(word, word) for word in macro.split(".")[-2:]]
    return ".".join(word for word in words if word != "mbox")


def _ask(part: Mapping[str, Any], key: str, otherwise: str) -> str:
    for holder in (part, parameters_of(part)):
        if (text := _as_text(holder.get(key))) is not None:
            return text
    return otherwise


def _as_text(value: Any) -> str | None:
    return to_text(value) if isinstance(value, str | int | float) else None
