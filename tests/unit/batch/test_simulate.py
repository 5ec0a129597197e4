"""Many visitors: what is counted is what the engine decides for each, whichever way they come."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from target.batch.errors import BatchError
from target.batch.generated import Population
from target.batch.simulate import Settings, simulate
from target.batch.visitors import ask_all, build_body
from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import decide
from target.errors import ArtifactError
from tests.kit.rules import NOW_S, build_artifact, build_rule
from tests.unit.decisioning.test_lint import CHROME, random_artifacts, rule, share

SETTINGS = Settings(client="acme", now_s=NOW_S)
HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]


def text_of(*rules: Any, **changes: Any) -> bytes:
    return json.dumps(build_artifact(*rules, **changes)).encode()


def counted(simulation: Any) -> dict[tuple[str, str], int]:
    return {
        (activity.id, experience.id): experience.visitors
        for activity in simulation.activities
        for experience in activity.experiences
    }


def decided(text: bytes, visitors: list[dict[str, Any]]) -> list[list[tuple[str, str, str]]]:
    """What the engine gives each visitor: place, activity and experience."""
    artifact = parse_artifact(json.loads(text))
    asked = ask_all(artifact)
    told = []
    for visitor in visitors:
        body = build_body(visitor, asked)
        shown = decide(body, artifact, client="acme", now_s=NOW_S, new_id=lambda: "").shown
        ids = [(name, each.activity_id, each.meta.get("experience.id")) for _, _, name, each in shown]
        told.append(
            [(name, activity, "" if experience is None else str(experience)) for name, activity, experience in ids]
        )
    return told


def test_counts_are_what_the_engine_decides_for_each(tmp_path: Path) -> None:
    text = text_of(rule(CHROME, 11), *HALVES, rules={
        "mboxes": {"hero": [rule(CHROME, 11), *HALVES], "target-global-mbox": [rule(True, 12, ruleKey="a")]},
        "views": {"home": HALVES},
    })  # fmt: skip
    out = tmp_path / "out.csv"
    simulation = simulate(text, SETTINGS, count=500, out=out)
    visitors = list(Population(parse_artifact(json.loads(text))).visitors(1, 500))
    expected = decided(text, visitors)
    assert counted(simulation) == Counter(
        each for row in expected for each in {(activity, experience) for _, activity, experience in row}
    )
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    written: dict[str, list[tuple[str, str, str]]] = {visitor["id"]["tntId"]: [] for visitor in visitors}
    for row in rows:
        if row["place"]:
            written[row["visitor"]].append((row["place"], row["activity_id"], row["experience_id"]))
    assert list(written.values()) == expected
    assert {row["kind"] for row in rows} == {"mbox", "page load", "view"}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=random_artifacts)
def test_no_artifact_makes_it_fail(data: Any) -> None:
    text = json.dumps(data).encode()
    try:
        simulation = simulate(text, SETTINGS, count=5)
    except ArtifactError:
        return
    assert simulation.visitors == 5
    json.loads(json.dumps(simulation.to_dict(), allow_nan=False))


def test_files_of_visitors_give_the_same_in_every_format(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    text = text_of(rule({"==": ["red", {"var": "mbox.colour"}]}, 11), *HALVES)
    rows = [{"id": f"visitor-{number}", "colour": ["red", "blue"][number % 2]} for number in range(300)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "colour"])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    results = []
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        simulation = simulate(text, SETTINGS, visitors=tmp_path / name, out=tmp_path / f"{name}.out.csv")
        results.append((counted(simulation), (tmp_path / f"{name}.out.csv").read_bytes()))
    assert results[0] == results[1] == results[2]
    assert results[0][0]["11", "0"] == 150


def test_decisions_are_written_in_every_format(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    text = text_of(*HALVES)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        simulate(text, SETTINGS, count=50, out=tmp_path / name)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == rows
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == rows
    assert rows[0]["activity"] == "Test 10"
    assert not list(tmp_path.glob("*.partial"))


def test_visitors_who_get_nothing_are_counted_and_written(tmp_path: Path) -> None:
    simulation = simulate(text_of(rule(False)), SETTINGS, count=3, out=tmp_path / "a.csv")
    assert (simulation.visitors, simulation.with_nothing) == (3, 3)
    assert [line.partition(",")[2] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]] == [",,,,,"] * 3


def test_a_property_is_that_of_visitors_who_name_none(tmp_path: Path) -> None:
    text = text_of(rule(propertyTokens=["p"]), rule(True, 11))
    (tmp_path / "a.csv").write_text("id,property\na,\nb,other\n")
    of_p = Settings(client="acme", now_s=NOW_S, property_token="p")
    assert counted(simulate(text, of_p, visitors=tmp_path / "a.csv")) == {("10", "0"): 1, ("11", "0"): 1}
    assert counted(simulate(text, of_p, count=10)) == {("10", "0"): 10, ("11", "0"): 0}


def test_a_row_that_makes_no_sense_ends_it_and_keeps_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,latitude\n" + "a,1\n" * 2500 + "b,north\n")
    out = tmp_path / "out.csv"
    simulation = simulate(text_of(*HALVES), SETTINGS, visitors=path, out=out)
    assert (simulation.partial, simulation.visitors, simulation.out) == (True, 2000, f"{out}.partial")
    assert simulation.failure == f"{path}: row 2501: latitude is no number"
    assert not out.exists()
    assert len((tmp_path / "out.csv.partial").read_text().splitlines()) == 2001


def test_ctrl_c_keeps_what_is_there_and_says_so(tmp_path: Path) -> None:
    def interrupt(done: int, _: float) -> None:
        if done >= 4000:
            raise KeyboardInterrupt

    out = tmp_path / "out.csv"
    simulation = simulate(text_of(*HALVES), SETTINGS, count=100_000, out=out, processes=1, on_progress=interrupt)
    assert (simulation.partial, simulation.visitors, simulation.out) == (True, 4000, f"{out}.partial")
    assert simulation.to_dict()["partial"] is True
    assert len(Path(f"{out}.partial").read_text().splitlines()) == 4001
    assert not out.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match=r"gone.out\.csv: it cannot be written: No such file"):
        simulate(text_of(), SETTINGS, count=1, out=tmp_path / "gone" / "out.csv")
    with pytest.raises(BatchError, match=r"ends in \.csv, \.jsonl, \.ndjson or \.parquet, not '\.txt'"):
        simulate(text_of(), SETTINGS, count=1, out=tmp_path / "out.txt")


def test_only_what_is_named_is_asked_for() -> None:
    text = text_of(rules={"mboxes": {"a": [build_rule(True, 1)], "b": [build_rule(True, 2)]}, "views": {}})
    only = Settings(client="acme", now_s=NOW_S, only=("b",))
    assert counted(simulate(text, only, count=4)) == {("2", "0"): 4}


@pytest.mark.slow
def test_many_processes_count_what_one_counts(tmp_path: Path) -> None:
    text = text_of(rule(CHROME, 11), *HALVES)
    results = []
    for processes in (1, 3):
        out = tmp_path / f"{processes}.csv"
        simulation = simulate(text, SETTINGS, count=9_001, out=out, processes=processes)
        results.append((counted(simulation), simulation.to_dict()["activities"], out.read_bytes()))
    assert results[0] == results[1]
    path = tmp_path / "bad.csv"
    path.write_text("id\n" + "a\n" * 5000 + "b,c\n")
    simulation = simulate(text, SETTINGS, visitors=path, out=tmp_path / "bad.out.csv", processes=2)
    assert simulation.visitors == 5000
    assert simulation.failure == f"{path}: row 5001: it has 2 values (line 5002), and the header 1"
