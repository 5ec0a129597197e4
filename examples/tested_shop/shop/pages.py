"""The pages: Target is told of what was shown, and of what was bought."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from shop.banner import banner_of
from target import AsyncVisit
from target.integrations.starlette import TargetMiddleware, target_visitor

VISIT = Depends(target_visitor)
ASKED: Any = {"prefetch": {"mboxes": [{"name": "home"}, {"name": "teaser"}]}}


def create_app(**options: Any) -> FastAPI:
    """The shop; ``options`` are those of its client."""
    app = FastAPI()
    app.add_middleware(TargetMiddleware, **options)

    @app.get("/", response_class=HTMLResponse)
    async def home(visit: AsyncVisit = VISIT) -> str:
        result = await visit.get_offers(request=ASKED)
        if result.mbox("home"):
            await visit.notify(result, displayed=["home"])
        return banner_of(result)

    @app.get("/checkout", response_class=HTMLResponse)
    async def checkout(visit: AsyncVisit = VISIT) -> str:
        flags = await visit.get_attributes("feature-flag-a")
        return f"<p>Checkout: {flags.get_str('feature-flag-a', 'paymentExperience', 'standard')}</p>"

    @app.post("/bought", response_class=HTMLResponse)
    async def bought(visit: AsyncVisit = VISIT) -> str:
        result = await visit.get_offers(request=ASKED)
        if result.mbox("home"):
            order = {"id": "order-1", "total": 49.90, "purchasedProductIds": ["7"]}
            await visit.notify(result, clicked=["home"], order=order)
        return "<p>Thank you</p>"

    return app
