"""What the command of every benchmark takes, and what becomes of its rows: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import load_average
from benchmarks.report import Row, describe_run, print_rows
from target.version import __version__

ROOT = Path(__file__).resolve().parents[1]


class Command:
    """One benchmark's command. Made before anything is measured, since the load before is part of the figures.

    Attributes:
        name: What the benchmark is called in JSON and in history.md.
        parser: Where a benchmark adds arguments of its own.
    """

    def __init__(self, name: str, description: str | None) -> None:
        self.name = name
        self.parser = argparse.ArgumentParser(description=description)
        add = self.parser.add_argument
        add("--quick", action="store_true", help="a smoke run of seconds; its figures mean nothing")
        add("--strict", action="store_true", help="exit with 1 when a target is missed")
        add(
            "--json",
            metavar="FILE",
            nargs="?",
            const="-",
            help="write the rows to FILE as JSON, besides the table; without FILE print JSON and no table",
        )
        self._load = load_average()
        self._given = argparse.Namespace()

    def parse(self) -> argparse.Namespace:
        """The arguments."""
        self._given = self.parser.parse_args()
        return self._given

    def tell(
        self,
        rows: Sequence[Row],
        versions: Mapping[str, str] | None = None,
        *also: str,
        table: Callable[[Sequence[Row]], None] = print_rows,
    ) -> int:
        """Print the rows with what they were measured on, write JSON where it is wanted, and return the exit code.

        Args:
            rows: What was measured.
            versions: Of what was measured besides ours.
            also: Lines for people, above the table.
            table: Prints the rows for people.
        """
        report = {
            "benchmark": self.name,
            "quick": self._given.quick,
            "commit": commit(),
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "load": {"before": _number(self._load), "after": _number(load_average())},
            "versions": {"target-delivery": __version__, "urllib3": version("urllib3"), **(versions or {})},
            "rows": [row.as_json() for row in rows],
        }
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        if self._given.json == "-":
            sys.stdout.write(text)
        else:
            print("\n".join([describe_run(self._load), *also]))
            table(rows)
        if self._given.json not in (None, "-"):
            path = Path(self._given.json)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 1 if self._given.strict and any(row.missed for row in rows) else 0


def machine() -> dict[str, Any]:
    """What the figures were measured on, without its name."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def commit() -> str | None:
    """Which commit was measured, with ``+`` where files differ from it; None without git, as in an archive."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def _number(text: str) -> float | None:
    return None if text == "unknown" else float(text)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
