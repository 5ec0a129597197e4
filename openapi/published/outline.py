"""Owns the outline of a document: its structure in one JSON file, the operation at the top, references by name."""

from __future__ import annotations

from typing import Any

from published.plain import Node


def from_outline(outline: Node) -> Node:
    """The OpenAPI document that an outline stands for."""

    def spelt(node: Any) -> Any:
        if isinstance(node, list):
            return [spelt(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str) and "/" not in node["$ref"]:
            return {**node, "$ref": f"#/components/schemas/{node['$ref']}"}
        return {key: spelt(value) for key, value in node.items()}

    def holder(name: str | None) -> Node:
        return {"content": {"application/json": {"schema": {"$ref": name}}}} if name else {}

    document: dict[str, Any] = {"components": {"schemas": outline["schemas"]}, "paths": {}}
    if isinstance(outline.get("path"), str):
        operation = {
            "parameters": outline.get("parameters", []),
            "requestBody": {"required": True, **holder(outline.get("requestBody"))},
            "responses": {status: holder(name) for status, name in outline.get("responses", {}).items()},
        }
        document["paths"] = {outline["path"]: {outline.get("method", "post"): operation}}
    if isinstance(outline.get("servers"), list):
        document["servers"] = [{"url": url} for url in outline["servers"] if isinstance(url, str)]
    read: Node = spelt(document)
    return read
