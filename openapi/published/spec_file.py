"""Owns delivery-api.yaml as text: read and written with its comments and style, byte for byte if nothing changed."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from published.plain import SETS
from published.prose import folded, wanted

REFERENCE = "#/components/schemas/"


class _Spaced(Emitter):
    """Writes a mapping in one line as `{ a: b }`."""

    _opened = False

    def write_indicator(
        self, indicator: str, need_whitespace: bool, whitespace: bool = False, indention: bool = False
    ) -> None:
        opens = indicator.endswith("{")
        closes = indicator == "}" and not self._opened
        super().write_indicator(indicator, need_whitespace or closes, whitespace and not opens, indention)
        self._opened = opens

    def write_plain(self, *arguments: Any, **options: Any) -> None:
        self._opened = False
        super().write_plain(*arguments, **options)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # A line is as long as it was written.
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.Emitter = _Spaced
    return yaml


def load(text: str) -> CommentedMap:
    """The document, each comment kept by the key that it stands above."""
    document: CommentedMap = _yaml().load(text)
    _carry(document, [])
    return document


def dump(document: CommentedMap) -> str:
    """The text of a document."""
    out = io.StringIO()
    _yaml().dump(document, out)
    return out.getvalue()


def _carry(node: Any, above: list[CommentToken]) -> list[CommentToken]:
    """Move a comment from the leaf before a key, where ruamel keeps it, to that key; returns what is left over."""
    if isinstance(node, CommentedMap):
        for key in node:
            kept = node.ca.items.setdefault(key, [None, None, None, None]) if above or key in node.ca.items else None
            if kept is not None and above:
                kept[1] = [*above, *(kept[1] or [])]
            above = _carry(node[key], [])
            if kept is not None and (token := kept[2]) is not None and "\n" in token.value.rstrip("\n"):
                line, _, rest = token.value.partition("\n")
                column = token.start_mark.column
                kept[2] = CommentToken(f"{line}\n", token.start_mark) if line.strip() else None
                above = [*above, *_tokens(rest, column)]
    elif isinstance(node, CommentedSeq):
        for item in node:
            above = _carry(item, above)
    return above


def _tokens(text: str, column: int) -> list[CommentToken]:
    lines = text.splitlines()
    return [CommentToken(f"{line.strip()}\n", CommentMark(column if line.strip() else 0)) for line in lines]


def insert(mapping: CommentedMap, key: str, value: Any, after: str | None = None) -> None:
    """Put a key behind another, or at the end."""
    names = list(mapping)
    mapping.insert(names.index(after) + 1 if after in names else len(names), key, value)


def delete(mapping: CommentedMap, key: str) -> None:
    """Remove a key and the comments above it; the title of a section stays."""
    names = list(mapping)
    at = names.index(key)
    kept = mapping.ca.items.pop(key, None)
    del mapping[key]
    titles = [token for token in (kept[1] or [] if kept else []) if "----" in token.value]
    if titles and at + 1 < len(names):
        held = mapping.ca.items.setdefault(names[at + 1], [None, None, None, None])
        held[1] = [*_tokens("\n", 0), *titles, *(held[1] or [])]


def rename(mapping: CommentedMap, old: str, new: str) -> None:
    """Give a key another name, in its place and with its comments."""
    at = list(mapping).index(old)
    kept, value = mapping.ca.items.pop(old, None), mapping.pop(old)
    mapping.insert(at, new, value)
    if kept is not None:
        mapping.ca.items[new] = kept


def styled(node: Any, describe: str | None = None) -> Any:
    """A plain schema as it is written here; with `describe`, a description and one for each property."""
    if not isinstance(node, dict):
        return _scalar(node)
    if "$ref" in node and describe is None:
        return in_line({"$ref": DoubleQuotedScalarString(REFERENCE + node["$ref"])})
    written = CommentedMap()
    if describe is not None:
        written["description"] = folded(describe)
    if "$ref" in node:
        written["allOf"] = in_line([styled(node)])
        return written
    own = {key: node[key] for key in ("properties",) if key in node and "allOf" in node}
    for key, value in node.items():
        if key in own:
            continue
        if key == "allOf":
            bases = [styled(part) for part in value.values()]
            if own:
                parts = CommentedSeq([*bases, styled({"type": "object", **own})])
            written[key] = parts if own else in_line(bases)
        elif key == "properties":
            written[key] = CommentedMap((name, styled(part, wanted(name, part))) for name, part in value.items())
        elif key in SETS:
            items = [styled(part) for part in value.values()]
            written[key] = CommentedSeq(items) if key in ("oneOf", "anyOf") else in_line(items)
        else:
            written[key] = styled(value) if isinstance(value, dict) else _scalar(value)
    simple = all(_flat(value) for value in written.values() if isinstance(value, (CommentedMap, CommentedSeq)))
    return in_line(written) if describe is None and simple else written


def _flat(node: CommentedMap | CommentedSeq) -> bool:
    return bool(node.fa.flow_style())


def in_line(node: Any) -> Any:
    """A list or mapping in one line."""
    made = CommentedSeq(node) if isinstance(node, list) else CommentedMap(node)
    made.fa.set_flow_style()
    return made


def _scalar(value: Any) -> Any:
    """A value; in quotes where a reader of YAML 1.1 would take a text for something else."""
    if isinstance(value, list):
        return in_line([_scalar(item) for item in value])
    if isinstance(value, str) and _is_doubtful(value):
        return DoubleQuotedScalarString(value)
    return value


def _is_doubtful(text: str) -> bool:
    return text.lower() in ("yes", "no", "on", "off", "y", "n", "true", "false", "null", "~", "") or not (
        text[:1].isalpha() or text[:1] in "_$/("
    )
