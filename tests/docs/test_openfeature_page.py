"""docs/openfeature.md tells the truth: its Python runs against the sample shop, its tables name what the code has."""

from __future__ import annotations

import re

import pytest
from openfeature import api
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagType, Reason

from target.emulator import running
from target.integrations.openfeature import ProviderOptions
from target.integrations.openfeature._answers import MOST_CONTEXTS, MOST_TRANSACTIONS
from target.integrations.openfeature._async_provider import GATHER_S as ASYNC_GATHER_S
from target.integrations.openfeature._contexts import PROFILE, RESERVED
from target.integrations.openfeature._flag_keys import MOST_MBOXES
from target.integrations.openfeature._reading import TOKENS
from target.integrations.openfeature._settings import parse_settings
from target.integrations.openfeature._telling import GATHER_S
from target.integrations.openfeature._tracking import FIELDS
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/openfeature.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """The first column of the tables under this heading, and the second."""
    return dict(re.findall(r"^\| `?([\w.]+)`? \|([^|]*)\|", section(title), re.M))


def test_the_blocks_run_as_written_against_the_sample_shop(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as emulator:
        try:
            assert list(run_blocks(PAGE, {}, emulator.server_domain)) == [1, 2, 3]
        finally:
            api.shutdown()
        out = capsys.readouterr().out.splitlines()
        assert out[0] in ("True", "False")
        assert "Summer sale" in out[1]
        assert out[2].split()[-1] == "CACHED"
        told = emulator.wait_for_notifications(5)
        of_page = [(each["notification"]["mbox"]["name"], each["notification"]["type"]) for each in told[:4]]
        assert sorted(of_page) == [
            ("feature-flag-a", "display"),
            ("home", "click"),
            ("home", "display"),
            ("prices", "display"),
        ]
        assert all(each["known"] for each in told)
        orders = [order for each in told if (order := each["notification"].get("order"))]
        assert orders == [{"id": "o-4711", "total": 49.9}]
        assert len([item for item in emulator.received if "prefetch" in item.body]) == 2


def test_attributes_are_those_of_the_code() -> None:
    table = rows("Evaluation context")
    assert {name for name in table if name != "attribute"} - {"profile.NAME"} == set(RESERVED)
    for name, place in RESERVED.items():
        if place[0] != "option":
            assert f"`{'.'.join(place)}`" in table[name]
    assert PROFILE == "profile."


def test_options_and_their_defaults_are_those_of_the_code() -> None:
    table = {name: default.strip().strip("`") for name, default in rows("Options").items() if name != "option"}
    assert set(table) == set(ProviderOptions.__annotations__)
    settings = parse_settings({})
    assert table["exposure"] == f'"{settings.exposure}"'
    assert table["targeting_key"] == f'"{settings.id_field}"'
    assert table["requires_targeting_key"] == str(settings.requires_targeting_key)
    assert (float(table["ready_timeout"]), float(table["max_age"])) == (5000, 5000)
    assert (settings.ready_timeout_s, settings.max_age_s) == (5, 5)


def test_codes_reasons_events_and_types_are_those_of_openfeature() -> None:
    assert set(rows("Errors")) - {"code"} == {code.value for code in ErrorCode} - {"PROVIDER_FATAL"}
    assert set(rows("Reasons")) - {"reason"} == {reason.value for reason in Reason} - {"STATIC", "UNKNOWN"}
    assert set(rows("Events")) - {"event"} == {event.value for event in ProviderEvent}
    assert set(rows("Types")) - {"flag"} == {kind.value.lower() for kind in FlagType}


def test_metadata_fields_and_limits_are_those_of_the_code() -> None:
    for name in ("mbox", "decisioning_method", "decision", *TOKENS):
        assert f"`{name}`" in section("Reasons")
    for name in FIELDS:
        assert f"`{name}`" in section("What counts as shown")
    transactions = section("Transactions")
    assert f"{MOST_CONTEXTS} contexts" in transactions
    assert f"{MOST_TRANSACTIONS} transactions" in transactions
    assert f"{MOST_MBOXES} at most" in section("Keys")
    assert GATHER_S == ASYNC_GATHER_S == 0.1
    assert "within 100 ms" in section("What counts as shown")


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
