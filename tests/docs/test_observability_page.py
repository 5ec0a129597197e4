"""docs/observability.md tells the truth of logs: the code runs, attributes and lines are those that there are."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from target import Attempt, CallInfo, CallOutcome, NotificationInfo, Outbox, PartDecision, TargetClient
from target.call_lines import CallLines
from target.loggers import FIELDS, Log
from tests.docs.blocks import DOCUMENTED_DOMAIN, leads_somewhere, links
from tests.kit.calls import CALL, options_of
from tests.kit.kept import Kept
from tests.kit.loopback import LoopbackServer
from tests.kit.processes import ROOT

PAGE = ROOT / "docs/observability.md"
TEXT = PAGE.read_text()


def section(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def blocks(heading: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.DOTALL | re.MULTILINE)


def test_the_block_logs_what_its_format_names(server: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("shop.target")
    try:
        exec(blocks("Logs")[0].replace(DOCUMENTED_DOMAIN, server.domain), {})
    finally:
        log.handlers.clear()
        log.setLevel(logging.NOTSET)
    lines = capsys.readouterr().err.splitlines()
    (attempt,) = [line for line in lines if line.startswith("DEBUG POST ")]
    assert re.search(rf" \[{re.escape(server.domain)} 200 [0-9.]+\]$", attempt)


def test_the_table_names_every_attribute() -> None:
    assert tuple(re.findall(r"^\| `(target_\w+)` \|", section("Logs"), re.MULTILINE)) == FIELDS


def told(outcome: CallOutcome, kind: str = "execute", **asked: Any) -> str:
    """The line of a call that ended so."""
    kept = Kept()
    call = CallInfo("acme", "get_offers", kind, asked.pop("mboxes", ()), (), None, None, "server-side", **asked)
    CallLines(Log(kept.logger)).after_call(call, outcome)
    return kept.lines()[0]


def test_lines_of_calls_are_such_lines() -> None:
    def decided(*parts: tuple[Any, ...], ms: float = 0.2, mode: str = "execute", by: str = "on-device") -> CallOutcome:
        made = [PartDecision("mbox", name, mode, reason, None, *rest) for name, reason, *rest in parts]
        return CallOutcome(ms, decisioning_method=by, decisions=tuple(made))

    attempt = Attempt("h", 0, 1)
    failed = CallOutcome(3000, attempts=(attempt, attempt), error="TargetTimeout")
    summer = ("Summer", None, "B")
    queued = Kept()
    CallLines(Log(queued.logger)).on_notification(NotificationInfo("acme", "click", "cart", None, "queued"))
    shown = (("display", "home"), ("click", "prices"))
    assert blocks("Logs", "text")[1].splitlines() == [
        told(decided(("home", "server", *summer), ms=38, by="server-side")),
        told(decided(("home", "split", *summer), ("prices", "default"))),
        told(decided(("greeting", "targeting", "Members", None, "Gold"), mode="prefetch")),
        told(decided(("home", "remote"))),
        told(decided(("home", "override"), ("prices", "bot"), ms=0.1)),
        told(failed, mboxes=("home", "prices")),
        told(CallOutcome(12, 200), "notifications", notifications=shown),
        *queued.lines(),
    ]


def test_lines_of_a_clients_life_are_such_lines(server: LoopbackServer) -> None:
    kept = Kept()
    with TargetClient.create(options_of(server.domain, outbox=Outbox.memory(), logger=kept.logger)) as client:
        client.get_offers(**CALL)

    def shape(line: str) -> str:
        plain = line.replace(server.url, "https://acmeclient.tt.omtrdc.net").replace("acmeclient", "acme")
        return re.sub(r"[0-9]+(\.[0-9]+)?", "N", plain)

    written = [shape(f"INFO {line}") for line in kept.lines(logging.INFO)]
    assert written == [shape(line) for line in blocks("Logs", "text")[0].splitlines()]


@pytest.mark.parametrize("link", links(PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert leads_somewhere(PAGE, link)
