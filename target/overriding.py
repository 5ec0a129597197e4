"""The part of both clients that puts something in the place of what Target decides: overrides, and links for QA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from target._background.forks import begin_anew_if_forked
from target._background.runtime import system_runtime
from target.causes import discreet
from target.clients import Client
from target.config import ClientConfig
from target.errors import OptionsError
from target.foreign import exact_text, is_text, kind_of
from target.overrides import (
    OVERRIDE_NAME,
    parse_mbox,
    parse_overrides,
    parse_what,
    require_allowed,
    require_rules,
    without_token,
)
from target.values import parse_milliseconds

if TYPE_CHECKING:
    from target._overrides.desk import Overrides
    from target.experience import Override
    from target_delivery_api.models import VisitorId

_LEAST_LIKELY_MS = 60_000


class OverridingClient(Client):
    """What both clients are besides. Its methods wait for nothing, and are not to be awaited."""

    OVERRIDE_COOKIE_NAME = OVERRIDE_NAME

    @discreet
    def override(self, mbox: str, what: Any, visitor: VisitorId | Mapping[str, Any] | None = None) -> None:
        """Let ``mbox`` show this from the next call on, whatever Target would decide: it is not asked for, nor counted.

        Args:
            mbox: Its name.
            what: Text (HTML), None for the default content, an ``Experience``, or anything else as a JSON offer.
            visitor: For whom alone: ids as the ``id`` of a request has them, a VisitorId or a dict in wire form. A call
                is for that visitor where it names one of them, and no other id of the same kind. None: for everybody.

        Raises:
            OptionsError: The client does not allow overrides; an argument is wrong; there are too many; or the rules,
                where there are some, have no such experience at the mbox, or several: the message says which.
        """
        overrides = self._overrides("override")
        name = parse_mbox(mbox)
        value = parse_what(name, what)
        overrides.require({name: value})
        overrides.kept.put(name, value, _ids(visitor))

    @discreet
    def remove_override(self, mbox: str, visitor: VisitorId | Mapping[str, Any] | None = None) -> bool:
        """Take back what ``override`` with the same ``mbox`` and ``visitor`` said, or the option ``overrides`` for
        everybody: whether there was any.

        Raises:
            OptionsError: The client does not allow overrides, or an argument is wrong.
        """
        return self._overrides("remove_override").kept.remove(parse_mbox(mbox), _ids(visitor))

    @discreet
    def clear_overrides(self) -> None:
        """Take back all overrides, those of visitors and of the option ``overrides`` included; links go on counting.

        Raises:
            OptionsError: The client does not allow overrides.
        """
        self._overrides("clear_overrides").kept.clear()

    @discreet
    def list_overrides(self) -> list[Override]:
        """The overrides that there are, for everybody first; none where the client does not allow any."""
        begin_anew_if_forked()
        overrides = self._services.overrides
        return [] if overrides is None else list(overrides.kept)

    @discreet
    def override_token(self, overrides: Mapping[str, Any], *, max_age: float = 3_600_000) -> str:
        """A signed text that lets whoever has it see these overrides: for a cookie, or a call's ``override_token``.

        It counts for clients of the same client code that have the same ``override_key`` and allow overrides.

        Args:
            overrides: ``{mbox: what}``, as ``override`` takes them.
            max_age: Milliseconds for which it counts. Default: an hour.

        Raises:
            OptionsError: The client has no ``override_key``, or itsdangerous is not installed; an argument is wrong; or
                the token would be longer than a cookie may be.
        """
        from target._overrides.tokens import Permit, Tokens

        config = _config_of(self)
        if config.override_key is None:
            raise OptionsError("Override links are signed: give the client a secret as the option 'override_key'")
        given = parse_overrides("overrides", overrides)
        if not given:
            raise OptionsError("Option 'overrides' names no mbox: {mbox: what it is to show}")
        require_rules(given, config.decisioning_method)
        ms = parse_milliseconds("max_age", max_age)
        if ms < _LEAST_LIKELY_MS:
            config.notices.warn_once(
                ("max_age",), "An override link counts for less than a minute: if seconds are meant, multiply by 1000"
            )
        if (allowed := self._services.overrides) is not None:
            allowed.require(given)
        expires_s = system_runtime().now_s() + ms / 1000
        return Tokens(config.override_key, config.client).sign(Permit(given, expires_s))

    @discreet
    def override_link(self, url: str, overrides: Mapping[str, Any], *, max_age: float = 3_600_000) -> str:
        """``url`` with a signed query parameter ``target_override`` that shows these overrides to whoever follows it.

        Args:
            url: Of a page of yours, whole or from its path on.
            overrides: As for ``override_token``.
            max_age: As for ``override_token``.

        Raises:
            OptionsError: As ``override_token``; or ``url`` is none.
        """
        if not is_text(url):
            raise OptionsError(f"url must be the address of a page, not {kind_of(url)}")
        try:
            parts = urlsplit(without_token(exact_text(url)))
        except ValueError:
            parts = None
        if parts is None:
            raise OptionsError("url must be the address of a page, which this is not")
        field = f"{OVERRIDE_NAME}={self.override_token(overrides, max_age=max_age)}"
        return parts._replace(query=f"{parts.query}&{field}" if parts.query else field).geturl()

    def _overrides(self, method: str) -> Overrides:
        begin_anew_if_forked()
        overrides = self._services.overrides
        require_allowed(overrides is not None, f"client.{method}(...)")
        assert overrides is not None
        return overrides


def _ids(visitor: Any) -> dict[str, Any] | None:
    from target.delivery.overridden import parse_visitor

    return None if visitor is None else parse_visitor(visitor)


def _config_of(client: Client) -> ClientConfig:
    config: Any = client._config
    return config if isinstance(config, ClientConfig) else config.client
