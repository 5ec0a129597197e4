"""Prints the table of faults as Markdown: ``python -m tests.faults.table``."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.rows import ROWS, Fault, Stage

_KEPT = {True: "kept", False: "closed", None: "either"}


def markdown() -> str:
    """A table for each stage."""
    return "\n\n".join("\n".join(_of(stage)) for stage in Stage)


def _of(stage: Stage) -> Iterator[str]:
    yield f"| {stage.value} | the caller gets | attempts | connection |"
    yield "|---|---|---|---|"
    for fault in ROWS:
        if fault.stage is stage:
            yield f"| {fault.name} | {_gets(fault)} | {fault.attempts} | {_KEPT[fault.kept]} |"


def _gets(fault: Fault) -> str:
    if fault.error is None:
        return "the answer"
    return f"`{fault.error.__name__}`" + (f" {fault.status}" if fault.status else "")


if __name__ == "__main__":
    print(markdown())  # noqa: T201
