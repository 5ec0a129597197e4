"""Override tokens: what a QA link or cookie lets its visitor see, signed, so that nobody else can make one up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from target.errors import OptionsError
from target.experience import Experience
from target.foreign import exact_text, is_text
from target.overrides import parse_overrides

#: Longer tokens are neither made nor read: browsers keep no larger cookie.
MAX_TOKEN_LENGTH = 3800
_ADVICE = "override_key needs the package itsdangerous: pip install itsdangerous"


class Permit(NamedTuple):
    """What a token says.

    Attributes:
        overrides: What mboxes show, by mbox.
        expires_s: When it ends, in epoch seconds.
    """

    overrides: Mapping[str, Any]
    expires_s: float


class Refused(Exception):
    """A token that does not count; says why, in words that show nothing of it."""


class Tokens:
    """Makes tokens and reads them.

    Args:
        keys: Secrets; the last one signs.
        client: The client code, for which alone they count.

    Raises:
        OptionsError: itsdangerous is not installed.
    """

    def __init__(self, keys: Sequence[str], client: str) -> None:
        try:
            import itsdangerous  # which clients without such links need not have
        except ImportError:
            raise OptionsError(_ADVICE) from None
        self._bad_data = itsdangerous.BadData
        self._serializer = itsdangerous.URLSafeSerializer(
            list(keys), salt=f"target.overrides/{client}", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def sign(self, permit: Permit) -> str:
        """The token. Raises OptionsError where it would be longer than MAX_TOKEN_LENGTH."""
        said = {mbox: _written(what) for mbox, what in permit.overrides.items()}
        token = self._serializer.dumps([permit.expires_s, said])
        token = token if isinstance(token, str) else token.decode("ascii")
        if len(token) > MAX_TOKEN_LENGTH:
            raise OptionsError(
                f"These overrides need a token of {len(token)} characters, more than {MAX_TOKEN_LENGTH}: name fewer, "
                "or an Experience in the place of content"
            )
        return token

    def read(self, token: object, now_s: float) -> Permit:
        """What a token says. Raises Refused for anything that is none of these keys', has been changed or is over."""
        text = exact_text(token) if is_text(token) else ""
        if len(text) > MAX_TOKEN_LENGTH:
            raise Refused("it is too long")
        try:
            expires_s, said = self._serializer.loads(text)
            permit = Permit(parse_overrides("token", {mbox: _read(what) for mbox, what in said.items()}), expires_s)
            is_over = not now_s < permit.expires_s
        except (self._bad_data, OptionsError, ValueError, TypeError, AttributeError, RecursionError):
            is_over = None
        if is_over is None:
            raise Refused("it is no token of this client, or was changed")
        if is_over:
            raise Refused("it has expired")
        return permit


def _written(what: Any) -> list[Any]:
    return ["experience", what.experience, what.activity] if isinstance(what, Experience) else ["content", what]


def _read(said: Any) -> Any:
    kind, *values = said
    if kind == "experience":
        return Experience(*values)
    (content,) = values
    return content
