"""Decides for many visitors, and says who got what: counts, sample-ratio tests, and each decision in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from target.batch.engine import Engine, Shown, name_visitor
from target.batch.errors import BatchError
from target.batch.expected import Expectations
from target.batch.generated import Population
from target.batch.pool import Chunk, chunks_of, processes_for, run
from target.batch.results import Simulation, build_simulation
from target.batch.tally import Tally
from target.batch.visitors import ask_all, id_maker, read_row
from target.batch.written import Row, Written, encode, format_of
from target.decisioning.artifact import Artifact, parse_artifact_text
from target.decisioning.catalogue import list_activities

Progress = Callable[[int, float], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How visitors are decided for.

    Attributes:
        client: The client code; part of what allocates visitors.
        now_s: When they come, in epoch seconds.
        seed: Other visitors are made up for another one.
        only: Names of mboxes and views to ask for; none for all.
        property_token: The property of visitors who name none.
    """

    client: str
    now_s: float
    seed: int = 0
    only: tuple[str, ...] = ()
    property_token: str | None = None


class _Simulating(NamedTuple):
    """The work of each process."""

    text: bytes
    settings: Settings
    visitors: Path | None
    suffix: str | None  # of the file that decisions go to

    def start(self) -> Callable[[Chunk], tuple[Tally, Any]]:
        artifact = parse_artifact_text(self.text)
        engine = build_engine(artifact, self.settings)
        expectations = Expectations(engine)
        visitors_of = visitors_reader(self.visitors, self.settings, artifact)
        names = _names_of(artifact) if self.suffix else {}

        def do(chunk: Chunk) -> tuple[Tally, Any]:
            tally = Tally()
            rows: list[Row] = []
            for visitor in visitors_of(chunk):
                shown = engine.decide(visitor)
                tally.count(shown, visitor, expectations)
                if self.suffix:
                    rows += _rows_of(name_visitor(visitor), shown, names)
            return tally, encode(rows, self.suffix) if self.suffix else None

        return do


def simulate(
    text: bytes,
    settings: Settings,
    *,
    visitors: Path | None = None,
    count: int = 10_000,
    out: Path | None = None,
    processes: int | None = None,
    on_progress: Progress | None = None,
) -> Simulation:
    """Decide for the visitors of a file, or for ``count`` that are made up.

    Args:
        text: The artifact.
        settings: How they are decided for.
        visitors: A file of them: CSV, JSON Lines or Parquet.
        count: How many to make up where there is no file.
        out: Where each decision is written to, as CSV, JSON Lines or Parquet.
        processes: How many to use; None for as many as is worth it.
        on_progress: Is told how many visitors are done, and which share of all, 0 to 1.

    Returns:
        What was counted. After Ctrl-C (KeyboardInterrupt), or where a row makes no sense, that of the visitors before
        it: it says that it is partial, and why.

    Raises:
        BatchError: What was given cannot be used, and nobody was decided for.
        ArtifactError: ``text`` is no artifact.
    """
    artifact = parse_artifact_text(text)
    engine = build_engine(artifact, settings)
    tally, partial, failure = Tally(), False, None
    used = processes_for(visitors, count, processes)
    written = Written(out) if out else None
    try:
        work = _Simulating(text, settings, visitors, format_of(out) if out else None)
        with closing(run(work, chunks_of(visitors, count), used)) as results:
            for chunk, (counted, encoded) in results:
                if written is not None:
                    written.write(encoded)
                tally.add(counted)
                if on_progress is not None:
                    on_progress(tally.visitors, chunk.done)
    except KeyboardInterrupt:
        partial = True
    except BatchError as error:
        partial, failure = True, error
    kept = None if written is None else written.finish(partial=partial)
    if failure is not None and not tally.visitors:
        raise failure
    return build_simulation(
        artifact,
        engine.asked,
        tally,
        Expectations(engine).untested,
        settings_told={"client": settings.client, "at": settings.now_s, "seed": None if visitors else settings.seed},
        partial=partial,
        failure=None if failure is None else str(failure),
        processes=used,
        out=str(kept) if kept else None,
    )


def build_engine(artifact: Artifact, settings: Settings, *others: Artifact) -> Engine:
    """What decides as ``settings`` say. Raises BatchError where they name what no artifact has."""
    return Engine(
        artifact,
        client=settings.client,
        now_s=settings.now_s,
        asked=ask_all(artifact, *others, only=settings.only),
        property_token=settings.property_token,
    )


def visitors_reader(
    path: Path | None, settings: Settings, *artifacts: Artifact
) -> Callable[[Chunk], Iterator[dict[str, Any]]]:
    """What gives the visitors of a chunk, of the file ``path`` or made up."""
    population: Population | None = None
    new_id = id_maker(settings.seed)

    def visitors_of(chunk: Chunk) -> Iterator[dict[str, Any]]:
        nonlocal population
        if chunk.rows is None:
            if population is None:
                population = Population(*artifacts, seed=settings.seed, with_properties=settings.property_token is None)
            yield from population.visitors(chunk.first, chunk.size)
            return
        for number, row in enumerate(chunk.rows, chunk.first):
            try:
                yield read_row(row, new_id(number))
            except BatchError as error:
                raise BatchError(f"{path}: row {number}: {error}") from error

    return visitors_of


def _names_of(artifact: Artifact) -> dict[tuple[str, str], tuple[str, str]]:
    """What activities and experiences are called, by their ids."""
    return {
        (activity.id, experience.id): (activity.name or "", experience.name or "")
        for activity in list_activities(artifact)
        for experience in activity.experiences
    }


def _rows_of(visitor: str, shown: list[Shown], names: dict[tuple[str, str], tuple[str, str]]) -> Iterator[Row]:
    if not shown:
        yield Row(visitor, "", "", "", "", "", "")
    for kind, place, activity_id, experience_id in shown:
        activity, experience = names[activity_id, experience_id]
        yield Row(visitor, kind, place, activity_id, activity, experience_id, experience)
