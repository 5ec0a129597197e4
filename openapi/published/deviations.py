"""Owns deviations.yaml: what a published document says differently on purpose is read as we say it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from published.plain import SETS, Node, key_of, plain, scalar
from published.reading import Document
from published.references import Unusable, parse

FILE = Path(__file__).resolve().parents[1] / "deviations.yaml"

_ABSENT = object()


@dataclass(frozen=True)
class Place:
    """One value that is read differently: what published documents say there, and what is read instead."""

    number: int
    name: str
    at: tuple[str, ...]
    published: tuple[Any, ...]
    ours: Any


def load(file: Path = FILE) -> list[Place]:
    """Every place of the file. Raises Unusable."""
    content = parse(file)
    try:
        places = [
            _place(entry, place, [place["published"]]) for entry in content["deviations"] for place in entry["places"]
        ]
        places += [_place(entry, entry, [*entry["documents"].values()]) for entry in content["disagreements"]]
    except (KeyError, TypeError) as error:
        raise Unusable(f"{file}: no deviations as they are written here: {error!r}") from error
    return places


def _place(entry: Node, place: Node, said: list[Any]) -> Place:
    published = tuple(_value(value) for value in said)
    return Place(entry["number"], entry["name"], tuple(place["at"]), published, _value(place["ours"]))


def applied(document: Document, places: list[Place]) -> tuple[Document, list[str]]:
    """The document as it reads after the deviations, and a line for each that does not fit it."""
    read = copy.deepcopy(document)
    lines = [line for place in places for line in _apply(read, place)]
    return read, list(dict.fromkeys(lines))


def _apply(document: Document, place: Place) -> Iterator[str]:
    holder: Any = document.tree()
    if place.at[0] == "servers" and document.servers is None:
        return
    *steps, last = place.at
    for step in steps:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if last in SETS and isinstance(holder, dict):
        yield from _apply_to_set(holder, last, place)
        return
    if not isinstance(holder, dict):
        return  # What it is about is gone, or not in this document: nothing to forgive.
    found = holder.get(last, _ABSENT)
    if (found is not _ABSENT and "any" in place.published) or any(_same(found, said) for said in place.published):
        if place.ours == "absent":
            del holder[last]
        else:
            holder[last] = copy.deepcopy(place.ours)
    elif _same(found, place.ours):
        yield f"deviation {place.number} ({place.name}): this document agrees with us at {'/'.join(place.at)}"
    else:
        yield f"deviation {place.number} ({place.name}): this document says something else at {'/'.join(place.at)}"


def _apply_to_set(holder: Node, name: str, place: Place) -> Iterator[str]:
    elements = dict(holder.get(name, {}))
    published, ours = key_of(place.published[0]), key_of(place.ours)
    if published not in elements:
        yield f"deviation {place.number} ({place.name}): this document does not say it at {'/'.join(place.at)}"
        return
    elements = {
        (ours if key == published else key): (place.ours if key == published else value)
        for key, value in elements.items()
        if key != published or place.ours != "absent"
    }
    if elements:
        holder[name] = elements
    else:
        del holder[name]


def _value(value: Any) -> Any:
    """A schema in plain form, any other value as it is."""
    return plain(value) if isinstance(value, dict) else scalar(value)


def _same(found: Any, said: Any) -> bool:
    if found is _ABSENT or said == "absent":
        return found is _ABSENT and said == "absent"
    return key_of(found) == key_of(said)
