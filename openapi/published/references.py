"""Owns files and what references in them lead to: YAML or JSON, `FILE#/POINTER`, and the name of the schema there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from published.plain import PROSE, SCHEMA_WORDS

#: Where in a document schemas stand by name, but for the files of one schema, where they stand at the top.
HOMES = (("components", "schemas"), ("schemas",), ("definitions",), ("$defs",))
SUFFIXES = (".yaml", ".yml", ".json")

Place = tuple[Path, tuple[str, ...]]


class Unusable(Exception):
    """Why a document cannot be compared: one line, what and where."""


def said(place: Place) -> str:
    """A place as a reference to it reads."""
    return f"{place[0]}#/{'/'.join(place[1])}" if place[1] else str(place[0])


class Files:
    """Files that were read, each once."""

    def __init__(self) -> None:
        self._read: dict[Path, Any] = {}
        #: Names that a document gives to files that hold one schema and nothing else.
        self.names: dict[Place, str] = {}

    def content(self, file: Path) -> Any:
        """What a file holds. Raises Unusable."""
        if file not in self._read:
            self._read[file] = parse(file)
        return self._read[file]

    def put(self, file: Path, content: Any) -> Any:
        """Read a file as this from now on; returns it."""
        self._read[file] = content
        return content

    def at(self, place: Place, said_by: str) -> Any:
        """The value at a place. Raises Unusable, naming who refers to it."""
        value = self.content(place[0])
        for step in place[1]:
            if isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
                continue
            keys = {str(key): key for key in value} if isinstance(value, dict) else {}
            if step not in keys:
                raise Unusable(f"{said_by}: broken $ref: nothing at {said(place)}")
            value = value[keys[step]]
        return value

    def follow(self, reference: Any, file: Path) -> Place:
        """The place that a reference in `file` names, which exists. Raises Unusable."""
        if not isinstance(reference, str):
            raise Unusable(f"{file}: a $ref is a text, not {reference!r:.60}")
        path, _, pointer = reference.partition("#")
        if "://" in path:
            raise Unusable(f"{file}: $ref {reference}: only files are read, no addresses")
        other = (file.parent / unquote(path)).resolve() if path else file
        if not other.is_file():
            raise Unusable(f"{file}: broken $ref {reference}: there is no file {other}")
        steps = tuple(
            unquote(step).replace("~1", "/").replace("~0", "~") for step in pointer.strip("/").split("/") if step
        )
        content = self.content(other)
        if not steps and not is_schema(content) and len(found := names_in(content)) == 1:
            steps = (found[0],)
        self.at((other, steps), f"{file}: $ref {reference}")
        return other, steps

    def name(self, place: Place) -> str | None:
        """The name of the schema at a place; None inside of another schema."""
        file, steps = place
        if not steps:
            return self.names.get(place, file.stem)
        return steps[-1] if len(steps) == 1 or steps[:-1] in HOMES else None

    def chain(self, place: Place) -> Iterator[Place]:
        """The place, and where it leads while there is a reference and nothing else. Raises Unusable on a circle."""
        seen: list[Place] = []
        while True:
            if place in seen:
                circle = " -> ".join(said(each) for each in [*seen, place])
                raise Unusable(f"circular $ref: {circle}")
            seen.append(place)
            yield place
            node = self.at(place, said(place))
            if not isinstance(node, dict) or "$ref" not in node or not node.keys() <= {"$ref", *PROSE}:
                return
            place = self.follow(node["$ref"], place[0])


def parse(file: Path) -> Any:
    """The YAML or JSON of a file. Raises Unusable."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as cause:
        raise Unusable(f"{file}: not UTF-8") from cause
    except OSError as cause:
        raise Unusable(f"{file}: {cause.strerror or cause}") from cause
    try:
        return json.loads(text) if text.lstrip().startswith("{") else YAML(typ="safe", pure=True).load(text)
    except ValueError:
        pass  # YAML may begin with a brace, too.
    except MarkedYAMLError as error:
        raise Unusable(_told(file, error)) from error
    except (YAMLError, RecursionError) as error:
        raise Unusable(f"{file}: no YAML or JSON: {' '.join(str(error).split())[:200]}") from error
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise Unusable(_told(file, error)) from error


def _told(file: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f" line {mark.line + 1}:" if mark else ""
    problem = getattr(error, "problem", None) or " ".join(str(error).split())[:200]
    return f"{file}:{line} no YAML or JSON: {problem}"


def is_schema(node: Any) -> bool:
    """Whether a value reads as one schema."""
    return isinstance(node, dict) and any(isinstance(key, str) and key in SCHEMA_WORDS for key in node)


def names_in(content: Any) -> list[str]:
    """The names of the schemas that stand at the top of a file; none if the file is of another kind."""
    if not isinstance(content, dict) or "paths" in content or is_schema(content):
        return []
    held = {str(key): value for key, value in content.items() if isinstance(value, (dict, list))}
    return list(held) if held and all(is_schema(value) for value in held.values()) else []
