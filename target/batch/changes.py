"""Which share of visitors another artifact would show something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from target.batch.engine import Shown
from target.batch.errors import BatchError
from target.batch.pool import Chunk, chunks_of, processes_for, run
from target.batch.simulate import Progress, Settings, build_engine, visitors_reader
from target.decisioning.artifact import parse_artifact_text

#: An activity, and an experience of it that a visitor got before and after; None for none.
Move = tuple[str, str | None, str | None]


@dataclass(slots=True)
class Changes:
    """What differs for visitors.

    Attributes:
        visitors: How many were decided for, by both artifacts.
        changed: How many of them get another experience anywhere, or one where they got none, or none.
        moves: How many moved how, by activity.
        partial: Whether it was stopped before all visitors were decided for.
        failure: What stopped it, such as a row that makes no sense; None after Ctrl-C, and where nothing did.
    """

    visitors: int = 0
    changed: int = 0
    moves: Counter[Move] = field(default_factory=Counter)
    partial: bool = False
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "visitors": self.visitors,
            "changed": self.changed,
            "share": self.changed / self.visitors if self.visitors else None,
            "partial": self.partial,
            "failure": self.failure,
            "moves": [
                {"activityId": activity_id, "before": before, "after": after, "visitors": count}
                for (activity_id, before, after), count in self.moves.most_common()
            ],
        }


class _Comparing(NamedTuple):
    """The work of each process."""

    before: bytes
    after: bytes
    settings: Settings
    visitors: Path | None

    def start(self) -> Callable[[Chunk], Changes]:
        old, new = parse_artifact_text(self.before), parse_artifact_text(self.after)
        engines = build_engine(old, self.settings, new), build_engine(new, self.settings, old)
        visitors_of = visitors_reader(self.visitors, self.settings, old, new)

        def do(chunk: Chunk) -> Changes:
            changes = Changes()
            for visitor in visitors_of(chunk):
                before, after = (set(engine.decide(visitor)) for engine in engines)
                changes.visitors += 1
                if before != after:
                    changes.changed += 1
                    changes.moves.update(_moves(before, after))
            return changes

        return do


def measure_changes(
    before: bytes,
    after: bytes,
    settings: Settings,
    *,
    visitors: Path | None = None,
    count: int = 10_000,
    processes: int | None = None,
    on_progress: Progress | None = None,
) -> Changes:
    """Decide for the visitors of a file, or for ``count`` that are made up, by both artifacts.

    Args:
        before: An artifact.
        after: The artifact that is to follow it.
        settings: How visitors are decided for.
        visitors: A file of them: CSV, JSON Lines or Parquet.
        count: How many to make up where there is no file.
        processes: How many to use; None for as many as is worth it.
        on_progress: Is told how many visitors are done, and which share of all, 0 to 1.

    Returns:
        What was counted. After Ctrl-C (KeyboardInterrupt), or where a row makes no sense, that of the visitors before
        it: it says that it is partial, and why.

    Raises:
        BatchError: What was given cannot be used, and nobody was decided for.
        ArtifactError: One of them is no artifact.
    """
    total = Changes()
    work = _Comparing(before, after, settings, visitors)
    used = processes_for(visitors, count, processes)
    try:
        with closing(run(work, chunks_of(visitors, count), used)) as results:
            for chunk, changes in results:
                total.visitors += changes.visitors
                total.changed += changes.changed
                total.moves += changes.moves
                if on_progress is not None:
                    on_progress(total.visitors, chunk.done)
    except KeyboardInterrupt:
        total.partial = True
    except BatchError as error:
        if not total.visitors:
            raise
        total.partial, total.failure = True, str(error)
    return total


def _moves(before: set[Shown], after: set[Shown]) -> set[Move]:
    """How one visitor moves: by activity, from which experience to which, in any place where it differs."""
    places = {(each.kind, each.name, each.activity_id) for each in before ^ after}
    moves: set[Move] = set()
    for place in places:
        old = {each.experience_id for each in before if each[:3] == place}
        new = {each.experience_id for each in after if each[:3] == place}
        gone: list[str | None] = [*sorted(old - new)] or [None]
        come: list[str | None] = [*sorted(new - old)] or [None]
        moves |= {(place[2], was, now) for was in gone for now in come}
    return moves
