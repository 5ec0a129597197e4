"""A function that takes a result: made of plain data."""

from __future__ import annotations

import pytest
from shop.banner import WELCOME, banner_of

from target import TargetDeliveryResponse


@pytest.mark.parametrize(
    ("contents", "banner"),
    [
        ({"home": "<h1>Sale</h1>"}, "<h1>Sale</h1>"),
        ({"home": None}, WELCOME),
        ({}, WELCOME),
        ({"home": "<h1>", "teaser": {"title": "Bag", "price": 49}}, "<h1><p>Bag: 49 EUR</p>"),
        ({"home": "<h1>", "teaser": {"title": "Bag"}}, "<h1>"),
    ],
)
def test_banner(contents: dict[str, object], banner: str) -> None:
    assert banner_of(TargetDeliveryResponse.from_data({"mboxes": contents})) == banner
