"""docs/values.md tells the truth: its table is what requests take, and its example is sent as it says."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from target import OptionsError
from target.delivery.wire_form import write_request
from target.emulator import load_offers, running
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.odd import Tier
from tests.kit.processes import ROOT

PAGE = ROOT / "docs" / "values.md"
DAY = datetime.date(2026, 1, 2)
NOON = datetime.datetime(2026, 1, 2, 12, 0)
VALUES: dict[str, tuple[Any, Any]] = {
    "str": ("2026-01-02T12:00:00Z", "2026-01-02T12:00:00Z"),
    "int": (4711, "4711"),
    "float": (1.5, "1.5"),
    "Decimal": (Decimal("19.90"), "19.90"),
    "UUID": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "date": (DAY, "2026-01-02"),
    "datetime": (NOON, "2026-01-02T12:00:00+00:00"),
    "bool": (True, "true"),
    "Enum": (Tier.GOLD, "gold"),
}
PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "as an id": lambda value: {"id": {"thirdPartyId": value}},
    "as text": lambda value: {"context": {"userAgent": value}},
    "as a parameter": lambda value: {"execute": {"pageLoad": {"parameters": {"a": value}}}},
    "as a number": lambda value: {"execute": {"pageLoad": {"order": {"total": value}}}},
    "as a moment": lambda value: {"execute": {"pageLoad": {"order": {"time": value}}}},
}
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if "`" in line and line[0] == "|"
]


def innermost(written: Any) -> Any:
    while isinstance(written, dict):
        (written,) = written.values()
    return written


def test_the_table_has_each_kind() -> None:
    assert [row[0].rpartition(" ")[2].strip("`") for row in ROWS] == list(VALUES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_table_tells_what_requests_take(row: list[str]) -> None:
    value, text = VALUES[row[0].rpartition(" ")[2].strip("`")]
    for said, (name, place) in zip(row[1:], PLACES.items(), strict=True):
        try:
            written = innermost(write_request(place(value)))
        except OptionsError:
            # An enum that holds "gold" is no number and no moment, and no more is what it holds.
            assert said == "refused" or (row[0] == "an `Enum`" and name in ("as a number", "as a moment"))
            continue
        expected = {
            "itself": value,
            "its digits": text,
            "its text": text,
            "its value": text,
            "ISO 8601": text,
            "the number": 19.9,
            "its midnight, UTC": "2026-01-02T00:00:00+00:00",
        }
        assert (said, written) == (said, expected[said])


def test_the_example_is_sent_as_it_says() -> None:
    with running(offers=load_offers(ROOT / "examples/offers.json")) as emulator:
        assert len(list(run_blocks(PAGE, {}, emulator.server_domain))) == 1
        asked, told = emulator.received
    assert asked.query["sessionId"] == told.query["sessionId"] == str(uuid.UUID(int=5))
    assert asked.body["id"]["thirdPartyId"] == told.body["id"]["thirdPartyId"] == "4711"
    assert asked.body["execute"]["mboxes"][0]["parameters"] == {"since": "2026-01-02"}
    assert told.body["notifications"][0]["order"] == {
        "id": "7d9f0c1e-0000-4000-8000-000000000001",
        "total": 19.9,
        "purchasedProductIds": ["4711", "sku-2"],
        "time": "2026-01-02T12:30:00+00:00",
    }


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
