"""Options of calls, wherever they are put together: their spelling, and what has another meaning here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst
from libcst import matchers as m
from libcst.metadata import ClassScope

from target.migrate.imports import Imported
from target.migrate.names import EVENT_FIELDS, spell_event, spell_option
from target.migrate.plan import Plan, become, respell

#: Of each call the names of its parameters, which go by place here.
_CALLS = {
    "create": ("options",),
    "get_offers": ("options",),
    "send_notifications": ("options",),
    "get_attributes": ("mbox_names", "options"),
}
_LEAST_POLLING_MS = 30_000
_NOTES = {
    "polling_interval": "polling_interval is in milliseconds; target-python-sdk took seconds",
    "visitor": "visitor takes a target.Visitor; or give visitor_cookie, the value of the AMCV_ cookie",
}


def migrate_options(plan: Plan, imported: Imported) -> None:
    """Plan that the options of every call are spelt as they are here."""
    options = _Options(plan)
    for node in plan.source.nodes:
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            name = node.func.attr.value
            if name in _CALLS and (name != "create" or imported.classes.get(node.func.value) == "TargetClient"):
                options.migrate_call(node, _CALLS[name])


class _Options:
    def __init__(self, plan: Plan) -> None:
        self._plan, self._source = plan, plan.source
        self._seen: set[cst.CSTNode] = set()

    def migrate_call(self, call: cst.Call, parameters: tuple[str, ...]) -> None:
        """One call of a client: its arguments by place, its options by their names."""
        named = {arg.keyword.value: arg for arg in call.args if arg.keyword and arg.keyword.value in parameters}
        if named:
            self._give_by_place(call, parameters, named)
        for place, arg in enumerate(call.args):
            if arg.star == "*":
                continue
            if arg.star == "**" or arg in named.values() or (arg.keyword is None and place == len(parameters) - 1):
                if arg is not named.get("mbox_names"):
                    self._read(arg.value)
            elif arg.keyword is not None:
                self._respell_keyword(arg, arg.keyword.value)

    def _give_by_place(self, call: cst.Call, parameters: tuple[str, ...], named: dict[str, cst.Arg]) -> None:
        given = [arg for arg in call.args if arg.keyword is None and not arg.star]
        wanted = parameters[len(given) :][: len(named)]
        if len(given) + len(named) < len(call.args) or set(wanted) != set(named):
            self._plan.note(call, f"{' and '.join(parameters)} are given by place here")
            return
        order = [*range(len(given)), *(call.args.index(named[name]) for name in wanted)]

        def by_place(new: Any) -> Any:
            values = [new.args[place].value for place in order]
            args = [
                arg.with_changes(value=value, keyword=None, equal=cst.MaybeSentinel.DEFAULT)
                for arg, value in zip(new.args, values, strict=True)
            ]
            return new.with_changes(args=args)

        self._plan.change(call, by_place)

    def _read(self, value: cst.BaseExpression) -> None:
        """Go to wherever these options are put together."""
        if value in self._seen:
            return
        self._seen.add(value)
        if isinstance(value, cst.Dict):
            for element in value.elements:
                if isinstance(element, cst.StarredDictElement):
                    self._read(element.value)
                elif isinstance(element, cst.DictElement):
                    self._respell_key(element.key, element.value)
        elif isinstance(value, cst.Call):
            self._read_call(value)
        elif isinstance(value, cst.BinaryOperation):
            self._read(value.left)
            self._read(value.right)
        elif isinstance(value, cst.IfExp):
            self._read(value.body)
            self._read(value.orelse)
        elif isinstance(value, cst.NamedExpr):
            self._read(value.value)
        elif isinstance(value, cst.Name | cst.Attribute):
            self._read_variable(value)

    def _read_call(self, call: cst.Call) -> None:
        if m.matches(call.func, m.Name("dict") | m.Name("deepcopy") | m.Attribute(attr=m.Name("deepcopy"))):
            for arg in call.args:
                if arg.keyword is not None:
                    self._respell_keyword(arg, arg.keyword.value)
                else:
                    self._read(arg.value)
        elif isinstance(call.func, cst.Attribute) and call.func.attr.value == "copy":
            self._read(call.func.value)
        elif isinstance(call.func, cst.Name):
            for function in self._functions(call.func):
                for found in m.findall(function, m.Return()):
                    if isinstance(found, cst.Return) and found.value is not None:
                        self._read(found.value)

    def _read_variable(self, variable: cst.Name | cst.Attribute) -> None:
        for use in self._uses_of(variable):
            above = self._source.parents[use]
            if isinstance(above, cst.AssignTarget):
                assign = self._source.parents[above]
                if isinstance(assign, cst.Assign):
                    self._read(assign.value)
            elif isinstance(above, cst.AnnAssign | cst.AugAssign | cst.NamedExpr) and above.target is use:
                if above.value is not None:
                    self._read(above.value)
            elif isinstance(above, cst.Subscript) and above.value is use:
                self._read_subscript(above)
            elif isinstance(above, cst.Attribute) and above.value is use:
                self._read_method(above)

    def _read_subscript(self, subscript: cst.Subscript) -> None:
        index = subscript.slice[0].slice
        if isinstance(index, cst.Index):
            target = self._source.parents[subscript]
            assign = self._source.parents[target]
            given = assign.value if isinstance(target, cst.AssignTarget) and isinstance(assign, cst.Assign) else None
            self._respell_key(index.value, given)

    def _read_method(self, method: cst.Attribute) -> None:
        call = self._source.parents[method]
        if not isinstance(call, cst.Call) or call.func is not method:
            return
        if method.attr.value == "update":
            for arg in call.args:
                if arg.keyword is not None:
                    self._respell_keyword(arg, arg.keyword.value)
                else:
                    self._read(arg.value)
        elif method.attr.value in ("get", "pop", "setdefault") and call.args:
            self._respell_key(call.args[0].value, call.args[1].value if len(call.args) > 1 else None)

    def _uses_of(self, variable: cst.Name | cst.Attribute) -> Iterator[cst.Name | cst.Attribute]:
        if isinstance(variable, cst.Name):
            meant = self._source.assignments(variable)
            if any(type(each).__name__ != "Assignment" for each in meant):
                return  # imported, or Python's own
            yield from dict.fromkeys(use for each in meant for use in self._source.uses[each])
            return
        yield from self._source.attributes[self._source.module.code_for_node(variable)]
        yield from (name for name in self._source.names[variable.attr.value] if self._is_of_a_class(name))

    def _is_of_a_class(self, name: cst.Name) -> bool:
        """Whether this is assigned in the body of a class, and so read as an attribute."""
        scope = self._source.scopes.get(name)
        return isinstance(scope, ClassScope) and isinstance(
            self._source.parents[name], cst.AssignTarget | cst.AnnAssign
        )

    def _respell_key(self, key: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        if not isinstance(key, cst.SimpleString) or not isinstance(key.evaluated_value, str):
            return
        name = key.evaluated_value
        option = self._option(key, name, value)
        if option is not None and option != name:
            self._plan.change(key, respell(name, option))

    def _respell_keyword(self, arg: cst.Arg, name: str) -> None:
        option = self._option(arg, name, arg.value)
        if option is not None and option != name:
            self._plan.change(arg, become(keyword=cst.Name(option)))

    def _option(self, where: cst.CSTNode, name: str, value: cst.BaseExpression | None) -> str | None:
        option = spell_option(name)
        if option is None:
            self._plan.note(where, f"there is no option {name!r}")
        elif option == "events" and value is not None:
            self._read_events(value)
        elif option in _NOTES and value is not None and not _is_long(option, value):
            self._plan.note(where, _NOTES[option])
        return option

    def _read_events(self, events: cst.BaseExpression) -> None:
        for found in self._dicts_of(events):
            for element in found.elements:
                if not isinstance(element, cst.DictElement) or not isinstance(element.key, cst.SimpleString):
                    continue
                name = str(element.key.evaluated_value)
                if (event := spell_event(name)) and event != name:
                    self._plan.change(element.key, respell(name, event))
                if isinstance(element.value, cst.Lambda):
                    self._read_handler(element.value)
                elif isinstance(element.value, cst.Name):
                    for function in self._functions(element.value):
                        self._read_handler(function)

    def _dicts_of(self, value: cst.BaseExpression) -> Iterator[cst.Dict]:
        if isinstance(value, cst.Dict):
            yield value
        elif isinstance(value, cst.Name):
            for each in self._source.assignments(value):
                target = self._source.parents.get(getattr(each, "node", None))  # type: ignore[arg-type]
                assign = self._source.parents.get(target) if target is not None else None
                if isinstance(assign, cst.Assign) and isinstance(assign.value, cst.Dict):
                    yield assign.value

    def _functions(self, name: cst.Name) -> Iterator[cst.FunctionDef]:
        for each in self._source.assignments(name):
            if isinstance(function := getattr(each, "node", None), cst.FunctionDef):
                yield function

    def _read_handler(self, handler: cst.FunctionDef | cst.Lambda) -> None:
        """Events are dicts, whatever they look like on Adobe's pages."""
        parameters = [*handler.params.posonly_params, *handler.params.params]
        if not parameters:
            if not isinstance(handler.params.star_arg, cst.Param):
                self._plan.note(handler, "a handler is called with one dict, the event")
            return
        name = parameters[0].name.value
        for found in m.findall(handler.body, m.Attribute(value=m.Name(name))):
            if isinstance(found, cst.Attribute) and found.attr.value in EVENT_FIELDS:
                self._plan.change(found, _as_subscript)


def _as_subscript(new: cst.Attribute) -> cst.Subscript:
    index = cst.Index(cst.SimpleString(f'"{new.attr.value}"'))
    return cst.Subscript(new.value, [cst.SubscriptElement(index)], lpar=new.lpar, rpar=new.rpar)


def _is_long(option: str, value: cst.BaseExpression) -> bool:
    """Whether a polling interval can only be meant in milliseconds."""
    return (
        option == "polling_interval" and isinstance(value, cst.Integer) and value.evaluated_value >= _LEAST_POLLING_MS
    )
