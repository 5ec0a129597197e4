"""What a call returns: read-only values that are mappings and have attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from target.answer import Answer, Unread
from target.errors import OptionsError
from target.plain import Record, plain, written
from target.values import parse_flag, parse_integer, parse_string

if TYPE_CHECKING:
    from target.reasons import PartDecision
    from target_delivery_api.models import AnalyticsResponse, DeliveryRequest, DeliveryResponse


class TargetCookie(Record):
    """A cookie to set for the visitor.

    Attributes:
        name: ``mbox`` or ``mboxEdgeCluster``.
        value: Already encoded; set it as it is.
        max_age: Lifetime in seconds.
    """

    __slots__ = ("name", "value", "max_age")
    _keys = __slots__
    name: str
    value: str
    max_age: int

    def __init__(self, name: str, value: str, max_age: int) -> None:
        set_name, set_value, set_max_age = self._setters
        set_name(self, name)
        set_value(self, value)
        set_max_age(self, max_age)

    def set_cookie_header(
        self, path: str = "/", domain: str | None = None, secure: bool = True, same_site: str | None = "Lax"
    ) -> str:
        """The value of a ``Set-Cookie`` header. Never HttpOnly: at.js on the page shares these cookies.

        Raises:
            OptionsError: An argument is of another type, or holds what would end the attribute.
        """
        parts = [f"{_attribute('name', self.name)}={_attribute('value', self.value)}"]
        parts.append(f"Max-Age={parse_integer('max_age', self.max_age)}")
        texts = {"Path": ("path", path), "Domain": ("domain", domain), "SameSite": ("same_site", same_site)}
        for label, (name, given) in texts.items():
            if given is not None and (text := _attribute(name, given)):
                parts.append(f"{label}={text}")
        if parse_flag("secure", secure):
            parts.append("Secure")
        return "; ".join(parts)

    def __repr__(self) -> str:
        return f"TargetCookie(name={self.name!r}, value=<hidden>, max_age={self.max_age})"


def _attribute(name: str, value: object) -> str:
    text = parse_string(name, value)
    if not text.isprintable() or not text.isascii() or ";" in text:
        raise OptionsError(f"{name} of a cookie must be printable ASCII without a semicolon")
    return text


class Meta(Record):
    """How an answer came about.

    Attributes:
        decisioning_method: What decided: ``"server-side"``, or ``"on-device"``, as where nobody was asked.
        remote_mboxes: Names of mboxes that only the server can decide.
        remote_views: Names of views that only the server can decide.
    """

    __slots__ = ("decisioning_method", "remote_mboxes", "remote_views", "_decisions")
    _keys = __slots__[:3]
    decisioning_method: str
    remote_mboxes: list[str]
    remote_views: list[str]
    _decisions: Callable[[], Iterable[PartDecision]] | list[PartDecision] | None

    def __init__(
        self,
        decisioning_method: str,
        remote_mboxes: list[str],
        remote_views: list[str],
        decisions: Callable[[], Iterable[PartDecision]] | list[PartDecision] | None = None,
    ) -> None:
        set_method, set_mboxes, set_views, set_decisions = self._setters
        set_method(self, decisioning_method)
        set_mboxes(self, remote_mboxes)
        set_views(self, remote_views)
        set_decisions(self, decisions)

    @property
    def decisions(self) -> list[PartDecision]:
        """What each part of a call that was answered on the device shows, and why, in the order asked: one for each
        mbox, and for a page load or view one for each activity that it shows. Where the server decided, which does
        not say, it has overrides alone. No key of the mapping, but ``to_dict()`` has it.
        """
        decisions = self._decisions
        if decisions is None:
            return []
        if callable(decisions):  # made when it is first asked for, since most callers never do
            decisions = list(decisions())
            type(self)._setters[-1](self, decisions)
        return decisions

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON-ready data; raises as that of a result."""
        told = super().to_dict()
        return {**told, "decisions": plain(self.decisions)} if self.decisions else told

    def __reduce__(self) -> tuple[Any, ...]:
        decisions = None if self._decisions is None else self.decisions
        return type(self), (self.decisioning_method, self.remote_mboxes, self.remote_views, decisions)

    def __repr__(self) -> str:
        counts = f"remote_mboxes=[{len(self.remote_mboxes)}], remote_views=[{len(self.remote_views)}]"
        return f"Meta(decisioning_method={self.decisioning_method!r}, {counts})"


#: Those to set for the visitor: ``mbox``, and ``mboxEdgeCluster`` where a cluster is known.
Cookies = tuple[TargetCookie, TargetCookie | None]


