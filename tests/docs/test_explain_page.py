"""docs/explain.md tells the truth: what it prints is what is printed, and its table has every verdict."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from target import TargetClient
from target.decisioning.explanation import Verdict
from target.reasons import RuleReason
from tests.docs.blocks import leads_somewhere, links, run_blocks
from tests.kit.cdn import artifact
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/explain.md"
TEXT = PAGE.read_text()


def test_the_blocks_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    blocks = run_blocks(PAGE, names, "127.0.0.1:1")
    assert next(blocks) == 1
    (shown,) = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert capsys.readouterr().out == shown
    assert next(blocks) == 2
    assert capsys.readouterr().out.splitlines() == [
        "targeting ['Members']",
        "country is \"US\" True ('US',) {'geo.country': 'US'}",
    ]


def test_every_verdict_and_reason_is_told_of() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)) == set(get_args(Verdict))
    assert all(f"`{reason}`" in TEXT for reason in get_args(RuleReason))


def test_a_result_names_what_was_decided(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    assert list(run_blocks(ROOT / "docs/results.md", names, "127.0.0.1:1")) == [1]
    client = TargetClient.create(
        client="acme",
        organization_id="1@AdobeOrg",
        decisioning_method="on-device",
        artifact_payload=artifact(),
        polling_interval=0,
    )
    with client:
        names["log_decisions"](client.get_offers(request={"prefetch": {"mboxes": [{"name": "home"}]}}))
    assert capsys.readouterr().out == "mbox home targeting 100 0\n"


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
