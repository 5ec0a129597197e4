"""Target in Flask: a visit for each request.

Target(app, client="acmeclient", organization_id="1234@AdobeOrg")

@app.get("/")
def home():
    return current_target.get_offers(request=...).content("home", DEFAULT)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from flask import Blueprint, Flask, Request, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from target import OptionsError, Site, TargetClient, Visit, WebRequest

_KEY = "_target_visit"
_MOST_BYTES = 65_537  # one more than a visit reads


class Target:
    """The extension: ``Target(app, ...)``, or ``Target().init_app(app)`` in a function that makes applications.

    The client is made at once, so that a mistake in its options is told when the application starts. It may be made
    before a server forks its workers. ``app.extensions["target"]`` is the Site.

    Args:
        app: The application, if it is there already.
        **options: The client's (``target.options.ClientOptions``) and the site's (``target.SiteOptions``). Those of the
            application's configuration, ``app.config["TARGET"]``, win.

    Raises:
        OptionsError: An option is missing, unknown or wrong.
        RuntimeError: The application has the extension already.
    """

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give ``app`` a client, and each of its requests a visit. Raises OptionsError and RuntimeError."""
        if "target" in app.extensions:
            raise RuntimeError("This application has a Target already: call init_app once for each")
        configured = app.config.get("TARGET", {})
        if not isinstance(configured, Mapping):
            raise OptionsError("app.config['TARGET'] must be a dict of options")
        app.after_request(_tell)
        app.extensions["target"] = Site.create({**self._options, **configured})


def _request() -> Request:
    return cast("Any", request)._get_current_object()  # type: ignore[no-any-return]


def _visit() -> Visit:
    try:
        of_request = _request()
    except RuntimeError:
        raise RuntimeError(
            "There is no visit outside of a request: call the client itself, app.extensions['target'].client"
        ) from None
    visit: Visit | None = vars(of_request).get(_KEY)  # not in flask.g, which requests share under an outer context
    if visit is None:
        site: Site[TargetClient] | None = current_app.extensions.get("target")
        if site is None:
            raise RuntimeError("There is no visit: add the extension, Target(app, client=..., organization_id=...)")
        visit = vars(of_request)[_KEY] = Visit(site, partial(_read, of_request), of_request)
    return visit


#: The visit of the request in progress.
current_target: Visit = cast("Visit", LocalProxy(_visit))


def browser_blueprint(path: str = "/seen", name: str = "target") -> Blueprint:
    """By which browsers tell, by handles, what they showed: ``app.register_blueprint(browser_blueprint())``.

    Args:
        path: Where they post to. Blockers of advertisements stop paths such as ``/track``.
        name: Of the blueprint.
    """
    blueprint = Blueprint(name, __name__)
    blueprint.add_url_rule(path, "seen", _receive, methods=["POST"])
    return blueprint


def _receive() -> Response:
    return Response(status=current_target.receive(_posted(_request())))


def _posted(of_request: Request) -> bytes:
    """The body, or its beginning: more than a visit reads is refused, whatever follows."""
    length = of_request.content_length
    if length is not None and length < _MOST_BYTES:
        return of_request.get_data()  # which another function of the application may have read, too
    body = b""
    while len(body) < _MOST_BYTES and (part := of_request.stream.read(_MOST_BYTES - len(body))):
        body += part
    return body


def _read(of_request: Request) -> WebRequest:
    try:
        url = of_request.url
    except (HTTPException, ValueError):  # a host that the application does not serve, or that is none
        url = None
    return WebRequest(of_request.environ, of_request.cookies, url, secure=of_request.is_secure)


def _tell(response: Response) -> Response:
    of_request = _request()
    visit: Visit | None = vars(of_request).get(_KEY)
    if visit is None:
        return response
    if not visit.is_used:
        vars(of_request).pop(_KEY)  # they hold each other, and would wait for the garbage collector
        return response
    headers = response.headers
    said = (", ".join(headers.getlist(name)) for name in ("Cache-Control", "Vary"))
    for name, value in visit.response_headers(*said):
        if name == "Set-Cookie":
            headers.add(name, value)
        else:
            headers[name] = value
    return response
