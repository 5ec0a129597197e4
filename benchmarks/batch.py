"""`make bench-batch`: how many visitors a core decides for, from Parquet to Parquet, and in how much memory."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import fresh
from benchmarks.command import Command
from benchmarks.report import Row

MOST_MB = 250.0
_LEVELS = ("gold", "silver", "bronze", None)
_COUNTRIES = ("CH", "DE", "ch", "US", "FR")
_WRITTEN_AT_ONCE = 100_000
# In a process of its own: processor time, so that other work on the machine counts for little; the largest size since
# the process began, which ru_maxrss is not, since that is handed on by whoever began it.
_DECIDED = """
import json, time
from pathlib import Path
import pyarrow
from target.batch.job import Job, decide_file
job = Job(
    text=Path({rules!r}).read_bytes(), visitors=Path({visitors!r}), out=Path({out!r}), at_s=1.7e9, options={options!r}
)
pyarrow.set_cpu_count(1)
started, used = time.perf_counter(), time.process_time()
done = decide_file(job, processes=1)
seconds, used = time.perf_counter() - started, time.process_time() - used
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(json.dumps([done.rows, seconds, used, peak / 1024]))
"""


class Measured(NamedTuple):
    """Visitors decided for, seconds by the clock and of the processor, and megabytes at most."""

    visitors: int
    seconds: float
    used_s: float
    peak_mb: float


def build_rules(mboxes: int) -> dict[str, Any]:
    """Rules of so many mboxes, six in each: four shares of an audience, one for nobody, and one by share alone."""
    return {
        "version": "1.0.0",
        "meta": {"clientCode": "acme"},
        "rules": {"mboxes": {f"mbox-{number}": list(_rules_of(number)) for number in range(mboxes)}, "views": {}},
    }


def _rules_of(number: int) -> Iterator[dict[str, Any]]:
    place = {"var": "allocation"}
    audience = [{"in": [{"var": "mbox.level"}, ["gold", "silver"]]}, {"==": [{"var": "mbox.country_lc"}, "ch"]}]
    for share in range(4):
        within = [{"<=": [share * 25, place]}, {"<": [place, share * 25 + 25]}]
        yield _rule(100 + number, share, {"and": [*within, *audience]})
    yield _rule(200 + number, 0, {"==": [{"var": "mbox.level"}, "none"]})
    yield _rule(300 + number, 0, {"<=": [place, 50]})


def _rule(activity: int, experience: int, condition: dict[str, Any]) -> dict[str, Any]:
    names = {"activity.name": f"activity {activity}", "experience.name": f"experience {experience}"}
    return {
        "ruleKey": f"{activity}-{experience}",
        "activityId": activity,
        "meta": {**names, "experience.id": experience, "option.id": experience, "option.name": f"offer {experience}"},
        "condition": condition,
        "consequence": {"options": [{"type": "html", "content": f"<h1>{activity} {experience}</h1>"}]},
    }


def write_visitors(path: Path, count: int, *, alike: bool) -> Path:
    """A Parquet file of visitors; ``alike``: of few levels and countries, else with values of their own."""
    chance = random.Random(7)
    schema = pa.schema([("id", pa.string()), ("level", pa.string()), ("country", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, count, _WRITTEN_AT_ONCE):
            size = min(_WRITTEN_AT_ONCE, count - first)
            ids = [f"{chance.getrandbits(128):032x}.28_0" for _ in range(size)]
            if alike:
                others: list[Any] = [chance.choices(_LEVELS, k=size), chance.choices(_COUNTRIES, k=size)]
            else:
                numbers = range(first, first + size)
                others = [[f"level-{number}" for number in numbers], [f"country-{number}" for number in numbers]]
            writer.write_table(pa.table([ids, *others], schema=schema))
    return path


def measure(folder: Path, visitors: Path, mboxes: int) -> Measured:
    """Decide a file in a fresh process."""
    rules = folder / "rules.json"
    rules.write_text(json.dumps(build_rules(mboxes)))
    options = {
        "mboxes": [f"mbox-{number}" for number in range(mboxes)],
        "client": "acme",
        "id_columns": {"tnt_id": "id"},
        "parameters": {"level": "level", "country": "country"},
    }
    out = folder / "out.parquet"
    code = _DECIDED.format(rules=str(rules), visitors=str(visitors), out=str(out), options=options)
    return Measured(*fresh.run(code))


def measure_all(folder: Path, count: int, many: int) -> Iterator[Row]:
    """Seconds for ``count`` visitors, visitors a second where all differ, and the memory for ``many``."""
    alike = write_visitors(folder / "alike.parquet", count, alike=True)
    scale = count / 1_000_000
    for mboxes, at_most in ((1, 2.0), (10, 10.0)):
        found = measure(folder, alike, mboxes)
        name = f"{count:,} visitors, {mboxes} mbox{'es' if mboxes > 1 else ''}"
        yield Row(f"{name}: processor time", found.used_s, "s", at_most=at_most * scale, absolute=_told(found))
    differing = write_visitors(folder / "differing.parquet", count, alike=False)
    found = measure(folder, differing, 1)
    rate = found.visitors / found.used_s / 1000
    yield Row("all parameters differ, 1 mbox", rate, "k/s", at_least=150.0, absolute=_told(found))
    for mboxes, size in ((1, many), (10, many // 5)):
        found = measure(folder, write_visitors(folder / "large.parquet", size, alike=True), mboxes)
        name = f"{size:,} visitors, {mboxes} mbox{'es' if mboxes > 1 else ''}: memory"
        yield Row(name, found.peak_mb, "MB", at_most=MOST_MB, absolute=_told(found))


def _told(found: Measured) -> str:
    return f"{found.seconds:.1f} s by the clock, {found.used_s:.1f} s of the processor, {found.peak_mb:.0f} MB at most"


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("batch", __doc__)
    arguments = command.parse()
    count, many = (2_000, 4_000) if arguments.quick else (1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure_all(Path(folder), count, many))
    return command.tell(rows)


if __name__ == "__main__":
    sys.exit(main())
