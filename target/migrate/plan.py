"""A file as it was read, and what is to become of it: changes of nodes, and comments for a person above statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import libcst as cst
from libcst import metadata

#: How a comment begins that is left where a person has to decide.
MARK = "# target-migrate: "

Change = Callable[[Any], Any]


class Source:
    """A parsed file, and what stands where in it."""

    def __init__(self, module: cst.Module) -> None:
        wrapper = metadata.MetadataWrapper(module)
        self.module = wrapper.module
        self.parents = wrapper.resolve(metadata.ParentNodeProvider)
        self.scopes = wrapper.resolve(metadata.ScopeProvider)
        self._positions = wrapper.resolve(metadata.PositionProvider)
        self._lines = module.code.splitlines()
        self.nodes = [self.module, *self._below(self.module)]

    @cached_property
    def names(self) -> dict[str, list[cst.Name]]:
        """Every name of the file, by what it says."""
        found: dict[str, list[cst.Name]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, cst.Name):
                found[node.value].append(node)
        return found

    @cached_property
    def uses(self) -> dict[Any, list[cst.Name]]:
        """The names that mean a variable, by what gives it a value."""
        found: dict[Any, list[cst.Name]] = defaultdict(list)
        for names in self.names.values():
            for name in names:
                for each in self.assignments(name):
                    found[each].append(name)
        return found

    @cached_property
    def attributes(self) -> dict[str, list[cst.Attribute]]:
        """Every attribute of the file, by how it is written."""
        found: dict[str, list[cst.Attribute]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, cst.Attribute):
                found[self.module.code_for_node(node)].append(node)
        return found

    def _below(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        for child in node.children:
            yield child
            yield from self._below(child)

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes that this one is in, the nearest first."""
        above = self.parents.get(node)
        while above is not None:
            yield above
            above = self.parents.get(above)

    def assignments(self, name: cst.Name) -> set[Any]:
        """What gives this name its value: libcst's assignments; empty where it is not read as a variable."""
        parent, scope = self.parents.get(name), self.scopes.get(name)
        if scope is None or (isinstance(parent, cst.Attribute) and parent.attr is name):
            return set()
        if isinstance(parent, cst.Arg) and parent.keyword is name:
            return set()
        return set(scope[name.value])

    def statement(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The statement that a comment about this node stands above."""
        for above in (node, *self.above(node)):
            if isinstance(above, cst.SimpleStatementLine | cst.BaseCompoundStatement):
                return above
        return None

    def comments_above(self, statement: cst.CSTNode) -> list[str]:
        """The comments that are there already."""
        found: list[str] = []
        line = self._positions[statement].start.line - 2
        if isinstance(statement, cst.FunctionDef | cst.ClassDef) and statement.decorators:
            line = self._positions[statement.decorators[0]].start.line - 2
        while line >= 0 and self._lines[line].lstrip().startswith("#"):
            found.append(self._lines[line].strip())
            line -= 1
        return found


class Plan:
    """What is to be done with a file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._changes: dict[cst.CSTNode, list[Change]] = {}
        self._notes: dict[cst.CSTNode, list[str]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether the file stays as it is."""
        return not self._changes and not self._notes

    def change(self, node: cst.CSTNode, change: Change) -> None:
        """Let ``change`` make something else of the node, which it gets with all that is in it changed already."""
        self._changes.setdefault(node, []).append(change)

    def has_note(self, node: cst.CSTNode, text: str) -> bool:
        """Whether that comment is there already: what it says is for a person to do, whatever has changed since."""
        statement = self.source.statement(node)
        return statement is not None and MARK + text in self.source.comments_above(statement)

    def note(self, node: cst.CSTNode, text: str) -> None:
        """Leave a comment above the statement of this node, unless it is there."""
        statement = self.source.statement(node)
        if statement is None or self.has_note(node, text):
            return
        notes = self._notes.setdefault(statement, [])
        if text not in notes:
            notes.append(text)

    def carry_out(self) -> cst.Module:
        """The file as it becomes."""
        return self.source.module.visit(_Worker(self._changes, self._notes))


def become(**fields: Any) -> Change:
    """The change of a node to one with these fields."""
    return lambda new: new.with_changes(**fields)


def respell(was: str, now: str) -> Change:
    """The change of a text that is written as one word, whatever its quotes."""
    return lambda new: new.with_changes(value=new.value.replace(was, now))


class _Worker(cst.CSTTransformer):
    def __init__(self, changes: dict[cst.CSTNode, list[Change]], notes: dict[cst.CSTNode, list[str]]) -> None:
        super().__init__()
        self._changes, self._notes = changes, notes

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        updated: Any = super().on_leave(original_node, updated_node)
        if notes := self._notes.get(original_node):
            comments = [cst.EmptyLine(comment=cst.Comment(MARK + text)) for text in notes]
            updated = updated.with_changes(leading_lines=[*updated.leading_lines, *comments])
        for change in self._changes.get(original_node, ()):
            updated = change(updated)
        return updated
