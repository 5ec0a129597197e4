"""`make bench-engines`: visitors a second by Spark, Ray and Dask with one worker and two, start-up and peak memory.

Run by the Python of build/engines (`make engines`), and each engine in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.command import Command
from benchmarks.commits import ROOT
from benchmarks.engines_job import ENGINES, write_visitors
from benchmarks.memory import tree_bytes
from benchmarks.report import Row

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


def _rows(measured: list[Measured]) -> Iterator[Row]:
    for each in measured:
        name = f"{each.engine}, {each.workers} worker{'s' if each.workers > 1 else ''}"
        yield Row(f"{name}: visitors a second", each.per_second, "")
        yield Row(f"{name}: visitors a second of CPU", each.per_cpu_second, "")
        yield Row(f"{name}: start", each.started_s, "s")
        yield Row(f"{name}: memory at most", each.peak_bytes / 1e6, "MB")


def _versions() -> dict[str, str]:
    found = {}
    for name in ("pyarrow", "pyspark", "ray", "dask"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def main() -> int:
    """Measure and print."""
    command = Command("engines", __doc__)
    parser = command.parser
    parser.add_argument("--visitors", type=int, default=1_000_000, help="how many, in 8 files of Parquet")
    parser.add_argument("--repeats", type=int, default=5, help="jobs of each engine, of which the fastest counts")
    parser.add_argument("--engine", choices=list(ENGINES), action="append", help="this one alone; may be repeated")
    parser.add_argument(
        "--workers", type=int, action="append", help="so many alone; may be repeated; 1 and 2 by default"
    )
    arguments = command.parse()
    visitors, repeats = (4_000, 1) if arguments.quick else (arguments.visitors, arguments.repeats)
    counts = sorted(set(arguments.workers or WORKERS))
    measured = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_visitors(folder / "visitors", visitors, FILES)
        write_visitors(folder / "few", 80, FILES)
        for engine in arguments.engine or ENGINES:
            measured += [measure(engine, workers, folder, visitors, repeats) for workers in counts]
    versions = _versions()
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    what = f"{visitors:,} visitors, one mbox; {told}"
    return command.tell(list(_rows(measured)), versions, what, table=lambda _: print_table(measured))


if __name__ == "__main__":
    sys.exit(main())
