"""What hooks add to a call: headers, and parameters of all that it asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from target.delivery.request import Call, write_body

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,8192}")
#: What this package sets, and what says how the message itself is carried.
_TAKEN = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-exc-sdk",
        "x-exc-sdk-version",
        "x-request-id",
    }
)


def why_no_header(name: object, value: object) -> str | None:
    """Why a header cannot be added, in words that hold nothing of it; None where it can."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a header's name is no token of HTTP"
    if name.lower() in _TAKEN or name.lower().startswith("proxy-"):
        return "the header is one that is set already"
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        return "a header's value is not printable ASCII of at most 8192 characters"
    return None


def why_no_parameter(name: object, value: object) -> str | None:
    """The same for a parameter."""
    if not isinstance(name, str) or not name:
        return "a parameter's name is not text"
    return None if isinstance(value, str) else "a parameter's value is not text"


def add_headers(call: Call, headers: Mapping[str, str]) -> Call:
    """``call`` with these headers, too, in the place of those of the same name, however it is spelt."""
    added = {name.lower() for name in headers}
    kept = {name: value for name, value in call.headers.items() if name.lower() not in added}
    return call._replace(headers={**kept, **headers})


def add_parameters(call: Call, parameters: Mapping[str, str]) -> Call:
    """``call`` with these parameters for every mbox, view and page load that it asks for; what they have stays.

    Raises:
        OptionsError: They cannot be written.
    """
    body = dict(call.body)
    for name in ("execute", "prefetch"):
        if name in body:
            body[name] = {key: _with_parameters(key, value, parameters) for key, value in body[name].items()}
    return call._replace(body=body, written=[write_body(body)])


def _with_parameters(key: str, asked: Any, parameters: Mapping[str, str]) -> Any:
    if key in ("mboxes", "views"):
        return [_with_parameters("pageLoad", each, parameters) for each in asked or ()]
    return {**asked, "parameters": {**parameters, **(asked.get("parameters") or {})}} if key == "pageLoad" else asked
