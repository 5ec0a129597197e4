"""Owns the page's forms: what was typed, and the request that it makes."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

_MOST_MBOXES = 50

#: Where a form says it came from a page of this process.
TOKEN = secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class TryForm:
    """What was typed to try a decision; all of it is text, and empty where nothing was."""

    mboxes: str = ""
    visitor: str = ""
    third_party: str = ""
    parameters: str = ""
    url: str = ""
    user_agent: str = ""
    country: str = ""
    region: str = ""
    city: str = ""
    ip: str = ""
    property_token: str = ""
    time: str = ""
    page_load: str = ""
    views: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not any((self.mboxes.strip(), self.page_load, self.views))


def parse_try(query: Mapping[str, str]) -> TryForm:
    """The form in a query; what belongs to no field is passed over."""
    return TryForm(**{field.name: query[field.name] for field in fields(TryForm) if field.name in query})


def is_own(token: object) -> bool:
    """Whether a form came from a page of this process."""
    return isinstance(token, str) and hmac.compare_digest(token.encode(errors="replace"), TOKEN.encode())


def build_request(form: TryForm) -> dict[str, Any]:
    """The request that a form makes, in wire form.

    Raises:
        ValueError: There are too many mboxes, or a line of the parameters is none; the message says which.
    """
    typed = {name: value.strip() for name, value in asdict(form).items()}
    names = [name for each in typed["mboxes"].split(",") if (name := each.strip())]
    if len(names) > _MOST_MBOXES:
        raise ValueError(f"Mboxes: try {_MOST_MBOXES} at once at most, not {len(names)}")
    parameters = _parse_parameters(typed["parameters"])
    part: dict[str, Any] = {"parameters": parameters} if parameters else {}
    execute: dict[str, Any] = {"pageLoad": part} if typed["page_load"] else {}
    if names:
        execute["mboxes"] = [{"index": index, "name": name, **part} for index, name in enumerate(names)]
    known = {
        "context": {"channel": "web", **_context(typed)},
        "id": _given(typed, tntId="visitor", thirdPartyId="third_party"),
        "property": _given(typed, token="property_token"),
        "execute": execute,
        "prefetch": {"views": [part]} if typed["views"] else {},
    }
    return {key: value for key, value in known.items() if value}


def _context(typed: Mapping[str, str]) -> dict[str, Any]:
    known = {
        "address": _given(typed, url="url"),
        "userAgent": typed["user_agent"],
        "geo": _given(typed, countryCode="country", stateCode="region", city="city", ipAddress="ip"),
    }
    return {key: value for key, value in known.items() if value}


def _given(typed: Mapping[str, str], **names: str) -> dict[str, str]:
    return {key: typed[name] for key, name in names.items() if typed[name]}


def _parse_parameters(text: str) -> dict[str, str]:
    parameters = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise ValueError(f"Parameters, line {number}: write name=value")
            parameters[name.strip()] = value.strip()
    return parameters
