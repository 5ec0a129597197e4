"""The scenarios: our own beside this file, and Adobe's cross-language ones where a checkout has them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

OWN = Path(__file__).parent / "scenarios"
SHARED = Path(__file__).parents[2].parent / "shared" / "scenarios"


class Scenario(NamedTuple):
    """One call and what has to come of it. ``now`` is what the clock shows, None where any time will do."""

    name: str
    conf: dict[str, Any]
    artifact: dict[str, Any]
    session_id: str | None
    location_hint: str | None
    request: dict[str, Any]
    geo: dict[str, Any] | None
    now: datetime.datetime | None
    expects: dict[str, Any]

    @property
    def client(self) -> str:
        """The client code."""
        return str(self.conf["client"])

    @property
    def output(self) -> dict[str, Any] | None:
        """The pattern of the answer, where there is one."""
        return self.expects.get("output")


def load_scenarios(folder: Path) -> Iterator[Scenario]:
    """All scenarios of ``models/`` and ``artifacts/`` in ``folder``; none where it does not exist."""
    for path in sorted((folder / "models").glob("TEST_SUITE_*.json")):
        suite = json.loads(path.read_text(encoding="utf-8"))
        for name, test in suite["test"].items():
            artifact = test.get("artifact") or suite["artifact"]
            text = (folder / "artifacts" / f"{artifact}.json").read_text(encoding="utf-8")
            yield Scenario(
                name=f"{path.stem.removeprefix('TEST_SUITE_')}/{name}",
                conf=test.get("conf") or suite["conf"],
                artifact=json.loads(text),
                session_id=test["input"].get("sessionId"),
                location_hint=test["input"].get("locationHint"),
                request=test["input"]["request"],
                geo=test.get("mockGeo"),
                now=_moment(test.get("mockDate")),
                expects={key: test[key] for key in ("output", "notificationOutput") if key in test},
            )


def _moment(date: dict[str, int] | None) -> datetime.datetime | None:
    """Months count from 0 in these files."""
    if not date:
        return None
    time = (date.get("hours", 0), date.get("minutes", 0), date.get("seconds", 0))
    return datetime.datetime(date["year"], date["month"] + 1, date["date"], *time, tzinfo=datetime.UTC)
