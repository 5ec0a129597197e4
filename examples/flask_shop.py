"""A shop in Flask: an offer whose display the browser tells, a flag, an order.

    python examples/flask_shop.py

serves it on http://127.0.0.1:5000 against an emulator that it starts; `--client` and `--organization-id` name an
account instead. Needs `pip install 'target-delivery[flask,emulator]'`. Under gunicorn: `flask_shop:served()`,
with TARGET_CLIENT, TARGET_ORGANIZATION_ID and SHOP_SECRET in the environment.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from flask import Flask, render_template_string
from markupsafe import Markup

from target.integrations.flask import Target, browser_blueprint, current_target

PAGE = """<!doctype html>
<title>Shop</title>
{{ banner }}
<p>Checkout: {{ checkout }}</p>
<form method="post" action="/bought"><button>Buy</button></form>
{% if handle %}<script>
  navigator.sendBeacon("/seen", JSON.stringify({handles: [{{ handle|tojson }}]}));
</script>{% endif %}
"""
ASKED = {"prefetch": {"mboxes": [{"name": "home"}]}}


def create_app(**options: Any) -> Flask:
    """The shop; `options` are those of the client and of the site."""
    app = Flask(__name__)
    Target(app, **options)
    app.register_blueprint(browser_blueprint("/seen"))

    @app.get("/")
    def home() -> str:
        result = current_target.get_offers(request=ASKED)
        flags = current_target.get_attributes("feature-flag-a")
        return render_template_string(
            PAGE,
            banner=Markup(result.content("home", "<h1>Welcome to our shop</h1>")),  # your own marketers' markup
            checkout=flags.get_str("feature-flag-a", "paymentExperience", "standard"),
            handle=current_target.handle(result.displayed("home")) if result.mbox("home") else "",
        )

    @app.post("/bought")
    def bought() -> str:
        result = current_target.get_offers(request=ASKED)
        order = {"id": "order-1", "total": Decimal("49.90"), "purchasedProductIds": ["7"]}
        current_target.notify(result, clicked=["home"], order=order)
        return "<p>Thank you</p>"

    return app


def served() -> Flask:
    """The shop of the account that the environment names, for a server that takes a function."""
    names = ("client", "organization_id", "server_domain")
    options: dict[str, Any] = {name: value for name in names if (value := os.environ.get(f"TARGET_{name.upper()}"))}
    if options.get("server_domain", "").startswith("127.0.0.1"):
        options |= {"secure": False, "edge_routing": False}  # an emulator
    return create_app(handle_key=os.environ["SHOP_SECRET"], **options)


def main() -> None:
    """Serve the shop by Flask's own server."""
    parser = argparse.ArgumentParser(description="Serve a shop on 127.0.0.1.")
    parser.add_argument("--client", default="acmeclient", help="your client code")
    parser.add_argument("--organization-id", help="your organization, such as 1234@AdobeOrg; none: an emulator")
    parser.add_argument("--port", type=int, default=5000, help="where to serve it (default 5000)")
    given = parser.parse_args()
    with ExitStack() as stack:
        options: dict[str, Any] = {"client": given.client, "organization_id": given.organization_id or "acme@AdobeOrg"}
        if given.organization_id is None:
            from target.emulator import running

            emulator = stack.enter_context(running())
            options |= {"server_domain": emulator.server_domain, "secure": False, "edge_routing": False}
        create_app(handle_key="change this secret of the example", **options).run(port=given.port)


if __name__ == "__main__":
    main()
