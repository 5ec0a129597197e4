"""A published document of our own making in the layout of Adobe's (a file per schema), and copies of the repo."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.generation.spec import SCHEMAS, SPEC
from tests.kit.processes import ROOT

Schemas = dict[str, Any]

#: Schemas that stand in common/components; the others are in delivery/components.
COMMON = {
    *("ABTOrder", "AuthenticatedState", "CustomerId", "Order", "Parameters", "Preview", "Product", "QAMode"),
    *("QAModePreviewIndex", "ResponseTokens", "UnexpectedError", "VisitorId"),
}


class Published:
    """A document that can be changed and written: as a checkout, as one YAML or one JSON file."""

    def __init__(self) -> None:
        self.schemas: Schemas = {name: _by_name(schema) for name, schema in copy.deepcopy(SCHEMAS).items()}
        operation = _by_name(copy.deepcopy(SPEC["paths"]["/rest/v1/delivery"]["post"]))
        self.item: dict[str, Any] = {"post": operation}
        self.path = "/rest/v1/delivery"
        self._deviate()

    @property
    def operation(self) -> dict[str, Any]:
        operation: dict[str, Any] = self.item["post"]
        return operation

    def properties(self, name: str) -> dict[str, Any]:
        """The properties that a schema has of its own."""
        for part in [self.schemas[name], *self.schemas[name].get("allOf", [])]:
            if "properties" in part:
                found: dict[str, Any] = part["properties"]
                return found
        raise KeyError(name)

    def _deviate(self) -> None:
        """What the published document says otherwise than ours."""
        for name in ("RequestDetails", "MboxResponse"):
            self.schemas[name]["discriminator"] = {"propertyName": "$_type"}
            self.schemas[name]["properties"] = {"$_type": {"type": "string"}, **self.schemas[name]["properties"]}
        self.schemas["MboxRequest"]["required"] = ["index", "mbox"]
        self.schemas["DeliveryRequest"]["required"] = ["context"]
        for name, (one, other) in {
            "ResponseTokens": ("responseTokenName", "responseTokenValue"),
            "TraceResponse": ("traceKey", "traceValue"),
        }.items():
            entry = {"type": "object", "properties": {one: {"type": "string"}, other: {"type": "object"}}}
            self.schemas[name]["additionalProperties"] = entry
        self.properties("Option")["content"]["oneOf"][2]["items"] = {"$ref": "Action"}
        self.properties("Context")["beacon"]["default"] = False
        self.properties("VisitorId")["thirdPartyId"]["maxLength"] = 128

    def checkout(
        self, folder: Path, *, move: dict[str, str] | None = None, text: Callable[[Any], str] = json.dumps
    ) -> Path:
        """Write the layout of Adobe's repository; `move` puts schemas into files of another name.

        Its files are YAML. JSON is YAML, too, and read ten times as fast.
        """
        home = {name: f"{'common' if name in COMMON else 'delivery'}/components/{name}.yaml" for name in self.schemas}
        home["Action"] = "delivery/components/Option.yaml"  # Two schemas of one file, as Adobe's.
        home |= move or {}
        texts: dict[str, dict[str, Any]] = {}
        for name, schema in self.schemas.items():
            texts.setdefault(home[name], {"openapi": "3.0.0"})[name] = _located(schema, home, home[name])
        api = {
            "openapi": "3.0.0",
            "info": {"version": "1.0.0", "title": "Delivery", "description": {"$ref": "./markdown/about.md"}},
            "servers": [{"url": "https://{clientCode}.tt.omtrdc.net/"}],
            "paths": {self.path: _located(self.item, home, "delivery/api.yaml")},
        }
        texts["delivery/api.yaml"] = api
        for path, content in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text(content), encoding="utf-8")
        (folder / ".github").mkdir(exist_ok=True)
        (folder / ".github" / "workflow.yaml").write_text("on: [push]\n", encoding="utf-8")
        return folder

    def bundle(self) -> dict[str, Any]:
        """The document in one piece."""
        home = dict.fromkeys(self.schemas, "")
        return {
            "openapi": "3.0.0",
            "info": {"version": "1.0.0", "title": "Delivery"},
            "servers": [{"url": "https://{clientCode}.tt.omtrdc.net/"}],
            "paths": {self.path: _located(self.item, home, "")},
            "components": {"schemas": _located(self.schemas, home, "")},
        }

    def file(self, path: Path) -> Path:
        """Write the document in one piece, as YAML or JSON by the name."""
        path.write_text((json.dumps if path.suffix == ".json" else as_yaml)(self.bundle()), encoding="utf-8")
        return path


def as_yaml(content: Any) -> str:
    """YAML as people write it."""
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text


def _by_name(node: Any) -> Any:
    """A node of our spec as Adobe's authors write it: names as references, the text beside them."""
    if isinstance(node, list):
        return [_by_name(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"].rpartition("/")[2]}
    made = {key: _by_name(value) for key, value in node.items()}
    if isinstance(made.get("description"), str):
        made["description"] = f"Text of somebody else, {len(made['description'])} characters in ours."
    if made.keys() <= {"description", "allOf"} and len(made.get("allOf", [])) == 1:
        return {**made.pop("allOf")[0], **made}
    return made


def _located(node: Any, home: dict[str, str], file: str) -> Any:
    """A node whose references lead from `file` to the files of `home`, "" for one document."""
    if isinstance(node, list):
        return [_located(item, home, file) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _located(value, home, file) for key, value in node.items() if key != "$ref"}
    if isinstance(name := node.get("$ref"), str) and "/" not in name:
        if not file:
            made["$ref"] = f"#/components/schemas/{name}"
        elif home[name] == file:
            made["$ref"] = f"#/{name}"
        else:
            up = Path(home[name])
            start = Path(file).parent
            depth = 0
            while start not in up.parents and start != Path():
                start, depth = start.parent, depth + 1
            made["$ref"] = f"{'../' * depth or './'}{up.relative_to(start).as_posix()}#/{name}"
    elif "$ref" in node:
        made["$ref"] = node["$ref"]
    return made


class Repo:
    """A copy of what the spec's tools read and write, to spoil."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        skip = shutil.ignore_patterns("__pycache__")
        for name in ("openapi", "generated", "target"):
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", folder)

    @property
    def spec(self) -> Path:
        return self.folder / "openapi" / "delivery-api.yaml"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run openapi/spec.py of the copy."""
        return self._script("spec.py", *arguments)

    def generate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run openapi/generate.py of the copy."""
        return self._script("generate.py", *arguments)

    def _script(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, self.folder / "openapi" / name, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def describe(self) -> None:
        """Write what is asked for, as a person would."""
        text = self.spec.read_text(encoding="utf-8")
        self.spec.write_text(text.replace("DESCRIBE what", "What").replace("DESCRIBE", "Now"), encoding="utf-8")

    def python(self, code: str) -> str:
        """What a program prints that has the packages of the copy."""
        paths = [str(self.folder), str(self.folder / "generated")]
        command = [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
