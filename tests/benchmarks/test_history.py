"""What is kept of a release: its line of the history, and the figures of docs/performance.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import history
from benchmarks.history import COLUMNS, HistoryError, line_of, read_reports, with_figures, with_line
from benchmarks.report import Row
from tests.docs.blocks import leads_somewhere, links
from tests.kit.processes import ROOT

OFFERS, OVER = "get_offers", "get_offers over LaunchDarkly"


def report(name: str, *rows: Row, **more: Any) -> dict[str, Any]:
    return {
        "benchmark": name,
        "quick": False,
        "commit": "0123456789",
        "at": "2026-01-02T03:04:05+00:00",
        "machine": {"python": "3.11.7", "implementation": "CPython", "system": "Linux x86_64", "cores": 2},
        "load": {"before": 0.1, "after": 0.42},
        "versions": {"target-delivery": "0.1.0", "urllib3": "2.8.0"},
        "rows": [row.as_json() for row in rows],
        **more,
    }


REPORTS = [
    report("server_side", Row("time per call over bare, HTTP", 1.0849, at_most=1.1)),
    report(
        "peers", Row(OFFERS, 31.26, "us", at_most=30), Row(OVER, 2.4, at_most=2.5), versions={"growthbook": "4.0.0"}
    ),
]


def cells_of(line: str) -> dict[str, str]:
    heads = ["version", "day", "commit", "Python", "cores", *COLUMNS]
    return dict(zip(heads, line.strip("| ").split(" | "), strict=True))


def test_a_line_has_what_was_measured_and_a_dash_for_what_was_not() -> None:
    cells = cells_of(line_of("1.2.0", REPORTS))
    assert list(cells.values())[:6] == ["1.2.0", "2026-01-02", "0123456789", "3.11.7", "2", "1.08"]
    assert (cells["on device, us"], cells["over LaunchDarkly"], cells["TLS"]) == ("31.26", "2.40", "-")


def test_the_heading_of_the_history_is_that_of_its_lines() -> None:
    table = [line for line in history.HISTORY.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert list(cells_of(table[0])) == table[0].strip("| ").split(" | ")
    assert {line.count("|") for line in table} == {table[0].count("|")}


def test_a_line_is_appended_and_one_of_the_same_version_replaced() -> None:
    text = with_line("# Heading\n", line_of("1.2.0", REPORTS[:1]))
    text = with_line(text, line_of("1.2.1", REPORTS))
    text = with_line(text, line_of("1.2.0", REPORTS))
    assert [line.split(" | ")[0] for line in text.splitlines()] == ["# Heading", "| 1.2.1", "| 1.2.0"]


def test_the_page_gets_its_figures_and_keeps_all_else() -> None:
    page = "Words | here.\n\nMeasured: not yet.\n\n| row | measured | target |\n|---|---|---|\n"
    page += f"| {OFFERS} | - | at most 30 |\n| {OVER} | 9.99 x, missed | at most 2.5 |\n| of another | 7 us | |\n"
    filled = with_figures(page, REPORTS)
    assert filled == with_figures(filled, REPORTS)
    *head, offers, over, another = filled.splitlines()
    assert offers == f"| {OFFERS} | 31.3 us, missed | at most 30 |"
    assert over == f"| {OVER} | 2.40 x | at most 2.5 |"
    assert another == "| of another | 7 us | |"
    assert head[0] == "Words | here."
    assert head[2] == (
        "Measured: 2026-01-02, commit 0123456789, CPython 3.11.7 on Linux x86_64, 2 cores, load average 0.1 to 0.4; "
        "urllib3 2.8.0, growthbook 4.0.0."
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda reports: reports.pop("peers"), r"no figures of peers: make bench-history"),
        (lambda reports: reports["on_device"].update(quick=True), r"on_device: figures of --quick mean nothing"),
        (lambda reports: reports["peers"].update(commit="ff"), r"several commits: 0123456789, ff"),
    ],
)
def test_what_is_not_to_be_kept_is_refused(tmp_path: Path, change: Any, why: str) -> None:
    reports = {name: report(name) for name in history.BENCHMARKS}
    change(reports)
    for name, each in reports.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    with pytest.raises(HistoryError, match=why):
        read_reports(tmp_path)


def test_nothing_is_no_less_than_nothing() -> None:
    assert history.shown(Row("memory", -0.004, "B", at_most=5).as_json()) == "0.0 B"


def test_both_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in history.BENCHMARKS:
        (tmp_path / f"{name}.json").write_text(json.dumps(report(name, Row(f"row of {name}", 1.0))))
    for name in ("HISTORY", "PAGE"):
        (tmp_path / name).write_text("Measured: not yet.\n| row of peers | - | |\n")
        monkeypatch.setattr(history, name, tmp_path / name)
    monkeypatch.setattr("sys.argv", ["history", str(tmp_path), "--version", "9.9.9"])
    assert history.main() == 0
    assert capsys.readouterr().out.startswith("| 9.9.9 | 2026-01-02 |")
    assert "| 9.9.9 |" in (tmp_path / "HISTORY").read_text()
    assert "| row of peers | 1.00 x | |" in (tmp_path / "PAGE").read_text()


def test_every_benchmark_takes_json() -> None:
    commands = [path for path in (ROOT / "benchmarks").glob("*.py") if "argparse" in path.read_text(encoding="utf-8")]
    assert {path.name for path in commands} == {"command.py", "history.py"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    run = re.findall(r"/python (?:-m benchmarks\.|benchmarks/)(\w+)(?:\.py)?(.*)", makefile)
    assert len(run) >= 13
    assert [name for name, rest in run if name != "history" and rest.strip() != f"$(call AS_JSON,{name})"] == []


def test_links_of_the_page_lead_somewhere() -> None:
    assert [link for link in links(history.PAGE) if not leads_somewhere(history.PAGE, link)] == []
