"""Decides a file of visitors by one engine, as a job would, and prints what was seen of it as JSON.

Run by the Python of build/engines: ``python -m tests.engines.drive ENGINE FOLDER``, where FOLDER has job.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from target import OptionsError
from target.batch import BatchDecider
from tests.engines.noting import Noting

WORKERS = 2


def drive_spark(job: dict[str, Any], folder: Path, decider: Any) -> dict[str, Any]:
    from pyspark.sql import SparkSession

    from target.batch import spark

    builder = SparkSession.builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.python.worker.reuse", "true")
    master = f"local[{WORKERS}]"
    if job.get("connect"):
        session = builder.remote(master).getOrCreate()
    else:  # so many tries of a task, which a cluster has by default
        session = builder.master(f"local[{WORKERS},4]").getOrCreate()
    frame = session.read.parquet(str(folder / "visitors")).repartition(job["partitions"])
    if job.get("skewed"):
        frame = frame.coalesce(1).union(frame.limit(0).repartition(job["partitions"]))
    started = time.monotonic()
    decided = spark.decide(frame, decider)
    asked = list(folder.glob("*.pid"))
    decided.write.mode("overwrite").parquet(str(folder / "decided"))
    took = time.monotonic() - started
    counts = {}
    if not job.get("connect"):
        counts = {"before": frame.rdd.getNumPartitions(), "after": decided.rdd.getNumPartitions()}
    session.stop()
    return {"asked_at_once": len(asked), "partitions": counts, "took_s": took}


def drive_ray(job: dict[str, Any], folder: Path, decider: Any) -> dict[str, Any]:
    import ray

    from target.batch import ray as engine

    ray.init(
        num_cpus=job.get("processors", WORKERS),
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=200 * 2**20,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.read_parquet(str(folder / "visitors"))
    if not job.get("processors"):
        dataset = dataset.repartition(job["partitions"]).materialize()
    if job.get("skewed"):
        one = dataset.repartition(1).materialize()
        dataset = one.union(*[one.limit(0) for _ in range(job["partitions"])])
    started = time.monotonic()
    decided = engine.decide(dataset, decider, workers=WORKERS)
    asked = list(folder.glob("*.pid"))
    decided.write_parquet(str(folder / "decided"))
    took = time.monotonic() - started
    ray.shutdown()
    return {"asked_at_once": len(asked), "partitions": {}, "took_s": took}


def drive_dask(job: dict[str, Any], folder: Path, decider: Any) -> dict[str, Any]:
    import dask
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    from target.batch import dask as engine

    dask.config.set({"distributed.worker.daemon": False, "distributed.scheduler.allowed-failures": 3})
    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    with cluster, Client(cluster):
        frame = dd.read_parquet(str(folder / "visitors")).repartition(npartitions=job["partitions"])
        if job.get("skewed"):
            frame = dd.concat([frame.repartition(npartitions=1), frame[frame.visitor_id == "nobody"]])
        started = time.monotonic()
        decided = engine.decide(frame, decider)
        asked = list(folder.glob("*.pid"))
        counts = {"before": frame.npartitions, "after": decided.npartitions}
        decided.to_parquet(str(folder / "decided"), write_index=False)
        took = time.monotonic() - started
    return {"asked_at_once": len(asked), "partitions": counts, "took_s": took}


def drive_connect(job: dict[str, Any], folder: Path, decider: Any) -> dict[str, Any]:
    return drive_spark({**job, "connect": True}, folder, decider)


ENGINES: dict[str, Callable[..., dict[str, Any]]] = {
    "spark": drive_spark,
    "connect": drive_connect,
    "ray": drive_ray,
    "dask": drive_dask,
}


def main(engine: str, folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    decider = Noting(BatchDecider(str(folder / "rules.json"), **job["options"]), folder, job.get("kills", False))
    began = time.monotonic()
    try:
        seen = ENGINES[engine](job, folder, decider)
    except OptionsError as error:
        seen = {"refused": str(error), "asked_at_once": len(list(folder.glob("*.pid")))}
    seen["pid"], seen["all_s"] = os.getpid(), time.monotonic() - began
    (folder / "seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # whatever an engine left running
