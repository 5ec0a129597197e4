"""The caller's own headers for the artifact, such as the token of a private rules bundle: what they may be, and when
they are asked for. They are shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from target.errors import OptionsError
from target.foreign import exact_dict, is_a, is_function

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"(?:[!-~](?:[\t -~]{0,16382}[!-~])?)?")  # an empty one tells some caches not to answer
# What a download is, and how it is read, is this package's to say; where it goes to, and how, its transport's.
_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "cache-control",
        "connection",
        "content-length",
        "expect",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ArtifactHeaders:
    """Headers, or what gives them before each download."""

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, str] | Callable[[], Mapping[str, str]]) -> None:
        self._given = given

    def __repr__(self) -> str:
        return "ArtifactHeaders(<hidden>)"

    def current(self) -> dict[str, str]:
        """The headers to send now.

        Raises:
            OptionsError: The caller's function raised, or gave what cannot be sent; without a word of either.
        """
        if not callable(self._given):
            return dict(self._given)
        raised = ""
        try:
            given = self._given()
        except BaseException as error:  # noqa: BLE001  (foreign code; not even SystemExit may end the downloads)
            raised = type(error).__name__
        if raised:  # here, so that the error is no context of this one: its words may hold a token
            raise OptionsError(f"The function in option 'artifact_headers' raised {raised}: it must return a dict")
        return _parse("What the function in option 'artifact_headers' returns", given)


def parse_artifact_headers(name: str, value: Any) -> ArtifactHeaders:
    """A dict of headers, copied, or a function that gives one. Raises OptionsError."""
    if callable(value) and not is_a(value, Mapping):
        if not is_function(value):
            raise OptionsError(
                f"Option {name!r} must be a dict or a plain function, called on a thread: not an async one"
            )
        return ArtifactHeaders(value)
    return ArtifactHeaders(_parse(f"Option {name!r}", value))


def _parse(what: str, value: Any) -> dict[str, str]:
    if not is_a(value, Mapping):
        raise OptionsError(f"{what} must be a dict of headers, not {type(value).__name__}")
    headers = exact_dict(value, what)
    seen: set[str] = set()
    for name, text in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise OptionsError(f"{what} must have names of headers as keys, such as 'Authorization'")
        if name.lower() in _OURS:
            raise OptionsError(f"{what} may not hold {name!r}, which this package sets itself: leave it out")
        if name.lower() in seen:
            raise OptionsError(f"{what} holds {name!r} twice, in other letters: leave one out")
        seen.add(name.lower())
        if not isinstance(text, str):
            raise OptionsError(f"{what} must hold a string for {name!r}, not {type(text).__name__}")
        if not _VALUE.fullmatch(text):
            raise OptionsError(f"{what} must hold printable ASCII for {name!r}, in one line, with no blanks around it")
    return headers
