"""Which kinds of values an annotation takes, and which ones the reader of an option does."""

from __future__ import annotations

import logging
import os
import types
import typing
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3

from target import OptionsError, Outbox

SAMPLES: dict[str, list[Any]] = {
    "bool": [True],
    "int": [5],
    "float": [5.5],
    "str": ["5", "acme", "server-side", "auto", "raise", "a secret of yours"],
    "bytes": [b"5"],
    "UUID": [uuid.UUID(int=5)],
    "list": [[]],
    "dict": [{}],
    "function": [print],
    "path": [Path("x")],
    "LoggerLike": [logging.getLogger("shop")],
    "PoolManager": [urllib3.PoolManager()],
    "Outbox": [Outbox.memory()],
    "ArtifactSource": [types.SimpleNamespace(location="shop", fetch=print)],
    "SharedSource": [types.SimpleNamespace(location="shop", share=print)],
}


def kinds_of(annotation: Any) -> set[str]:
    """Which of SAMPLES an annotation takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType, typing.Required):
        return {kind for argument in arguments for kind in kinds_of(argument)}
    if origin is typing.Literal:
        return {type(argument).__name__ for argument in arguments}
    if annotation is types.NoneType:
        return set()
    if annotation is float:
        return {"float", "int"}
    known = {Callable: "function", Mapping: "dict", Sequence: "list", os.PathLike: "path"}
    return {known.get(origin) or annotation.__name__}


def _is_taken(parse: Callable[[str, Any], Any], name: str, value: Any) -> bool:
    try:
        parse(name, value)
    except OptionsError:
        return False
    return True


def kinds_taken(parse: Callable[[str, Any], Any], name: str) -> set[str]:
    """Of which of SAMPLES the reader takes one."""
    return {kind for kind, samples in SAMPLES.items() if any(_is_taken(parse, name, sample) for sample in samples)}
