"""One request for a page: what its calls share, and what the answer to it says of them, whichever the client."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from target.attributes import AttributesProvider
from target.calls import parse_names
from target.clients import Client
from target.delivery.identity import build_target_cookie
from target.errors import ApiError, OptionsError, TargetError
from target.loggers import fields
from target.response import TargetCookie, TargetDeliveryResponse
from target.web.cookies import private_cache_control, set_cookie_headers, varying_by_cookie
from target.web.handles import Unreadable, marks_of, named_handles
from target.web.request import QA_COOKIE_NAME, QA_MAX_AGE_S, Known, WebRequest, fill, read_request, unnamed

if TYPE_CHECKING:
    from target._overrides.desk import Overrides
    from target.visitor import Visitor
    from target.web.site import Site
    from target_delivery_api.models import Notification

C = TypeVar("C", bound=Client)
Read = Callable[[], WebRequest]


class _Shared:
    """What the calls of one visit share. They may run at once, on threads: ``took`` is for one at a time."""

    def __init__(self, secure: bool, known: Known, session_id: str, consents: bool, is_bot: bool) -> None:
        self.secure = secure
        self.is_bot = is_bot
        self.known = known
        self.session_id = session_id
        self.consents = consents
        self.target_cookie = known.target_cookie
        self.location_hint = known.location_hint
        self.cookies: tuple[TargetCookie | None, TargetCookie | None] = (None, None)
        self.has_overrides = known.override_token is not None

    def took(self, result: TargetDeliveryResponse, began_with: str | None) -> None:
        """Go on from the cookies of ``result``. Of two calls that began with the same ones the first counts: two new
        visitors would be made of one otherwise."""
        if self.cookies[0] is None or self.target_cookie == began_with:
            self.cookies = (result.target_cookie, result.target_location_hint_cookie or self.cookies[1])
            self.target_cookie = result.target_cookie.value
            if result.target_location_hint_cookie is not None:
                self.location_hint = result.target_location_hint_cookie.value


class BaseVisit(Generic[C]):
    """What is the same for a client that blocks and for one that is awaited.

    Args:
        site: Where the visitor is.
        read: Reads the request; called when the first call is made, if any is.
        source: The framework's request, which the site's ``consent`` is asked about.
    """

    def __init__(self, site: Site[C], read: Read, source: object = None) -> None:
        self.site = site
        self.error: TargetError | None = None
        """Why the page shows defaults: what the last call that failed raised; None where none did."""
        self._read = read
        self._source = source
        self._lock = threading.Lock()
        self._shared: _Shared | None = None

    @property
    def client(self) -> C:
        """The client that the site's calls are made with."""
        return self.site.client

    @property
    def _overrides(self) -> Overrides | None:
        return self.client._services.overrides

    @property
    def is_used(self) -> bool:
        """Whether the request was read, since something was asked."""
        return self._shared is not None

    @property
    def consents(self) -> bool:
        """Whether the visitor's cookies may be read and set, and ids be sent."""
        return self._begun().consents

    @property
    def session_id(self) -> str:
        """The session of every call of this request whose cookie holds none."""
        return self._begun().session_id

    @property
    def visitor(self) -> Visitor | None:
        """The Experience Cloud identity that the calls share; None without the option ``experience_cloud``."""
        return self._begun().known.visitor

    @property
    def is_in_qa_mode(self) -> bool:
        """Whether this visitor previews activities: never cache what is made for it."""
        return self._begun().known.qa_mode is not None

    @property
    def has_overrides(self) -> bool:
        """Whether something was put in the place of what Target decides for this visitor, or will be: never cache what
        is made for it."""
        return self._begun().has_overrides

    def handle(self, notifications: Iterable[Notification]) -> str:
        """A handle by which the visitor's browser tells, later, of what ``notifications`` say: put it into the page.

        It is signed, counts for this visitor alone, and once: whoever sends it again sends the same notification ids.

        Args:
            notifications: Such as ``result.displayed("home")`` or ``result.clicked("home")``.

        Returns:
            The handle; ``""`` where there is nothing to tell, or no consent.

        Raises:
            OptionsError: The site has no ``handle_key``.
        """
        handles = self.site._handles
        told = [notification.to_dict() for notification in notifications]
        marks = self._marks()
        return handles.sign(told, marks[0]) if told and marks else ""

    def _marks(self) -> list[str]:
        shared = self._begun()
        return marks_of(shared.target_cookie, self.site._runtime.now_s()) if shared.consents else []

    def _told_by(self, body: bytes) -> Any:
        """Options of the call that tells Target what a browser named in ``body``. Raises Unreadable."""
        named = named_handles(body, self.site._config.most_handles)
        marks = self._marks()
        told = [one for handle in named for one in self.site._handles.read(handle, marks)]
        if not told:
            raise Unreadable(400)
        now_ms = int(self.site._runtime.now_s() * 1000)
        by_id = {one.get("id"): {**one, "timestamp": now_ms} for one in told}
        return self._filled({"request": {"notifications": list(by_id.values())}})

    def response_headers(self, cache_control: str | None = None, vary: str | None = None) -> list[tuple[str, str]]:
        """What the answer to the browser has to say: each Set-Cookie, Cache-Control and Vary; nothing where nothing was
        asked, or without consent. Those but Set-Cookie take the place of the application's. Where overrides are shown,
        no shared cache may keep it, with consent or without.

        A bot that the client excludes keeps no cookie, and gets none; a cache may not keep its page either, which shows
        defaults, for people.

        Args:
            cache_control: The application's Cache-Control, if it has one.
            vary: The application's Vary, if it has one.
        """
        shared = self._shared
        if shared is None or not (shared.consents or shared.has_overrides):
            return []
        config = self.site._config
        secure = shared.secure if config.cookie_secure is None else config.cookie_secure
        set_here = (*shared.cookies, self._qa_cookie(shared), shared.known.override_cookie) if shared.consents else ()
        cookies = [cookie for cookie in set_here if cookie is not None]
        lines = set_cookie_headers(cookies, config.cookie_path, config.cookie_domain, secure, config.cookie_same_site)
        if not lines and not shared.has_overrides:
            return []
        return [
            *(("Set-Cookie", line) for line in lines if not shared.is_bot),
            ("Cache-Control", private_cache_control(cache_control)),
            ("Vary", varying_by_cookie(vary)),
        ]

    @staticmethod
    def _qa_cookie(shared: _Shared) -> TargetCookie | None:
        value = shared.known.qa_cookie
        return None if value is None else TargetCookie(QA_COOKIE_NAME, value, QA_MAX_AGE_S if value else 0)

    def _begun(self) -> _Shared:
        if (shared := self._shared) is not None:
            return shared
        with self._lock:
            if (shared := self._shared) is None:
                request = self._read()
                consents = self.site._is_allowed(self._source)
                known = read_request(request, self.site._client_config, self.site._config, consents, self._overrides)
                switches = self.client._services.switches
                is_bot = switches is not None and switches.is_bot(known.context)
                session_id = self.site._runtime.new_id()
                shared = self._shared = _Shared(request.secure, known, session_id, consents, is_bot)
                # The framework's request holds its visit: let go of it, or both would wait for the garbage collector.
                del self._read, self._source
            return shared

    def _filled(self, given: Mapping[str, Any]) -> Any:  # the options of whichever call
        """The options of a call, with what the request says where ``given`` says nothing."""
        _refuse_callbacks(given)
        shared = self._begun()
        known = shared.known
        options: dict[str, Any] = {
            "target_cookie": shared.target_cookie,
            "target_location_hint": shared.location_hint,
            "session_id": shared.session_id,
            "visitor": known.visitor,
            "override_token": known.override_token,
        }
        options |= {name: value for name, value in given.items() if value is not None}
        if given.get("visitor_cookie") is not None and given.get("visitor") is None:
            del options["visitor"]
        if options.get("request") is not None:
            options["request"] = fill(options["request"], known)
        return options if shared.consents else self._unnamed(options, shared)

    def _telling(self, given: Mapping[str, Any]) -> Any:
        """Options of ``notify`` or ``queue``: as the visitor of the result, with newer ids of the same one."""
        _refuse_callbacks(given)
        shared = self._begun()
        if not shared.consents:
            return self._unnamed(given, shared)
        return {"target_cookie": shared.target_cookie, **given} if shared.target_cookie else given

    def _unnamed(self, options: Mapping[str, Any], shared: _Shared) -> dict[str, Any]:
        return unnamed(options, shared.session_id, self.site._runtime.now_s())

    def _took(self, result: TargetDeliveryResponse, options: Mapping[str, Any]) -> TargetDeliveryResponse:
        shared = self._begun()
        if self._overrides is not None and any(part.reason == "override" for part in result.meta.decisions):
            shared.has_overrides = True
        if not shared.consents:
            return self._anonymous(result, shared)
        with self._lock:
            shared.took(result, options.get("target_cookie"))
        return result

    def _anonymous(self, result: TargetDeliveryResponse, shared: _Shared) -> TargetDeliveryResponse:
        """The same result without the device id that the answer gave the visitor."""
        cookie = build_target_cookie(shared.session_id, None, self.site._runtime.now_s())
        return result._replaced(target_cookie=cookie)

    def _defaults(
        self, error: TargetError, options: Mapping[str, Any], names: list[str] | None = None
    ) -> TargetDeliveryResponse:
        """What a page gets whose call failed: a result without an answer. It is logged once for each request.

        Raises:
            OptionsError: That is what it failed by: a mistake in the program.
        """
        if isinstance(error, OptionsError):
            raise error
        self._note(error)
        return self._took(self.site._calls.unanswered(options, names or [], self._overrides), options)

    def _note(self, error: TargetError) -> None:
        if self.error is None:
            level = logging.ERROR if _is_refusal(error) else logging.WARNING
            logger = self.site._client_config.logger
            logger.log(level, "The page shows default content: %s", error, extra=_fields_of(error))
        self.error = error

    def _untold(self, error: TargetError) -> bool:
        """Log why Target could not be told. Raises OptionsError where that is it."""
        if isinstance(error, OptionsError):
            raise error
        self.error = error
        self.site._client_config.logger.warning("Target is not told what was shown: %s", error, extra=_fields_of(error))
        return False

    def _attributes(self, found: AttributesProvider, options: Mapping[str, Any]) -> AttributesProvider:
        if found.error is not None:  # these are the client's default attributes
            self._note(found.error)
        self._took(found.get_response(), options)
        return found

    def _default_attributes(
        self, error: TargetError, mbox_names: Sequence[str] | str, options: Mapping[str, Any]
    ) -> AttributesProvider:
        return AttributesProvider(self._defaults(error, options, parse_names(mbox_names)), {}, error)


def _refuse_callbacks(options: Mapping[str, Any]) -> None:
    """Raise OptionsError for callbacks: the answer to the browser waits for the calls of its visit."""
    for name in ("callback", "err_callback"):
        if options.get(name) is not None:
            raise OptionsError(f"A visit takes no {name}: call the client for that, or await the call")


def _is_refusal(error: TargetError) -> bool:
    return isinstance(error, ApiError) and 400 <= error.status < 500 and error.status != 429


def _fields_of(error: TargetError) -> dict[str, object]:
    return fields(status=error.status if isinstance(error, ApiError) else None)
