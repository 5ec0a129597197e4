"""What users say of overrides: what an mbox shows in the place of Target's answer, and which experience that may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from target.errors import OptionsError
from target.foreign import exact_text, is_a, is_text, items_of, kind_of, plain_copy, shown
from target.values import parse_mapping

#: Of the query parameter and the cookie that hold an override token.
OVERRIDE_NAME = "target_override"
#: Overrides that a client has at once, for everybody and for single visitors.
MOST_OVERRIDES = 1000
_MOST_FIELDS = 200  # of a query
_MOST_NAME = 250  # characters of an mbox's name
_KINDS = "text (HTML), None (default content), an Experience, or what JSON can hold"


def parse_overrides(name: str, value: object) -> dict[str, Any]:
    """What each mbox shows, by its name: copies. Raises OptionsError."""
    given = parse_mapping(name, value)
    items_of(given, MOST_OVERRIDES, f"Option {name!r}")
    of_option = f"Option {name!r}: "
    return {parse_mbox(mbox, of_option): parse_what(mbox, what, of_option) for mbox, what in given.items()}


def parse_mbox(mbox: object, where: str = "") -> str:
    """The name of an mbox. Raises OptionsError, whose message ``where`` begins."""
    text = exact_text(mbox) if is_text(mbox) else ""
    if not text.strip() or len(text) > _MOST_NAME:
        raise OptionsError(f"{where}An override needs the name of its mbox: a text of 1 to {_MOST_NAME} characters")
    return text


def parse_what(mbox: object, what: object, where: str = "") -> Any:
    """What an mbox shows, all the way down a copy. Raises OptionsError, whose message ``where`` begins."""
    from target.experience import Experience  # few clients have overrides, and dataclasses take long to load

    if is_a(what, Experience):
        return what
    if is_text(what):
        return exact_text(what)
    copy = plain_copy(what, f"{where}The override of mbox {shown(mbox)}")
    try:
        return json.loads(json.dumps(copy, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        pass  # an error raised here would carry the other one, which may quote the content
    raise OptionsError(f"{where}The override of mbox {shown(mbox)} must be {_KINDS}, not {kind_of(what)}")


def require_allowed(allowed: bool, what: str) -> None:
    """Raise OptionsError where overrides are not allowed; ``what`` begins its message."""
    if not allowed:
        raise OptionsError(
            f"{what} puts something in the place of what Target decides: create the client with allow_overrides=True "
            "where that is meant, such as in development and for QA"
        )


def require_rules(overrides: Mapping[str, Any], decisioning_method: str) -> None:
    """Raise OptionsError for an Experience where no rules are that would say what it shows."""
    from target.experience import Experience

    for mbox, what in overrides.items():
        if isinstance(what, Experience) and decisioning_method == "server-side":
            raise OptionsError(
                f"The override of mbox {shown(mbox)} is an Experience, which only rules can show: create the client "
                "with decisioning_method='on-device' or 'hybrid', or give the content itself"
            )


def token_in(url: str) -> str | None:
    """The override token in the query of ``url``: ``""`` where it names none, None where it says nothing of any."""
    if OVERRIDE_NAME not in url:
        return None
    try:
        fields = parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    return next((value for name, value in fields if name == OVERRIDE_NAME), None)


def without_token(url: str) -> str:
    """``url`` without an override token in its query. Raises ValueError where it is no URL."""
    if OVERRIDE_NAME not in url:
        return url
    parts = urlsplit(url)
    fields = [field for field in parts.query.split("&") if field.partition("=")[0] != OVERRIDE_NAME]
    return parts._replace(query="&".join(fields)).geturl()
