"""A shop in FastAPI: an offer with its display told by the browser, a flag, an order.

    python examples/fastapi_shop.py

serves it on http://127.0.0.1:5000 against an emulator that it starts; `--client` and `--organization-id` name an
account instead. Needs `pip install 'target-delivery[starlette,emulator]' fastapi`. Under uvicorn:
`--factory fastapi_shop:served`, with TARGET_CLIENT, TARGET_ORGANIZATION_ID and SHOP_SECRET in the environment.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from html import escape
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from target import AsyncVisit
from target.integrations.starlette import TargetMiddleware, browser_route, target_visitor

PAGE = """<!doctype html>
<title>Shop</title>
{banner}
<p>Checkout: {checkout}</p>
<form method="post" action="/bought"><button>Buy</button></form>
<script>
  if ("{handle}") navigator.sendBeacon("/seen", JSON.stringify({{handles: ["{handle}"]}}));
</script>
"""
VISIT = Depends(target_visitor)


def create_app(**options: Any) -> FastAPI:
    """The shop; `options` are those of the client and of the site."""
    app = FastAPI()
    app.add_middleware(TargetMiddleware, **options)
    app.router.routes.append(browser_route("/seen"))

    @app.get("/", response_class=HTMLResponse)
    async def home(visit: AsyncVisit = VISIT) -> str:
        result = await visit.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}})
        flags = await visit.get_attributes("feature-flag-a")
        return PAGE.format(
            banner=result.content("home", "<h1>Welcome to our shop</h1>"),
            checkout=escape(flags.get_str("feature-flag-a", "paymentExperience", "standard")),
            handle=visit.handle(result.displayed("home")) if result.mbox("home") else "",
        )

    @app.post("/bought", response_class=HTMLResponse)
    async def bought(visit: AsyncVisit = VISIT) -> str:
        result = await visit.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}})
        await visit.notify(
            result, clicked=["home"], order={"id": "order-1", "total": 49.90, "purchasedProductIds": ["7"]}
        )
        return "<p>Thank you</p>"

    return app


def served() -> FastAPI:
    """The shop of the account that the environment names."""
    names = ("client", "organization_id", "server_domain")
    options: dict[str, Any] = {name: value for name in names if (value := os.environ.get(f"TARGET_{name.upper()}"))}
    if options.get("server_domain", "").startswith("127.0.0.1"):
        options |= {"secure": False, "edge_routing": False}  # an emulator
    return create_app(handle_key=os.environ["SHOP_SECRET"], **options)


def main() -> None:
    """Serve the shop."""
    parser = argparse.ArgumentParser(description="Serve a shop on 127.0.0.1.")
    parser.add_argument("--client", default="acmeclient", help="your client code")
    parser.add_argument(
        "--organization-id", help="your organization, such as 1234@AdobeOrg; without it an emulator answers"
    )
    parser.add_argument("--port", type=int, default=5000, help="where to serve it (default 5000)")
    given = parser.parse_args()
    with ExitStack() as stack:
        options: dict[str, Any] = {"client": given.client, "organization_id": given.organization_id or "acme@AdobeOrg"}
        if given.organization_id is None:
            from target.emulator import running

            emulator = stack.enter_context(running())
            options |= {"server_domain": emulator.server_domain, "secure": False, "edge_routing": False}
        app = create_app(handle_key="change this secret of the example", **options)
        uvicorn.run(app, host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
