"""A shop in Django, in one file: an offer whose display the browser tells, a flag, an order.

    python examples/django_shop.py

serves it on http://127.0.0.1:5000 against an emulator that it starts; `--client` and `--organization-id` name an
account instead. Needs `pip install 'target-delivery[django,emulator]'`. Under gunicorn or uvicorn: `application` and
`asgi_application`, with TARGET_CLIENT, TARGET_ORGANIZATION_ID and SHOP_SECRET in the environment.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.template import engines
from django.urls import path
from django.utils.safestring import mark_safe

from target.integrations.django import TargetRequest, browser_path

PAGE = """<!doctype html>
<title>Shop</title>
{{ banner }}
<p>Checkout: {{ checkout }}</p>
<form method="post" action="/bought">{% csrf_token %}<button>Buy</button></form>
{% if handle %}<script>
  navigator.sendBeacon("/seen", JSON.stringify({handles: ["{{ handle|escapejs }}"]}));
</script>{% endif %}
"""
ASKED = {"prefetch": {"mboxes": [{"name": "home"}]}}


def home(request: TargetRequest) -> HttpResponse:
    result = request.target.get_offers(request=ASKED)
    flags = request.target.get_attributes("feature-flag-a")
    page = {
        "banner": mark_safe(result.content("home", "<h1>Welcome to our shop</h1>")),  # your own marketers' markup
        "checkout": flags.get_str("feature-flag-a", "paymentExperience", "standard"),
        "handle": request.target.handle(result.displayed("home")) if result.mbox("home") else "",
    }
    return HttpResponse(engines["django"].from_string(PAGE).render(page, request))


async def bought(request: TargetRequest) -> HttpResponse:
    """A view that is a coroutine: it awaits."""
    result = await request.target.aget_offers(request=ASKED)
    order = {"id": "order-1", "total": Decimal("49.90"), "purchasedProductIds": ["7"]}
    await request.target.anotify(result, clicked=["home"], order=order)
    return HttpResponse("<p>Thank you</p>")


urlpatterns = [path("", home), path("bought", bought), browser_path("seen")]


def configure(**target: Any) -> None:
    """Settings of the shop; `target` are the options of the client and of the site."""
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", "target.integrations.django.TargetMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ.get("SHOP_SECRET", "change this secret of the example"),
        TARGET=target,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()


def from_environment() -> dict[str, Any]:
    names = ("client", "organization_id", "server_domain")
    options: dict[str, Any] = {name: value for name in names if (value := os.environ.get(f"TARGET_{name.upper()}"))}
    if options.get("server_domain", "").startswith("127.0.0.1"):
        options |= {"secure": False, "edge_routing": False}  # an emulator
    return {**options, "handle_key": os.environ.get("SHOP_SECRET")}


def main() -> None:
    """Serve the shop by the server of the standard library."""
    from wsgiref.simple_server import make_server

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
        configure(handle_key="change this secret of the example", **options)
        print(f"Serving on http://127.0.0.1:{given.port}")
        stack.enter_context(make_server("127.0.0.1", given.port, get_wsgi_application())).serve_forever()


if __name__ == "__main__":
    main()
elif not settings.configured and "TARGET_CLIENT" in os.environ:
    configure(**from_environment())
    application, asgi_application = get_wsgi_application(), get_asgi_application()
