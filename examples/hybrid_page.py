"""A hybrid page in Flask: the server renders one offer, and at.js goes on with the page load and the views.

Against the local emulator (start it with `target emulate --port 8080`):

    python examples/hybrid_page.py --client acmeclient --organization-id acme@AdobeOrg --server-domain 127.0.0.1:8080

Against a real account, leave --server-domain out. VisitorAPI.js and at.js come from Adobe: put them into
examples/static. A preview link is this page's URL with the at_preview parameters that Target's UI makes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, render_template_string, request
from markupsafe import Markup

import target
from target import TargetClient, TargetDeliveryResponse, Visitor
from target.options import CallOptions

QA_COOKIE = "qa_mode"
DEFAULT_BANNER = Markup("<h1>Welcome to our shop</h1>")
PAGE = """<!doctype html>
<title>Shop</title>
<script src="/static/VisitorAPI.js"></script>
<script>Visitor.getInstance({{ organization_id|tojson }}, {serverState: {{ visitor_state }}});</script>
{% if server_state %}<script>window.targetGlobalSettings = {serverState: {{ server_state }}};</script>
{% endif %}<script src="/static/at.js"></script>
{{ banner }}
<p><a href="/">Next page</a>{% if qa_mode %} <a href="/?at_preview_token=">Leave QA mode</a>{% endif %}</p>
"""


def create_app(client: TargetClient, organization_id: str, trusted_proxies: Sequence[str] = ()) -> Flask:
    """The page; `trusted_proxies` are the networks of your load balancers, such as 10.0.0.0/8."""
    app = Flask(__name__)

    @app.get("/")
    def page() -> Response:
        visitor = Visitor(organization_id, visitor_cookie(organization_id))
        qa_mode = current_qa_mode()
        context = target.Context.from_headers(request.environ, url=request.url, trusted_proxies=trusted_proxies)
        options: CallOptions = {
            "visitor": visitor,
            "target_cookie": request.cookies.get(client.TARGET_COOKIE_NAME),
            "target_location_hint": request.cookies.get(client.TARGET_LOCATION_HINT_COOKIE_NAME),
        }

        def ask(consumer_id: str, **parts: Any) -> TargetDeliveryResponse | None:
            # Two consumers of one visitor: Analytics sees one hit.
            asked = {"context": context, "qaMode": qa_mode, **parts}
            try:
                result = client.get_offers({"request": asked, "consumer_id": consumer_id, **options})
            except target.TargetError as error:
                app.logger.warning("The page shows default content: %s", error)
                return None
            options["target_cookie"] = result.target_cookie.value  # the next call belongs to the same session
            return result

        for_browser = ask("page", execute={"pageLoad": {}}, prefetch={"views": [{}]})
        for_server = ask("banner", execute={"mboxes": [{"name": "home"}]})
        html = render_template_string(
            PAGE,
            organization_id=organization_id,
            visitor_state=Markup(visitor.state_json()),  # Markup: this JSON is safe inside a script element
            server_state=Markup(for_browser.server_state_json()) if for_browser else None,
            banner=banner(for_server),
            qa_mode=qa_mode,
        )
        response = app.make_response(html)
        response.headers["Cache-Control"] = "private, no-store"  # the page is for one visitor
        response.headers["Accept-CH"] = "Sec-CH-UA-Full-Version-List, Sec-CH-UA-Model, Sec-CH-UA-Platform-Version"
        if (last := for_server or for_browser) is not None:
            for cookie in filter(None, (last.target_cookie, last.target_location_hint_cookie)):
                response.headers.add("Set-Cookie", cookie.set_cookie_header(secure=request.is_secure))
        keep_qa_mode(response, qa_mode)
        return response

    return app


def visitor_cookie(organization_id: str) -> str | None:
    name = TargetClient.visitor_cookie_name(organization_id)
    return request.cookies.get(name) or request.cookies.get(quote(name))  # browsers send its @ as %40


def banner(result: TargetDeliveryResponse | None) -> Markup:
    for option in result.options("home") if result else ():
        if option.type == "html" and isinstance(option.content, str):
            return Markup(option.content)  # an HTML offer is markup that your own marketers wrote
    return DEFAULT_BANNER


def current_qa_mode() -> target.QAMode | None:
    if "at_preview_token" in request.args:  # a preview link; one with an empty token ends QA mode
        return target.qa_mode_from_url(request.url)
    return target.qa_mode_from_cookie(request.cookies.get(QA_COOKIE))


def keep_qa_mode(response: Response, qa_mode: target.QAMode | None) -> None:
    if qa_mode is not None:
        value = target.qa_mode_to_cookie(qa_mode)
        response.set_cookie(QA_COOKIE, value, httponly=True, secure=request.is_secure, samesite="Lax")
    elif QA_COOKIE in request.cookies:
        response.delete_cookie(QA_COOKIE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a hybrid page on 127.0.0.1.")
    parser.add_argument("--client", required=True, help="your client code")
    parser.add_argument("--organization-id", required=True, help="your organization, as in 1234@AdobeOrg")
    parser.add_argument("--server-domain", help="the host to call, if not <client>.tt.omtrdc.net")
    parser.add_argument("--port", type=int, default=5000, help="where to serve the page (default 5000)")
    given = vars(parser.parse_args())
    port = given.pop("port")
    if (given["server_domain"] or "").split(":")[0] in ("127.0.0.1", "localhost"):
        given |= {"secure": False, "edge_routing": False}  # the emulator speaks plain HTTP, and has no edge
    with TargetClient.create(**given) as client:
        create_app(client, given["organization_id"]).run(port=port)


if __name__ == "__main__":
    main()
