"""Target in Flask: a visit for each request.

Target(app, client="acmeclient", organization_id="1234@AdobeOrg")

@app.get("/")
def home():
    return current_target.get_offers(request=...).content("home", DEFAULT)
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from flask import Blueprint, Flask, Request, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from target import Site, TargetClient, Visit, WebRequest

_KEY = "target.visit"
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
    """

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give ``app`` a client, and each of its requests a visit. Raises OptionsError."""
        app.extensions["target"] = Site.create({**self._options, **app.config.get("TARGET", {})})
        app.after_request(_tell)


def _visit() -> Visit:
    of_request: Request = cast("Any", request)._get_current_object()
    visit = of_request.environ.get(_KEY)  # not in flask.g, which requests share under an outer context
    if visit is None:
        site: Site[TargetClient] | None = current_app.extensions.get("target")
        if site is None:
            raise RuntimeError("There is no visit: add the extension, Target(app, client=..., organization_id=...)")
        visit = of_request.environ[_KEY] = Visit(site, partial(_read, of_request), of_request)
    return visit


#: The visit of the request in progress.
current_target: Visit = cast("Visit", LocalProxy(_visit, unbound_message="There is no visit outside of a request"))


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
    return Response(status=current_target.receive(request.stream.read(_MOST_BYTES)))


def _read(of_request: Request) -> WebRequest:
    try:
        url = of_request.url
    except HTTPException:  # a host that the application does not serve
        url = None
    return WebRequest(of_request.environ, of_request.cookies, url, secure=of_request.is_secure)


def _tell(response: Response) -> Response:
    visit: Visit | None = request.environ.pop(_KEY, None)
    if visit is not None and visit.is_used:
        headers = response.headers
        for name, value in visit.response_headers(headers.get("Cache-Control"), headers.get("Vary")):
            if name == "Set-Cookie":
                headers.add(name, value)
            else:
                headers[name] = value
    return response
