"""One engine's part of `make bench-engines`, in a process of its own: deciding files of visitors into files.

``python -m benchmarks.engines_job ENGINE WORKERS FOLDER REPEATS`` leaves FOLDER/ENGINE-WORKERS/result.json: the seconds
from ``BEGAN`` (epoch seconds, in the environment) to the end of a first small job, those of each job afterwards by the
clock and of CPU by all processes together, and how many rows were written, and decided.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory import cpu_by_process
from target.batch import BatchDecider
from target.batch.partitions import decide_batches, plain_schema

#: Decides the files of the first folder into the second.
Deciding = Callable[[Path, Path], None]
CLIENT, AT, BATCH = "acme", 1_700_000_000, 65_536
COLUMNS = {"id_columns": {"tnt_id": "visitor_id"}, "parameters": {"membership": "level", "age": "age"}}


def make_rules() -> dict[str, Any]:
    """A mbox with a split of two experiences among gold members over 40."""
    audience = [{"==": [{"var": "mbox.membership"}, "gold"]}, {">": [{"var": "mbox.age"}, 40]}]
    place = {"var": "allocation"}
    halves = [
        {
            "ruleKey": str(number),
            "activityId": 100,
            "meta": {"activity.name": "Sale", "experience.id": number, "experience.name": "AB"[number]},
            "condition": {"and": [*audience, {"<": [place, 50 * number + 50]}, {">=": [place, 50 * number]}]},
            "consequence": {"options": [{"type": "html", "content": f"<h1>Sale {number}</h1>"}]},
        }
        for number in range(2)
    ]
    return {"version": "1.0.0", "rules": {"mboxes": {"home": halves}}}


def write_visitors(folder: Path, count: int, files: int) -> None:
    """Each with an id of its own, one of three levels and one of eighty ages; a third are gold."""
    folder.mkdir()
    size = -(-count // files)
    for number in range(files):
        rows = range(number * size, min(count, (number + 1) * size))
        ids = pa.array([f"visitor-{row:09}" for row in rows], pa.string())
        levels = pa.array([("gold", "silver", None)[row % 3] for row in rows], pa.string())
        ages = pa.array([row % 80 for row in rows], pa.int64())
        table = pa.table({"visitor_id": ids, "level": levels, "age": ages})
        pq.write_table(table, folder / f"part-{number:03}.parquet", row_group_size=BATCH)


def _decide_file(decider: BatchDecider, source: Path, out: Path) -> None:
    with pq.ParquetFile(source) as file, pq.ParquetWriter(out / source.name, plain_schema(decider)) as writer:
        for batch in decide_batches(decider, file.iter_batches(BATCH)):
            writer.write_batch(batch)


@contextmanager
def _alone(decider: BatchDecider, workers: int) -> Iterator[Deciding]:
    """No engine: processes that take a file at a time."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:

        def decide(source: Path, out: Path) -> None:
            out.mkdir()
            for done in [pool.submit(_decide_file, decider, path, out) for path in sorted(source.iterdir())]:
                done.result()

        yield decide


@contextmanager
def _spark(decider: BatchDecider, workers: int) -> Iterator[Deciding]:
    from pyspark.sql import SparkSession

    from target.batch import spark

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH),
        "spark.sql.files.openCostInBytes": str(2**30),  # a file is a partition
    }
    session = SparkSession.builder.master(f"local[{workers}]").config(map=settings).getOrCreate()
    try:
        yield lambda source, out: spark.decide(session.read.parquet(str(source)), decider).write.parquet(str(out))
    finally:
        session.stop()


@contextmanager
def _ray(decider: BatchDecider, workers: int) -> Iterator[Deciding]:
    import ray

    from target.batch import ray as engine

    # An actor holds its CPU, so that reading and writing need one more.
    ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, object_store_memory=500 * 2**20)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield lambda source, out: engine.decide(
            ray.data.read_parquet(str(source)), decider, workers=workers
        ).write_parquet(str(out))
    finally:
        ray.shutdown()


@contextmanager
def _dask(decider: BatchDecider, workers: int) -> Iterator[Deciding]:
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    from target.batch import dask as engine

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster,
        Client(cluster),
    ):
        yield lambda source, out: engine.decide(dd.read_parquet(str(source)), decider).to_parquet(
            str(out), write_index=False
        )


ENGINES = {"alone": _alone, "Spark": _spark, "Ray": _ray, "Dask": _dask}


class _Cpu:
    """What this process and all below it have taken, looked at ten times a second: engines end workers in between.

    Not every one of them is waited for, so that the system does not add them up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._most: dict[int, float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def taken_s(self) -> float:
        """Seconds until now."""
        with self._lock:
            self._most.update(cpu_by_process(os.getpid()))
            return sum(self._most.values())

    def _watch(self) -> None:
        while True:
            self.taken_s()
            time.sleep(0.1)


def main(engine: str, workers: int, folder: Path, repeats: int) -> None:
    decider = BatchDecider(make_rules(), mboxes=["home"], client=CLIENT, at=AT, **COLUMNS)  # type: ignore[arg-type]
    took: list[float] = []
    spent_s: list[float] = []
    cpu = _Cpu()
    out = folder / f"{engine}-{workers}"
    out.mkdir()
    with ENGINES[engine](decider, workers) as decide:
        decide(folder / "few", out / "few")
        started_s = time.time() - float(os.environ["BEGAN"])
        for number in range(repeats):
            began, spent = time.perf_counter(), cpu.taken_s()
            decide(folder / "visitors", out / str(number))
            took.append(time.perf_counter() - began)
            spent_s.append(cpu.taken_s() - spent)
        written = [pq.read_table(path, columns=["status"]) for path in (out / "0").rglob("*.parquet")]
    decided = pa.concat_tables(written)
    shown = decided.filter(pa.compute.equal(decided["status"], "decided")).num_rows
    result = {"started_s": started_s, "took_s": took, "cpu_s": spent_s, "rows": decided.num_rows, "shown": shown}
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.flush()
    os._exit(0)  # whatever an engine left running