class TargetDeliveryResponse(Answer, Record):
    """What ``get_offers`` and ``send_notifications`` return; a key that has nothing to hold is None.

    Attributes:
        meta: How the answer came about.
        visitor_state: State for VisitorAPI in the browser; there when the call had a Visitor.
    """

    __slots__ = ("_asked", "_answer", "_cookies", "meta", "visitor_state")
    _keys = (
        "request",
        "response",
        "target_cookie",
        "target_location_hint_cookie",
        "analytics_details",
        "trace",
        "response_tokens",
        "meta",
        "visitor_state",
    )
    _asked: Any  # the request in wire form, or what has it in its ``call``
    _cookies: Callable[[], Cookies] | Cookies
    meta: Meta
    visitor_state: dict[str, Any] | None

    def __init__(
        self,
        sent: dict[str, Any],
        response: DeliveryResponse | None,
        target_cookie: TargetCookie,
        target_location_hint_cookie: TargetCookie | None,
        analytics_details: list[AnalyticsResponse] | None,
        trace: list[dict[str, Any]] | None,
        response_tokens: list[dict[str, Any]] | None,
        meta: Meta,
        visitor_state: dict[str, Any] | None = None,
    ) -> None:
        answer = Unread.made(response, (analytics_details, trace, response_tokens))
        self._fill(sent, answer, (target_cookie, target_location_hint_cookie), meta, visitor_state)

    @classmethod
    def _unread(cls, asked: object, answer: Unread, cookies: Callable[[], Cookies], meta: Meta, state: object) -> Self:
        """The same of what was asked (or sent), an answer and cookies that are made when somebody first wants them."""
        self = cls.__new__(cls)
        self._fill(asked, answer, cookies, meta, state)
        return self

    def _fill(self, asked: object, answer: Unread, cookies: object, meta: object, state: object) -> None:
        set_asked, set_answer, set_cookies, set_meta, set_visitor_state = self._setters
        set_asked(self, asked)
        set_answer(self, answer)
        set_cookies(self, cookies)
        set_meta(self, meta)
        set_visitor_state(self, state)

    @property
    def _sent(self) -> dict[str, Any]:
        asked = self._asked
        return asked if isinstance(asked, dict) else asked.call.body

    @property
    def target_cookie(self) -> TargetCookie:
        """Cookie ``mbox`` to set for the visitor: session and device id. Always there."""
        return self._made_cookies()[0]

    @property
    def target_location_hint_cookie(self) -> TargetCookie | None:
        """Cookie ``mboxEdgeCluster`` to set for the visitor."""
        return self._made_cookies()[1]

    def _made_cookies(self) -> Cookies:
        cookies = self._cookies
        if callable(cookies):
            cookies = cookies()
            type(self)._setters[2](self, cookies)
        return cookies

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._sent, *(getattr(self, key) for key in self._keys[1:]))

    def _replaced(self, **changed: Any) -> Self:
        """The same with other values of some keys."""
        told = {"sent": self._sent, **{key: getattr(self, key) for key in self._keys[1:]}}
        return type(self)(**told | changed)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> TargetDeliveryResponse:
        """A result of plain data, for tests of code that reads results. It is as any other, and nothing is sent.

        Args:
            data: ``{"mboxes": {"home": "<b>hi</b>", "flags": {"a": True}, "empty": None}}``, a content each: text is
                HTML, None the default content, anything else a JSON offer. They are in ``execute``, with tokens for
                clicks; ``{"prefetch": {"mboxes": {"home": "<b>hi</b>"}}}`` has tokens to tell what was shown, too. Or
                an answer in wire form (``{"execute": {...}, "prefetch": {...}, ...}``), or what ``to_dict`` of a
                result gave.

        Raises:
            OptionsError: ``data`` is none of these; the message says where.
        """
        from target.made import make_result  # which rests on what reads answers, and so on this module

        return make_result(data)

    @property
    def request(self) -> DeliveryRequest:
        """The DeliveryRequest as it was sent; built when asked for, since most callers never do."""
        from target_delivery_api.models import DeliveryRequest

        return DeliveryRequest.from_dict(self._sent)

    def analytics_hit(self, report_suite: str, tracking_server: str) -> list[str]:
        """URLs to GET, one for each Analytics hit of a call with client-side logging; empty for any other call.

        They carry the Experience Cloud id that the call sent, if it sent one.

        Args:
            report_suite: Id of the report suite, or several with commas.
            tracking_server: Host that takes Analytics hits, e.g. ``example.sc.omtrdc.net``.

        Raises:
            OptionsError: An argument cannot be part of a URL.
        """
        from target.page import build_analytics_hits

        analytics = (self._sent.get("experienceCloud") or {}).get("analytics") or {}
        # Beside a hit of Target's own, one more would count the visitor twice.
        details = self.analytics_details or () if analytics.get("logging") == "client_side" else ()
        payloads = [detail.payload.to_dict() for detail in details if detail.payload is not None]
        # Only an id that was sent: an answer that names one must not undo an opt-out.
        visitor_id = (self._sent.get("id") or {}).get("marketingCloudVisitorId")
        return build_analytics_hits(payloads, visitor_id, report_suite, tracking_server)

    def server_state(self) -> dict[str, Any] | None:
        """``{request, response}`` in wire form for ``targetGlobalSettings.serverState`` of at.js on a hybrid page.

        Page load and views only; mboxes are the server's own. None after a 204.
        """
        from target.page import build_server_state

        response = self.response
        return None if response is None else written(lambda: build_server_state(self._sent, response.to_dict()))

    def server_state_json(self) -> str:
        """``server_state()`` as JSON that is safe inside a script element."""
        from target.page import script_json

        return script_json(self.server_state())

    def __repr__(self) -> str:
        status = None if self.response is None else self.response.status
        if not isinstance(status, int | None):
            status = type(status).__name__  # which some server may have sent an id for
        return f"TargetDeliveryResponse(status={status}, meta={self.meta!r})"
