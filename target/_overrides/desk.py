"""What overrides make of one call: which of its mboxes they show, and by what."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import ref

from target._overrides.kept import KeptOverrides
from target._overrides.tokens import Permit, Refused, Tokens
from target.config import ON_DEVICE, SERVER_SIDE, ClientConfig, Runtime
from target.delivery.overridden import Overridden, Shown, asked_names, asks_nothing, leave_out, show_content
from target.delivery.reply import assemble
from target.delivery.request import Call
from target.errors import OptionsError
from target.experience import Experience
from target.foreign import shown
from target.overrides import require_rules
from target.response import Meta
from target.ways import Way

if TYPE_CHECKING:
    from target.decisioning.artifact import Artifact

_MOST_FOUND = 1000  # what experiences show, kept until other rules come
_NOTHING: Mapping[str, Any] = {}


class Overrides:
    """The overrides of one client. Safe to share between threads.

    Args:
        config: The client's options.
        runtime: Tells the time.
        rules: Gives the rules that there are now, None while there are none; itself None where there never are any.

    Raises:
        OptionsError: Tokens need a package that is not installed.
    """

    def __init__(self, config: ClientConfig, runtime: Runtime, rules: Callable[[], Artifact | None] | None) -> None:
        self._config = config
        self._runtime = runtime
        self._rules = rules
        self._tokens = None if config.override_key is None else Tokens(config.override_key, config.client)
        self._found: tuple[Callable[[], Artifact | None], dict[Any, Shown | str]] = (lambda: None, {})
        self.kept = KeptOverrides(config.overrides)

    def of(self, call: Call) -> Overridden | None:
        """What overrides make of ``call``; None where they leave it as it is."""
        permit = None if call.override_token is None else self.read(call.override_token)
        if permit is None and self.kept.is_empty:
            return None
        wanted = self.kept.of(call.body.get("id") or _NOTHING)
        if permit is not None:
            wanted = {**wanted, **permit.overrides}
        token = (call.body.get("property") or _NOTHING).get("token")
        found: dict[str, Shown] = {}
        for mbox in asked_names(call.body) & wanted.keys():
            if (each := self._show(mbox, wanted[mbox], token)) is not None:
                found[mbox] = each
        if not found:
            return None
        return Overridden(leave_out(call, found), call.body, found, self._config.client)

    def around(self, way: Way, overridden: Overridden) -> Way:
        """The way of a call with overrides; ``way`` is that of what is left of it: of nothing, nothing is asked."""
        if asks_nothing(way.call):
            meta = Meta(ON_DEVICE if way.has_rules else SERVER_SIDE, [], [])
            way = way._replace(
                decide=lambda asked, _: assemble(asked.call, None, self._runtime.now_s(), meta), has_rules=False
            )
        return way._replace(finish=overridden.finish)

    def read(self, token: object) -> Permit | None:
        """What a token of a request says; None where it does not count, which is logged once."""
        if self._tokens is None:
            problem = "the client has no override_key"
        else:
            try:
                return self._tokens.read(token, self._runtime.now_s())
            except Refused as refused:
                problem = str(refused)
        self._config.notices.warn_once(("override_token",), "An override token is ignored: %s", problem)
        return None

    def lasts_s(self, permit: Permit) -> int:
        """For how many seconds more a token counts, at most."""
        return math.ceil(permit.expires_s - self._runtime.now_s())

    def require(self, overrides: Mapping[str, Any]) -> None:
        """Refuse what could never be shown. Raises OptionsError, which says which experiences there are."""
        require_rules(overrides, self._config.decisioning_method)
        artifact = None if self._rules is None else self._rules()
        if artifact is None:
            return
        for mbox, what in overrides.items():
            if isinstance(what, Experience):
                try:
                    _find(artifact, mbox, what, None)
                except ValueError as error:
                    problem = str(error)
                else:
                    continue
                raise OptionsError(f"The override of mbox {shown(mbox)} names what is not there: {problem}")

    def _show(self, mbox: str, what: Any, property_token: str | None) -> Shown | None:
        """What shows it; None where that is not to be had, which is logged once for each mbox."""
        if not isinstance(what, Experience):
            return show_content(what)
        artifact = None if self._rules is None else self._rules()
        found = "there are no rules" if artifact is None else self._look_up(artifact, mbox, what, property_token)
        if isinstance(found, Shown):
            return found
        self._config.notices.warn_once(
            ("override", mbox), "The override of mbox %s is not shown, and Target decides: %s", shown(mbox), found
        )
        return None

    def _look_up(self, artifact: Artifact, mbox: str, what: Experience, property_token: str | None) -> Shown | str:
        """What shows an experience, or why nothing does."""
        known, found = self._found
        if known() is not artifact:
            self._found = _, found = ref(artifact), {}
        key = (mbox, what, property_token)
        if (each := found.get(key)) is None:
            if len(found) >= _MOST_FOUND:
                found.clear()
            try:
                each = _find(artifact, mbox, what, property_token)
            except ValueError as error:
                each = str(error)
            found[key] = each
        return each


def _find(artifact: Artifact, mbox: str, what: Experience, property_token: str | None) -> Shown:
    """What shows an experience at an mbox. Raises ValueError where the rules have none, or several."""
    from target.decisioning.experiences import exhibit  # which contents never need

    found = exhibit(artifact, mbox, what.experience, what.activity, property_token)
    return Shown(found.options, found.which)
