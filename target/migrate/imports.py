"""Imports of Adobe's packages, and the names that they bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import ImportAssignment

from target.migrate.names import EPOCH, PACKAGES, is_module_of_ours, new_name
from target.migrate.plan import Plan, Source, become

TARGET = "target"


@dataclass
class Imported:
    """What a file uses of Adobe's packages: for each node that names a class of theirs, the name that they give it."""

    is_any: bool = False
    classes: dict[cst.CSTNode, str] = field(default_factory=dict)


def migrate_imports(plan: Plan) -> Imported:
    """Plan that everything comes from `target`, and say what came from Adobe's packages."""
    return _Imports(plan).found


class _Imports:
    def __init__(self, plan: Plan) -> None:
        self._plan, self._source = plan, plan.source
        self.found = Imported()
        self._names = [node for node in self._source.nodes if isinstance(node, cst.Name)]
        self._read = _names_read(self._source, self._names)
        nodes = [node for node in self._source.nodes if isinstance(node, cst.Import | cst.ImportFrom)]
        self._theirs = {node for node in nodes if _packages_of(node) & PACKAGES}
        self._exported = {
            node.evaluated_value for node in self._source.nodes if isinstance(node, cst.SimpleString)
        }  # of __all__, and of whoever patches by name
        for node in nodes:
            if node in self._theirs:
                self.found.is_any = True
                if isinstance(node, cst.Import):
                    self._migrate_import(node)
                else:
                    self._migrate_from(node)

    def _migrate_from(self, node: cst.ImportFrom) -> None:
        module = _dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            if is_module_of_ours(module):
                self._plan.change(node, become(module=cst.Name(TARGET)))
            else:
                self._plan.note(node, f"there is no {module} in target")
            return
        moved: list[str] = []  # as they are written after `from target import`
        others: list[str] = []  # statements
        kept: list[str] = []
        aliases: dict[cst.ImportAlias, str] = {}
        for alias in node.names:
            name, local = _dotted(alias.name), _local(alias)
            if new := new_name(module, name):
                aliases[alias] = shown = self._rename(node, name, local, new)
                moved.append(f"{new} as {shown}" if shown != new else new)
            elif is_module_of_ours(f"{module}.{name}"):
                others.append(f"import {TARGET} as {local}")
                self._migrate_members(node, local, f"{module}.{name}")
            elif (module, name) == EPOCH and self._replace_epoch(node, local):
                others.append("import time")
            else:
                kept.append(name if name == local else f"{name} as {local}")
                self._plan.note(node, f"there is no {module}.{name} in target")
        if not others and not kept:
            self._plan.change(node, lambda new: _from_target(new, node, aliases))
        elif moved or others:
            lines = [f"from {TARGET} import {', '.join(moved)}"] if moved else []
            rest = [f"from {module} import {', '.join(kept)}"] if kept else []
            self._replace_line(node, [*rest, *lines, *dict.fromkeys(others)])

    def _rename(self, node: cst.ImportFrom, name: str, local: str, new: str) -> str:
        """Plan that what a file calls ``local`` gets its new name, if that is free; what it is called then."""
        uses = self._uses_of(node, local)
        self.found.classes.update(dict.fromkeys(uses, name))
        if new == name or local != name:
            return local
        is_free = not any(each.value == new for each in self._names)
        if not is_free or name in self._exported or not all(self._only_theirs(use) for use in uses):
            return local
        for use in uses:
            self._plan.change(use, become(value=new))
        return new

    def _replace_epoch(self, node: cst.ImportFrom, local: str) -> bool:
        uses = self._uses_of(node, local)
        calls = [self._source.parents[use] for use in uses]
        if any(name.value == "time" and not _is_module_time(self._source, name) for name in self._names):
            return False
        if not all(isinstance(call, cst.Call) and call.func is use for call, use in zip(calls, uses, strict=True)):
            return False
        for call in calls:
            self._plan.change(call, lambda _: cst.parse_expression("int(time.time() * 1000)"))
        return True

    def _migrate_import(self, node: cst.Import) -> None:
        for alias in node.names:
            module = _dotted(alias.name)
            if module.partition(".")[0] not in PACKAGES:
                continue
            local = _local(alias).partition(".")[0]
            chains = [self._chain_of(use, module if alias.asname else local) for use in self._uses_of(node, local)]
            note = f"not all that is used of {module} is in target: import what is, from there"
            if not is_module_of_ours(module) or not all(chains) or self._plan.has_note(node, note):
                self._plan.note(node, note)
                continue
            is_taken = any(name.value == TARGET for name in self._names)
            now = local if alias.asname or is_taken else TARGET
            as_name = cst.AsName(cst.Name(now)) if now != TARGET else None
            self._plan.change(alias, become(name=cst.Name(TARGET), asname=as_name))
            for chain in filter(None, chains):
                self._shorten(chain, now)

    def _chain_of(self, use: cst.Name, path: str) -> tuple[cst.Attribute, str, str] | None:
        """The expression that leads from a module, ``path``, to a class; the class's name, and its new one."""
        node: cst.CSTNode = use
        above = self._source.parents[node]
        while isinstance(above, cst.Attribute) and above.value is node:
            if new := new_name(path, above.attr.value):
                return above, above.attr.value, new
            path = f"{path}.{above.attr.value}"
            node, above = above, self._source.parents[above]
        return None

    def _migrate_members(self, node: cst.ImportFrom, local: str, module: str) -> None:
        for use in self._uses_of(node, local):
            if chain := self._chain_of(use, module):
                self._shorten(chain, local)
            else:
                self._plan.note(use, f"not all that is used of {module} is in target")

    def _shorten(self, chain: tuple[cst.Attribute, str, str], local: str) -> None:
        """Plan that a class is an attribute of `target` itself, which the file calls ``local``."""
        self.found.classes[chain[0]] = chain[1]
        if self._source.module.code_for_node(chain[0]) != f"{local}.{chain[2]}":
            self._plan.change(chain[0], become(value=cst.Name(local), attr=cst.Name(chain[2])))

    def _uses_of(self, node: cst.CSTNode, local: str) -> list[cst.Name]:
        return [
            name
            for name in self._names
            if name.value == local and any(_node_of(each) is node for each in self._read.get(name, ()))
        ]

    def _only_theirs(self, use: cst.Name) -> bool:
        return all(_node_of(each) in self._theirs for each in self._read[use])

    def _replace_line(self, node: cst.ImportFrom, statements: list[str]) -> None:
        line = self._source.parents[node]
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) > 1:
            self._plan.note(node, f"in place of this: {'; '.join(statements)}")
            return
        made = [cst.parse_statement(statement) for statement in statements]

        def replace(new: Any) -> Any:
            first = made[0].with_changes(leading_lines=new.leading_lines)
            last = [*made[1:-1], made[-1].with_changes(trailing_whitespace=new.trailing_whitespace)]
            if len(made) == 1:
                return first.with_changes(trailing_whitespace=new.trailing_whitespace)
            return cst.FlattenSentinel([first, *last])

        self._plan.change(line, replace)


