"""Decides a dataset of Ray, by actors."""

from __future__ import annotations

from typing import Any

from target.batch.extra import demand
from target.batch.partitions import decide_table


def decide(ds: Any, decider: Any, *, workers: int | None = None) -> Any:
    """What each row of a dataset gets, as a dataset: lazy, block by block, by ``map_batches``.

    The rules are put into Ray's object store once, and compiled once by each actor. Workers need this package with the
    extra ``batch``.

    Args:
        ds: A ray.data.Dataset with the columns that ``decider`` reads.
        decider: A BatchDecider.
        workers: How many actors, at most; one for each CPU by default.

    Returns:
        A Dataset with the columns of ``decider.schema``, all dictionaries as text.

    Raises:
        OptionsError: A column is missing, or of a type that cannot be read, where Ray knows the schema beforehand.
            Otherwise the job fails by it.
    """
    ray, data = _ray(), demand("ray.data", "target.batch.ray", "ray")
    schema = ds.schema(fetch_if_missing=False)
    if schema is not None and hasattr(schema.base_schema, "field"):
        decider.check(schema.base_schema)
    processors = ray.cluster_resources().get("CPU", 1)
    return ds.map_batches(
        _Deciding,
        batch_format="pyarrow",
        batch_size=None,  # each block as it is
        zero_copy_batch=True,
        fn_constructor_args=([ray.put(decider)],),
        compute=data.ActorPoolStrategy(min_size=1, max_size=workers or max(1, int(processors))),
        num_cpus=0 if processors < 2 else 1,  # an actor that held the only one would keep its own input waiting
    )


def _ray() -> Any:
    return demand("ray", "target.batch.ray", "ray")


class _Deciding:
    """An actor: reads the decider once."""

    def __init__(self, shared: list[Any]) -> None:
        (reference,) = shared
        self._decider = _ray().get(reference)

    def __call__(self, table: Any) -> Any:
        return decide_table(self._decider, table)
