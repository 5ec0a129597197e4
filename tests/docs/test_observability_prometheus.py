"""The recipe for Prometheus runs and is scraped; dashboard and alerts ask for what is really exported, all of it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from target import Outbox, TargetClient, TargetError
from target.integrations.opentelemetry import OpenTelemetryHook
from tests.docs.blocks import DOCUMENTED_DOMAIN
from tests.docs.test_observability_page import blocks, section
from tests.kit.calls import options_of
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.processes import ROOT
from tests.kit.shop import HOME, Shop

pytest.importorskip("opentelemetry.exporter.prometheus")

DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs/dashboards/target.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "docs/dashboards/alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = {
    **{f"{panel['title']} {each['refId']}": each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]},
    **{rule["alert"]: rule["expr"] for rule in RULES},
}
#: What Prometheus adds to what it scrapes.
ADDED = {"instance", "job"}
Samples = dict[str, set[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scrape(port: int) -> tuple[str, Samples]:
    """The text, and of each metric the labels of its samples."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    found: Samples = defaultdict(set)
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? [-+0-9.eEinfNa]+$", text, re.MULTILINE):
        found[name] |= set(re.findall(r'(\w+)="', labels))
    return text, found


@pytest.fixture(scope="module")
def scraped() -> Iterator[tuple[str, Samples, Samples]]:
    """Of the page's own block the text; and what it exports, before and after another client did all that there is."""
    with serving() as server, serving() as down:
        port = free_port()
        code = blocks("Prometheus")[0].replace(DOCUMENTED_DOMAIN, server.domain)
        code = code.replace("9464)", f"{port}, '127.0.0.1')").replace("localhost:9464", "")
        names: dict[str, Any] = {}
        exec(code, names)
        text, before = scrape(port)
        _do_all_there_is(server, down, names["metrics"])
        everything = scrape(port)[1]
        names["measured"].close()
        names["metrics"].shutdown()
        names["exporter"].shutdown()
        names["exporter"].server_close()
        yield text, before, everything


def _do_all_there_is(server: LoopbackServer, down: LoopbackServer, provider: Any) -> None:
    shop = Shop(server)
    hooks = [OpenTelemetryHook(meter_provider=provider)]
    shared: dict[str, Any] = {"hooks": hooks, "breaker_failures": 1, "retries": 0}
    options = {**shop.options, "decisioning_method": "hybrid", "outbox": Outbox.memory(flush_interval=0)}
    made = TargetClient.create(options_of(server.domain, **shared, **options))
    made.get_offers(request=HOME)
    made.queue_notifications(request={"notifications": [{"id": "n", "type": "click", "timestamp": 1}]})
    assert made.outbox.flush(5000)
    down.answer = lambda _: lambda sock: None
    failing = TargetClient.create(options_of(down.domain, **shared))
    with pytest.raises(TargetError):
        failing.get_offers(request=HOME)
    _ALIVE.extend([made, failing])


_ALIVE: list[TargetClient] = []  # gauges are of clients that are there


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    while _ALIVE:
        _ALIVE.pop().close()


def test_the_recipe_is_scraped_over_http(scraped: tuple[str, Samples, Samples]) -> None:
    text, before, _ = scraped
    shared = 'adobe_target_client="acmeclient",adobe_target_decisioning_method="server-side"'
    assert f'adobe_target_call_duration_seconds_count{{{shared},adobe_target_method="get_offers"' in text
    assert before["http_client_request_duration_seconds_bucket"] >= {
        "le",
        "server_address",
        "http_response_status_code",
    }
    assert not any(part in text for part in ("sessionId", "AdobeOrg", "tntId"))


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """The metrics that a query names, each with the labels by which it chooses."""
    functions = r"(?!(?:sum|max|min|rate|increase|histogram_quantile|vector|by|or|on|absent)\b)"
    plain = re.sub(r"\b(by|without) \([\w, ]*\)|\[[^\]]*\]", "", query)
    found = re.findall(rf"\b{functions}([a-z_]\w*)(\{{[^}}]*\}})?", re.sub(r'"[^"]*"', '""', plain))
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen))) for name, chosen in found]


def grouped_by(query: str) -> set[str]:
    return {name.strip() for names in re.findall(r"\bby \(([\w, ]*)\)", query) for name in names.split(",")}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_names_what_is_exported(title: str, scraped: tuple[str, Samples, Samples]) -> None:
    query = QUERIES[title]
    named = selectors(query)
    assert named
    assert query.count("(") == query.count(")")
    labels: set[str] = set(ADDED)
    for metric, chosen in named:
        assert metric in scraped[2]
        assert chosen <= scraped[2][metric] | ADDED, metric
        labels |= scraped[2][metric]
    assert grouped_by(query) <= labels


def test_all_that_is_measured_is_shown(scraped: tuple[str, Samples, Samples]) -> None:
    shown = {name for query in QUERIES.values() for name, _ in selectors(query)}
    ours = {name.removesuffix("_sum").removesuffix("_count").removesuffix("_bucket") for name in scraped[2]}
    ours = {name for name in ours if name.startswith(("adobe_", "http_client_")) and not name.endswith("_created")}
    assert ours == {name.removesuffix("_bucket").removesuffix("_count") for name in shown}


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_is_whole(panel: dict[str, Any]) -> None:
    place = panel["gridPos"]
    assert place["x"] >= 0
    assert place["x"] + place["w"] <= 24
    assert panel["description"]
    for each in panel["targets"]:
        assert set(re.findall(r"\{\{(\w+)\}\}", each["legendFormat"])) <= grouped_by(each["expr"])


def test_the_dashboard_asks_for_source_and_clients_and_nothing_overlaps() -> None:
    names = [each["name"] for each in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "client"]
    used = set(re.findall(r"\$\{?([a-z]\w+)\}?", json.dumps(DASHBOARD["panels"])))
    assert used <= {"datasource", "client", "__rate_interval"}
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_each_alert_is_told_on_the_page() -> None:
    assert re.findall(r"^\| `(Target\w+)` \|", section("Prometheus"), re.MULTILINE) == [rule["alert"] for rule in RULES]
    assert all(rule["annotations"]["summary"] for rule in RULES)


def test_prometheus_can_read_them(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    queries = [query.replace("$__rate_interval", "1m").replace("$client", ".*") for query in QUERIES.values()]
    recorded = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    for file in (tmp_path / "rules.yml", ROOT / "docs/dashboards/alerts.yml"):
        checked = subprocess.run(
            [promtool, "check", "rules", file], capture_output=True, text=True, timeout=20, check=False
        )
        assert checked.returncode == 0, checked.stderr
