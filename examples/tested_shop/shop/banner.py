"""The banner of the home page, made of what Target answered."""

from __future__ import annotations

from target import TargetDeliveryResponse

WELCOME = "<h1>Welcome to our shop</h1>"


def banner_of(result: TargetDeliveryResponse) -> str:
    """Markup: the offer of the mbox ``home``, and what the mbox ``teaser`` says of a product."""
    teaser = result.content("teaser", default={})
    line = f"<p>{teaser['title']}: {teaser['price']} EUR</p>" if {"title", "price"} <= teaser.keys() else ""
    return f"{result.content('home', default=WELCOME)}{line}"
