"""Models that are made, answers that are read, and texts that name Adobe's packages."""

from __future__ import annotations

import libcst as cst
from libcst import matchers as m

from target.migrate.imports import Imported
from target.migrate.names import LOGGER, PACKAGES, new_name
from target.migrate.plan import Plan, become, respell


def migrate_answers(plan: Plan, imported: Imported) -> None:
    """Plan what becomes of models and results."""
    for node in plan.source.nodes:
        if isinstance(node, cst.Call):
            _migrate_call(plan, imported, node)
        elif isinstance(node, cst.Subscript) and _has_text(node.slice[0].slice, "maxAge"):
            _migrate_max_age(plan, node.value, node.slice[0].slice)
        elif isinstance(node, cst.Attribute) and node.attr.value == "_property":
            if not m.matches(node.value, m.Name("self") | m.Name("cls")):
                plan.change(node, become(attr=cst.Name("property")))
        elif isinstance(node, cst.ExceptHandler) and node.name is not None:
            _note_error(plan, imported, node)


def migrate_texts(plan: Plan) -> None:
    """Plan that loggers, and classes that are patched or imported by name, have their names here.

    Also where nothing of Adobe's is imported, as in settings and tests.
    """
    for node in plan.source.nodes:
        text = node.evaluated_value if isinstance(node, cst.SimpleString) else None
        if not isinstance(text, str) or text.strip() != text or " " in text:
            continue
        module, _, name = text.rpartition(".")
        if text == LOGGER:
            plan.change(node, respell(text, "target"))
        elif new := new_name(module, name):
            plan.change(node, respell(text, f"target.{new}"))
        elif text.partition(".")[0] in PACKAGES:
            plan.note(node, f"a text names {text}")


def _migrate_call(plan: Plan, imported: Imported, call: cst.Call) -> None:
    if (name := imported.classes.get(call.func)) and name != "TargetClient":
        if any(arg.keyword is None and not arg.star for arg in call.args):
            plan.note(call, f"{name} takes keyword arguments only")
        for arg in call.args:
            if arg.keyword is not None and arg.keyword.value == "_property":
                plan.change(arg, become(keyword=cst.Name("property")))
    elif isinstance(call.func, cst.Attribute):
        if call.func.attr.value == "to_dict" and not call.args:
            plan.note(call, "to_dict() of a model or result has the API's keys: eventToken, not event_token")
        elif call.func.attr.value == "get" and call.args and _has_text(call.args[0].value, "maxAge"):
            _migrate_max_age(plan, call.func.value, call.args[0].value)


def _migrate_max_age(plan: Plan, cookie: cst.BaseExpression, where: cst.CSTNode) -> None:
    key = where.value if isinstance(where, cst.Index) else where
    if "cookie" in plan.source.module.code_for_node(cookie).lower():
        plan.change(key, respell("maxAge", "max_age"))
    else:
        plan.note(key, "the key of a cookie of a result is max_age")


def _note_error(plan: Plan, imported: Imported, handler: cst.ExceptHandler) -> None:
    kinds = [each.value for each in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    if not any(kind is not None and imported.classes.get(kind) == "ApiException" for kind in kinds):
        return
    name = handler.name.name if handler.name else None
    if isinstance(name, cst.Name):
        for found in m.findall(handler.body, m.Attribute(value=m.Name(name.value))):
            if isinstance(found, cst.Attribute) and found.attr.value in ("reason", "headers"):
                plan.note(found, f"ApiError has status, message, request_id and body; no {found.attr.value}")


def _has_text(node: cst.CSTNode, text: str) -> bool:
    value = node.value if isinstance(node, cst.Index) else node
    return isinstance(value, cst.SimpleString) and value.evaluated_value == text