def _names_read(source: Source, names: list[cst.Name]) -> dict[cst.Name, set[Any]]:
    inside = {
        node
        for statement in source.nodes
        if isinstance(statement, cst.Import | cst.ImportFrom)
        for node in _all_in(statement)
    }
    return {name: source.assignments(name) for name in names if name not in inside}


def _all_in(node: cst.CSTNode) -> list[cst.CSTNode]:
    return [node, *(inner for child in node.children for inner in _all_in(child))]


def _node_of(assignment: Any) -> cst.CSTNode | None:
    return assignment.node if isinstance(assignment, ImportAssignment) else None


def _is_module_time(source: Source, name: cst.Name) -> bool:
    """Whether this is the standard library's module, or no variable at all."""
    if any(isinstance(above, cst.ImportFrom) for above in source.above(name)):
        return False
    return all(isinstance(_node_of(each), cst.Import) for each in source.assignments(name))


def _packages_of(node: cst.Import | cst.ImportFrom) -> set[str]:
    if isinstance(node, cst.ImportFrom):
        return set() if node.relative else {_dotted(node.module).partition(".")[0]}
    return {_dotted(alias.name).partition(".")[0] for alias in node.names}


def _from_target(new: Any, node: cst.ImportFrom, aliases: dict[cst.ImportAlias, str]) -> Any:
    names = []
    for was, now in zip(node.names if not isinstance(node.names, cst.ImportStar) else (), new.names, strict=True):
        name = new_name(_dotted(node.module), _dotted(was.name)) or ""
        local = aliases[was]
        as_name = None if local == name else was.asname or cst.AsName(cst.Name(local))
        names.append(now.with_changes(name=cst.Name(name), asname=as_name))
    return new.with_changes(module=cst.Name(TARGET), names=names)


def _local(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or alias.evaluated_name


def _dotted(node: cst.CSTNode | None) -> str:
    return "" if node is None else get_full_name_for_node(node) or ""
