"""What is touched of libraries beyond their documentation is what the list says, and is there."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import target
from target._http.internals import INTERNALS, TRIED_ON, Internal

ROOT = Path(str(target.__file__)).parent
PATHS = [path for path in ROOT.rglob("*.py") if "emulator" not in path.parts]
LISTED = {
    (where if where.startswith("target.") else f"target._http.{where}", internal.name.split(".")[-1])
    for internal in INTERNALS
    for where in internal.where
}
# Documented, for all that they begin with.
PROMISED = {"_replace", "_asdict", "_fields", "_field_defaults", "_make", "_value_", "_missing_", "_abc_impl", "_exit"}
PROMISED |= {"_get_current_object"}  # of Werkzeug
PROMISED |= {"_is_protocol"}  # which typing puts into each class that is derived from a protocol
PUBLIC_MODULES = {"aiohttp", "aiohttp.abc"}
OWN = ("target", "target_delivery_api", "builtins", "typing", "enum", "abc", "io", "_io", "collections")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PROMISED


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def defined_in(tree: ast.AST) -> Iterator[str]:
    """Every name that ``tree`` gives to something of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            yield from (item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant))  # type: ignore[misc]


def foreign_in(tree: ast.AST, ours: set[str]) -> Iterator[str]:
    """Private names that ``tree`` reads and nothing of ``ours`` has given."""
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Attribute):
            name = node.attr
            if name == "__init__" and not isinstance(node.value, ast.Call):  # called for an object of another class
                yield name
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None  # type: ignore[assignment]
        elif isinstance(node, ast.ImportFrom) and str(node.module) not in PUBLIC_MODULES:
            yield from (alias.name for alias in node.names if str(node.module).startswith("aiohttp"))
        if name is not None and is_private(name) and name not in ours:
            yield name


def inherited_in(module: ModuleType) -> Iterator[str]:
    """Private names that a class of ``module`` shares with a class of a library that it is derived from."""
    for made in list(vars(module).values()):
        if not (issubclass(type(made), type) and made.__module__ == module.__name__):  # Django has lazy objects
            continue
        used = {*re.findall(r"(?:self|super\(\))\.(_[a-z]\w*)", inspect.getsource(made)), *vars(made)}
        for base in made.__mro__[1:]:
            if base.__module__.split(".")[0] in OWN:
                continue
            theirs = set(vars(base)) | set(re.findall(r"self\.(_[a-z]\w*)", inspect.getsource(base)))
            yield from filter(is_private, used & theirs)


@pytest.mark.waits
def test_the_list_is_what_the_code_touches() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in PATHS}
    ours = {name for tree in trees.values() for name in defined_in(tree)}
    touched = {(module, name) for module, tree in trees.items() for name in foreign_in(tree, ours)}
    for found in pkgutil.walk_packages(target.__path__, "target."):
        if not found.name.startswith(("target.emulator", "target.testing")):
            module = importlib.import_module(found.name)
            touched |= {(module.__name__, name) for name in inherited_in(module)}
    assert touched == LISTED


def test_what_is_planted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ast.parse(
        "from aiohttp.helpers import Thing\n"
        "class Mine:\n"
        "    __slots__ = ('_mine',)\n"
        "def go(pool, queue):\n"
        "    pool._theirs = getattr(pool, '_hidden')\n"
        "    return pool._read, queue.Queue.__init__(pool), super().__init__(), pool._mine\n"
    )
    assert sorted(foreign_in(tree, {"_mine"})) == ["Thing", "__init__", "_hidden", "_read", "_theirs"]
    (tmp_path / "planted.py").write_text(
        "import urllib3\nclass Pool(urllib3.PoolManager):\n    def _new_pool(self):\n        self._own = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert list(inherited_in(importlib.import_module("planted"))) == ["_new_pool"]


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: str(internal.name))
def test_it_is_there(internal: Internal) -> None:
    module_name, _, rest = f"{internal.library}.{internal.name}".rpartition(".")
    parts = []
    while True:
        try:
            found: Any = importlib.import_module(module_name)
            break
        except ModuleNotFoundError:
            module_name, _, part = module_name.rpartition(".")
            parts.insert(0, part)
    for part in parts:
        found = getattr(found, part)
    assert hasattr(found, rest) or f"self.{rest}" in inspect.getsource(found)
    assert len(internal.why) > 20


def test_every_library_of_the_list_was_tried() -> None:
    assert {internal.library for internal in INTERNALS} == set(TRIED_ON)
