"""`make bench-history`: what this version measured, as its line of history.md and the figures of docs/performance.md.

``python -m benchmarks.history FOLDER`` reads what the benchmarks wrote there with ``--json``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT
from target.version import __version__

HISTORY = ROOT / "benchmarks" / "history.md"
PAGE = ROOT / "docs" / "performance.md"
#: What the page and the history are made of.
BENCHMARKS = ("server_side", "async_side", "on_device", "peers")
#: Which row a column of the history has.
COLUMNS = {
    "HTTP": "time per call over bare, HTTP",
    "TLS": "time per call over bare, TLS",
    "attributes": "get_attributes over bare, HTTP",
    "16 threads": "throughput over bare, 16 threads, 0 ms, HTTP",
    "asyncio": "1,000 calls at once over bare aiohttp, 50 ms",
    "first call": "first call over bare first call, HTTP",
    "import": "import target + create over import urllib3",
    "on device, us": "get_offers",
    "over LaunchDarkly": "get_offers over LaunchDarkly",
    "attributes over LaunchDarkly": "get_attributes over LaunchDarkly",
    "flat": "one mbox each, 1,000 activities over 10",
    "p99.9": "p99.9, 1,000 a second, telemetry, swaps",
}

#: A line of the page's tables: a row, what was measured, its target.
TABLE_LINE = re.compile(r"^\| (?P<name>[^|]+?) \| (?P<value>[^|]+?) \|(?P<target>[^|]*)\|$", re.MULTILINE)

Report = Mapping[str, Any]


class HistoryError(Exception):
    """Why these figures are none to be kept, in words for whoever measured them."""


def read_reports(folder: Path) -> list[Report]:
    """What the benchmarks wrote. Raises HistoryError where one is missing, or they are not of one commit."""
    missing = [name for name in BENCHMARKS if not (folder / f"{name}.json").is_file()]
    if missing:
        raise HistoryError(f"{folder} has no figures of {', '.join(missing)}: make bench-history measures them all")
    reports = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in BENCHMARKS]
    if quick := [report["benchmark"] for report in reports if report["quick"]]:
        raise HistoryError(f"{', '.join(quick)}: figures of --quick mean nothing")
    if len(commits := {str(report["commit"]) for report in reports}) > 1:
        raise HistoryError(f"the figures are of several commits: {', '.join(sorted(commits))}")
    return reports


def line_of(version: str, reports: Iterable[Report]) -> str:
    """The line of the history; a column whose row was not measured has a dash."""
    reports = list(reports)
    rows = rows_of(reports)
    first = reports[0]
    values = [f"{rows[name]['value']:.2f}" if name in rows else "-" for name in COLUMNS.values()]
    made_on = [f"{first['machine']['python']}", f"{first['machine']['cores']}"]
    return f"| {' | '.join([version, first['at'][:10], str(first['commit']), *made_on, *values])} |"


def with_line(text: str, line: str) -> str:
    """The history with this line at its end, in the place of one of the same version."""
    begins = line[: line.index("|", 1) + 1]
    kept = [each for each in text.splitlines() if not each.startswith(begins)]
    return "\n".join([*kept, line]) + "\n"


def with_figures(page: str, reports: Iterable[Report]) -> str:
    """The page, with the figures of each row that a line of its tables names, and what they were measured on."""
    reports = list(reports)
    rows = rows_of(reports)

    def filled(found: re.Match[str]) -> str:
        row = rows.get(found["name"])
        return found[0] if row is None else f"| {found['name']} | {shown(row)} |{found['target']}|"

    page = TABLE_LINE.sub(filled, page)
    return re.sub(r"^Measured: .*$", lambda _: measured_on(reports), page, flags=re.M)


def shown(row: Mapping[str, Any]) -> str:
    """A figure as the page has it, with its verdict where it has a target."""
    digits = 0 if row["unit"] == "" else 2 if row["unit"] == "x" else 1
    value = f"{round(row['value'], digits) + 0.0:.{digits}f} {row['unit']}".rstrip()  # no -0.0
    return value if row["ok"] in (True, None) else f"{value}, missed"


def target_of(row: Mapping[str, Any]) -> str:
    """A target as the page has it."""
    if row["at_most"] is not None:
        return f"at most {row['at_most']:g}"
    return "" if row["at_least"] is None else f"at least {row['at_least']:g}"


def measured_on(reports: Iterable[Report]) -> str:
    """The line of the page that says on what, and beside what."""
    reports = list(reports)
    machine = reports[0]["machine"]
    loads = [load for report in reports for load in report["load"].values() if load is not None]
    versions = {name: number for report in reports for name, number in report["versions"].items()}
    beside = ", ".join(f"{name} {number}" for name, number in versions.items() if name != "target-delivery")
    load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    return (
        f"Measured: {reports[0]['at'][:10]}, commit {reports[0]['commit']}, {machine['implementation']} "
        f"{machine['python']} on {machine['system']}, {machine['cores']} cores{load}; {beside}."
    )


def rows_of(reports: Iterable[Report]) -> dict[str, Mapping[str, Any]]:
    """Every row by its name."""
    return {row["name"]: row for report in reports for row in report["rows"]}


def main() -> int:
    """Write both; 1 with a line on stderr where the figures are none to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the benchmarks wrote their rows")
    parser.add_argument("--version", default=__version__, help="the release whose line it is (default: %(default)s)")
    given = parser.parse_args()
    try:
        reports = read_reports(given.folder)
    except HistoryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    line = line_of(given.version, reports)
    HISTORY.write_text(with_line(HISTORY.read_text(encoding="utf-8"), line), encoding="utf-8")
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), reports), encoding="utf-8")
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
