"""`make bench-engines`: visitors a second by Spark, Ray and Dask with one worker and two, start-up and peak memory.

Run by the Python of build/engines (`make engines`), and each engine in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.commits import ROOT
from benchmarks.engines_job import ENGINES, write_visitors
from benchmarks.measure import load_average
from benchmarks.memory import tree_bytes
from benchmarks.report import describe_run

FILES = 8
WORKERS = (1, 2)
_JOB_S = 600


@dataclass(frozen=True)
class Measured:
    """One engine with so many workers."""

    engine: str
    workers: int
    #: The fastest of the jobs, which what else runs on the machine disturbed least.
    best_s: float
    slowest_s: float
    #: Of CPU, by all processes together, in the job that took the least.
    cpu_s: float
    started_s: float
    peak_bytes: int
    visitors: int

    @property
    def per_second(self) -> float:
        """Visitors a second, by all workers."""
        return self.visitors / self.best_s

    @property
    def per_cpu_second(self) -> float:
        """Visitors for each second of CPU: what a core that does nothing else decides in a second."""
        return self.visitors / self.cpu_s


def measure(engine: str, workers: int, folder: Path, visitors: int, repeats: int) -> Measured:
    """Run the jobs of one engine, and watch how much memory all of its processes hold."""
    command = [sys.executable, "-m", "benchmarks.engines_job", engine, str(workers), str(folder), str(repeats)]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}",
        "PYSPARK_PYTHON": sys.executable,
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "BEGAN": str(time.time()),
    }
    log = folder / f"{engine}-{workers}.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            peak = _peak_of(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    result = folder / f"{engine}-{workers}" / "result.json"
    if not result.exists():
        raise SystemExit(f"{engine} with {workers} workers failed:\n{log.read_text()[-3000:]}")
    seen = json.loads(result.read_text())
    gold_over_40 = sum(row % 3 == 0 and row % 80 > 40 for row in range(visitors))
    if (seen["rows"], seen["shown"]) != (visitors, gold_over_40):
        raise SystemExit(f"{engine} decided {seen['rows']} rows, and showed {seen['shown']}; {gold_over_40} were due")
    took = seen["took_s"]
    return Measured(engine, workers, min(took), max(took), min(seen["cpu_s"]), seen["started_s"], peak, visitors)


def _peak_of(process: subprocess.Popen[bytes]) -> int:
    """The most that the process and all below it hold at once, looked at four times a second."""
    peak, ends = 0, time.monotonic() + _JOB_S
    while process.poll() is None and time.monotonic() < ends:
        peak = max(peak, tree_bytes(process.pid))
        time.sleep(0.25)
    return peak


def print_table(measured: list[Measured]) -> None:
    """A row for each engine and number of workers; the ratio is that to one worker."""
    heads = ("workers", "visitors/s", "to 1", "per CPU s", "best s", "worst s", "start s", "peak MB")
    print(f"{'':<6}" + "".join(f"{head:>11}" for head in heads))
    ones = {each.engine: each for each in measured if each.workers == 1}
    for each in measured:
        cells = (
            f"{each.workers}",
            f"{each.per_second:,.0f}",
            f"{each.per_second / ones[each.engine].per_second:.2f}x" if each.engine in ones else "",
            f"{each.per_cpu_second:,.0f}",
            f"{each.best_s:.2f}",
            f"{each.slowest_s:.2f}",
            f"{each.started_s:.1f}",
            f"{each.peak_bytes / 1e6:,.0f}",
        )
        print(f"{each.engine:<6}" + "".join(f"{cell:>11}" for cell in cells))


def _versions() -> str:
    names = ("pyarrow", "pyspark", "ray", "dask")
    found = []
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few visitors, one job each; its figures mean nothing")
    parser.add_argument("--visitors", type=int, default=1_000_000, help="how many, in 8 files of Parquet")
    parser.add_argument("--repeats", type=int, default=5, help="jobs of each engine, of which the fastest counts")
    parser.add_argument("--engine", choices=list(ENGINES), action="append", help="this one alone; may be repeated")
    parser.add_argument(
        "--workers", type=int, action="append", help="so many alone; may be repeated; 1 and 2 by default"
    )
    arguments = parser.parse_args()
    visitors, repeats = (4_000, 1) if arguments.quick else (arguments.visitors, arguments.repeats)
    counts = sorted(set(arguments.workers or WORKERS))
    load, measured = load_average(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_visitors(folder / "visitors", visitors, FILES)
        write_visitors(folder / "few", 80, FILES)
        for engine in arguments.engine or ENGINES:
            measured += [measure(engine, workers, folder, visitors, repeats) for workers in counts]
    print(f"{visitors:,} visitors, one mbox; {_versions()}")
    print(describe_run(load))
    print_table(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
