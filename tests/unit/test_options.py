"""The typed options: the documented names, each described."""

from __future__ import annotations

import ast
import inspect

import pytest

from target import config, options

CLIENT = {
    "timeout",
    "server_domain",
    "secure",
    "target_location_hint",
    "property_token",
    "environment_id",
    "version",
    "logger",
    "events",
    "telemetry_enabled",
    "decisioning_method",
    "polling_interval",
    "artifact_location",
    "artifact_payload",
    "environment",
    "cdn_environment",
    "cdn_base_path",
    "maximum_wait_ready",
    "edge_routing",
    "retries",
    "pool_size",
    "pool",
    "proxy",
    "ca_certs",
    "max_response_bytes",
    "async_workers",
}
CALL = {"target_cookie", "target_location_hint", "consumer_id", "customer_ids", "session_id", "decisioning_method"}


@pytest.mark.parametrize(
    ("name", "required", "optional"),
    [
        ("ClientOptions", {"client", "organization_id"}, CLIENT),
        ("RequestOptions", {"request"}, CALL),
        ("RequestCallbackOptions", {"request", "callback"}, CALL | {"err_callback"}),
        ("AttributesOptions", set(), CALL | {"request"}),
        ("AttributesCallbackOptions", {"callback"}, CALL | {"request", "err_callback"}),
        ("CustomerIdDict", {"id"}, {"authState"}),
    ],
)
def test_the_documented_options(name: str, required: set[str], optional: set[str]) -> None:
    fields = _fields(name)
    assert set(fields) >= required | optional
    assert {field for field, annotation in fields.items() if annotation.startswith("Required[")} == required


def test_what_is_documented_is_what_is_read() -> None:
    assert set(_fields("ClientOptions")) == set(config._CLIENT_OPTIONS)
    assert set(_fields("RequestCallbackOptions")) == set(config._REQUEST_OPTIONS)


def _fields(name: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for base in reversed(_bases(name)):
        body = _classes()[base].body
        fields |= {n.target.id: ast.unparse(n.annotation) for n in body if isinstance(n, ast.AnnAssign)}  # type: ignore[union-attr]
    return fields


def _bases(name: str) -> list[str]:
    bases = [base.id for base in _classes()[name].bases if isinstance(base, ast.Name) and base.id != "TypedDict"]
    return [name, *(inner for base in bases for inner in _bases(base))]


def _classes() -> dict[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(options))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("name", sorted(_classes()))
def test_every_option_is_described(name: str) -> None:
    node = _classes()[name]
    assert ast.get_docstring(node)
    if name == "CustomerIdDict":
        return
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            assert described, f"{name}.{ast.unparse(field.target)} has no docstring"
