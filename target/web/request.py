"""What a framework tells of one request for a page, and what of it goes into a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from target.config import ClientConfig
from target.delivery.identity import LOCATION_HINT_COOKIE_NAME, TARGET_COOKIE_NAME, build_target_cookie
from target.delivery.wire_form import write_request
from target.errors import OptionsError
from target.foreign import exact_text, is_text
from target.headers import Headers, context_from_headers
from target.overrides import OVERRIDE_NAME, token_in, without_token
from target.qa_mode import qa_mode_from_cookie, qa_mode_from_url, qa_mode_to_cookie
from target.response import TargetCookie
from target.visitor import Visitor, visitor_cookie_name
from target.web.options import SiteConfig
from target_delivery_api.models import Context

if TYPE_CHECKING:
    from target._overrides.desk import Overrides

#: The cookie that keeps QA mode over navigation.
QA_COOKIE_NAME = "target_qa_mode"
QA_MAX_AGE_S = 3600
_PREVIEW_FIELD = "at_preview_token"
_LONGEST_COOKIE = 4096  # of name and value, which is what browsers keep


class WebRequest(NamedTuple):
    """One request for a page, as the framework has read it.

    Attributes:
        headers: A WSGI environ, the header list of an ASGI scope, or any mapping of names to values.
        cookies: Values by name.
        url: The page's whole URL.
        client_address: IP address of the peer that connected to the server; a WSGI environ names it itself.
        secure: Whether the request came over HTTPS.
    """

    headers: Headers
    cookies: Mapping[str, str]
    url: str | None = None
    client_address: str | None = None
    secure: bool = True

    def cookie(self, *names: str) -> str | None:
        """The value of the first cookie of ``names`` that was sent, if a browser can have kept it."""
        for name in names:
            value = self.cookies.get(name)
            if is_text(value) and 0 < len(text := exact_text(value)) <= _LONGEST_COOKIE:
                return text
        return None


class Known(NamedTuple):
    """What a request says of its visitor.

    Attributes:
        context: Of every call of the request, in wire form.
        target_cookie: Value of ``mbox``.
        location_hint: Value of ``mboxEdgeCluster``.
        visitor: The Experience Cloud identity that the calls share, where the site has one.
        qa_mode: The QA mode of the request, in wire form.
        qa_cookie: The cookie that the answer sets, as the URL is a preview link; "" ends QA mode.
        override_token: The override token of the request, if it counts.
        override_cookie: The cookie that the answer sets, as the URL is an override link.
    """

    context: dict[str, Any]
    target_cookie: str | None = None
    location_hint: str | None = None
    visitor: Visitor | None = None
    qa_mode: dict[str, Any] | None = None
    qa_cookie: str | None = None
    override_token: str | None = None
    override_cookie: TargetCookie | None = None


def read_request(
    request: WebRequest, client: ClientConfig, site: SiteConfig, consents: bool, overrides: Overrides | None = None
) -> Known:
    """What ``request`` says; whatever cannot be read is left out. Without consent it says nothing of who is there."""
    context = _context(request, site)
    if not consents:
        context.geo = None
        return Known(context.to_dict())
    visitor = None
    if site.experience_cloud:
        name = visitor_cookie_name(client.organization_id)
        visitor = Visitor(client.organization_id, request.cookie(name, quote(name)) or "")  # some send its @ as %40
    url = exact_text(request.url) if is_text(request.url) else ""
    qa_mode = qa_cookie = None
    if site.qa_mode:
        kept = request.cookie(QA_COOKIE_NAME)
        if _PREVIEW_FIELD in url:
            qa_mode = qa_mode_from_url(url)
            qa_cookie = qa_mode_to_cookie(qa_mode) if qa_mode is not None else "" if kept else None
        else:
            qa_mode = qa_mode_from_cookie(kept)
    return Known(
        context.to_dict(),
        request.cookie(TARGET_COOKIE_NAME),
        request.cookie(LOCATION_HINT_COOKIE_NAME),
        visitor,
        None if qa_mode is None else qa_mode.to_dict(),
        qa_cookie,
        *(_override_token(request, url, overrides) if overrides is not None else ()),
    )


def _override_token(request: WebRequest, url: str, overrides: Overrides) -> tuple[str | None, TargetCookie | None]:
    """The override token of a request and the cookie that keeps it: the link's, if it counts, else the cookie's. A link
    without a value ends that."""
    given, kept = token_in(url), request.cookie(OVERRIDE_NAME)
    if given == "":
        return None, TargetCookie(OVERRIDE_NAME, "", 0) if kept else None
    if given is not None and (permit := overrides.read(given)) is not None:
        return given, TargetCookie(OVERRIDE_NAME, given, overrides.lasts_s(permit))
    return kept if kept is not None and overrides.read(kept) is not None else None, None


def _context(request: WebRequest, site: SiteConfig) -> Context:
    try:
        context = context_from_headers(request.headers, request.url, request.client_address, site.trusted_proxies)
        if (address := context.address) is not None:  # Target need not see tokens, nor audiences depend on them
            address.url = address.url and without_token(address.url)
            address.referring_url = address.referring_url and without_token(address.referring_url)
    except (OptionsError, ValueError):  # no framework's headers; a page is shown nevertheless
        return Context(channel="web")
    return context


def fill(asked: Any, known: Known) -> dict[str, Any]:
    """The request ``asked``, a DeliveryRequest or a mapping, in wire form, with what the page's request says where it
    says nothing itself. It is not changed.

    Raises:
        OptionsError: It cannot be sent.
    """
    wire = write_request(asked)
    own = wire.get("context")
    wire["context"] = known.context if not isinstance(own, dict) else {**known.context, **own}
    if known.qa_mode is not None:
        wire.setdefault("qaMode", known.qa_mode)
    return wire


#: Options of a call that say who the visitor is.
_NAMING = frozenset({"target_cookie", "visitor", "visitor_cookie", "customer_ids", "consumer_id"})


def unnamed(options: Mapping[str, Any], session_id: str, now_s: float) -> dict[str, Any]:
    """The options of a call without what they say of who the visitor is: a session is all that is left.

    Raises:
        OptionsError: The request among them cannot be sent.
    """
    kept = {name: value for name, value in options.items() if name not in _NAMING and value is not None}
    if "request" in kept:
        kept["request"] = wire = write_request(kept["request"])
        wire.pop("id", None)
        if isinstance(cloud := wire.get("experienceCloud"), dict):
            cloud.pop("audienceManager", None)
    # As a cookie, so that what is told of another visitor's answer is not told as that visitor.
    return {**kept, "session_id": session_id, "target_cookie": build_target_cookie(session_id, None, now_s).value}
