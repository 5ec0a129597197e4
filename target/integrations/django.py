"""Target in Django: ``request.target``, a visit for each request, in views that block and in views that are awaited.

    MIDDLEWARE = [..., "target.integrations.django.TargetMiddleware"]
    TARGET = {"client": "acmeclient", "organization_id": "1234@AdobeOrg"}

    def home(request: TargetRequest) -> HttpResponse:
        return HttpResponse(request.target.get_offers(request=...).content("home", DEFAULT))

Views that are coroutines await ``request.target.aget_offers(...)`` and the like.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from target import OptionsError, Site, TargetClient, Visit, WebRequest

_MOST_BYTES = 65_537  # one more than a visit reads
_lock = threading.Lock()
_sites: list[Site[TargetClient]] = []  # the one of this process


class TargetRequest(HttpRequest):  # type: ignore[misc]
    """What views get, for annotations."""

    target: Visit


class TargetMiddleware:
    """Gives each request ``request.target``. The client is made as the application starts, once for each process, which
    may be before a server forks its workers.

    Raises:
        ImproperlyConfigured: ``settings.TARGET`` is missing or wrong.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        current_site()

    def __call__(self, request: Any) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer one request."""
        request.target = visit = Visit(current_site(), partial(_read, request), request)
        if self._is_async:
            return self._awaited(request, visit)
        return _tell(visit, self._get_response(request))

    async def _awaited(self, request: HttpRequest, visit: Visit) -> HttpResponseBase:
        return _tell(visit, await self._get_response(request))


def current_site() -> Site[TargetClient]:
    """The site of this process, made of ``settings.TARGET``.

    Raises:
        ImproperlyConfigured: The setting is missing or wrong.
    """
    if _sites:
        return _sites[0]
    with _lock:
        if not _sites:
            options = getattr(settings, "TARGET", None)
            if options is None:
                raise ImproperlyConfigured("TARGET is missing: a dict with at least client and organization_id")
            try:
                _sites.append(Site.create(options))
            except OptionsError as error:
                raise ImproperlyConfigured(f"TARGET: {error}") from error
        return _sites[0]


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "TARGET":
        with _lock:
            forgotten, _sites[:] = list(_sites), []
        for site in forgotten:
            site.client.close()


setting_changed.connect(_forget)  # which tests send, by override_settings


def browser_path(route: str = "seen", name: str = "target-seen") -> URLPattern:
    """A path for ``urlpatterns`` by which browsers tell, by handles, what they showed.

    It needs no CSRF token, which ``navigator.sendBeacon`` cannot send: a handle is signed, and counts for the visitor
    alone whose page it was put into.

    Args:
        route: Where they post to. Blockers of advertisements stop paths such as ``track``.
        name: Of the path.
    """
    return path(route, _receive, name=name)


@csrf_exempt  # type: ignore[untyped-decorator]
@require_POST  # type: ignore[untyped-decorator]
def _receive(request: Any) -> HttpResponse:
    body = b""
    try:
        while len(body) < _MOST_BYTES and (part := request.read(_MOST_BYTES - len(body))):
            body += part
    except UnreadablePostError:  # the browser went away meanwhile
        return HttpResponse(status=400)
    return HttpResponse(status=request.target.receive(body))


def _read(request: HttpRequest) -> WebRequest:
    try:
        url = request.build_absolute_uri()
    except (SuspiciousOperation, ValueError):  # a host that is not in ALLOWED_HOSTS, or that is none
        url = None
    return WebRequest(
        headers=request.headers,
        cookies=request.COOKIES,
        url=url,
        client_address=request.META.get("REMOTE_ADDR") or None,
        secure=request.is_secure(),
    )


def _tell(visit: Visit, response: HttpResponseBase) -> HttpResponseBase:
    if visit.is_used:
        for name, value in visit.response_headers(response.get("Cache-Control"), response.get("Vary")):
            if name == "Set-Cookie":
                response.cookies.load(value)
            else:
                response[name] = value
    return response
