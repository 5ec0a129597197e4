"""Writes docs/api.txt, all that users of the package can rely on, or checks that it is what the code has.

A line is one public thing: a class with its bases, a function with its signature, an attribute with its type and value.
What public signatures name, such as the options of a call or a constant that is a default, belongs to it. All is read
from the source; nothing is imported.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("target", "target_delivery_api", "target_delivery_pytest")
HEADER = "# What users of the package can rely on, written by `make api`: do not edit."
#: The modules that users import from, those that are not there yet included.
MODULES = (
    *("target", "target.batch", "target.emulator", "target.hooks", "target.options", "target.protocols"),
    *("target.integrations.*", "target.stores.*", "target.testing", "target.testing.*"),
)
#: What users write as text, and code says here.
WORDS = ("target.events.EVENT_NAMES",)
#: What users name in annotations, and only a client makes.
HANDED_OUT = {"target.OutboxHandle"}
#: Methods of Python's that say nothing of how a class is used.
INNER = {"__post_init__", "__repr__", "__getstate__", "__setstate__", "__reduce__", "__init_subclass__", "__slots__"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with --check compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: %(default)s)")
    options = parser.parse_args(arguments)
    path = options.root / "docs" / "api.txt"
    wanted = read_surface(options.root)
    if not options.check:
        path.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        return 0
    found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = [line for line in difflib.ndiff(found, wanted) if line[0] in "-+"]
    if lines:
        listing = "\n".join(lines)
        sys.stderr.write(f"The public API is not what docs/api.txt has:\n{listing}\n")
        sys.stderr.write("If that is meant, run `make api`, commit what it writes, and tell users in CHANGELOG.md.\n")
    return bool(lines)


def read_surface(root: Path) -> list[str]:
    """Every public thing of the checkout, one line each, sorted."""
    loader = griffe.GriffeLoader(search_paths=[root, root / "generated"], allow_inspection=False)
    for package in PACKAGES:
        loader.load(package, try_relative_path=False)  # or it would be that of the folder we are in
    loader.resolve_aliases(implicit=True, external=False)
    lines = _Surface(loader.modules_collection).lines
    return [HEADER, *(line for path in sorted(lines) for line in lines[path])]


class _Surface:
    """The lines, gathered from the public modules along what they name."""

    def __init__(self, modules: griffe.ModulesCollection) -> None:
        self._modules = modules
        self._named: dict[str, str] = {}  # the public name of what is defined elsewhere, by where that is
        self.lines: dict[str, list[str]] = {}  # of each public name
        public = [
            (f"{module.path}.{name}", item)
            for module in _modules_in(modules["target"])
            if any(fnmatchcase(module.path, pattern) for pattern in MODULES) and "._" not in module.path
            for name, item in module.members.items()
            if _is_exported(module, name, item)
        ]
        for path, item in public:
            self._named.setdefault(_target_of(item).path, path)
        self._made: set[str] = set()  # classes that users make, which they do no others
        for path, item in public:
            if path not in HANDED_OUT:
                self._note_maker(_target_of(item))
        for path, item in public:
            self._add(path, item)
        for path in WORDS:
            self._add(path, modules[path])
        for module in _modules_in(modules["target"]):
            for table in module.classes.values():
                if not table.is_alias:
                    self._add_defaults(table)

    def _note_maker(self, thing: Any) -> None:
        if thing.is_class and thing.path not in self._made:
            self._made.add(thing.path)
            if "__init__" not in thing.members:
                for base in self._ours(*thing.bases):
                    self._note_maker(base)

    def _add(self, path: str, item: Any) -> None:
        """Add what is public under that path, and what belongs to it."""
        thing = _target_of(item)
        if path in self.lines or thing.is_alias or thing.is_module:
            return
        if thing.is_class:
            self._add_class(path, thing)
        elif thing.is_function:
            self._add_function(path, thing)
        else:
            self._add_attribute(path, thing)

    def _add_class(self, path: str, thing: Any) -> None:
        hidden = INNER if thing.path in self._made else {*INNER, "__init__"}
        keywords = [f"{name}={value}" for name, value in thing.keywords.items()]
        decorators = "".join(f"@{decorator.value} " for decorator in thing.decorators)
        self.lines[path] = [f"{decorators}class {path}({', '.join([*map(str, thing.bases), *keywords])})"]
        self._follow(*thing.bases)  # whose members it inherits
        for name, member in thing.members.items():
            if not name.startswith("_") or (name.startswith("__") and name not in hidden):
                self._add(f"{path}.{name}", member)

    def _add_function(self, path: str, thing: Any) -> None:
        labels = "".join(
            f"{label} " for label in sorted(thing.labels & {"abstractmethod", "async", "classmethod", "staticmethod"})
        )
        forms = thing.overloads or thing.parent.overloads.get(thing.name) or [thing]
        self.lines[path] = [f"{labels}def {path}{form.signature().removeprefix(form.name)}" for form in forms]
        for form in forms:
            self._follow(form.returns)
            for parameter in form.parameters:
                self._follow(parameter.annotation, parameter.default)

    def _add_attribute(self, path: str, thing: Any) -> None:
        line = path if thing.annotation is None else f"{path}: {thing.annotation}"
        if "property" in thing.labels:
            line = f"{'writable ' if 'writable' in thing.labels else ''}property {line}"
        elif thing.labels != {"instance-attribute"} and thing.value is not None:
            line += f" = {thing.value.last if isinstance(thing.value, griffe.ExprAttribute) else thing.value}"
            self._follow(thing.value)
        self.lines[path] = [line]
        self._follow(thing.annotation)

    def _add_defaults(self, table: Any) -> None:
        """Add what options are where callers do not say: target/option_rows.py."""
        for name, field in table.attributes.items():
            row = field.value
            if isinstance(row, griffe.ExprCall) and row.canonical_path.endswith("_rows.option"):
                default = list(row.arguments)[-1]
                option = f"{table.name}.{name.removesuffix('_s')}"
                self.lines[f"target.options {option}"] = [f"default of {option} = {default}"]
                self._follow(default)

    def _follow(self, *expressions: Any) -> None:
        """Add what expressions name of ours, if nothing else does."""
        for thing in self._ours(*expressions):
            # Wherever it is: users have no name for it, and a module more or less is nothing to them.
            free = f"~{thing.name}" not in self.lines
            self._add(self._named.setdefault(thing.path, f"~{thing.name}" if free else thing.path), thing)

    def _ours(self, *expressions: Any) -> Iterator[Any]:
        for expression in expressions:
            for part in expression.iterate(flat=True) if isinstance(expression, griffe.Expr) else ():
                where = part.canonical_path if isinstance(part, griffe.ExprName) else ""
                if where.partition(".")[0] in PACKAGES:
                    with suppress(KeyError):  # a variable of types, or what is made while the module runs
                        yield _target_of(self._modules[where])


def _modules_in(module: Any) -> Iterator[Any]:
    yield module
    for inner in module.modules.values():
        if not inner.is_alias:
            yield from _modules_in(inner)


def _target_of(item: Any) -> Any:
    try:
        return item.final_target if item.is_alias else item
    except griffe.AliasResolutionError:
        return item  # of another package


def _is_exported(module: Any, name: str, item: Any) -> bool:
    if module.exports is not None:
        return name in module.exports
    return not name.startswith("_") and not item.is_alias and not item.is_module


if __name__ == "__main__":
    sys.exit(main())
