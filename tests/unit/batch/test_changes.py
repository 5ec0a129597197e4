"""Which visitors another artifact moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target.batch.changes import measure_changes
from target.batch.errors import BatchError
from target.batch.simulate import Settings
from tests.kit.rules import NOW_S, build_artifact
from tests.unit.decisioning.test_lint import rule, share

SETTINGS = Settings(client="acme", now_s=NOW_S)
HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]


def text_of(*rules: Any) -> bytes:
    return json.dumps(build_artifact(*rules)).encode()


def test_nobody_moves_between_the_same() -> None:
    changes = measure_changes(text_of(*HALVES), text_of(*HALVES), SETTINGS, count=200)
    assert (changes.visitors, changes.changed, changes.moves) == (200, 0, {})


def test_a_share_that_moves_moves_its_visitors() -> None:
    after = text_of(rule(share(0, 60)), rule(share(60, 100), experience=1))
    changes = measure_changes(text_of(*HALVES), after, SETTINGS, count=5000)
    assert set(changes.moves) == {("10", "1", "0")}
    assert changes.to_dict()["share"] == pytest.approx(0.1, abs=0.02)


def test_a_new_activity_of_higher_priority_takes_from_the_other() -> None:
    changes = measure_changes(text_of(*HALVES), text_of(rule(True, 11), *HALVES), SETTINGS, count=100)
    assert changes.changed == 100
    assert changes.moves["11", None, "0"] == 100
    assert changes.moves["10", "0", None] + changes.moves["10", "1", None] == 100


def test_visitors_of_a_file_are_measured(tmp_path: Path) -> None:
    before, after = text_of(rule({"==": ["red", {"var": "mbox.colour"}]})), text_of(rule())
    path = tmp_path / "visitors.csv"
    path.write_text("id,colour\na,red\nb,blue\nc,\n")
    changes = measure_changes(before, after, SETTINGS, visitors=path)
    assert (changes.visitors, changes.changed, changes.moves) == (3, 2, {("10", None, "0"): 2})
    path.write_text("id,latitude\na,x\n")
    with pytest.raises(BatchError, match=r"visitors\.csv: row 1: latitude is no number"):
        measure_changes(before, after, SETTINGS, visitors=path)


def test_ctrl_c_keeps_what_is_there_and_says_so() -> None:
    def interrupt(_: int, __: float) -> None:
        raise KeyboardInterrupt

    changes = measure_changes(text_of(), text_of(), SETTINGS, count=5000, on_progress=interrupt)
    assert (changes.partial, changes.visitors) == (True, 2000)
    assert changes.to_dict()["partial"] is True
