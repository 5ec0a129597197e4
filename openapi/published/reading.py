"""Owns reading a published document, from a checkout or one file, into a `Document` in plain form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from published.outline import from_outline
from published.plain import BY_NAME, IN_LIST, PROSE, SINGLE, Node, count_properties, plain
from published.references import SUFFIXES, Files, Place, Unusable, is_schema, names_in, said

DELIVERY = "/rest/v1/delivery"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass
class Document:
    """What a document says: schemas by name; operations by "POST /path"; servers by address, None if unsaid."""

    source: str
    schemas: dict[str, Node] = field(default_factory=dict)
    operations: dict[str, Node] = field(default_factory=dict)
    servers: Node | None = None

    def tree(self) -> Node:
        """All of it as one tree of dicts."""
        return {"schemas": self.schemas, "operations": self.operations, "servers": self.servers or {}}

    def size(self) -> str:
        """How much it is, in words."""
        properties = sum(count_properties(schema) for schema in self.schemas.values())
        return f"{len(self.schemas)} schemas, {properties} properties, {len(self.operations)} operations"


def read(source: Path) -> Document:
    """The document in a checkout (a folder) or a file. Raises Unusable, whose text is one line: what, and where."""
    if not source.exists():
        raise Unusable(f"{source}: there is no such file or folder")
    try:
        document = _Reader().read(source.resolve())
    except RecursionError as cause:
        raise Unusable(f"{source}: nested without end") from cause
    document.source = str(source)
    if not document.schemas:
        raise Unusable(f"{source}: no schemas: neither components/schemas nor files of one schema each")
    return document


class _Reader:
    """Collects the schemas that a document and its files hold."""

    def __init__(self) -> None:
        self.files = Files()
        self.homes: dict[str, Place] = {}
        self.raw: dict[str, Node] = {}
        self.doubles: list[tuple[str, Place]] = []

    def read(self, source: Path) -> Document:
        document = Document(str(source))
        roots = [source] if source.is_file() else self._roots(source)
        for root in roots:
            content = self.files.content(root)
            if not isinstance(content, dict):
                raise Unusable(f"{root}: no OpenAPI document: {type(content).__name__} instead of a mapping")
            if "swagger" in content:
                raise Unusable(f"{root}: Swagger {content['swagger']}, but only OpenAPI 3 is read")
            if "paths" not in content and isinstance(content.get("schemas"), dict):
                content = self.files.put(root, from_outline(content))
            self._name_files(content, root)
            for name in _mapping(content, "components", "schemas"):
                self._want(str(name), (root, ("components", "schemas", str(name))))
            for name in names_in(content):
                self._want(name, (root, (name,)))
            if is_schema(content):
                self._want(root.stem, (root, ()))
            for key, operation in self._operations(content, root):
                document.operations[key] = operation
            if isinstance(content.get("servers"), list):
                document.servers = _servers(content["servers"])
        self._want_neighbours(roots)
        self._compare_doubles()
        for name, schema in self.raw.items():
            document.schemas[name] = self._plain(schema, said(self.homes[name]))
        self._refuse_circles(document.schemas)
        return document

    def _roots(self, folder: Path) -> list[Path]:
        """The file of a checkout that describes the delivery call, or every file of schemas where none does."""
        found: list[Path] = []
        parts: list[Path] = []
        broken: list[Unusable] = []
        for file in _documents(folder):
            try:
                content = self.files.content(file)
            except Unusable as error:
                broken.append(error)  # of no concern, unless something leads there
                continue
            if isinstance(content, dict) and isinstance(content.get("paths"), dict):
                found.append(file)
            elif names_in(content) or (isinstance(content, dict) and (is_schema(content) or "schemas" in content)):
                parts.append(file)
        ours = [file for file in found if DELIVERY in self.files.content(file)["paths"]] or found
        if len(ours) > 1:
            names = ", ".join(str(file.relative_to(folder)) for file in ours)
            raise Unusable(f"{folder}: more than one document, name one of them: {names}")
        if broken and not ours:
            raise broken[0]
        return ours or parts

    def _name_files(self, content: Node, root: Path) -> None:
        """A file that is one schema has the name by which the document lists it."""
        for name, node in _mapping(content, "components", "schemas").items():
            if isinstance(node, dict) and isinstance(node.get("$ref"), str) and "#" not in node["$ref"]:
                place = self.files.follow(node["$ref"], root)
                if not place[1]:
                    self.files.names[place] = str(name)

    def _want(self, name: str, place: Place) -> None:
        """Collect the schema at a place under a name, and all it refers to."""
        home = place
        for step in list(self.files.chain(place)):
            if self.files.name(step) != name and step != place:
                break
            home = step
        if name in self.homes:
            if self.homes[name] != home:
                self.doubles.append((name, home))
            return
        self.homes[name] = home
        self.raw[name] = {}
        self.raw[name] = self._schema(self.files.at(home, said(home)), home[0])

    def _want_neighbours(self, roots: list[Path]) -> None:
        """Schemas that nothing refers to, from the folders of those that something refers to."""
        folders = {place[0].parent for place in self.homes.values() if place[0] not in roots}
        for file in sorted(file for folder in folders for file in folder.iterdir() if file.suffix in SUFFIXES):
            if file not in roots:
                content = self.files.content(file)
                for name in names_in(content):
                    if name not in self.homes:
                        self._want(name, (file, (name,)))
                if is_schema(content) and (name := self.files.name((file, ())) or file.stem) not in self.homes:
                    self._want(name, (file, ()))

    def _compare_doubles(self) -> None:
        for name, place in self.doubles:
            other = self._schema(self.files.at(place, said(place)), place[0])
            if self._plain(other, said(place)) != self._plain(self.raw[name], said(self.homes[name])):
                raise Unusable(f"two schemas are called {name}: {said(self.homes[name])} and {said(place)}")

    def _schema(self, node: Any, file: Path, within: tuple[Place, ...] = ()) -> Any:
        """A schema with its references as names; what one finds inside of another schema is written in place."""
        if not isinstance(node, dict):
            return node
        read: Node = {}
        for key, value in node.items():
            if key == "$ref":
                place = self.files.follow(value, file)
                if (name := self.files.name(place)) is not None:
                    self._want(name, place)
                    read["$ref"] = name
                elif place in within:
                    raise Unusable(f"{file}: circular $ref {value}")
                else:
                    copied = self._schema(self.files.at(place, said(place)), place[0], (*within, place))
                    read.setdefault("allOf", []).append(copied)
            elif key in BY_NAME and isinstance(value, dict):
                read[key] = {name: self._schema(part, file, within) for name, part in value.items()}
            elif key in IN_LIST and isinstance(value, list):
                read.setdefault(key, []).extend(self._schema(part, file, within) for part in value)
            elif key in SINGLE or key == "additionalProperties":
                read[key] = self._schema(value, file, within)
            elif key not in PROSE:
                read[key] = value
        return read

    def _plain(self, schema: Any, where: str) -> Node:
        try:
            return plain(schema)
        except ValueError as error:
            raise Unusable(f"{where}: {error}") from error

    def _operations(self, content: Node, root: Path) -> Iterator[tuple[str, Node]]:
        for path, item in _mapping(content, "paths").items():
            item, file = self._resolved(item, root)
            shared = item.get("parameters", [])
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    operation = item[method]
                    parameters = dict(self._parameters([*shared, *operation.get("parameters", [])], file))
                    yield f"{method.upper()} {path}", self._operation(operation, parameters, file)

    def _operation(self, operation: Node, parameters: Node, file: Path) -> Node:
        read: Node = {"parameters": parameters, "responses": {}}
        if "requestBody" in operation:
            body, at = self._resolved(operation["requestBody"], file)
            read["body"] = {"required": bool(body.get("required")), **self._content(body, at)}
        for status, response in (operation.get("responses") or {}).items():
            response, at = self._resolved(response, file)
            read["responses"][str(status)] = self._content(response, at)
        return read

    def _parameters(self, parameters: list[Any], file: Path) -> Iterator[tuple[str, Node]]:
        for parameter in parameters:
            parameter, at = self._resolved(parameter, file)
            if not isinstance(parameter.get("name"), str) or not isinstance(parameter.get("in"), str):
                raise Unusable(f"{at}: a parameter without name or place (in)")
            schema = parameter.get("schema", {})
            for media in (parameter.get("content") or {}).values():
                schema = media.get("schema", {})
            read = {"required": bool(parameter.get("required")), "schema": self._inline(schema, at)}
            read |= {key: parameter[key] for key in ("style", "explode") if key in parameter}
            yield f"{parameter['in']} {parameter['name']}", read

    def _content(self, holder: Node, file: Path) -> Node:
        return {
            str(kind): self._inline(media.get("schema", {}), file)
            for kind, media in (holder.get("content") or {}).items()
        }

    def _inline(self, schema: Any, file: Path) -> Node:
        return self._plain(self._schema(schema, file), str(file))

    def _resolved(self, node: Any, file: Path) -> tuple[Node, Path]:
        """What stands at the end of a chain of references, and in which file."""
        if isinstance(node, dict) and "$ref" in node:
            place = list(self.files.chain(self.files.follow(node["$ref"], file)))[-1]
            node, file = self.files.at(place, said(place)), place[0]
        if not isinstance(node, dict):
            raise Unusable(f"{file}: a mapping is expected, not {node!r:.60}")
        return node, file

    def _refuse_circles(self, schemas: dict[str, Node]) -> None:
        """A schema may hold itself, but not be made of itself."""

        def bases(name: str) -> list[str]:
            parts = [schemas.get(name, {}), *schemas.get(name, {}).get("allOf", {}).values()]
            return [part["$ref"] for part in parts if "$ref" in part]

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                raise Unusable(f"circular $ref: {' -> '.join([*path, name])} ({said(self.homes[name])})")
            for base in bases(name):
                visit(base, (*path, name))

        for name in schemas:
            visit(name, ())


def _documents(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if (
            file.suffix in SUFFIXES
            and file.is_file()
            and not any(p.startswith(".") or p == "node_modules" for p in parts)
        ):
            yield file


def _mapping(content: Node, *keys: str) -> Node:
    value: Any = content
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _servers(servers: list[Any]) -> Node:
    read: Node = {}
    for server in servers:
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            variables = server.get("variables") or {}
            read[server["url"].rstrip("/")] = {name: value.get("default") for name, value in variables.items()}
    return read
