"""Owns writing changes of operations into delivery-api.yaml: parameters, bodies, responses, servers."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, PlainScalarString

from published import places
from published.compare import Change
from published.plain import Node
from published.prose import MARKER, wanted
from published.spec_file import delete, in_line, insert, styled


def _parameter(document: Any, change: Change, keep: bool) -> None:
    parameters = places.operation(document, change.path).setdefault("parameters", CommentedSeq())
    place, _, name = change.path[3].partition(" ")
    if change.kind == "added":
        parameters.append(_written_parameter(place, name, change.after))
        return
    old = places.parameter(document, change.path)
    if change.kind == "removed":
        old["required"] = False
        if not keep:
            parameters.remove(old)
    elif keep:
        new = copy.deepcopy(old)
        old["required"], new["name"] = False, change.after.partition(" ")[2]
        parameters.insert(parameters.index(old) + 1, new)
    else:
        old["name"] = change.after.partition(" ")[2]


def _written_parameter(place: str, name: str, node: Node) -> CommentedMap:
    text = PlainScalarString(wanted(name, node["schema"]))
    text.yaml_set_anchor(re.sub(r"\W", "", name), always_dump=True)
    schema = styled(node["schema"])
    schema["description"] = text
    written = CommentedMap({"name": name, "in": place, "required": node["required"], "description": text})
    written.update({key: node[key] for key in ("style", "explode") if key in node})
    written["schema"] = schema
    return written


def _parameter_keyword(document: Any, change: Change, keep: bool) -> None:
    parameter, keyword = places.parameter(document, change.path), change.path[-1]
    if change.after is None:
        del parameter[keyword]
    else:
        parameter[keyword] = change.after


def _response(document: Any, change: Change, keep: bool) -> None:
    responses, status = places.operation(document, change.path)["responses"], change.path[3]
    if change.kind == "added":
        text = f"{MARKER} when this is the answer."
        insert(responses, DoubleQuotedScalarString(status), _written_content(text, change.after), _before(responses))
    elif not keep:
        delete(responses, next(key for key in responses if str(key) == status))


def _before(responses: Any) -> str | None:
    names = [str(name) for name in responses if str(name) != "default"]
    return names[-1] if names else None


def _written_content(text: str, content: Node) -> CommentedMap:
    written = CommentedMap({"description": text})
    kinds = [(kind, CommentedMap({"schema": styled(node)})) for kind, node in content.items() if kind != "required"]
    if kinds:
        written["content"] = CommentedMap(kinds)
    return written


def _body(document: Any, change: Change, keep: bool) -> None:
    operation = places.operation(document, change.path)
    if change.kind == "added":
        written = _written_content(f"{MARKER} what is sent.", change.after)
        insert(written, "required", change.after["required"], after="description")
        insert(operation, "requestBody", written, after="parameters")
    elif not keep:
        delete(operation, "requestBody")


def _content(document: Any, change: Change, keep: bool) -> None:
    holder, rest = places.holder(document, change.path)
    if rest[0] == "required":
        holder["required"] = change.after
    elif change.kind == "added":
        holder.setdefault("content", CommentedMap())[rest[0]] = CommentedMap({"schema": styled(change.after)})
    else:
        delete(holder["content"], rest[0])
        if not holder["content"]:
            delete(holder, "content")


def _operation(document: Any, change: Change, keep: bool) -> None:
    method, _, url = change.path[1].partition(" ")
    if change.kind != "added":
        if not keep:
            gone = document["paths"][url][method.lower()]
            if change.kind == "renamed":
                to, _, path = change.after.partition(" ")
                document["paths"].setdefault(path, CommentedMap())[to.lower()] = gone
            delete(document["paths"][url], method.lower())
            if not document["paths"][url]:
                delete(document["paths"], url)
        return
    words = re.findall(r"[A-Za-z0-9]+", url)
    written = CommentedMap(
        {"tags": in_line(["Delivery"]), "operationId": method.lower() + "".join(map(str.title, words))}
    )
    written["summary"] = written["description"] = f"{MARKER} what {change.path[1]} is for."
    document["paths"].setdefault(url, CommentedMap())[method.lower()] = written
    node = change.after
    written["parameters"] = CommentedSeq(
        _written_parameter(key.partition(" ")[0], key.partition(" ")[2], parameter)
        for key, parameter in node["parameters"].items()
    )
    written["responses"] = CommentedMap()
    if "body" in node:
        _body(document, Change("added", "body", (*change.path, "body"), None, node["body"]), False)
    for status, content in node["responses"].items():
        _response(document, Change("added", "response", (*change.path, "responses", status), None, content), False)


def _server(document: Any, change: Change, keep: bool) -> None:
    servers = document.setdefault("servers", CommentedSeq())
    if change.kind == "added":
        server = CommentedMap({"url": change.path[1], "description": f"{MARKER} which server this is."})
        servers.append(server)
        for name, value in change.after.items():
            server.setdefault("variables", CommentedMap())[name] = CommentedMap({"default": value})
    elif not keep:
        servers.remove(next(each for each in servers if each["url"].rstrip("/") == change.path[1]))


def _server_variable(document: Any, change: Change, keep: bool) -> None:
    server = next(each for each in document["servers"] if each["url"].rstrip("/") == change.path[1])
    variables = server.setdefault("variables", CommentedMap())
    if change.after is None:
        delete(variables, change.path[2])
    else:
        variables.setdefault(change.path[2], CommentedMap())["default"] = change.after


#: What writes a change, by what changed.
WRITERS: dict[str, Callable[[Any, Change, bool], None]] = {
    "parameter": _parameter,
    "style": _parameter_keyword,
    "explode": _parameter_keyword,
    "response": _response,
    "body": _body,
    "content": _content,
    "operation": _operation,
    "server": _server,
    "server variable": _server_variable,
}
