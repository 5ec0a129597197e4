"""docs/visitor.md tells the truth: its Python runs against the emulator and sends what the text says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from target import TargetClient
from target.emulator import Emulator, load_offers, running
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/visitor.md"
ORGANIZATION = "1234567890@AdobeOrg"
ECID = "07327024324407615852294135870030620007"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(offers=load_offers(ROOT / "examples/offers.json")) as one:
        yield one


@pytest.fixture(scope="module")
def ran(emulator: Emulator) -> Iterator[tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]]:
    """The names that are defined after each block, by its number, and what the blocks sent: no test has yet."""
    with TargetClient.create(
        client="acmeclient",
        organization_id=ORGANIZATION,
        server_domain=emulator.server_domain,
        secure=False,
        edge_routing=False,
    ) as client:
        names: dict[str, Any] = {"__name__": "visitor", "client": client}
        pages = {number: dict(names) for number in run_blocks(PAGE, names, emulator.server_domain)}
        assert {received.status for received in emulator.received} == {200}
        yield pages, [received.body for received in emulator.received]


@pytest.fixture(scope="module")
def page(ran: tuple[dict[int, dict[str, Any]], list[Any]]) -> dict[int, dict[str, Any]]:
    return ran[0]


@pytest.fixture(scope="module")
def sent(ran: tuple[dict[int, Any], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return ran[1]


def test_every_block_runs(page: dict[int, Any], sent: list[Any]) -> None:
    assert list(page) == [1, 2, 3, 4, 5, 6, 7]
    assert len(sent) == 7


def test_the_visitor_is_sent(page: dict[int, Any], sent: list[Any]) -> None:
    assert sent[0]["id"] == {"marketingCloudVisitorId": ECID}
    assert sent[0]["experienceCloud"]["audienceManager"] == {"locationHint": 9}
    assert page[1]["result"].request.id.marketing_cloud_visitor_id == ECID


def test_customer_ids(page: dict[int, Any], sent: list[Any]) -> None:
    assert page[2]["visitor"].state()[ORGANIZATION]["customerIDs"] == {
        "crm": {"id": "67312378756723456", "authState": 1},
        "newsletter": {"id": "55e8", "authState": 0},
    }
    assert [entry["authenticatedState"] for entry in sent[1]["id"]["customerIds"]] == ["authenticated", "unknown"]


def test_the_calls_of_a_page_share_id_and_session(emulator: Emulator, page: dict[int, Any], sent: list[Any]) -> None:
    first, top, side = (body["experienceCloud"]["analytics"]["supplementalDataId"] for body in sent[:3])
    assert first == top == side
    assert len({received.query["sessionId"] for received in emulator.received[:3]}) == 1


def test_client_side_hits(page: dict[int, Any], sent: list[Any]) -> None:
    [hit] = page[4]["result"].analytics_hit("myreportsuite", "example.sc.omtrdc.net")
    query = parse_qs(urlsplit(hit).query)
    assert (query["pe"], query["mid"]) == (["tnt"], [ECID])
    assert query["tnta"][0].startswith("310001:1:0|")


def test_the_page_for_the_browser(page: dict[int, Any]) -> None:
    html, result = page[5]["html"], page[5]["result"]
    assert result.server_state_json() in html
    assert result.visitor_state[ORGANIZATION]["sdid"]["supplementalDataIDCurrent"] in html
    assert html.count("</script>") == 3
    assert result.visitor_state[ORGANIZATION]["customerIDs"]


def test_context(page: dict[int, Any], sent: list[Any]) -> None:
    assert page[6]["context"].geo.ip_address == "203.0.113.7"
    assert sent[5]["context"]["clientHints"] == {"platform": "macOS"}


def test_qa_mode(sent: list[Any]) -> None:
    assert sent[6]["qaMode"] == {"token": "abc", "previewIndexes": [{"activityIndex": 1, "experienceIndex": 2}]}


OWN: dict[str, Any] = {
    "id": {"thirdPartyId": "p", "marketingCloudVisitorId": "e", "customerIds": []},
    "experienceCloud": {"audienceManager": {"locationHint": 1}},
}


def test_the_table_says_what_an_opt_out_leaves(page: dict[int, Any], emulator: Emulator) -> None:
    rows = [row.strip("|\n ").split("|") for row in PAGE.read_text().splitlines() if row.startswith("|")][2:]
    told = {row[1].strip(): row[3].strip() for row in rows}
    assert len(told) == 8
    page[1]["client"].get_offers(
        request={"execute": {"pageLoad": {}}, **OWN},
        visitor_cookie=f"MCMID|{ECID}|MCAAMLH|9|MCOPTOUT|1",
        customer_ids={"crm": "1"},
        target_cookie="session#s#9585281503|PC#t.38_0#9585281503",
    )
    received = emulator.received[-1]
    for where, what in told.items():
        value: Any = {"query `sessionId`": received.query.get("sessionId"), "the host": received.headers["host"]}.get(
            where
        )
        if value is None:
            value = received.body
            for key in where.strip("`").split("."):
                value = (value or {}).get(key)
        assert (value is not None) == (what != "not sent"), where


def test_nothing_is_logged_but_what_the_text_says(page: dict[int, Any], caplog: pytest.LogCaptureFixture) -> None:
    """ "No id gets into a log line": the page's own calls once more, with every line kept."""
    caplog.set_level(logging.DEBUG)
    names = dict(page[1])
    assert len(list(run_blocks(PAGE, names, ""))) == 7
    assert ECID not in caplog.text
    assert "67312378756723456" not in caplog.text
    assert names["visitor"].state()[ORGANIZATION]["sdid"]["supplementalDataIDCurrent"] not in caplog.text


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)


def test_a_dead_link_would_be_found() -> None:
    assert not leads_somewhere(PAGE, "../README.md#no-such-heading")
    assert not leads_somewhere(PAGE, "no-such-page.md")
    assert "visitor.md" in {Path(link).name for link in links(ROOT / "README.md")}
